"""The layers of ASGI between the hub and an app: where the app finds itself, and how it starts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from .. import _dash
from .host import Receive, Scope, Send
from .inside import asked_by

logger = logging.getLogger("flash.hub")

ASGI = Callable[[Scope, Receive, Send], Awaitable[None]]


def below(app: Any, prefix: str) -> ASGI:
    """Tell an app its prefix as ASGI says it: in ``root_path``, and before ``path``."""

    async def placed(scope: Scope, receive: Receive, send: Send) -> None:
        await app(_placed(scope, prefix), receive, send)

    return placed


def unstripped(app: Any, prefix: str) -> ASGI:
    """Give an app the whole path: its own routes begin with the prefix."""

    async def placed(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**_placed(scope, prefix), "root_path": ""}, receive, send)

    return placed


def _placed(scope: Scope, prefix: str) -> Scope:
    if scope["type"] == "lifespan":
        return scope
    raw_path = prefix.encode() + (scope.get("raw_path") or quote(scope["path"]).encode())
    return {**scope, "path": prefix + scope["path"], "raw_path": raw_path, "root_path": prefix}


def beside(app: Any, prefix: str) -> ASGI:
    """Tell an app its prefix in ``root_path`` alone: many frameworks match ``path`` as it is."""

    async def placed(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "root_path": prefix}, receive, send)

    return placed


def knowing_visitors(app: Any) -> ASGI:
    """Let the code of an app ask who its visitor is."""

    async def asked(scope: Scope, receive: Receive, send: Send) -> None:
        with asked_by(scope):
            await app(scope, receive, send)

    return asked


def in_context(app: Any, dash_app: Any) -> ASGI:
    """Make a Dash app the one that ``dash.get_app()`` finds, whatever was made after it."""

    async def found(scope: Scope, receive: Receive, send: Send) -> None:
        with _current(dash_app):
            await app(scope, receive, send)

    return found


@contextmanager
def _current(dash_app: Any) -> Iterator[None]:
    token = _dash.current_app.set(dash_app)
    try:
        yield
    finally:
        _dash.current_app.reset(token)


def warmed_up(app: Any, paths: Iterable[str]) -> ASGI:
    """Send requests to an app when it has started, before anybody else can.

    Dash sets itself up at its first HTTP request only: a WebSocket that comes first finds no callbacks.
    """

    async def started(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return

        async def send_when_warm(message: Any) -> None:
            if message["type"] == "lifespan.startup.complete":
                for path in paths:
                    await _warm_up(app, path, scope)
            await send(message)

        await app(scope, receive, send_when_warm)

    return started


async def _warm_up(app: Any, path: str, lifespan: Scope) -> None:
    """A request that only logs when it fails: the app's first visitor would see the same."""
    statuses: list[int] = []
    asked = asyncio.Event()

    async def receive() -> Any:
        if asked.is_set():
            await asyncio.Event().wait()  # The client stays until it is answered.
        asked.set()
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    try:
        await app(_request_scope(path, lifespan), receive, send)
    except Exception:
        logger.exception("The app failed at %s.", path)
        return
    if statuses and statuses[0] >= 500:
        logger.error("The app answers %s with %s: it cannot be set up.", path, statuses[0])


def _request_scope(path: str, lifespan: Scope) -> Scope:
    return {
        "type": "http",
        "asgi": lifespan.get("asgi", {"version": "3.0"}),
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 0),
        "server": ("localhost", 80),
        "state": dict(lifespan.get("state", {})),
        "extensions": {},
    }


def answering_lifespan(app: Any) -> ASGI:
    """Start an app that does not know the lifespan protocol: it raises, or returns, before it answers."""

    async def answered(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        said: list[str] = []

        async def note(message: Any) -> None:
            said.append(message["type"])
            await send(message)

        messages: list[Any] = []

        async def read() -> Any:
            messages.append(await receive())
            return messages[-1]

        try:
            await app(scope, read, note)
        except Exception:
            if said:
                raise
        if not said:
            await _start_and_stop(receive, send, asked=len(messages))

    return answered


async def _start_and_stop(receive: Receive, send: Send, *, asked: int) -> None:
    for number, phase in enumerate(("startup", "shutdown")):
        if number >= asked:
            await receive()
        await send({"type": f"lifespan.{phase}.complete"})
