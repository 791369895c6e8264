"""Many browser tabs in one process: WebSockets that cost the load generator little, so that the server is measured.

A tab shakes hands, says what its kind of server wants to hear, counts what comes, acknowledges as Flash's own client
does, and answers heartbeats. Frames are not decoded: where a frame is compressed, nothing in it is answered.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import socket
import struct
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from load import BROWSER_HEADERS

PATH = "/_dash-ws-callback"
HELLO = {"type": "hello", "version": 1, "rendererId": "", "path": "/"}
#: As Flash's client does: it tells after so many messages what it has received, or after so many seconds.
MOST_UNTOLD = 32
LONGEST_UNTOLD = 5.0

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
DEFLATED = 0x40
NUMBERED = re.compile(rb'"type":"(?:set_props|callback_response|get_props_request)"')
SET_PROPS = b'{"type":"set_props"'
HEARTBEAT = b'{"type":"heartbeat"}'


def frame_of(payload: bytes, opcode: int = TEXT) -> bytes:
    """A frame of a client. Its mask is zero, which hides nothing, and costs nothing."""
    length = len(payload)
    if length < 126:
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | length)
    elif length < 65536:
        head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, length)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, length)
    return head + b"\0\0\0\0" + payload


class Tab(asyncio.Protocol):
    """One tab.

    Args:
        tabs: Where it belongs.
        number: Which it is.
    """

    def __init__(self, tabs: Tabs, number: int) -> None:
        self.tabs = tabs
        self.number = number
        self.transport: asyncio.Transport | None = None
        self.received = 0
        self.told = 0
        self.answer: asyncio.Future[bytes] | None = None
        self._buffer = bytearray()
        self._upgraded = False
        self._greeted = not tabs.hello
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self.tabs.handshake)

    def data_received(self, data: bytes) -> None:
        if self._is_one_message(data):
            self._count(1)
            return
        self._buffer += data
        if not self._upgraded and not self._upgrade():
            return
        while self._take_frame():
            pass

    def _is_one_message(self, data: bytes) -> bool:
        """Whether that is one whole ``set_props`` of medium size, which is most of what comes and costs least so."""
        return (
            data.startswith(SET_PROPS, 4)
            and data[0] == 0x80 | TEXT
            and data[1] == 126
            and len(data) == 4 + (data[2] << 8 | data[3])
            and not self._buffer
        )

    def _upgrade(self) -> bool:
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return False
        if not head.startswith(b"HTTP/1.1 101"):
            self.tabs.fail(f"The handshake was answered with {head.split(chr(13).encode())[0].decode()}")
            return False
        if self.tabs.deflate and b"permessage-deflate" not in head.lower():
            self.tabs.fail("The server does not compress.")
        self._upgraded = True
        self._buffer = bytearray(rest)
        if self.tabs.hello:
            self.send(self.tabs.hello)
        else:
            self.tabs.ready(self)
        return True

    def _take_frame(self) -> bool:
        buffer = self._buffer
        if len(buffer) < 2:
            return False
        length, start = buffer[1] & 0x7F, 2
        if length == 126:
            if len(buffer) < 4:
                return False
            length, start = struct.unpack_from("!H", buffer, 2)[0], 4
        elif length == 127:
            if len(buffer) < 10:
                return False
            length, start = struct.unpack_from("!Q", buffer, 2)[0], 10
        if len(buffer) < start + length:
            return False
        first, payload = buffer[0], bytes(buffer[start : start + length])
        del buffer[: start + length]
        self._frame(first, payload)
        return True

    def _frame(self, first: int, payload: bytes) -> None:
        opcode = first & 0x0F
        if opcode == PING:
            self.send(payload, PONG)
        elif opcode == CLOSE:
            self.tabs.fail(f"The server has closed a tab: {struct.unpack('!H', payload[:2])}")
        elif self._greeted and first & DEFLATED:
            self._count(1)
        elif not self._greeted:
            # The first that comes, compressed or not, is the server's welcome.
            self._greeted = True
            self.tabs.ready(self)
        elif payload == HEARTBEAT:
            self._tell(b'{"type":"heartbeat_ack","received":%d}')
        else:
            self._message(payload)

    def _message(self, payload: bytes) -> None:
        self._count(len(NUMBERED.findall(payload)))
        if self.answer is not None and b"callback_response" in payload:
            answer, self.answer = self.answer, None
            answer.set_result(payload)

    def _count(self, messages: int) -> None:
        self.received += messages
        self.tabs.arrived(messages)
        if not self.tabs.acknowledges:
            return
        if self.received - self.told >= MOST_UNTOLD:
            self._tell(b'{"type":"ack","received":%d}')
        elif self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(LONGEST_UNTOLD, self._tell, b'{"type":"ack","received":%d}')

    def _tell(self, text: bytes) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.told = self.received
        self.send(text % self.received)

    def send(self, payload: bytes, opcode: int = TEXT) -> None:
        """Send a message."""
        assert self.transport is not None
        self.transport.write(frame_of(payload, opcode))

    async def ask(self, payload: bytes) -> bytes:
        """Send a callback request, and return the frame of its answer."""
        self.answer = asyncio.get_running_loop().create_future()
        self.send(payload)
        return await asyncio.wait_for(self.answer, 60)

    def stall(self) -> None:
        """Read no more. The system takes little on the tab's behalf, so the server notices soon."""
        assert self.transport is not None
        self.transport.pause_reading()

    def go_on(self) -> None:
        """Read again."""
        assert self.transport is not None
        self.transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.tabs.fail(f"A tab has lost its connection: {error}")


class Tabs:
    """The tabs of one server, opened with the block and closed with it.

    Args:
        port: Where the server listens.
        count: How many.
        flash: Whether they speak as Flash's client; otherwise they only listen, or speak as Dash's worker.
        deflate: Whether they offer compression, as browsers do.
        kind: The class of each.

    Attributes:
        received: The messages that all of them have received.
    """

    def __init__(
        self, port: int, count: int, *, flash: bool, deflate: bool = False, kind: Callable[[Tabs, int], Tab] = Tab
    ) -> None:
        self.port = port
        self.kind = kind
        self.count = count
        self.hello = json.dumps(HELLO).encode() if flash else b""
        self.acknowledges = flash
        self.deflate = deflate
        self.received = 0
        self.all: list[Tab] = []
        self._ready = 0
        self._failure: str | None = None
        self._closing = False
        self._waiter: tuple[Callable[[], bool], asyncio.Future[None]] | None = None
        self.handshake = self._handshake()

    def _handshake(self) -> bytes:
        headers = {
            "Host": f"127.0.0.1:{self.port}",
            "Origin": f"http://127.0.0.1:{self.port}",
            **BROWSER_HEADERS,
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        }
        if self.deflate:
            headers["Sec-WebSocket-Extensions"] = "permessage-deflate; client_max_window_bits"
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"GET {PATH} HTTP/1.1\r\n{lines}\r\n".encode()

    async def __aenter__(self) -> Tabs:
        loop = asyncio.get_running_loop()
        for number in range(self.count):
            connection = socket.socket()
            # Little room in the kernel, so that a tab that does not read is felt at once.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
            connection.setblocking(False)
            await loop.sock_connect(connection, ("127.0.0.1", self.port))
            tab = self.kind(self, number)
            await loop.create_connection(lambda tab=tab: tab, sock=connection)  # type: ignore[misc]
            self.all.append(tab)
            # The handshakes come one after the other, so that no queue of them falls on what is measured.
            await self.until(lambda: self._ready == len(self.all))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closing = True
        for tab in self.all:
            assert tab.transport is not None
            tab.transport.write(frame_of(struct.pack("!H", 1000), CLOSE))
            tab.transport.close()

    def ready(self, tab: Tab) -> None:
        """A tab is connected, and welcomed where that is done."""
        self._ready += 1
        self._news()

    def arrived(self, messages: int) -> None:
        """Messages have arrived."""
        self.received += messages
        self._news()

    def fail(self, reason: str) -> None:
        """Something went wrong that makes the figures worthless."""
        if not self._closing:
            self._failure = self._failure or reason
            self._news()

    def _news(self) -> None:
        if self._waiter is None:
            return
        condition, future = self._waiter
        if not future.done() and (self._failure or condition()):
            future.set_result(None)

    async def until(self, condition: Callable[[], bool], seconds: float = 120.0) -> None:
        """Wait for a condition on what has come.

        Raises:
            RuntimeError: A tab has failed, or it took too long.
        """
        if not condition():
            future = asyncio.get_running_loop().create_future()
            self._waiter = (condition, future)
            try:
                await asyncio.wait_for(future, seconds)
            except TimeoutError:
                raise RuntimeError(f"Waited in vain; {self.received} messages have come.") from None
            finally:
                self._waiter = None
        if self._failure:
            raise RuntimeError(self._failure)

    async def receive(self, messages: int, since: int) -> float:
        """Wait until so many messages have come since the count was ``since``; returns when that was."""
        await self.until(lambda: self.received - since >= messages)
        return time.perf_counter()


def live_request(name: str, number: int, renderer_id: str, value: Any = 1) -> bytes:
    """The message by which a page calls the callback with the output ``name.children``."""
    payload = {
        "output": f"{name}.children",
        "outputs": {"id": name, "property": "children"},
        "inputs": [{"id": "in", "property": "value", "value": value}],
        "changedPropIds": ["in.value"],
        "parsedChangedPropsIds": ["in.value"],
    }
    message = {"type": "callback_request", "rendererId": renderer_id, "requestId": f"{renderer_id}-{number}"}
    return json.dumps({**message, "payload": payload}).encode()
