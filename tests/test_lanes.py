"""Lanes: one job at a time, in the order of arrival, whatever becomes of those who wait or run."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar, copy_context
from typing import Any

import pytest

from flash.exceptions import RequestRefused
from flash.lanes import Lanes, Replaced, keeping_turn
from flash.pool import Pool

from .apps import run
from .live.asgi import eventually


class Work:
    """Jobs that wait until they may end, and what has become of them.

    Attributes:
        log: The names of the jobs in the order in which they began.
        running: Those that run now.
    """

    def __init__(self) -> None:
        self.log: list[Any] = []
        self.running: set[Any] = set()
        self.most = 0
        self._gates: dict[Any, asyncio.Event] = {}

    def job(self, name: Any) -> Callable[[], Awaitable[Any]]:
        async def work() -> Any:
            self.log.append(name)
            self.running.add(name)
            self.most = max(self.most, len(self.running))
            try:
                await self._gates.setdefault(name, asyncio.Event()).wait()
            finally:
                self.running.discard(name)
            return name

        return work

    def end(self, *names: Any) -> None:
        for name in names:
            self._gates.setdefault(name, asyncio.Event()).set()


async def turns() -> None:
    """Let everything run that can."""
    for _ in range(10):
        await asyncio.sleep(0)


def start(lanes: Lanes, work: Work, name: Any, key: Hashable = "lane", **how: Any) -> asyncio.Task[Any]:
    return asyncio.create_task(lanes.run(key, work.job(name), **how))


# Order.


def test_jobs_run_one_by_one_in_the_order_of_their_arrival() -> None:
    async def main() -> None:
        lanes, work = Lanes(), Work()
        tasks = []
        for number in range(100):
            tasks.append(start(lanes, work, number))
            work.end(number)
            if number % 7 == 0:
                await asyncio.sleep(0)  # Some arrive while others run, or are about to.
        assert await asyncio.gather(*tasks) == list(range(100))
        assert work.log == list(range(100))
        assert work.most == 1

    run(main)


def test_a_newcomer_does_not_overtake_the_one_whose_turn_has_come() -> None:
    async def main() -> None:
        lanes, work = Lanes(), Work()
        first, second = start(lanes, work, 1), start(lanes, work, 2)
        await turns()
        first.add_done_callback(lambda _: third.append(start(lanes, work, 3)))
        third: list[asyncio.Task[Any]] = []
        work.end(1, 2, 3)
        await second
        await third[0]
        assert work.log == [1, 2, 3]

    run(main)


def test_lanes_do_not_wait_for_each_other() -> None:
    async def main() -> None:
        lanes, work = Lanes(), Work()
        tasks = [start(lanes, work, name, name) for name in "ab"]
        tasks += [start(lanes, work, name, "a", overlap="parallel") for name in "cd"]
        await turns()
        assert work.running == set("abcd")
        work.end(*"abcd")
        await asyncio.gather(*tasks)

    run(main)


def test_a_job_runs_in_the_task_and_context_of_its_caller() -> None:
    who: ContextVar[str] = ContextVar("who")

    async def main() -> None:
        lanes, work = Lanes(), Work()

        async def job() -> tuple[Any, str]:
            return asyncio.current_task(), who.get()

        async def caller(name: str) -> bool:
            who.set(name)
            return await lanes.run("lane", job) == (asyncio.current_task(), name)

        blocking = start(lanes, work, 0)
        callers = [asyncio.create_task(caller(name)) for name in "ab"]
        await turns()
        work.end(0)
        assert await asyncio.gather(blocking, *callers) == [0, True, True]

    run(main)


def test_a_lane_without_work_takes_no_memory() -> None:
    async def main() -> None:
        lanes, work = Lanes(), Work()
        tasks = [start(lanes, work, (key, number), key) for key in range(50) for number in range(3)]
        await turns()
        assert len(lanes) == 50
        work.end(*((key, number) for key in range(50) for number in range(3)))
        await asyncio.gather(*tasks)
        assert len(lanes) == 0

    run(main)


def test_more_than_the_bound_are_refused_and_the_others_run() -> None:
    async def main() -> None:
        lanes, work = Lanes(most_waiting=2), Work()
        tasks = [start(lanes, work, number) for number in range(3)]
        await turns()
        with pytest.raises(RequestRefused) as refused:
            await lanes.run("lane", work.job("too many"))
        assert refused.value.status == 429
        work.end(0, 1, 2)
        assert await asyncio.gather(*tasks) == [0, 1, 2]
        assert len(lanes) == 0

    run(main)


# Most recent.


def test_the_most_recent_replaces_the_one_that_waits() -> None:
    async def main() -> None:
        lanes, work = Lanes(), Work()
        tasks = []
        for number in range(5):
            tasks.append(start(lanes, work, number, overlap="most_recent"))
            await turns()
        assert [task.done() for task in tasks] == [False, True, True, True, False]
        work.end(*range(5))
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(each) for each in ended] == [int, Replaced, Replaced, Replaced, int]
        assert work.log == [0, 4]
        assert len(lanes) == 0

    run(main)


def test_in_a_shared_lane_a_job_replaces_those_of_its_own_kind_and_goes_to_the_end() -> None:
    async def main() -> None:
        lanes, work = Lanes(), Work()
        tasks = [start(lanes, work, "run")]
        for name, kind in [("focus 1", "focus"), ("light 1", "light"), ("focus 2", "focus")]:
            tasks.append(start(lanes, work, name, overlap="most_recent", replaces=kind))
            await turns()
        tasks.append(start(lanes, work, "queued"))
        await turns()
        work.end("run", "focus 1", "light 1", "focus 2", "queued")
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert work.log == ["run", "light 1", "focus 2", "queued"]
        assert [isinstance(each, Replaced) for each in ended] == [False, True, False, False, False]

    run(main)


def test_replacing_does_not_count_against_the_bound() -> None:
    async def main() -> None:
        lanes, work = Lanes(most_waiting=1), Work()
        tasks = [start(lanes, work, number, overlap="most_recent") for number in range(20)]
        await turns()
        work.end(*range(20))
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert (ended[0], ended[-1]) == (0, 19)
        assert all(isinstance(each, Replaced) for each in ended[1:-1])

    run(main)


# What goes wrong.


def test_an_error_goes_to_its_caller_and_the_next_runs() -> None:
    async def main() -> None:
        lanes, work = Lanes(), Work()

        async def fail() -> None:
            raise ValueError("broken")

        failing = asyncio.create_task(lanes.run("lane", fail))
        after = start(lanes, work, "after")
        work.end("after")
        with pytest.raises(ValueError, match="broken"):
            await failing
        assert await after == "after"
        assert len(lanes) == 0

    run(main)


@pytest.mark.parametrize("victim", [0, 1, 2, 3])
@pytest.mark.parametrize("overlap", ["queue", "most_recent"])
def test_who_is_cancelled_wedges_nothing(victim: int, overlap: Any) -> None:
    async def main() -> None:
        lanes, work = Lanes(), Work()
        tasks = [start(lanes, work, number, overlap=overlap, replaces=number) for number in range(4)]
        await turns()
        tasks[victim].cancel()
        await turns()
        work.end(*range(4))
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(ended[victim], asyncio.CancelledError)
        assert [each for each in ended if isinstance(each, int)] == [each for each in range(4) if each != victim]
        assert work.most == 1 and len(lanes) == 0

    run(main)


def test_a_turn_that_comes_to_one_who_is_cancelled_in_the_same_moment_goes_to_the_next() -> None:
    async def main() -> None:
        lanes, work = Lanes(), Work()

        async def first() -> None:
            await lanes.run("lane", work.job("first"))
            second.cancel()  # The lane has passed on, and the second has not noticed.

        ending = asyncio.create_task(first())
        second, third = start(lanes, work, "second"), start(lanes, work, "third")
        await turns()
        work.end("first", "second", "third")
        await ending
        assert await third == "third"
        with pytest.raises(asyncio.CancelledError):
            await second
        assert "second" not in work.log and len(lanes) == 0

    run(main)


def test_all_that_wait_may_be_cancelled_at_once() -> None:
    async def main() -> None:
        lanes, work = Lanes(), Work()
        tasks = [start(lanes, work, number) for number in range(1000)]
        await turns()
        for task in tasks[1:]:
            task.cancel()
        work.end(0)
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert ended[0] == 0 and all(isinstance(each, asyncio.CancelledError) for each in ended[1:])
        assert work.log == [0] and len(lanes) == 0

    run(main)


def test_a_job_that_sets_others_of_its_lane_in_motion_does_not_wait_for_them() -> None:
    async def main() -> None:
        lanes, work = Lanes(), Work()
        inner: list[asyncio.Task[Any]] = []

        async def job() -> str:
            inner.append(start(lanes, work, "inner"))
            await asyncio.sleep(0)
            return "outer"

        work.end("inner")
        assert await lanes.run("lane", job) == "outer"
        assert await inner[0] == "inner"

    run(main)


# Threads.


class Device:
    """What plain functions use, one at a time."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.inside = 0
        self.most = 0
        self.may_end = threading.Event()

    def use(self, name: str) -> str:
        self.log.append(name)
        self.inside += 1
        self.most = max(self.most, self.inside)
        assert self.may_end.wait(20)
        self.inside -= 1
        return name


def test_a_function_that_outlives_its_caller_holds_the_lane_until_it_has_ended() -> None:
    async def main() -> None:
        lanes, pool, device = Lanes(), Pool(4, "test"), Device()
        use = keeping_turn(device.use)
        first, second = (
            asyncio.create_task(lanes.run("lane", lambda name=name: pool.run(use, name)))  # type: ignore[misc]
            for name in ("first", "second")
        )
        await eventually(lambda: device.inside == 1)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        await turns()
        assert device.log == ["first"]
        device.may_end.set()
        assert await second == "second"
        assert device.most == 1 and len(lanes) == 0
        pool.close()

    run(main)


def test_a_function_whose_caller_is_gone_before_it_begins_does_not_run_in_the_turn_of_another() -> None:
    async def main() -> None:
        lanes, device = Lanes(), Device()
        late = keeping_turn(device.use)
        contexts = []

        async def job() -> None:
            contexts.append(copy_context())

        await lanes.run("lane", job)
        with pytest.raises(asyncio.CancelledError):
            contexts[0].run(late, "late")
        assert not device.log

    run(main)


def test_closing_waits_for_no_thread() -> None:
    async def main() -> None:
        lanes, pool, device = Lanes(), Pool(1, "test"), Device()
        use = keeping_turn(device.use)
        task = asyncio.create_task(lanes.run("lane", lambda: pool.run(use, "stuck")))
        await eventually(lambda: device.inside == 1)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await lanes.close()
        assert len(lanes) == 0
        device.may_end.set()
        await eventually(lambda: device.inside == 0)
        pool.close()

    run(main)


# Several processes.


class Lease:
    """What only one process has at a time: here, one of several ``Lanes``."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.keys: list[Hashable] = []
        self.fails = False

    @asynccontextmanager
    async def held(self, key: Hashable) -> AsyncIterator[None]:
        if self.fails:
            raise ConnectionError("no storage")
        async with self.lock:
            self.keys.append(key)
            yield


def test_no_two_processes_run_a_job_of_one_lane_at_once() -> None:
    async def main() -> None:
        lease, work = Lease(), Work()
        processes = [Lanes(lease.held), Lanes(lease.held)]
        tasks = [start(processes[number % 2], work, number) for number in range(20)]
        work.end(*range(20))
        assert await asyncio.gather(*tasks) == list(range(20))
        assert work.most == 1 and lease.keys == ["lane"] * 20
        for number in range(2):
            own = [each for each in work.log if each % 2 == number]
            assert own == sorted(own)

    run(main)


@pytest.mark.parametrize("running", [True, False])
def test_who_is_cancelled_with_or_without_the_lease_wedges_nothing(running: bool) -> None:
    async def main() -> None:
        lease, work = Lease(), Work()
        lanes = Lanes(lease.held)
        if not running:
            await lease.lock.acquire()
        first, second = start(lanes, work, 1), start(lanes, work, 2)
        await turns()
        first.cancel()
        await turns()
        if not running:
            lease.lock.release()
        work.end(2)
        assert await second == 2
        assert work.log == ([1, 2] if running else [2])
        assert not lease.lock.locked() and len(lanes) == 0

    run(main)


def test_a_lease_that_cannot_be_had_fails_its_caller_alone() -> None:
    async def main() -> None:
        lease, work = Lease(), Work()
        lanes = Lanes(lease.held)
        lease.fails = True
        with pytest.raises(ConnectionError):
            await lanes.run("lane", work.job(1))
        lease.fails = False
        work.end(2)
        assert await lanes.run("lane", work.job(2)) == 2

    run(main)


def test_a_function_that_outlives_its_caller_keeps_the_lease() -> None:
    async def main() -> None:
        lease, pool, device = Lease(), Pool(2, "test"), Device()
        lanes, use = Lanes(lease.held), keeping_turn(device.use)
        task = asyncio.create_task(lanes.run("lane", lambda: pool.run(use, "first")))
        await eventually(lambda: device.inside == 1)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert lease.lock.locked()
        device.may_end.set()
        await eventually(lambda: not lease.lock.locked() and not len(lanes))
        pool.close()

    run(main)
