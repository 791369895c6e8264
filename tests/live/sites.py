"""Where an app can be reached, over the network or inside this process, and the sockets that lead there."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from contextlib import suppress
from typing import Any, Protocol
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

#: Dash's own path of the WebSocket, below the app's prefix.
SOCKET = "_dash-ws-callback"
TICKET = "_flash/live"

LOST = 1006


class Closed(Exception):
    """The socket is closed.

    Attributes:
        code: The close code; 1006 when the connection was lost.
    """

    def __init__(self, code: int) -> None:
        super().__init__(f"The socket was closed with {code}.")
        self.code = code


class Refused(Exception):
    """The handshake was refused.

    Attributes:
        status: Of the HTTP answer.
    """

    def __init__(self, status: int) -> None:
        super().__init__(f"The handshake was answered with {status}.")
        self.status = status


class Socket(Protocol):
    """One WebSocket, seen by a client."""

    async def send(self, frame: str | bytes) -> None:
        """Send a frame, a text or binary; into nothing when the socket is closed."""

    async def receive(self) -> str | bytes:
        """The next frame, or ``Closed``."""

    async def close(self, code: int = 1000) -> None:
        """Close it in good order."""

    async def cut(self, *, delivered: bool = False) -> None:
        """Lose the connection, and what is under way to the client with it.

        Args:
            delivered: Whether what is under way to the server still arrives, where that can be chosen.
        """

    def stall(self) -> None:
        """Take nothing from the network any more, until ``go_on``."""

    def go_on(self) -> None:
        """Take what has gathered."""


class Site(Protocol):
    """An app that is served somewhere."""

    async def socket(self) -> Socket:
        """Open a socket, or raise ``Refused``."""

    async def get(self, path: str) -> tuple[int, bytes]:
        """The status and body of a page, of a path below the prefix."""

    async def fetch(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """The same with the headers, whose names are in lower case."""


class Network:
    """An app that a server serves.

    Args:
        address: Its URL with the prefix, ``http://127.0.0.1:8050/``.
        headers: What every request has.
        origin: Of the page; that of the address if not given.
        compression: ``"deflate"`` as browsers do, or None.
    """

    def __init__(
        self,
        address: str,
        headers: dict[str, str] | None = None,
        *,
        origin: str | None = None,
        compression: str | None = None,
    ) -> None:
        parts = urlsplit(address)
        self.address = address.rstrip("/") + "/"
        self.headers = headers or {}
        self.origin = origin or f"{parts.scheme}://{parts.netloc}"
        self.compression = compression

    async def socket(self) -> NetworkSocket:
        """Open a WebSocket."""
        url = self.address.replace("http", "ws", 1) + SOCKET
        try:
            connection = await connect(
                url,
                origin=self.origin,  # type: ignore[arg-type]
                additional_headers=self.headers,
                compression=self.compression,
                max_size=None,
                ping_interval=None,
                close_timeout=2,
                proxy=None,
            )
        except InvalidStatus as error:
            raise Refused(error.response.status_code) from None
        return NetworkSocket(connection)

    async def get(self, path: str) -> tuple[int, bytes]:
        """Get a page in a thread."""
        status, _, content = await self.fetch(path)
        return status, content

    async def fetch(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Get a page and its headers in a thread."""
        request = urllib.request.Request(self.address + path, headers=self.headers)
        return await asyncio.to_thread(_fetch, request)


def _fetch(request: urllib.request.Request) -> tuple[int, dict[str, str], bytes]:
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, _lower(response.headers), response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _lower(error.headers), error.read()


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


class NetworkSocket:
    """A WebSocket of the library ``websockets``."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, frame: str | bytes) -> None:
        with suppress(ConnectionClosed):
            await self.connection.send(frame)

    async def receive(self) -> str | bytes:
        try:
            return await self.connection.recv()
        except ConnectionClosed as error:
            raise Closed(error.rcvd.code if error.rcvd else LOST) from None

    async def close(self, code: int = 1000) -> None:
        await self.connection.close(code)

    async def cut(self, *, delivered: bool = False) -> None:
        self.connection.transport.abort()
        await self.connection.wait_closed()

    def stall(self) -> None:
        self.connection.transport.pause_reading()

    def go_on(self) -> None:
        self.connection.transport.resume_reading()


class InProcess:
    """An app that is called in this process, without a server: fast, and with no latency of its own.

    Its server must have started: ``async with app.server.test_app()``.

    Args:
        app: The Flash app.
        headers: What every request has.
        origin: Of the page; None sends none.
    """

    def __init__(
        self, app: Any, headers: dict[str, str] | None = None, *, origin: str | None = "http://localhost"
    ) -> None:
        self.app = app
        self.headers = {"Host": "localhost", **({"Origin": origin} if origin else {}), **(headers or {})}

    async def socket(self) -> InProcessSocket:
        """Open a WebSocket."""
        prefix = self.app.config.routes_pathname_prefix
        socket = InProcessSocket(self.app.server, prefix + SOCKET, self.headers)
        await socket.open()
        return socket

    async def get(self, path: str) -> tuple[int, bytes]:
        """Get a page through the server's test client."""
        status, _, content = await self.fetch(path)
        return status, content

    async def fetch(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Get a page and its headers through the server's test client."""
        prefix = self.app.config.routes_pathname_prefix
        response = await self.app.server.test_client().get(prefix + path, headers=self.headers)
        return response.status_code, _lower(response.headers), await response.get_data(as_text=False)


class InProcessSocket:
    """A WebSocket of an ASGI application, without a network.

    An exception of the application is raised by the next ``receive``.
    """

    def __init__(self, application: Any, path: str, headers: dict[str, str]) -> None:
        self._application = application
        self._to_application: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._from_application: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._over = False
        self._code = LOST
        self._task: asyncio.Task[None] | None = None
        path, _, query = path.partition("?")
        self._scope: dict[str, Any] = {
            "type": "websocket",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": "ws",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 50000),
            "server": ("localhost", 80),
            "subprotocols": [],
            "state": {},
            "extensions": {"websocket.http.response": {}},
        }

    @property
    def idle(self) -> bool:
        """Whether the application has taken all that was sent."""
        return self._to_application.empty()

    async def open(self) -> None:
        """Shake hands."""
        self._task = asyncio.create_task(self._run())
        self._to_application.put_nowait({"type": "websocket.connect"})
        event = await self._next_event()
        if event["type"] == "websocket.http.response.start":
            raise Refused(event["status"])
        if event["type"] != "websocket.accept":
            raise Refused(403)

    async def send(self, frame: str | bytes) -> None:
        if not self._over:
            name = "text" if isinstance(frame, str) else "bytes"
            self._to_application.put_nowait({"type": "websocket.receive", name: frame})

    async def receive(self) -> str | bytes:
        if self._over and self._from_application.empty():
            raise Closed(self._code)
        event = await self._next_event()
        if event["type"] == "websocket.close":
            self._over, self._code = True, event.get("code", 1000)
            self._to_application.put_nowait({"type": "websocket.disconnect", "code": self._code})
            raise Closed(self._code)
        frame: str | bytes | None = event.get("text")
        return frame if frame is not None else event["bytes"]

    async def close(self, code: int = 1000) -> None:
        await self._end(code)

    async def cut(self, *, delivered: bool = False) -> None:
        for queue in [self._from_application] if delivered else [self._from_application, self._to_application]:
            while not queue.empty():
                queue.get_nowait()
        await self._end(LOST)

    async def _end(self, code: int) -> None:
        if not self._over:
            self._over, self._code = True, code
            self._to_application.put_nowait({"type": "websocket.disconnect", "code": code})
        self._flowing.set()
        self._from_application.put_nowait({"type": "websocket.close", "code": self._code})
        if self._task is not None:
            await asyncio.wait([self._task], timeout=20)

    def stall(self) -> None:
        self._flowing.clear()

    def go_on(self) -> None:
        self._flowing.set()

    async def _run(self) -> None:
        try:
            await self._application(self._scope, self._to_application.get, self._take)
        finally:
            self._from_application.put_nowait({"type": "websocket.close", "code": LOST})

    async def _take(self, event: dict[str, Any]) -> None:
        if event["type"] == "websocket.send":
            await self._flowing.wait()
        if not self._over:
            self._from_application.put_nowait(event)

    async def _next_event(self) -> dict[str, Any]:
        event = await self._from_application.get()
        if self._task is not None and self._task.done() and (error := self._task.exception()):
            raise error
        return event
