"""What every way of signing in has in common."""

from __future__ import annotations

import logging
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote

import orjson

from ..host import Receive, Scope, Send
from ..visitor import Visitor

if TYPE_CHECKING:
    from quart import Blueprint

    from ..hub import Hub

logger = logging.getLogger("flash.hub")

Headers = list[tuple[bytes, bytes]]

#: The page on which one signs in.
LOGIN = "/_hub/login"

#: A path of this site. Browsers take a backslash for a slash, leave out tabs and line ends, and read two slashes at the
#: beginning as the name of another host.
_LOCAL_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]{0,2000}")


class SignIn(ABC):
    """Knows who asks. One belongs to one hub.

    The hub calls :meth:`prepare` before its state is open and :meth:`start` afterwards.
    """

    #: Whether everybody may come in.
    open: ClassVar[bool] = False

    def __init__(self) -> None:
        self._on_end: list[Callable[[str], None]] = []

    # What the hub calls.

    async def prepare(self, hub: Hub) -> None:  # noqa: B027 - not all have something to do here.
        """Get ready before the hub's state is open; here tables are declared, and files read.

        Raises:
            ConfigurationError: What was configured cannot work.
        """

    async def start(self) -> None:  # noqa: B027
        """Begin, once the hub's state is open."""

    async def close(self) -> None:  # noqa: B027
        """End what was begun."""

    @abstractmethod
    async def identify(self, scope: Scope) -> Visitor:
        """Who asks.

        Args:
            scope: Of a request or a WebSocket; scheme, client and Host are the browser's.
        """

    def session_key(self, scope: Scope) -> str | None:
        """What a request belongs to, that can end before it: a session. None: nothing.

        Args:
            scope: Of a request or a WebSocket for which :meth:`identify` was called.
        """
        return None

    async def challenge(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer somebody who is unknown and asks for what is not public.

        A tab is sent to the page where one signs in, a script is answered with 401 and JSON, a handshake is refused.

        Args:
            scope: The request or the handshake.
            receive: As in ASGI.
            send: As in ASGI.
        """
        if is_navigation(scope):
            await answer(send, "http", 303, [(b"location", self.login_location(scope).encode())])
        else:
            await refuse(scope, send, 401, "Sign in first.")

    def blueprint(self) -> Blueprint | None:
        """The pages by which one signs in and out, below ``/_hub/``; None when there are none."""
        return None

    def headers_for_apps(self, headers: Headers) -> Headers:
        """The headers of a request without those by which one signs in: no app gets a password, nor a claim.

        Args:
            headers: As the browser sent them.
        """
        return headers

    def refresh_headers(self, visitor: Visitor, scope: Scope) -> Headers:
        """Headers for the answer to a request: a session's new cookie, when it is time for one.

        Args:
            visitor: Who asks.
            scope: The request.
        """
        return []

    def on_end(self, callback: Callable[[str], None]) -> None:
        """Call a function with the key of each session that ends, or whose user gets other roles.

        What was begun for it with the old rights is to be closed.
        """
        self._on_end.append(callback)

    # For those who derive.

    def login_location(self, scope: Scope) -> str:
        """Where one signs in, and comes back from to the page that was asked for."""
        root = scope.get("root_path", "")
        path: str = scope["raw_path"].decode("latin-1") if scope.get("raw_path") else quote(scope["path"])
        if root and not path.startswith(root + "/"):
            path = quote(root) + path
        query = scope.get("query_string", b"").decode("latin-1")
        wanted = safe_next(path + ("?" + query if query else ""))
        return quote(root) + LOGIN + ("" if wanted == "/" else "?next=" + quote(wanted, safe="/"))

    def _ended(self, key: str) -> None:
        for callback in self._on_end:
            try:
                callback(key)
            except Exception:
                logger.exception("What a session had begun could not be closed.")


def safe_next(wanted: str | None) -> str:
    """Where to go after signing in: a path of this site, whatever the address of the page said.

    Example:
        >>> safe_next("/sales/?year=2024"), safe_next("//evil.example"), safe_next("https://evil.example")
        ('/sales/?year=2024', '/', '/')
    """
    return wanted if wanted is not None and _LOCAL_PATH.fullmatch(wanted) else "/"


def is_navigation(scope: Scope) -> bool:
    """Whether a person waits for a page, in a tab or a frame."""
    if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
        return False
    headers = dict(scope["headers"])
    mode = headers.get(b"sec-fetch-mode")
    return mode == b"navigate" if mode is not None else b"text/html" in headers.get(b"accept", b"")


async def refuse(scope: Scope, send: Send, status: int, text: str, headers: Headers | None = None) -> None:
    """Answer a request with JSON, or refuse a handshake before it is accepted.

    Args:
        scope: The request or the handshake.
        send: As in ASGI.
        status: Of the answer.
        text: What to tell.
        headers: Further headers.
    """
    if scope["type"] == "websocket" and "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": 1008, "reason": text})
        return
    body = orjson.dumps({"error": text, "login": LOGIN})
    extra = [(b"content-type", b"application/json"), *(headers or [])]
    await answer(send, "http" if scope["type"] == "http" else "websocket.http", status, extra, body)


async def answer(send: Send, kind: str, status: int, headers: Headers, body: bytes = b"") -> None:
    """Send a whole answer that nobody keeps.

    Args:
        send: As in ASGI.
        kind: ``"http"``, or ``"websocket.http"`` for a handshake that is refused.
        status: Of the answer.
        headers: Its own headers.
        body: Its body.
    """
    common = [(b"cache-control", b"no-store"), (b"content-length", b"%d" % len(body))]
    await send({"type": f"{kind}.response.start", "status": status, "headers": [*headers, *common]})
    await send({"type": f"{kind}.response.body", "body": body, "more_body": False})
