"""What no honest client sends harms nobody: frames through ASGI, and what only a real socket can carry."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import struct
import zlib
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from .fuzz import Witness, fuzz, logged, memory, target
from .serving import served
from .sites import SOCKET, Network
from .tab import Tab

CONTINUATION, TEXT, BINARY, CLOSE, PING = 0, 1, 2, 8, 9
DEFLATED = 0x40
FIN = 0x80

HELLO = json.dumps({"type": "hello", "version": 1}).encode()


def test_two_thousand_frames_crash_nothing_leave_nothing_and_write_a_line_each() -> None:
    attack = asyncio.run(fuzz(int(os.environ.get("LIVE_SEEDS", "1")), 2000))
    assert attack.sent >= 2000
    # That every kind of refusal was met shows that the frames reach what they are made for.
    assert {1000, 1003, 1006, 1007} <= attack.codes.keys()


class Raw:
    """A socket on which anything can be written after the handshake."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, port: int, *, deflate: bool = False) -> Raw:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        lines = [
            f"GET /{SOCKET} HTTP/1.1",
            f"Host: 127.0.0.1:{port}",
            f"Origin: http://127.0.0.1:{port}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
            *(["Sec-WebSocket-Extensions: permessage-deflate"] if deflate else []),
        ]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101")
        assert deflate is (b"permessage-deflate" in head.lower())
        return cls(reader, writer)

    async def send(self, payload: bytes, first: int = FIN | TEXT, *, masked: bool = True) -> None:
        """Send a frame; what the server does not take any more is lost."""
        length = len(payload)
        if length < 126:
            size = bytes([length])
        else:
            size = b"\x7e" + struct.pack("!H", length) if length < 65536 else b"\x7f" + struct.pack("!Q", length)
        if masked:
            size = bytes([size[0] | 0x80]) + size[1:] + b"\0\0\0\0"
        await self.write(bytes([first]) + size + payload)

    async def write(self, data: bytes) -> None:
        with suppress(ConnectionError):
            self.writer.write(data)
            await self.writer.drain()

    async def ended(self) -> None:
        """Wait until the server has closed the connection, or said that it does."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while (await self._frame()) != CLOSE:
                pass

    async def _frame(self) -> int:
        first, length = await self.reader.readexactly(2)
        if length > 125:
            length = int.from_bytes(await self.reader.readexactly(2 if length == 126 else 8), "big")
        await self.reader.readexactly(length)
        return first & 0x0F


async def seventeen_megabytes(raw: Raw) -> None:
    await raw.send(HELLO)
    await raw.send(b'{"type": "%b"}' % (b"x" * 17_000_000))


async def seventeen_megabytes_in_pieces(raw: Raw) -> None:
    await raw.send(b"[", TEXT)
    for _ in range(17):
        await raw.send(b" " * 1_000_000, CONTINUATION)


async def compressed_zeros(raw: Raw) -> None:
    """200 MB that travel as 200 KB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = b"".join(packer.compress(b"\0" * 1_000_000) for _ in range(200)) + packer.flush(zlib.Z_SYNC_FLUSH)
    await raw.send(packed[:-4], FIN | DEFLATED | TEXT)


async def not_compressed_though_said(raw: Raw) -> None:
    await raw.send(b"\xff\xfe\xfd" * 50, FIN | DEFLATED | TEXT)


async def no_utf8(raw: Raw) -> None:
    await raw.send(b'{"type": "\xff\xfe"}')


async def not_masked(raw: Raw) -> None:
    await raw.send(HELLO, masked=False)


async def unknown_opcode(raw: Raw) -> None:
    await raw.send(HELLO, FIN | 5)


async def binary(raw: Raw) -> None:
    await raw.send(HELLO, FIN | BINARY)


async def continuation_of_nothing(raw: Raw) -> None:
    await raw.send(HELLO, FIN | CONTINUATION)


async def large_ping(raw: Raw) -> None:
    await raw.send(b"x" * 5000, FIN | PING)


async def impossible_length(raw: Raw) -> None:
    await raw.write(bytes([FIN | TEXT, 0xFF]) + b"\xff" * 8 + b"\0\0\0\0")


async def forbidden_close_code(raw: Raw) -> None:
    await raw.send(struct.pack("!H", 1005), FIN | CLOSE)


async def http_after_the_handshake(raw: Raw) -> None:
    await raw.write(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n" * 3)


async def hundred_thousand_heartbeats(raw: Raw) -> None:
    await raw.send(HELLO)
    await raw.send(b"[%b]" % b",".join([b'{"type":"heartbeat"}'] * 100_000))


Attack = Callable[[Raw], Awaitable[None]]

ATTACKS: list[Attack] = [
    seventeen_megabytes,
    seventeen_megabytes_in_pieces,
    not_compressed_though_said,
    no_utf8,
    not_masked,
    unknown_opcode,
    binary,
    continuation_of_nothing,
    large_ping,
    impossible_length,
    forbidden_close_code,
    http_after_the_handshake,
    hundred_thousand_heartbeats,
]


async def attacked(attack: Attack, times: int = 3) -> None:
    """Make an attack several times, beside a witness; every one ends with a closed connection."""
    app = target()
    async with served(app) as port, logged() as log:
        tab = await Tab(Network(f"http://127.0.0.1:{port}/")).open()
        witness = Witness(app, tab)
        await witness.testify()
        for _ in range(times):
            raw = await Raw.open(port, deflate=attack in (compressed_zeros, not_compressed_though_said))
            log.records.clear()
            try:
                await attack(raw)
                await asyncio.wait_for(raw.ended(), 20)
            finally:
                raw.writer.transport.abort()
            await witness.testify()
            assert len([each for each in log.records if each.name != "asyncio"]) <= 1, log.records
        await tab.until(lambda: len(app.clients) == 1)
        assert tab.closes == []
        await tab.leave()


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_what_only_a_socket_can_carry_ends_that_socket_alone(attack: Attack) -> None:
    asyncio.run(asyncio.wait_for(attacked(attack), 90))


def test_a_frame_that_unpacks_to_200_megabytes_leaves_no_memory_behind() -> None:
    async def main() -> None:
        await attacked(compressed_zeros, times=1)
        before = memory()
        await attacked(compressed_zeros, times=2)
        assert memory() - before < 64e6

    asyncio.run(asyncio.wait_for(main(), 120))
