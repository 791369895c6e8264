"""Opening and dropping streams over real sockets, and counting what is left of them."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psutil
from dash import Patch

from flash import Flash, Input, Output, html
from flash.pool import Pool

from ..apps import flash_app
from .fuzz import memory
from .serving import served
from .sites import Network
from .tab import Tab

#: Tabs that are open at once, and the streams that each opens at most before it is dropped.
TABS = 10
STREAMS = 8

KINDS = ["endless", "endless-plain", "patches", "short", "fails", "late"]

#: Names of the threads of Flash's own chores, and of those in which the tabs here fetch their tickets.
SMALL_POOLS = ("flash-chore", "asyncio_")


@dataclass(frozen=True)
class Counts:
    """What a process holds.

    Attributes:
        tasks: Tasks of the loop.
        threads: Threads, but for those of small pools that fill slowly.
        files: Open files and sockets.
        memory: Bytes.
    """

    tasks: int
    threads: int
    files: int
    memory: int

    @classmethod
    def now(cls) -> Counts:
        files = psutil.Process().num_fds()
        threads = [each for each in threading.enumerate() if not each.name.startswith(SMALL_POOLS)]
        return cls(len(asyncio.all_tasks()), len(threads), files, memory())


class Streamers:
    """The streaming callbacks, and how many of their generators are open.

    Args:
        app: The app that gets them.
    """

    def __init__(self, app: Flash) -> None:
        self.opened = 0
        self.closed = 0
        self._lock = threading.Lock()
        for name, function in {
            "endless": self.endless,
            "endless-plain": self.endless_plain,
            "patches": self.patches,
            "short": self.short,
            "fails": self.fails,
            "late": self.late,
        }.items():
            app.callback(Output(name, "children"), Input(f"in-{name}", "value"))(function)

    def __enter__(self) -> None:
        with self._lock:
            self.opened += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self.closed += 1

    async def endless(self, value: int) -> AsyncIterator[Any]:
        with self:
            while True:
                value += 1
                yield value
                await asyncio.sleep(0.001)

    def endless_plain(self, value: int) -> Iterator[Any]:
        with self:
            while True:
                value += 1
                yield value
                time.sleep(0.001)

    async def patches(self, value: int) -> AsyncIterator[Any]:
        with self:
            yield []
            while True:
                patch = Patch()
                patch.append("x" * 100)
                yield patch
                await asyncio.sleep(0.001)

    async def short(self, value: int) -> AsyncIterator[Any]:
        with self:
            for number in range(3):
                yield number

    async def fails(self, value: int) -> AsyncIterator[Any]:
        with self:
            yield value
            raise ValueError("It fails, as it should.")

    async def late(self, value: int) -> AsyncIterator[Any]:
        with self:
            await asyncio.sleep(0.2)
            yield value


class Soak:
    """Opens and drops streams.

    Args:
        seed: Makes the order of what happens.

    Attributes:
        streams: How many were asked for.
        ways: How often streams ended in which way.
    """

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        live = {"enabled": True, "resume_seconds": 0.1, "rate": 1e9, "burst": 1_000_000}
        # Few threads, which are all there soon.
        self.app = flash_app(live=live, websocket_callbacks=True, callback_threads=4)
        self.app.layout = html.Div([*(html.Div(id=name) for name in KINDS), *(html.Div(id=f"in-{n}") for n in KINDS)])
        self.streamers = Streamers(self.app)
        self.streams = 0
        self.ways: Counter[str] = Counter()

    async def run(self, streams: int, address: str) -> None:
        """Open so many streams, in several tabs at once, and drop them all."""
        limit = self.streams + streams

        async def work() -> None:
            while self.streams < limit:
                await self._tab(address)

        async with asyncio.TaskGroup() as group:
            for _ in range(TABS):
                group.create_task(work())

    async def _tab(self, address: str) -> None:
        tab = await Tab(Network(address)).open()
        for _ in range(self.chance.randint(1, STREAMS)):
            await self._stream(tab)
        way = self.chance.choice(["leave", "close", "cut", "cut and resume"])
        self.ways[way] += 1
        if way == "leave":
            await tab.leave()
        elif way == "close":
            await tab.close()
        else:
            await tab.cut()
        if way == "cut and resume":
            await tab.resume()
            await tab.leave()

    async def _stream(self, tab: Tab) -> None:
        kind = self.chance.choice(KINDS)
        self.streams += 1
        self.ways[kind] += 1
        request = await tab.request(f"{kind}.children", {f"in-{kind}.value": self.streams})
        if self.chance.random() < 0.7:
            await tab.until(lambda: request.done)
        if self.chance.random() < 0.3 and kind in ("endless", "endless-plain", "patches"):
            more = len(tab.pushed(f"{kind}.children")) + 3
            await tab.until(lambda: len(tab.pushed(f"{kind}.children")) >= more)

    async def at_rest(self) -> None:
        """Wait until no stream and no client is left."""
        end = time.monotonic() + 20
        while len(self.app.clients) or self.streamers.opened != self.streamers.closed:
            if time.monotonic() > end:
                streams = self.streamers.opened - self.streamers.closed
                raise AssertionError(f"{len(self.app.clients)} clients are left, and {streams} streams.")
            await asyncio.sleep(0.02)


async def soak(seed: int, streams: int, report: Callable[[str], None] = lambda line: None) -> Soak:
    """Open and drop streams, and hold what is left against what was there.

    Args:
        seed: Makes the order of what happens.
        streams: How many.
        report: Told of the progress.

    Raises:
        AssertionError: Something was left behind.
    """
    work = Soak(seed)
    async with served(work.app) as port:
        address = f"http://127.0.0.1:{port}/"
        # All that is made once is there after this.
        await work.run(max(50, streams // 10), address)
        for pool in (work.app.flash_pool, work.app.flash_views):
            await fill(pool)
        await work.at_rest()
        before = await settled(lambda _: True)
        report(f"{work.streams} streams: {before}")
        while work.streams < streams:
            await work.run(min(2000, streams - work.streams), address)
            await work.at_rest()
            report(f"{work.streams} streams: {Counts.now()}")
        after = await settled(lambda now: now.tasks <= before.tasks and now.files <= before.files)
    assert after.tasks <= before.tasks and after.files <= before.files, (before, after)
    assert after.threads <= before.threads, (before, after)
    assert after.memory - before.memory < 16e6, (before, after)
    return work


async def fill(pool: Pool) -> None:
    """Have a pool start all its threads: it starts one only when all others are busy."""
    together = threading.Barrier(pool.threads)
    await asyncio.gather(*(pool.run(together.wait, 10) for _ in range(pool.threads)))


async def settled(enough: Callable[[Counts], bool]) -> Counts:
    """The counts once they are low enough and change no more, or after some seconds."""
    last = None
    for _ in range(100):
        now = Counts.now()
        if last is not None and enough(now) and (now.tasks, now.files) == (last.tasks, last.files):
            break
        last = now
        await asyncio.sleep(0.05)
    return now
