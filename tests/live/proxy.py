"""A proxy between a browser and a server that does what networks do: cut, delay, stall, block, gather, duplicate, leave
ghosts.

It passes on bytes, so that pages, WebSockets and event streams go through it.

Example:
    >>> async with proxy_to(port) as proxy:
    ...     tab = await Tab(Network(proxy.address)).open()
    ...     proxy.cut()
    ...     await tab.until(lambda: not tab.connected)
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Literal

HEAD_ENDS = b"\r\n\r\n"
FINAL_TEXT, FINAL_BINARY = 0x81, 0x82
BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

#: What proxies do to the header that asks for a WebSocket, or to all of the request.
Blocking = Literal["", "502", "swallow", "hang"]


class Proxy:
    """A proxy on a port of its own. What is changed holds for what comes afterwards, from any thread.

    Args:
        port: Where the server listens on 127.0.0.1. It may be changed, for a server that was started anew.

    Attributes:
        down: Refuse everything: the network is gone.
        delay: Seconds that each piece takes, in each direction.
        blocks_upgrades: ``"502"`` answers a WebSocket's handshake so; ``"swallow"`` takes its ``Upgrade`` out, so that
            the server sees a plain request; ``"hang"`` never answers it.
        gathers_streams: Keep an event stream back until it ends, as proxies do that buffer.
        duplicates_frames: Pass on each message twice that a browser sends over a WebSocket opened from now on.
        duplicates_posts: Deliver each POST to this path to the server twice, the second time when the first is
            answered, over a connection of its own. The browser gets the first answer.
        duplicated: How many frames and POSTs were passed on twice.
        handshakes: How many WebSockets were asked for.
        requests: How many requests came, by path, as far as each began a piece of its own.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.down = False
        self.delay = 0.0
        self.blocks_upgrades: Blocking = ""
        self.gathers_streams = False
        self.duplicates_frames = False
        self.duplicates_posts = ""
        self.duplicated = 0
        self.handshakes = 0
        self.requests: dict[str, int] = {}
        self.address = ""
        self._pipes: set[_Pipe] = set()
        self._repetitions: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server: asyncio.Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        """Listen."""
        self._loop = asyncio.get_running_loop()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/"

    async def stop(self) -> None:
        """End, with all that goes through it."""
        if self._server is not None:
            self._server.close()
        self._flowing.set()
        for pipe in list(self._pipes):
            pipe.abort()
        while self._pipes:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        if self._repetitions:
            await asyncio.wait(self._repetitions)

    def cut(self, *, sockets_only: bool = False) -> None:
        """Lose every connection at once, with what is under way. Both ends see it.

        Args:
            sockets_only: Leave those alone that are no WebSockets.
        """
        self._soon(lambda pipe: pipe.abort(), sockets_only)

    def half_open(self) -> None:
        """Lose every WebSocket at the browser's end alone: to the server they look open and silent."""
        self._soon(lambda pipe: pipe.haunt(), True)

    def bury(self) -> None:
        """Let the server see that those are gone which ``half_open`` has left."""
        self._soon(lambda pipe: pipe.abort() if pipe.haunts else None, False)

    def stall(self) -> None:
        """Let nothing through, in neither direction, and close nothing."""
        self._call(self._flowing.clear)

    def go_on(self) -> None:
        """Let through what has gathered."""
        self._call(self._flowing.set)

    def _soon(self, action: Callable[[_Pipe], None], sockets_only: bool) -> None:
        def act() -> None:
            for pipe in list(self._pipes):
                if pipe.is_socket or not sockets_only:
                    action(pipe)

        self._call(act)

    def _call(self, function: Callable[[], None]) -> None:
        assert self._loop is not None
        try:
            at_home = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            at_home = False
        if at_home:
            function()
        else:
            self._loop.call_soon_threadsafe(function)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.down:
            writer.transport.abort()
            return
        pipe = _Pipe(self, reader, writer)
        self._pipes.add(pipe)
        try:
            await pipe.run()
        finally:
            self._pipes.discard(pipe)

    def _repeat(self, request: bytes) -> None:
        """Deliver a request again, whose answer nobody gets."""
        self.duplicated += 1
        task = asyncio.create_task(self._deliver(request))
        self._repetitions.add(task)
        task.add_done_callback(self._repetitions.discard)

    async def _deliver(self, request: bytes) -> None:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(
                re.sub(rb"\r\nconnection:[^\r]*", b"\r\nConnection: close", request, count=1, flags=re.IGNORECASE)
            )
            while await _read(reader):
                pass
            writer.close()

    async def _hindrance(self) -> None:
        """What a piece has to wait for on its way."""
        if self.delay:
            await asyncio.sleep(self.delay)
        await self._flowing.wait()


class _Pipe:
    """One connection of a browser and the one to the server that belongs to it."""

    def __init__(self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.is_socket = False
        self.haunts = False
        self._frames: _Frames | None = None
        self._repeated = b""
        self._proxy = proxy
        self._browser = (reader, writer)
        self._server: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._task = asyncio.current_task()

    async def run(self) -> None:
        """Pass on until one end closes."""
        reader, writer = self._browser
        try:
            self._server = await asyncio.open_connection("127.0.0.1", self._proxy.port)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._from_browser(reader, self._server[1]))
                group.create_task(self._from_server(self._server[0], writer))
        except* OSError:
            pass
        finally:
            self.abort()

    def abort(self) -> None:
        """Lose both connections."""
        for end in (self._browser, self._server):
            if end is not None:
                end[1].transport.abort()

    def haunt(self) -> None:
        """Lose the browser's connection alone."""
        self.haunts = True
        self._browser[1].transport.abort()

    async def _from_browser(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await _read(reader):
            if self._frames is not None:
                data = self._twice(self._frames, data)
            elif not self.is_socket:
                data = await self._request(data)
            await self._proxy._hindrance()
            writer.write(data)
            await writer.drain()
        if self.haunts:
            await self._until_buried(writer)
        elif self.is_socket:
            self.abort()
        elif writer.can_write_eof():
            writer.write_eof()

    async def _until_buried(self, writer: asyncio.StreamWriter) -> None:
        while not writer.transport.is_closing():  # noqa: ASYNC110
            await asyncio.sleep(0.005)

    async def _request(self, data: bytes) -> bytes:
        """Look at the beginning of a request, and change it where upgrades are blocked."""
        if not (found := re.match(rb"[A-Z]+ (\S+) HTTP/1", data)):
            return data
        path = found[1].decode().partition("?")[0]
        self._proxy.requests[path] = self._proxy.requests.get(path, 0) + 1
        if path == self._proxy.duplicates_posts and data.startswith(b"POST"):
            data = self._repeated = await self._whole(data)
        if not re.search(rb"\r\nupgrade:\s*websocket", data, re.IGNORECASE):
            return data
        self._proxy.handshakes += 1
        match self._proxy.blocks_upgrades:
            case "502":
                self._browser[1].write(BAD_GATEWAY)
                await self._browser[1].drain()
                raise ConnectionError
            case "swallow":
                return re.sub(rb"\r\n(upgrade|connection):[^\r]*", b"", data, flags=re.IGNORECASE)
            case "hang":
                await self._until_buried(self._browser[1])
                raise ConnectionError
        self.is_socket = True
        if self._proxy.duplicates_frames:
            self._frames = _Frames()
            # Compressed frames depend on those before them.
            data = re.sub(rb"\r\nsec-websocket-extensions:[^\r]*", b"", data, flags=re.IGNORECASE)
        return data

    async def _whole(self, data: bytes) -> bytes:
        """A request with all of its body, of which this is the beginning."""
        while not _is_whole(data):
            if not (more := await _read(self._browser[0])):
                raise ConnectionError
            data += more
        return data

    def _twice(self, frames: _Frames, data: bytes) -> bytes:
        """What has come of whole frames, with each message twice."""
        passed = b""
        for frame in frames.take(data):
            is_message = frame[0] in (FINAL_TEXT, FINAL_BINARY)
            self._proxy.duplicated += is_message
            passed += frame * (2 if is_message else 1)
        return passed

    async def _from_server(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        kept: list[bytes] | None = None
        while data := await _read(reader):
            if self._repeated:
                self._proxy._repeat(self._repeated)
                self._repeated = b""
            if kept is None and self._proxy.gathers_streams and b"text/event-stream" in data.lower():
                kept = []
            if kept is not None:
                kept.append(data)
                continue
            await self._proxy._hindrance()
            if self.haunts:
                continue
            writer.write(data)
            await writer.drain()
        writer.write(b"".join(kept or []))
        await writer.drain()
        self.abort() if self.is_socket else writer.close()


class _Frames:
    """Finds the frames in what a WebSocket carries."""

    def __init__(self) -> None:
        self._left = b""

    def take(self, data: bytes) -> Iterator[bytes]:
        """The frames that are whole now."""
        self._left += data
        while (size := self._size()) is not None and len(self._left) >= size:
            frame, self._left = self._left[:size], self._left[size:]
            yield frame

    def _size(self) -> int | None:
        """The bytes of the first frame, or None while they are not known."""
        left = self._left
        if len(left) < 2:
            return None
        length, mask = left[1] & 0x7F, 4 if left[1] & 0x80 else 0
        extended = {126: 2, 127: 8}.get(length, 0)
        if len(left) < 2 + extended:
            return None
        return 2 + extended + mask + (int.from_bytes(left[2 : 2 + extended]) if extended else length)


def _is_whole(request: bytes) -> bool:
    head, ends, body = request.partition(HEAD_ENDS)
    length = re.search(rb"\r\ncontent-length:\s*(\d+)", head, re.IGNORECASE)
    return bool(ends) and len(body) >= (int(length[1]) if length else 0)


async def _read(reader: asyncio.StreamReader) -> bytes:
    with suppress(ConnectionError):
        return await reader.read(65536)
    return b""


@asynccontextmanager
async def proxy_to(port: int) -> AsyncIterator[Proxy]:
    """A proxy in this loop."""
    proxy = Proxy(port)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()


@contextmanager
def proxy_beside(port: int) -> Iterator[Proxy]:
    """A proxy in a thread of its own, for tests that drive a browser and have no loop."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="proxy", daemon=True)
    thread.start()
    proxy = Proxy(port)
    try:
        asyncio.run_coroutine_threadsafe(proxy.start(), loop).result(10)
        yield proxy
    finally:
        asyncio.run_coroutine_threadsafe(proxy.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
