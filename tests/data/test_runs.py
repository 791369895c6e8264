"""Runs that take too long, and runs that meet."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from flash.data import Source, SourceError
from flash.data import lane as lanes
from flash.data import leader as leaders
from flash.pool import Pool
from flash.storage import MemoryStorage

from .engines import declared, run, running, until


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "FIRST_PAUSE", 0.01)


class Slow:
    """A plain function that goes on until it is let go."""

    def __init__(self) -> None:
        self.calls = 0
        self.at_once = 0
        self.most = 0
        self.goes = threading.Event()
        self._lock = threading.Lock()

    def __call__(self) -> int:
        with self._lock:
            self.calls += 1
            number = self.calls
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        assert self.goes.wait(60)
        with self._lock:
            self.at_once -= 1
        return number


@pytest.fixture
def slow() -> Iterator[Slow]:
    slow = Slow()
    yield slow
    slow.goes.set()


def test_a_thread_that_takes_too_long_is_left_and_nothing_runs_beside_it(slow: Slow) -> None:
    async def main() -> None:
        orders = declared(slow, name="orders", timeout=0.05, retry=3, on_start=False)
        async with running(orders):
            with pytest.raises(SourceError, match=r"^The run took longer than 0\.05 s\.$"):
                await orders.refresh()
            assert slow.calls == 1, "it is not tried again beside it"
            with pytest.raises(SourceError, match="still runs"):
                await orders.refresh()
            assert slow.calls == 1
            slow.goes.set()
            await until(lambda: not slow.at_once, "end of the thread")
            await asyncio.sleep(0.05)
            assert orders.version == 0, "what came late is dropped"
            assert (await orders.refresh()).value == 2

    run(main)


def test_with_parallel_a_new_run_begins_beside_what_takes_too_long(slow: Slow) -> None:
    async def main() -> None:
        orders = declared(slow, name="orders", timeout=0.2, retry=0, overlap="parallel", on_start=False)
        async with running(orders):
            with pytest.raises(SourceError, match="longer"):
                await orders.refresh()
            refreshing = asyncio.create_task(orders.refresh())
            await until(lambda: slow.calls == 2, "second run")
            slow.goes.set()
            assert (await refreshing).value == 2

    run(main)


def test_what_is_asynchronous_is_cancelled_when_it_takes_too_long() -> None:
    async def main() -> None:
        ended: list[str] = []

        async def endless() -> None:
            try:
                await asyncio.sleep(3600)
            finally:
                ended.append("cancelled")

        orders = declared(endless, name="orders", timeout=0.05, retry=1, on_start=False)
        async with running(orders):
            with pytest.raises(SourceError, match="longer"):
                await orders.refresh()
            assert len(ended) == 2, "and tried again"

    run(main)


def test_who_does_not_let_itself_be_cancelled_has_overrun_too() -> None:
    async def main() -> None:
        goes = asyncio.Event()

        async def stubborn() -> int:
            while not goes.is_set():
                try:
                    await goes.wait()
                except asyncio.CancelledError:
                    pass
            return 1

        orders = declared(stubborn, name="orders", timeout=0.05, retry=2, on_start=False)
        async with running(orders):
            with pytest.raises(SourceError, match="longer"):
                await orders.refresh()
            with pytest.raises(SourceError, match="still runs"):
                await orders.refresh()
            goes.set()

    run(main)


def test_a_run_that_was_broken_off_with_the_lease_is_run_again_when_it_has_ended(
    slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaders, "LEASE_INTERVAL", 0.05)

    async def main() -> None:
        storage = MemoryStorage()
        orders = declared(slow, name="orders")
        async with running(orders, storage=storage, name="shop") as engine:
            await until(lambda: slow.calls, "first run")
            lease, owner = "data:shop:leads", engine._process
            storage.release(lease, owner)
            assert storage.acquire(lease, "another", 60) is not None
            await until(lambda: not engine.leads, "end of the term")
            storage.release(lease, "another")
            await until(lambda: engine.leads, "next term")
            await asyncio.sleep(0.1)
            assert slow.calls == 1 and not orders.status.error, "nothing runs beside it"
            slow.goes.set()
            assert (await orders.first(10)).value == 2 and slow.most == 1

    run(main)


def test_a_run_that_was_broken_off_is_waited_for_as_long_as_a_run_may_take(
    slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaders, "LEASE_INTERVAL", 0.05)

    async def main() -> None:
        storage = MemoryStorage()
        orders = declared(slow, name="orders", timeout=1)
        async with running(orders, storage=storage, name="shop") as engine:
            await until(lambda: slow.calls, "first run")
            lease, owner = "data:shop:leads", engine._process
            storage.release(lease, owner)
            assert storage.acquire(lease, "another", 60) is not None
            await until(lambda: not engine.leads, "end of the term")
            storage.release(lease, "another")
            await until(lambda: orders.status.error and not orders.status.running, "failure")
            assert orders.status.error is not None and "still runs" in orders.status.error.reason
            assert slow.calls == 1
            slow.goes.set()

    run(main)


def test_a_follower_whose_run_took_too_long_runs_with_the_newest_when_that_has_ended(slow: Slow) -> None:
    async def main() -> None:
        numbers = iter(range(1, 100))
        orders = declared(lambda: next(numbers), name="orders")
        clean = declared(lambda given: [slow(), given], name="clean", after=orders, timeout=0.2, retry=0)
        async with running(clean):
            await until(lambda: clean.status.error, "failure")
            await orders.refresh()
            await asyncio.sleep(0.1)
            assert slow.calls == 1, "nothing runs beside it"
            slow.goes.set()
            assert (await clean.first(5)).value == [2, 2]

    run(main)


def ticking(slow: Slow, overlap: str) -> Source:
    return declared(slow, name="orders", every="1s", overlap=overlap, on_start=False)


def test_skip_lets_ticks_go_by(slow: Slow) -> None:
    async def main() -> None:
        orders = ticking(slow, "skip")
        async with running(orders):
            await until(lambda: slow.calls, "first tick")
            before = orders.known.state.began
            await asyncio.sleep(1.2)
            slow.goes.set()
            await until(lambda: not orders.status.running and orders.version, "end of the run")
            state = orders.known.state
            assert before is not None and state.tick is not None and state.tick > before and slow.most == 1
            assert slow.calls == 1 or state.began != before

    run(main)


def test_queue_runs_each_tick_after_the_other(slow: Slow) -> None:
    async def main() -> None:
        orders = ticking(slow, "queue")
        async with running(orders):
            await until(lambda: slow.calls, "first tick")
            await asyncio.sleep(1.2)
            assert slow.calls == 1
            slow.goes.set()
            await until(lambda: slow.calls >= 2, "second run", 0.7)
            assert slow.most == 1

    run(main)


def test_parallel_runs_ticks_beside_each_other_and_an_older_result_does_not_replace_a_newer_one() -> None:
    async def main() -> None:
        goes = [asyncio.Event() for _ in range(100)]
        calls = 0

        async def slow() -> int:
            nonlocal calls
            calls += 1
            number = calls
            await goes[number].wait()
            return number

        orders = declared(slow, name="orders", every="1s", overlap="parallel", on_start=False)
        async with running(orders):
            await until(lambda: calls >= 2, "second run beside the first")
            goes[2].set()
            assert (await orders.first(5)).value == 2
            goes[1].set()
            await asyncio.sleep(0.1)
            assert orders.get().value == 2 and orders.version == 1

    run(main)


def test_all_sources_may_be_busy_at_once_and_still_have_threads(slow: Slow) -> None:
    async def main() -> None:
        busy = [declared(slow, name=f"slow{number}") for number in range(20)]
        quick = declared(lambda: 1, name="quick")
        async with running(*busy, quick):
            await until(lambda: slow.at_once == 20, "all of them")
            assert (await quick.refresh()).value == 1
            slow.goes.set()

    run(main)


def test_a_pool_that_was_given_stays_open() -> None:
    async def main() -> None:
        pool = Pool(2, "mine")
        orders = declared(lambda: threading.current_thread().name, name="orders")
        async with running(orders, pool=pool):
            assert (await orders.first(10)).value.startswith("mine")
        assert await pool.run(lambda: 1) == 1
        pool.close()

    run(main)
