"""The door of an app's process: only its hub comes in, and what it says of the visitor is taken."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

from .host import Receive, Scope, Send
from .layers import ASGI
from .visitor import EXTENSION

#: The header by which a hub shows that it is the one.
SECRET_HEADER = b"x-hub-secret"

#: Answered with 204 once the app is ready.
READY_PATH = "/_hub-ready"


class FromHub:
    """Refuses who does not know the secret, with 403, and tells the app who asks as the hub says it.

    Args:
        app: The ASGI app.
        secret: What the hub sends in ``x-hub-secret`` with each request. The app does not see it.
        name: The app's name on the hub.
        prefix: Where the hub serves it.
    """

    def __init__(self, app: ASGI, secret: str, *, name: str, prefix: str) -> None:
        self._app = app
        self._secret = secret.encode()
        self._name = name
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        said, headers = _told(scope["headers"])
        if not hmac.compare_digest(said.get(SECRET_HEADER, b""), self._secret):
            await _refuse(scope, send)
        elif scope["path"] == READY_PATH:
            await _answer(send, 204)
        else:
            await self._app(self._as_asked(scope, said, headers), receive, send)

    def _as_asked(self, scope: Scope, said: dict[bytes, bytes], headers: list[tuple[bytes, bytes]]) -> Scope:
        """The scope as the browser's request would have made it."""
        known = {
            "user": _text(said[b"x-hub-user"]) if b"x-hub-user" in said else None,
            "roles": [_text(role) for role in said.get(b"x-hub-roles", b"").split(b",") if role],
            "app": self._name,
            "prefix": self._prefix,
        }
        asked: dict[str, Any] = {
            **scope,
            "headers": headers,
            "extensions": {**(scope.get("extensions") or {}), EXTENSION: known},
        }
        if protocol := said.get(b"x-forwarded-proto"):
            asked["scheme"] = _scheme(scope["type"], protocol.decode("latin-1"))
        if client := said.get(b"x-forwarded-for"):
            asked["client"] = (client.split(b",")[0].strip().decode("latin-1").strip("[]"), 0)
        if host := said.get(b"x-forwarded-host"):
            asked["server"] = _address(host.decode("latin-1"), asked["scheme"])
        return asked


def _told(headers: Iterable[tuple[bytes, bytes]]) -> tuple[dict[bytes, bytes], list[tuple[bytes, bytes]]]:
    """What the hub says by headers, and the headers without its secret."""
    said = {name: value for name, value in headers if name.startswith((b"x-hub-", b"x-forwarded-"))}
    return said, [(name, value) for name, value in headers if name != SECRET_HEADER]


def _text(value: bytes) -> str:
    return unquote(value.decode("latin-1"))


def _scheme(kind: str, protocol: str) -> str:
    secure = protocol in ("https", "wss")
    return ("wss" if secure else "ws") if kind == "websocket" else ("https" if secure else "http")


def _address(host: str, scheme: str) -> tuple[str, int]:
    name, colon, port = host.rpartition(":")
    if colon and port.isdigit():
        return name.strip("[]"), int(port)
    return host.strip("[]"), 443 if scheme in ("https", "wss") else 80


async def _refuse(scope: Scope, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close"})  # Before it is accepted: the handshake is answered with 403.
    else:
        await _answer(send, 403, b"Only the hub may ask.\n")


async def _answer(send: Send, status: int, body: bytes = b"") -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")] if body else []
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
