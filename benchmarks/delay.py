"""A network that is not there: a proxy in a process of its own that delays what goes through it.

Every byte takes half the round trip, in each direction, and a connection a whole one before its first byte leaves, as
TCP's handshake does. Bytes of one direction keep their order; throughput is not limited. With jitter each piece takes
up to so much longer, and those behind it wait, as they do behind a packet that comes late.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import selectors
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def delayed(ports: Iterable[int], round_trip: float, jitter: float = 0.0) -> Iterator[dict[int, int]]:
    """A delay before servers of this machine, on the cores of this process; it ends with the block.

    Args:
        ports: Where the servers listen.
        round_trip: Seconds that a byte and its answer take longer together.
        jitter: Seconds that a piece may take longer still, in each direction.

    Returns:
        The port to connect to, by the port of the server.
    """
    command = [sys.executable, __file__, *map(str, ports), "--round-trip", str(round_trip), "--jitter", str(jitter)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parent)
    assert process.stdout is not None
    try:
        yield {int(server): proxy for server, proxy in json.loads(process.stdout.readline()).items()}
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


class Direction:
    """What goes one way over one connection: every piece leaves when it is due, after those before it.

    Args:
        seconds: How long a piece takes.
        jitter: How much longer it may take, in seconds.
        not_before: The loop's time before which none sets out.
    """

    def __init__(self, seconds: float, jitter: float, not_before: float) -> None:
        self._seconds = seconds
        self._jitter = jitter
        self._last = not_before + seconds
        self._pieces: deque[bytes] = deque()
        self._out: asyncio.Transport | None = None

    def connect(self, out: asyncio.Transport) -> None:
        """Where it leads to. What was due before waits until now."""
        self._out = out

    def put(self, piece: bytes) -> None:
        """Send bytes; none at all are the end."""
        loop = asyncio.get_running_loop()
        self._last = max(self._last, loop.time() + self._seconds + random.uniform(0, self._jitter))
        self._pieces.append(piece)
        loop.call_at(self._last, self._deliver)

    def _deliver(self) -> None:
        # Of timers that are due at once any may come first; whichever it is, the oldest piece goes.
        piece = self._pieces.popleft()
        if self._out is None or self._out.is_closing():
            return
        if piece:
            self._out.write(piece)
        else:
            self._out.close()


class End(asyncio.Protocol):
    """One end of a connection through the proxy: what comes is put into a direction."""

    def __init__(self, away: Direction) -> None:
        self._away = away

    def data_received(self, data: bytes) -> None:
        self._away.put(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._away.put(b"")


class Accepted(End):
    """The end towards the client: it connects to the server as soon as the client is there.

    Args:
        port: Where the server listens.
        round_trip: In seconds.
        jitter: In seconds.
    """

    def __init__(self, port: int, round_trip: float, jitter: float) -> None:
        now = asyncio.get_running_loop().time()
        super().__init__(Direction(round_trip / 2, jitter, now + round_trip))
        self._back = Direction(round_trip / 2, jitter, now)
        self._port = port
        self._connecting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._back.connect(transport)
        transport.pause_reading()
        self._connecting = asyncio.create_task(self._connect(transport))

    async def _connect(self, client: asyncio.Transport) -> None:
        try:
            loop = asyncio.get_running_loop()
            server, _ = await loop.create_connection(lambda: End(self._back), "127.0.0.1", self._port)
        except OSError:
            client.abort()
            return
        self._away.connect(server)
        client.resume_reading()


async def listen(ports: list[int], round_trip: float, jitter: float) -> None:
    """Listen for each server on a port of its own, say which, and go on until the process is ended."""
    loop, proxies = asyncio.get_running_loop(), {}
    for port in ports:
        server = await loop.create_server(lambda port=port: Accepted(port, round_trip, jitter), "127.0.0.1", 0)  # type: ignore[misc]
        proxies[port] = server.sockets[0].getsockname()[1]
    print(json.dumps(proxies), flush=True)
    await asyncio.Event().wait()


class Punctual(selectors.SelectSelector):
    """Waits as long as it is told to, within some microseconds: awake for the last of it.

    The system wakes a sleeper 0.1 to 0.2 ms late, and Python begins slowly after it; epoll counts in milliseconds.
    """

    AWAKE = 0.0006

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if not timeout or timeout < 0:
            return super().select(timeout)
        until = time.perf_counter() + timeout
        ready = super().select(max(0.0, timeout - self.AWAKE))
        while not ready and time.perf_counter() < until:
            ready = super().select(0)
        return ready


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("ports", nargs="+", type=int, help="where the servers listen on 127.0.0.1")
    parser.add_argument("--round-trip", type=float, default=0.0, help="seconds")
    parser.add_argument("--jitter", type=float, default=0.0, help="seconds, in each direction")
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(Punctual())) as runner:
        runner.run(listen(options.ports, options.round_trip, options.jitter))


if __name__ == "__main__":
    main()
