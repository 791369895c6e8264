"""What a snapshot costs: a frame is encoded, kept, read and decoded, in each store.

Redis is a server of the benchmark's own, on this machine. A tick on the loop measures how long others wait meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy
import pandas
from report import print_heading, print_table

from flash.data.codec import decode, encode
from flash.data.stores import Record, SnapshotStore, store_of
from flash.storage import MemoryStorage


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


def main() -> None:
    options = parse()
    print_heading("Snapshots", ["dash-flash", "pandas", "pyarrow", "redis"])
    frame = made_frame(options.rows)
    rows = []
    with tempfile.TemporaryDirectory() as folder, redis_server(folder) as redis:
        for title, name in {"memory": "memory", "SQLite": f"sqlite:///{folder}/data.db", "Redis": redis}.items():
            rows.append([title, *asyncio.run(measured(store_of(name, MemoryStorage()), frame, options.rounds))])
    columns = ["store", "size, MB", "encode, ms", "put, ms", "newest, ms", "decode, ms", "all, ms"]
    print_table([*columns, "longest wait on the loop in put and newest, ms"], rows)


def made_frame(rows: int) -> pandas.DataFrame:
    """Five columns: a time, two numbers, a category and a text."""
    random = numpy.random.default_rng(0)
    return pandas.DataFrame(
        {
            "at": pandas.date_range("2026-01-01", periods=rows, freq="s", tz="Europe/Prague"),
            "price": random.normal(100, 10, rows),
            "count": random.integers(0, 1000, rows),
            "region": pandas.Categorical(random.choice(["north", "east", "south", "west"], rows)),
            "customer": pandas.Series(random.integers(0, 10_000, rows)).map("customer {}".format),
        }
    )


async def measured(store: SnapshotStore, frame: pandas.DataFrame, rounds: int) -> list[str]:
    await store.start()
    found = [await one_round(store, version, frame) for version in range(1, rounds + 2)][1:]  # The first warms up.
    await store.close()
    size = f"{found[0].pop('size') / 1e6:,.1f}"
    steps = {name: statistics.median(each[name] for each in found) for name in found[0] if name != "wait"}
    wait = max(each["wait"] for each in found)
    return [size, *(f"{seconds * 1e3:,.1f}" for seconds in (*steps.values(), sum(steps.values()), wait))]


async def one_round(store: SnapshotStore, version: int, frame: pandas.DataFrame) -> dict[str, float]:
    """Seconds of each step; bytes of the snapshot."""
    encoded, encoding = await timed(asyncio.to_thread(encode, frame))
    record = Record(version, time.time(), encoded.kind, encoded.data, encoded.digest)
    async with Tick() as tick:
        _, putting = await timed(store.put("orders", record, 2))
        newest, reading = await timed(store.newest("orders"))
    assert newest is not None
    back, decoding = await timed(asyncio.to_thread(decode, newest.kind, newest.data))
    if version == 1:
        pandas.testing.assert_frame_equal(back, frame)
    steps = {"encode": encoding, "put": putting, "newest": reading, "decode": decoding}
    return {"size": len(encoded.data), **steps, "wait": tick.longest}


async def timed(work: Awaitable[Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    result = await work
    return result, time.perf_counter() - started


class Tick:
    """Comes each millisecond; ``longest`` is how many seconds it came late at most."""

    longest = 0.0

    async def __aenter__(self) -> Tick:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *error: object) -> None:
        await asyncio.sleep(0.002)
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        while True:
            due = time.perf_counter() + 0.001
            await asyncio.sleep(0.001)
            self.longest = max(self.longest, time.perf_counter() - due)


@contextmanager
def redis_server(folder: str) -> Iterator[str]:
    """A Redis that keeps nothing on disk; its socket is a file in a folder."""
    path = Path(folder, "redis.sock")
    process = subprocess.Popen(
        ["redis-server", "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", folder],
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: answers(path), "a connection to Redis")
        yield f"unix://{path}"
    finally:
        process.kill()
        process.wait()


def answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def wait_until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 10
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"No {what}.")
        time.sleep(0.01)


if __name__ == "__main__":
    main()
