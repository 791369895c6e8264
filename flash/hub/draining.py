"""The end of what would not end by itself: WebSockets and streams of events, when their app is to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from .host import Receive, Scope, Send
from .layers import ASGI

#: How long an app has to end them itself, in seconds.
COURTESY = 0.5

_ENDLESS = (b"text/event-stream", b"multipart/x-mixed-replace")
_END = {
    "http": {"type": "http.response.body", "body": b"", "more_body": False},
    # "Going away": the browser's script may connect anew.
    "websocket": {"type": "websocket.close", "code": 1001},
}


class Draining:
    """Ends WebSockets and event streams half a second after the app is asked to stop; other requests finish.

    It begins with the app's lifespan.

    Args:
        app: The ASGI app.
        stopping: Waits until the app is asked to stop.
    """

    def __init__(self, app: ASGI, stopping: Callable[[], Awaitable[Any]]) -> None:
        self._app = app
        self._stopping = stopping
        self._open: set[_Endless] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            watching = asyncio.create_task(self._end_all())
            try:
                await self._app(scope, receive, send)
            finally:
                watching.cancel()
            return
        link = _Endless(scope["type"], send, self._open)
        if scope["type"] == "websocket":
            self._open.add(link)
        try:
            await self._app(scope, receive, link.send)
        finally:
            self._open.discard(link)

    async def _end_all(self) -> None:
        await self._stopping()
        await asyncio.sleep(COURTESY)
        await asyncio.gather(*(link.end() for link in list(self._open)), return_exceptions=True)


class _Endless:
    """A WebSocket; or a response, which may prove to be a stream of events."""

    def __init__(self, kind: str, send: Send, opened: set[_Endless]) -> None:
        self._kind = kind
        self._send = send
        self._opened = opened
        self._task = asyncio.current_task()
        self._ended = False

    async def send(self, message: Any) -> None:
        if self._ended:
            return
        if message["type"] == "http.response.start" and is_endless(message.get("headers", ())):
            self._opened.add(self)
        await self._send(message)

    async def end(self) -> None:
        self._ended = True
        try:
            await self._send(_END[self._kind])
        finally:
            if self._task is not None:
                self._task.cancel()


def is_endless(headers: Any) -> bool:
    """Whether an answer with these headers is a stream that does not end by itself."""
    return any(name.lower() == b"content-type" and value.lower().startswith(_ENDLESS) for name, value in headers)
