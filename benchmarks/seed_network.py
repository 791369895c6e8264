"""What a delay really is: round trips of an echo through the proxy, without a server that has anything to do."""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack

from delay import delayed

#: What a callback's request and its answer are, about, in bytes.
SIZE = 500


async def round_trips(delay: float | None, count: int) -> list[float]:
    """The seconds of some round trips.

    Args:
        delay: Seconds that the proxy is asked for; None leaves it out.
        count: How many.
    """
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with ExitStack() as stack:
        if delay is not None:
            port = stack.enter_context(delayed([port], delay))[port]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        times = []
        for _ in range(count):
            began = time.perf_counter()
            writer.write(bytes(SIZE))
            await reader.readexactly(SIZE)
            times.append(time.perf_counter() - began)
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()
    return times


class Echo(asyncio.Protocol):
    """Gives back what comes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(data)
