"""What one browser listens to that cannot use WebSockets, and the links of its tabs over it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import orjson

from .connection import Connection
from .link import Handshake, LinkLost
from .protocol import Hello, Resume
from .rate import Rate

#: So much waits for a browser before its tabs' senders wait themselves.
_WAITING_BYTES = 64 * 1024

#: Seconds in which the next poll must come, and in which a tab waits for its stream to open.
PATIENCE = 10.0


class Downlink:
    """What one browser listens to, for all its tabs.

    Args:
        user: Who has opened it; nobody else may listen to it or let a tab listen.
        rate: How often tabs may arrive.
        forget: Called when it is closed.
    """

    def __init__(self, user: str | None, rate: Rate, forget: Callable[[], object]) -> None:
        self.user = user
        self._rate = rate
        self._forget = forget
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._links: set[StreamLink] = set()
        self._listeners = 0
        self._opened = asyncio.Event()
        self.closed = False
        self._timer = self._expect_listener()

    async def put(self, client_id: str, frame: bytes) -> None:
        """Let a frame wait for the browser; waits itself while much waits already.

        Raises:
            LinkLost: The browser does not listen any more.
        """
        await self._room.wait()
        if self.closed:
            raise LinkLost()
        messages = frame if frame.startswith(b"[") else b"[%b]" % frame
        self._append(b'{"client":%b,"messages":%b}' % (orjson.dumps(client_id), messages))

    def _append(self, entry: bytes) -> None:
        self._waiting.append(entry)
        self._bytes += len(entry)
        if self._bytes >= _WAITING_BYTES:
            self._room.clear()
        self._changed.set()

    def say_closed(self, client_id: str, code: int) -> None:
        """Tell a tab that the server has closed its link."""
        self._append(b'{"client":%b,"messages":[],"close":%d}' % (orjson.dumps(client_id), code))

    def __len__(self) -> int:
        """How many tabs listen."""
        return len(self._links)

    def may_arrive(self) -> bool:
        """Whether a tab may say hello or resume now: not when many have just done so."""
        return self._rate.take(1, asyncio.get_running_loop().time())

    async def opened(self) -> None:
        """Wait until the browser listens.

        Raises:
            TimeoutError: It does not in time.
        """
        async with asyncio.timeout(PATIENCE):
            await self._opened.wait()

    def add(self, link: StreamLink) -> None:
        """Let a tab listen."""
        self._links.add(link)

    def greeted_by(self, message: Hello | Resume) -> tuple[Connection, bytes] | None:
        """The connection of the page that has said the very same ``hello`` or ``resume``, and what it was answered."""
        for link in self._links:
            if link.connection is not None and message.rendererId and link.greeting == message:
                return link.connection, link.welcome
        return None

    def discard(self, link: StreamLink) -> None:
        """A tab listens no more."""
        self._links.discard(link)

    async def next(self, seconds: float) -> list[bytes]:
        """All that waits, or what comes within so many seconds; empty when nothing does, or at the end."""
        if not self._waiting and not self.closed:
            try:
                async with asyncio.timeout(seconds):
                    await self._changed.wait()
            except TimeoutError:
                return []
        self._changed.clear()
        taken = list(self._waiting)
        self._waiting.clear()
        self._bytes = 0
        self._room.set()
        return taken

    @contextmanager
    def listening(self) -> Iterator[None]:
        """While the browser listens. When nothing listens any more, it must do so again soon."""
        self._listeners += 1
        self._timer.cancel()
        self._opened.set()
        try:
            yield
        finally:
            self._listeners -= 1
            if not self._listeners and not self.closed:
                self._timer.cancel()
                self._timer = self._expect_listener()

    def _expect_listener(self) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(PATIENCE, self.close)

    def lost(self) -> None:
        """One that has listened has gone away; if it was the last, the browser listens no more."""
        if not self._listeners:
            self.close()

    def close(self) -> None:
        """The browser listens no more: its tabs are away."""
        if self.closed:
            return
        self.closed = True
        self._timer.cancel()
        self._changed.set()
        self._room.set()
        self._forget()
        for link in list(self._links):
            link.lost()


class StreamLink:
    """The link of one tab, over its browser's downlink.

    Args:
        downlink: What the browser listens to.
        handshake: What is known of the browser from the tab's first POST.

    Attributes:
        connection: The tab's connection; None until it is greeted.
        greeting: The ``hello`` or ``resume`` that it has said.
        welcome: What it was answered.
    """

    def __init__(self, downlink: Downlink, handshake: Handshake) -> None:
        self.downlink = downlink
        self.handshake = handshake
        self.greeting: Hello | Resume | None = None
        self.welcome = b""
        self.connection: Connection | None = None
        downlink.add(self)

    async def send(self, frame: bytes) -> None:
        """Send one frame."""
        if self.connection is None:
            raise LinkLost()
        await self.downlink.put(self.connection.client.id, frame)

    def close(self, code: int, reason: str = "") -> None:
        """Close the link; the page is told with which code."""
        if self.connection is not None and not self.downlink.closed:
            self.downlink.say_closed(self.connection.client.id, code)
        self.downlink.discard(self)

    def lost(self) -> None:
        """The browser listens no more."""
        self.downlink.discard(self)
        if self.connection is not None:
            self.connection.detach(self)
