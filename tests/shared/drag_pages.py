"""Pages that drag one slider: raw WebSockets that cost the load little, so that the server is what is measured."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import struct
from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from .drag_app import SLIDER, TEXT

PATH = "/_dash-ws-callback"

#: A link delays each frame by so many seconds, in both directions.
JITTER = (0.005, 0.05)

#: As Flash's client does: it says after so many messages what it has received, or after so many seconds.
MOST_UNTOLD = 32
LONGEST_UNTOLD = 5.0

#: So many changes a page may make: a value tells which page has made it.
PAGES = 1000

_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10

T = TypeVar("T")


class Payload(msgspec.Struct):
    """What messages of the server hold that matters here."""

    componentId: str = ""
    props: dict[str, Any] = {}
    property: str = ""
    change: int = 0
    version: int = 0
    status: str = ""
    message: str = ""


class Heard(msgspec.Struct):
    """A message of the server."""

    type: str
    payload: Payload = msgspec.field(default_factory=Payload)
    requestId: str = ""
    versions: dict[str, int] = {}


_decoder = msgspec.json.Decoder(list[Heard] | Heard)


class Wire(Generic[T]):
    """Brings what it is given a little later, each after its own delay, and in order, as TCP does.

    Args:
        deliver: Gets what has arrived together.
        chance: Draws the delays.
        jitter: The shortest and the longest of them, in seconds.
    """

    def __init__(self, deliver: Callable[[list[T]], None], chance: random.Random, jitter: tuple[float, float]) -> None:
        self._deliver = deliver
        self._chance = chance
        self._jitter = jitter
        self._loop = asyncio.get_running_loop()
        self._under_way: deque[tuple[float, T]] = deque()
        self._due = 0.0

    def __len__(self) -> int:
        return len(self._under_way)

    def put(self, item: T) -> None:
        """Send something over the wire."""
        self._due = max(self._due, self._loop.time() + self._chance.uniform(*self._jitter))
        self._under_way.append((self._due, item))
        if len(self._under_way) == 1:
            self._loop.call_at(self._due, self._arrive)

    def _arrive(self) -> None:
        now = self._loop.time()
        arrived = []
        while self._under_way and self._under_way[0][0] <= now:
            arrived.append(self._under_way.popleft()[1])
        if self._under_way:
            self._loop.call_at(self._under_way[0][0], self._arrive)
        if arrived:
            self._deliver(arrived)


class DraggingPage(asyncio.Protocol):
    """A page whose user drags the slider. Its values grow.

    Args:
        number: Which page it is.
        port: Where its server listens.
        state: What the header of its layout said.
        jitter: The delays of its link.

    Attributes:
        sent: When it has made each of its changes, by value, in the loop's seconds.
        arrived_at: When the last of them has left the network.
        placed: The versions that the server has given to its values, as far as it has said so.
        shown: What the page shows, and when that has changed last: of the slider and of the text.
        problems: What it has seen that must not be.
    """

    ready: asyncio.Future[None]

    def __init__(self, number: int, port: int, state: str, jitter: tuple[float, float] = JITTER) -> None:
        self.number = number
        self._loop = asyncio.get_running_loop()
        chance = random.Random(number)
        self._up: Wire[bytes] = Wire(self._write, chance, jitter)
        self._down: Wire[bytes] = Wire(self._read, chance, jitter)
        self._handshake = handshake(port)
        self._hello = json.dumps(
            {"type": "hello", "version": 1, "rendererId": f"page-{number:04}", "path": "/", "state": state}
        ).encode()
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._upgraded = False
        self._received = self._told = 0
        self.ready = self._loop.create_future()
        # What it does.
        self._changes = 0
        self._answered = 0
        self._request = b""
        self.sent: dict[int, float] = {}
        self.arrived_at = 0.0
        # What it sees.
        self._versions = {SLIDER: 0, TEXT: 0}
        self._told_versions = {SLIDER: 0, TEXT: 0}
        self._latest: dict[str, Any] = {}
        self._placed_change = 0
        self.placed: list[tuple[int, int]] = []
        self.shown: dict[str, tuple[Any, float]] = {}
        self.problems: list[str] = []

    # What the user does.

    def drag(self) -> None:
        """Move the slider a little."""
        self._changes += 1
        number, value = self._changes, self.value_of(self._changes)
        self._show(SLIDER, value)
        self.sent[value] = self._loop.time()
        self._request = _REQUEST % {b"page": self.number, b"change": number, b"value": value}
        self._up.put(self._request)

    def value_of(self, change: int) -> int:
        """The value of one of its changes."""
        return change * PAGES + self.number

    @property
    def settled(self) -> bool:
        """Whether all of its changes have been answered and have their place in the order."""
        return self._answered == self._changes == self._placed_change

    # What the server says.

    def _take(self, message: Heard) -> None:
        taking = self._TAKING.get(message.type)
        if taking is not None:
            taking(self, message)

    def _take_welcome(self, message: Heard) -> None:
        self._loop.call_later(LONGEST_UNTOLD, self._tell_now_and_then)
        self.ready.set_result(None)

    def _take_heartbeat(self, message: Heard) -> None:
        self._tell(b'{"type":"heartbeat_ack","received":%d}')

    def _take_answer(self, message: Heard) -> None:
        self._count()
        self._answered += 1
        if message.payload.status not in ("ok", "prevent_update"):
            self._complain(f"was answered with {message.payload.status}: {message.payload.message}")

    def _take_set_props(self, message: Heard) -> None:
        self._count()
        for prop, value in message.payload.props.items():
            name = f"{message.payload.componentId}.{prop}"
            version = message.versions[prop]
            if version <= self._told_versions[name]:
                self._complain(f"got version {version} of {name} after {self._told_versions[name]}")
            self._told_versions[name] = version
            self._learn(name, version, value)

    def _take_changed(self, message: Heard) -> None:
        self._count()
        change, version = message.payload.change, message.payload.version
        if version == 0 or change <= self._placed_change or change > self._changes:
            self._complain(f"was told of its change {change} as version {version} after {self._placed_change}")
        if self.placed and version <= self.placed[-1][0]:
            self._complain(f"was told of version {version} after {self.placed[-1][0]}")
        self._placed_change = change
        self.placed.append((version, self.value_of(change)))
        self._learn(SLIDER, version, self.value_of(change))

    _TAKING: ClassVar[dict[str, Callable[[DraggingPage, Heard], None]]] = {
        "welcome": _take_welcome,
        "heartbeat": _take_heartbeat,
        "callback_response": _take_answer,
        "set_props": _take_set_props,
        "changed": _take_changed,
        "error": lambda self, message: self._complain(f"was told: {message.payload.message}"),
        "bye": lambda self, message: self._complain("was told to go"),
    }

    def _learn(self, name: str, version: int, value: Any) -> None:
        if version > self._versions[name]:
            self._versions[name] = version
            self._latest[name] = value
        # While its own change is under way the page shows that.
        if name != SLIDER or self._placed_change == self._changes:
            self._show(name, self._latest[name])

    def _show(self, name: str, value: Any) -> None:
        if name not in self.shown or self.shown[name][0] != value:
            self.shown[name] = value, self._loop.time()

    def _complain(self, text: str) -> None:
        self.problems.append(f"Page {self.number} {text}.")

    # Receipts.

    def _count(self) -> None:
        self._received += 1
        if self._received - self._told >= MOST_UNTOLD:
            self._tell(b'{"type":"ack","received":%d}')

    def _tell(self, text: bytes) -> None:
        self._told = self._received
        self._up.put(frame_of(text % self._received))

    def _tell_now_and_then(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            if self._received > self._told:
                self._tell(b'{"type":"ack","received":%d}')
            self._loop.call_later(LONGEST_UNTOLD, self._tell_now_and_then)

    # The socket.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._handshake)

    def data_received(self, data: bytes) -> None:
        self._down.put(data)

    def connection_lost(self, error: Exception | None) -> None:
        if self._transport is not None:
            self._complain(f"has lost its connection: {error}")

    def close(self) -> None:
        """Leave."""
        if self._transport is not None:
            transport, self._transport = self._transport, None
            transport.write(frame_of(b'{"type":"bye"}') + frame_of(struct.pack("!H", 1000), _CLOSE))
            transport.close()

    def _write(self, frames: list[bytes]) -> None:
        if self._transport is not None:
            self._transport.write(b"".join(frames))
            if any(frame is self._request for frame in frames):
                self.arrived_at = self._loop.time()

    def _read(self, pieces: list[bytes]) -> None:
        self._buffer += b"".join(pieces)
        if not self._upgraded:
            self._upgrade()
        while self._upgraded and (frame := self._next_frame()) is not None:
            opcode, payload = frame
            if opcode == _TEXT:
                message = _decoder.decode(payload)
                for each in message if isinstance(message, list) else [message]:
                    self._take(each)
            elif opcode == _PING:
                self._up.put(frame_of(payload, _PONG))
            elif opcode == _CLOSE:
                self._complain(f"was closed with {struct.unpack('!H', payload[:2])[0]}")

    def _upgrade(self) -> None:
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        if not head.startswith(b"HTTP/1.1 101"):
            self.ready.set_exception(RuntimeError(f"The handshake was answered with {head!r}."))
            return
        self._upgraded, self._buffer = True, rest
        self._up.put(frame_of(self._hello))

    def _next_frame(self) -> tuple[int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        length, start = buffer[1] & 0x7F, 2
        if length >= 126:
            start = 4 if length == 126 else 10
            if len(buffer) < start:
                return None
            length = int.from_bytes(buffer[2:start])
        if len(buffer) < start + length:
            return None
        self._buffer = buffer[start + length :]
        return buffer[0] & 0x0F, buffer[start : start + length]


def frame_of(payload: bytes, opcode: int = _TEXT) -> bytes:
    """A frame of a client. Its mask is zero, which hides nothing, and costs nothing."""
    length = len(payload)
    if length < 126:
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | length)
    else:
        assert length < 65536
        head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, length)
    return head + b"\0\0\0\0" + payload


def handshake(port: int) -> bytes:
    """The request by which a page opens its socket."""
    headers = {
        "Host": f"127.0.0.1:{port}",
        "Origin": f"http://127.0.0.1:{port}",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"GET {PATH} HTTP/1.1\r\n{lines}\r\n".encode()


def _request() -> bytes:
    """The frame by which a page asks for the callback, with fields of a fixed width for what is different each time."""
    component, prop = SLIDER.split(".")
    output, output_prop = TEXT.split(".")
    payload = {
        "output": TEXT,
        "outputs": {"id": output, "property": output_prop},
        "inputs": [{"id": component, "property": prop, "value": "VALUE"}],
        "state": [],
        "changedPropIds": [SLIDER],
        "parsedChangedPropsIds": [SLIDER],
    }
    names = {"rendererId": "page-PAGE", "requestId": "page-PAGE-CHANGE"}
    text = json.dumps({"type": "callback_request", **names, "payload": payload, "changes": {SLIDER: "NUMBER"}})
    # Numbers are filled with blanks: JSON takes them, and no leading zeros.
    fields = {'"VALUE"': "%(value)10d", '"NUMBER"': "%(change)8d", "PAGE": "%(page)04d", "CHANGE": "%(change)08d"}
    for name, field in fields.items():
        text = text.replace(name, field)
    template = text.encode()
    length = len(template % _FIRST)
    return frame_of(bytes(length))[:-length].replace(b"%", b"%%") + template


_FIRST = {b"page": 1, b"change": 1, b"value": 1}
_REQUEST = _request()
