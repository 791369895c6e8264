"""Plain WSGI apps on the hub: Flask, Django, and Dash on Flask, by a2wsgi."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ..exceptions import ConfigurationError
from ..server.serving import DaemonExecutor
from .host import Receive, Scope, Send
from .layers import ASGI

#: How many requests of one app run at once; a thread is made when it is first needed.
THREADS = 100

_GONE = "flash.hub.gone"


def served_by_threads(app: Callable[..., Iterable[bytes]]) -> ASGI:
    """A WSGI app as ASGI: streams in both directions, and ends a stream whose reader has left.

    Raises:
        ConfigurationError: The package for it is not installed.
    """
    try:
        from a2wsgi import WSGIMiddleware
    except ModuleNotFoundError:
        raise ConfigurationError("A WSGI app on a hub needs a2wsgi: pip install 'dash-flash[hub]'.") from None
    bridge: Any = WSGIMiddleware(_ending_when_gone(app), workers=1)
    # Its own threads would be joined when the process ends; a stream can run for ever.
    bridge.executor = DaemonExecutor(THREADS)

    left: set[asyncio.Task[None]] = set()

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            try:
                await bridge(scope, receive, send)
            finally:
                if scope["type"] == "lifespan":
                    bridge.executor.shutdown()
                    bridge.executor = DaemonExecutor(THREADS)  # The app may be started again.
            return
        watched = _Watched(receive, send)
        serving = asyncio.create_task(bridge({**scope, _GONE: watched.gone}, watched.receive, watched.send))
        # A thread cannot be cancelled: it ends with the next piece that it sends or reads.
        left.add(serving)
        serving.add_done_callback(left.discard)
        try:
            await asyncio.shield(serving)
        finally:
            await watched.end()

    return serve


def _ending_when_gone(app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    def wrapped(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["wsgi.errors"] = sys.stderr
        environ["wsgi.input_terminated"] = True
        answer = app(environ, start_response)
        return _Chunks(answer, environ["asgi.scope"][_GONE])

    return wrapped


class _Chunks:
    """What a WSGI app answers, until nobody reads it any more."""

    def __init__(self, answer: Iterable[bytes], gone: threading.Event) -> None:
        self._answer = answer
        self._gone = gone

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._answer:
            if self._gone.is_set():
                return
            yield chunk

    def close(self) -> None:
        getattr(self._answer, "close", lambda: None)()


class _Watched:
    """The two ends of a request, watched for the client's departure from the answer's first byte on.

    What still comes of the request's body waits, one piece at a time, until the app reads it.
    """

    def __init__(self, receive: Receive, send: Send) -> None:
        self.gone = threading.Event()
        self._receive = receive
        self._send = send
        self._come: asyncio.Queue[Any] = asyncio.Queue(1)
        self._reading = asyncio.Lock()
        self._watching: asyncio.Task[None] | None = None

    async def receive(self) -> Any:
        if self.gone.is_set():
            return {"type": "http.disconnect"}
        if self._watching is not None:
            return await self._come.get()
        async with self._reading:
            return await self._receive()

    async def send(self, message: Any) -> None:
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch())
        if not self.gone.is_set():
            await self._send(message)

    async def end(self) -> None:
        """Nobody is there any more: what the app sends is dropped, and it reads nothing."""
        self.gone.set()
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait({self._watching})
        if self._come.empty():
            self._come.put_nowait({"type": "http.disconnect"})

    async def _watch(self) -> None:
        async with self._reading:
            while not self.gone.is_set():
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    self.gone.set()
                await self._come.put(message)
