"""A hub of small apps, whose visitors say by a cookie who they are, and what its tests see of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import httpx

from flash.hub.host import Scope
from flash.hub.hub import Hub
from flash.hub.signin import SignIn
from flash.hub.visitor import ADMIN, NOBODY, Visitor

from ..serving import PATIENCE

#: What a browser sends when somebody follows a link.
NAVIGATION = {"Accept": "text/html,application/xhtml+xml", "Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate"}

#: What a script of a page sends.
SCRIPT = {"Accept": "application/json", "Sec-Fetch-Dest": "empty", "Sec-Fetch-Mode": "cors"}

COOKIE = "tester"


class ByCookie(SignIn):
    """Believes the cookie ``tester=ann:finance.admin``, as long as ann has not been signed out."""

    def __init__(self) -> None:
        super().__init__()
        self._out: set[str] = set()

    async def identify(self, scope: Scope) -> Visitor:
        """See :meth:`SignIn.identify`."""
        headers = dict(scope["headers"])
        cookies: SimpleCookie = SimpleCookie(headers.get(b"cookie", b"").decode())
        if COOKIE not in cookies:
            return NOBODY
        name, _, roles = cookies[COOKIE].value.partition(":")
        return NOBODY if name in self._out else Visitor(name, frozenset(filter(None, roles.split("."))))

    def session_key(self, scope: Scope) -> str | None:
        """See :meth:`SignIn.session_key`."""
        cookies: SimpleCookie = SimpleCookie(dict(scope["headers"]).get(b"cookie", b"").decode())
        return cookies[COOKIE].value.partition(":")[0] if COOKIE in cookies else None

    def sign_out(self, name: str) -> None:
        """End the session of a user. To be called on the hub's loop."""
        self._out.add(name)
        self._ended(name)


async def page(scope: Any, receive: Any, send: Any) -> None:
    """An app of one page."""
    if scope["type"] == "lifespan":
        for phase in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{phase}.complete"})
        return
    headers = [(b"content-type", b"text/html; charset=utf-8")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send(
        {
            "type": "http.response.body",
            "body": b"<!doctype html><title>App</title><link rel=icon href=data:,><h1 id=app>The app</h1>",
        }
    )


def broken() -> Any:
    """A factory that fails, with a text that no stranger may see."""
    raise RuntimeError("the password is hunter2")


class Slow:
    """A factory that waits until it may go on, at the latest after the block; apps are made one at a time."""

    def __init__(self) -> None:
        self.may_go_on = threading.Event()

    def __enter__(self) -> Slow:
        return self

    def __exit__(self, *exc: object) -> None:
        self.may_go_on.set()

    def __call__(self) -> Any:
        self.may_go_on.wait(PATIENCE)
        return page


def hub_at(home: Path, signin: SignIn | None = None, **options: Any) -> Hub:
    """A hub without apps."""
    return Hub(title="Analytics & more", home=str(home), signin=signin, **options)


def client(url: str, who: str | None = None, **headers: str) -> httpx.Client:
    """A browser, or a program, of somebody: ``"ann:finance"``, or nobody."""
    cookies = {COOKIE: who} if who else None
    return httpx.Client(base_url=url, cookies=cookies, headers=headers, timeout=PATIENCE)


ADMINISTRATOR = f"root:{ADMIN}"


@contextmanager
def listening(someone: httpx.Client, path: str = "/_hub/events") -> Iterator[Iterator[tuple[str, Any]]]:
    """The server-sent events of an address, each by its kind and data."""
    with someone.stream("GET", path) as answer:
        assert answer.status_code == 200, answer.status_code
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield _events(answer)


def _events(answer: httpx.Response) -> Iterator[tuple[str, Any]]:
    kind = ""
    for line in answer.iter_lines():
        if line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield kind, json.loads(line.removeprefix("data: "))
