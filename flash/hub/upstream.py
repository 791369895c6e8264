"""HTTP/1.1 connections to one child process: opened when needed, kept for the next request.

A client of its own, since every request to an app crosses it: it costs a quarter of aiohttp's time, and bytes stay what
they are. Parsing is llhttp's (httptools).
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import cast
from urllib.parse import quote

import httptools

from .headers import HOP_BY_HOP, Headers
from .host import Scope

#: Headers of a request that are written anew.
_REWRITTEN = HOP_BY_HOP | {
    b"content-length",
    b"expect",
    b"sec-websocket-accept",
    b"sec-websocket-extensions",
    b"sec-websocket-key",
    b"sec-websocket-protocol",
    b"sec-websocket-version",
    b"x-hub-secret",
}

#: Bytes of an answer that wait here before the child is asked to pause, and bytes that its head may have.
_BUFFER = 1 << 16
_HEAD = 1 << 18

#: Idle connections that are kept.
_KEPT = 64

#: Seconds for which a kept connection is taken for a request that may not be sent twice: no common server closes an
#: idle connection sooner.
_FRESH = 1.0

#: Seconds until an app that has no room for one more connection is asked again.
_FULL = 0.02


class Broken(Exception):
    """A connection ended before its answer did.

    Attributes:
        untouched: Whether it is sure that the child has read nothing of the request.
        silent: Whether nothing of the answer came.
    """

    def __init__(self, reason: str, *, untouched: bool = False, silent: bool = True) -> None:
        super().__init__(reason)
        self.untouched = untouched
        self.silent = silent


class Upstream:
    """The way to one child.

    Args:
        bind: Where it listens: ``"unix:/path"`` or ``"127.0.0.1:8000"``.
        secret: What it wants to see in ``x-hub-secret``; None for a command.
        prefix: Put before every path, for a command that wants its paths whole.
    """

    def __init__(self, bind: str, secret: str | None = None, *, prefix: str = "") -> None:
        self.bind = bind
        self._prefix = prefix.encode()
        self._secret: Headers = [] if secret is None else [(b"x-hub-secret", secret.encode())]
        self._kept: deque[Connection] = deque()
        self._open: set[Connection] = set()

    def head_of(self, scope: Scope, further: Headers) -> bytes:
        """The first lines of a request, as they are sent to the child.

        Args:
            scope: Of the request or the WebSocket.
            further: Headers beside those of the scope.

        Raises:
            ValueError: It cannot be written as HTTP/1.1: there is a line break in it, or a space in its path.
        """
        target = self._prefix + (scope.get("raw_path") or quote(scope["path"], safe="/~!$&'()*+,;=:@").encode())
        if query := scope.get("query_string"):
            target += b"?" + query
        headers = [pair for pair in scope["headers"] if pair[0] not in _REWRITTEN]
        headers += self._secret
        headers += further
        lines = b"".join([b"%b: %b\r\n" % pair for pair in headers])
        head = b"%b %b HTTP/1.1\r\n%b\r\n" % (scope.get("method", "GET").encode(), target, lines)
        breaks = len(headers) + 2
        if b" " in target or b"\0" in head or head.count(b"\n") != breaks or head.count(b"\r") != breaks:
            raise ValueError("A line break or a space stands where HTTP/1.1 has none.")
        return head

    def kept(self, *, repeatable: bool) -> Connection | None:
        """A connection that has served before; None when there is none that may be taken.

        Args:
            repeatable: Whether the request may be sent again if the child closes the connection at this moment.
        """
        while self._kept:
            connection = self._kept.pop()
            # The hub's own runner never closes an idle connection.
            lasts = self._secret or repeatable or time.monotonic() - connection.idle_since < _FRESH
            if connection.is_open and lasts:
                return connection
            connection.abort()
        return None

    async def connect(self, wanted: Callable[[], bool]) -> Connection:
        """A new connection. Waits while the child has no room for one.

        Args:
            wanted: Whether to go on waiting.

        Raises:
            OSError: The child does not listen, or has had no room for as long as the connection was wanted.
        """
        loop = asyncio.get_running_loop()
        if self.bind.startswith("unix:"):
            sock = await _connected(self.bind[5:], wanted)
            _, protocol = await loop.create_unix_connection(Connection, sock=sock)
        else:
            host, _, port = self.bind.rpartition(":")
            _, protocol = await loop.create_connection(Connection, host.strip("[]"), int(port))
        self._open.add(protocol)
        protocol.on_lost = self._open.discard
        return protocol

    def release(self, connection: Connection) -> None:
        """Keep a connection for the next request if it can serve one, or close it."""
        if connection.is_reusable and len(self._kept) < _KEPT:
            connection.rest()
            self._kept.append(connection)
        else:
            connection.abort()

    def close(self) -> None:
        """Cut off all connections; requests under way end."""
        for connection in list(self._open):
            connection.abort()
        self._kept.clear()


class Connection(asyncio.Protocol):
    """One connection to a child, for one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._loop = asyncio.get_running_loop()
        self._news: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._lost: Broken | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._reading = True
        self.on_lost: Callable[[Connection], None] = lambda connection: None
        self.idle_since = 0.0
        self.begin("")

    def begin(self, method: str) -> None:
        """Make ready for the answer to a request of this method."""
        self._parser = httptools.HttpResponseParser(self) if method else None
        self._method = method
        self._parts: list[bytes] = []
        self._waiting = 0
        self._head_size = 0
        self._junk = False
        self._persists = False
        self._until_end = False
        self._has_head = False
        self._raw = False
        self.is_complete = False
        #: Whether the whole request was written.
        self.is_sent = False
        #: Whether any byte of an answer came.
        self.is_answered = False
        self.status = 0
        self.headers: Headers = []

    @property
    def is_open(self) -> bool:
        """Whether it can be written to."""
        return self._lost is None and not self._transport.is_closing()

    @property
    def is_reusable(self) -> bool:
        """Whether it is ready for another request."""
        return self.is_open and self.is_complete and self.is_sent and self._persists and not self._junk

    @property
    def has_ended(self) -> bool:
        """Whether the whole answer was taken."""
        return self.is_complete and not self._parts

    def rest(self) -> None:
        """Wait for the next request."""
        self.begin("")
        self.idle_since = time.monotonic()
        self._resume()

    def write(self, data: bytes) -> None:
        """Send bytes, or queue them."""
        self._transport.write(data)

    async def drain(self) -> None:
        """Wait until what was written does not pile up.

        Raises:
            Broken: The connection has ended.
        """
        while self._writable is not None and self._lost is None:
            await asyncio.shield(self._writable)
        if self._lost is not None:
            raise self._lost

    async def head(self) -> None:
        """Wait for ``status`` and ``headers``.

        Raises:
            Broken: The connection has ended.
        """
        while not self._has_head:
            await self._wait()

    async def chunk(self) -> bytes:
        """The bytes of the answer that have come; empty at its end. After status 101: of what follows.

        Raises:
            Broken: The connection ended before the answer did.
        """
        while not self._parts and not self.is_complete:
            await self._wait()
        parts, self._parts, self._waiting = self._parts, [], 0
        self._resume()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def fail(self, reason: str) -> None:
        """Give up: whoever waits gets :class:`Broken`."""
        self._lose(Broken(reason, silent=not self.is_answered))
        self._transport.abort()

    def abort(self) -> None:
        """Cut it off."""
        self._transport.abort()

    def close(self) -> None:
        """Close it once everything that was written is sent. Whoever waits gets :class:`Broken`."""
        self._transport.close()
        self._lose(Broken("closed"))

    async def _wait(self) -> None:
        if self._lost is not None:
            raise self._lost
        self._news = self._loop.create_future()
        try:
            await self._news
        finally:
            self._news = None

    def _wake(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    def _lose(self, error: Broken) -> None:
        if self._lost is None:
            self._lost = error
        self._wake()
        self.resume_writing()

    def _resume(self) -> None:
        if not self._reading and self.is_open:
            self._reading = True
            self._transport.resume_reading()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        # What a kept connection holds when the request cannot be written was said before it.
        untouched = self.idle_since > 0 and isinstance(error, BrokenPipeError) and not self.is_answered
        if self._lost is None:
            if isinstance(error, ConnectionError) and not untouched:
                self._read_rest()
            if self._until_end and (error is None or isinstance(error, ConnectionError)):
                self.is_complete = True
        self._lose(Broken("the app closed the connection", untouched=untouched, silent=not self.is_answered))
        self.on_lost(self)

    def _read_rest(self) -> None:
        """Read what came before a write failed: an app may answer, and close, before it has read all of a request."""
        sock = socket.socket(fileno=self._transport.get_extra_info("socket").fileno())
        try:
            sock.setblocking(False)
            with suppress(OSError):
                while data := sock.recv(_BUFFER):
                    self.data_received(data)
        finally:
            sock.detach()  # The transport closes it.

    def pause_writing(self) -> None:
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    def data_received(self, data: bytes) -> None:
        self.is_answered = True
        if self._raw:
            self._keep(data)
        elif self._parser is None:
            self.abort()  # It speaks without being asked.
        else:
            self._parse(self._parser, data)
        self._wake()

    def _parse(self, parser: httptools.HttpResponseParser, data: bytes) -> None:
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._raw = True
            if rest := data[upgrade.args[0] :]:
                self._keep(rest)
        except httptools.HttpParserError as error:
            self.fail(f"the app's answer is no HTTP ({error})")
        if not self._has_head:
            self._head_size += len(data)
            if self._head_size > _HEAD:
                self.fail("the headers of the app's answer are too long")

    def _keep(self, data: bytes) -> None:
        self._parts.append(data)
        self._waiting += len(data)
        if self._waiting > _BUFFER and self._reading:
            self._reading = False
            self._transport.pause_reading()

    # What the parser calls.

    def on_message_begin(self) -> None:
        self._junk = self.is_complete

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._has_head:  # Trailers are ignored.
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        assert self._parser is not None
        if self._junk:
            return
        status = self._parser.get_status_code()
        if status < 200 and status != 101:
            self.headers = []
            return
        self.status = status
        self._has_head = True
        if self._method == "HEAD":
            self._complete(self._parser)
        else:
            names = {name for name, _ in self.headers}
            self._until_end = status != 101 and not names & {b"content-length", b"transfer-encoding"}

    def on_body(self, body: bytes) -> None:
        if self.is_complete:
            self._junk = True
        else:
            self._keep(body)

    def on_message_complete(self) -> None:
        if self._has_head and self.status != 101 and not self.is_complete:
            assert self._parser is not None
            self._complete(self._parser)

    def _complete(self, parser: httptools.HttpResponseParser) -> None:
        self._persists = parser.should_keep_alive()
        self.is_complete = True


async def _connected(path: str, wanted: Callable[[], bool]) -> socket.socket:
    """A socket that is connected to a unix one. Its queue may be full for as long as the child is blocked."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        while True:
            try:
                sock.connect(path)
                return sock
            except BlockingIOError:
                if not wanted():
                    raise
                await asyncio.sleep(_FULL)
    except BaseException:
        sock.close()
        raise
