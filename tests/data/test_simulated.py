"""What docs/data.md says of times, by a simulated clock: each line of its table is a test here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from flash.data import Source, SourceError
from flash.data.engine import Engine
from flash.data.stores import MemorySnapshots
from flash.pool import Pool
from flash.storage import MemoryStorage
from flash.testing.clock import SimulatedClock

from .engines import declared, run, running, until

PRAGUE = ZoneInfo("Europe/Prague")


class Diary:
    """An asynchronous function that notes when it was called, and takes as long as a test says."""

    def __init__(self, clock: SimulatedClock, takes: float = 0.0) -> None:
        self.times: list[datetime] = []
        self._clock = clock
        self._takes = takes

    async def __call__(self) -> int:
        number = len(self.times)
        self.times.append(self._clock.now())
        if self._takes:
            await self._clock.sleep(self._takes)
        return number

    @property
    def in_prague(self) -> list[str]:
        return [each.astimezone(PRAGUE).strftime("%d. %H:%M") for each in self.times]

    @property
    def dates(self) -> list[str]:
        return [each.strftime("%Y-%m-%d") for each in self.times]


def scheduled(diary: Diary, **arguments: Any) -> Source:
    return declared(diary, name="orders", **{"on_start": False, **arguments})


class SeenPool(Pool):
    """Threads that a simulated clock waits for: the loop does not see them."""

    def __init__(self, clock: SimulatedClock) -> None:
        super().__init__(4, "seen")
        self._calls = 0
        clock.waits_while(lambda: self._calls)

    async def run(self, func: Any, /, *args: Any, **kwargs: Any) -> Any:
        self._calls += 1
        try:
            return await super().run(func, *args, **kwargs)
        finally:
            self._calls -= 1


@asynccontextmanager
async def timed(source: Source, clock: SimulatedClock, **options: Any) -> AsyncIterator[Engine]:
    """A running engine whose time is that of a clock."""
    pool = SeenPool(clock)
    async with running(source, clock=clock, pool=pool, **options) as engine:
        yield engine
    pool.close()


async def passes(source: Source, clock: SimulatedClock, *, to: str, **options: Any) -> None:
    """Run a source alone, while time passes."""
    async with timed(source, clock, **options):
        await clock.advance(to=to)
        await until(lambda: not source.status.running, "end of the run")


def test_clocks_are_put_forward() -> None:
    """02:30 is missing on 29 March: it runs at 03:00, the first moment after it."""

    async def main() -> None:
        clock = SimulatedClock("2026-03-28T12:00+01:00")
        diary = Diary(clock)
        await passes(scheduled(diary, at="02:30", tz="Europe/Prague"), clock, to="2026-03-30T12:00+02:00")
        assert diary.in_prague == ["29. 03:00", "30. 02:30"]

    run(main)


def test_clocks_are_put_back() -> None:
    """02:30 comes twice on 25 October: it runs once, the first time."""

    async def main() -> None:
        clock = SimulatedClock("2026-10-24T12:00+02:00")
        diary = Diary(clock)
        await passes(scheduled(diary, at="02:30", tz="Europe/Prague"), clock, to="2026-10-26T12:00+01:00")
        assert diary.in_prague == ["25. 02:30", "26. 02:30"]
        assert diary.times[0] == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)

    run(main)


def test_day_31() -> None:
    async def main() -> None:
        clock = SimulatedClock("2026-01-01T00:00Z")
        diary = Diary(clock)
        await passes(scheduled(diary, cron="0 9 31 * *", tz="UTC"), clock, to="2026-06-15T00:00Z")
        assert diary.dates == ["2026-01-31", "2026-03-31", "2026-05-31"]

    run(main)


def test_29_february() -> None:
    async def main() -> None:
        clock = SimulatedClock("2026-01-01T00:00Z")
        diary = Diary(clock)
        await passes(scheduled(diary, cron="0 9 29 2 *", tz="UTC"), clock, to="2032-03-01T00:00Z")
        assert diary.dates == ["2028-02-29", "2032-02-29"]

    run(main)


def test_exactly_on_the_hour() -> None:
    """A start at 09:00:00 is after that tick: the next is tomorrow's. And 09:00:00 is run at 09:00:00."""

    async def main() -> None:
        clock = SimulatedClock("2026-05-04T09:00:00Z")
        diary = Diary(clock)
        source = scheduled(diary, at="09:00", tz="UTC")
        async with timed(source, clock):
            await until(lambda: source.status.next, "next tick")
            assert source.status.next == datetime(2026, 5, 5, 9, tzinfo=UTC)
            await clock.advance(to="2026-05-05T08:59:59Z")
            assert diary.times == []
            await clock.advance("1s")
            assert diary.times == [datetime(2026, 5, 5, 9, tzinfo=UTC)]
            assert source.status.next == datetime(2026, 5, 6, 9, tzinfo=UTC)

    run(main)


@pytest.mark.parametrize(("missed", "runs"), [("run_once", 1), ("skip", 0), ("all", 3)])
def test_a_suspended_machine(missed: str, runs: int) -> None:
    """Three hourly ticks go by while it sleeps."""

    async def main() -> None:
        clock = SimulatedClock("2026-05-04T09:30Z")
        diary = Diary(clock)
        source = scheduled(diary, every="1h", missed=missed)
        async with timed(source, clock):
            await clock.advance("1m")
            await clock.suspend("3h")
            await until(lambda: source.known.state.tick == datetime(2026, 5, 4, 12, tzinfo=UTC), "last tick dealt with")
            assert len(diary.times) == runs
            assert diary.times == [datetime(2026, 5, 4, 12, 31, tzinfo=UTC)] * runs
            await clock.advance(to="2026-05-04T13:00Z")
            assert len(diary.times) == runs + 1, "and the schedule goes on"

    run(main)


@pytest.mark.parametrize(
    ("overlap", "minutes"),
    [("skip", [1, 3, 5, 7]), ("queue", [1, 2.5, 4, 5.5, 7]), ("parallel", [1, 2, 3, 4, 5, 6, 7])],
)
def test_a_job_slower_than_its_interval(overlap: str, minutes: list[float]) -> None:
    """Every minute, and a run takes a minute and a half."""

    async def main() -> None:
        clock = SimulatedClock("2026-05-04T09:00Z")
        diary = Diary(clock, takes=90)
        async with timed(scheduled(diary, every="1m", overlap=overlap), clock):
            await clock.advance("7m")
            start = datetime(2026, 5, 4, 9, tzinfo=UTC)
            assert [(each - start) / timedelta(minutes=1) for each in diary.times] == minutes
            await clock.advance("90s")

    run(main)


@pytest.mark.parametrize(("overlap", "minutes"), [("skip", [1, 3, 5, 7]), ("parallel", [1, 2, 3, 4, 5, 6, 7])])
def test_a_job_slower_than_its_interval_that_misses_nothing(overlap: str, minutes: list[float]) -> None:
    """``missed`` is about ticks at which nothing could run; while a run goes on, ``overlap`` says what happens."""

    async def main() -> None:
        clock = SimulatedClock("2026-05-04T09:00Z")
        diary = Diary(clock, takes=90)
        source = scheduled(diary, every="1m", overlap=overlap, missed="all")
        async with timed(source, clock):
            await clock.advance("7m")
            start = datetime(2026, 5, 4, 9, tzinfo=UTC)
            assert [(each - start) / timedelta(minutes=1) for each in diary.times] == minutes
            await clock.advance("90s")

    run(main)


def test_missed_ticks_that_wait_are_not_dealt_with_by_a_later_one() -> None:
    """Three were missed; while they are run one after the other, a new tick is passed over, and the app ends."""

    async def main() -> None:
        clock, store = SimulatedClock("2026-05-04T08:30Z"), MemorySnapshots()
        slow, quick = Diary(clock, takes=3000), Diary(clock)
        await passes(scheduled(quick, every="1h", missed="all"), clock, store=store, to="2026-05-04T09:10Z")
        await clock.suspend("220m")
        async with timed(scheduled(slow, every="1h", missed="all"), clock, store=store):
            await clock.advance("55m")
            assert len(slow.times) == 2
        quick.times.clear()
        async with timed(scheduled(quick, every="1h", missed="all"), clock, store=store):
            await clock.advance("1s")
            assert len(quick.times) == 3, "11:00, which was broken off, 12:00, and 13:00, which was passed over"

    run(main)


def test_a_refresh_while_a_missed_tick_is_skipped_runs_the_source() -> None:
    class Slow(MemorySnapshots):
        goes = asyncio.Event()

        async def set_state(self, *args: Any) -> None:
            await self.goes.wait()
            await super().set_state(*args)

    async def main() -> None:
        clock, store = SimulatedClock("2026-05-04T09:30Z"), Slow()
        store.goes.set()
        source = scheduled(Diary(clock), every="1h", missed="skip")
        async with timed(source, clock, store=store):
            await clock.advance("1m")
            store.goes.clear()
            await clock.suspend("3h")
            refreshing = asyncio.create_task(source.refresh())
            await asyncio.sleep(0.05)
            store.goes.set()
            assert (await refreshing).version == 1

    run(main)


def test_a_run_that_takes_too_long_by_that_clock() -> None:
    async def main() -> None:
        clock = SimulatedClock("2026-05-04T09:00Z")
        source = scheduled(Diary(clock, takes=3600), every="1h", timeout="2m", retry=0)
        async with timed(source, clock):
            await clock.advance("1h")
            assert source.status.running
            await clock.advance("119s")
            assert source.status.running and source.status.error is None
            await clock.advance("1s")
            assert not source.status.running and source.status.error is not None
            assert source.status.error.reason == "The run took longer than 120 s."

    run(main)


def test_ages_are_told_by_that_clock() -> None:
    async def main() -> None:
        clock = SimulatedClock("2026-05-04T09:00Z")
        source = scheduled(Diary(clock), every="1d", max_stale="2h")
        async with timed(source, clock):
            snapshot = await source.refresh()
            await clock.advance("2h")
            assert snapshot.age == source.get().age == 7200 and not snapshot.stale
            await clock.advance("1s")
            (kept,) = await source.history()
            assert snapshot.stale and source.get().stale and kept.age == 7201

    run(main)


def test_jitter_delays_a_run_by_no_more_than_it_says() -> None:
    async def main() -> None:
        clock = SimulatedClock("2026-05-04T09:00Z")
        diary = Diary(clock)
        await passes(scheduled(diary, every="1h", jitter="10m"), clock, to="2026-05-04T19:30Z")
        late = [each.minute * 60 + each.second + each.microsecond / 1e6 for each in diary.times]
        assert len(late) == 10 and all(0 <= each <= 600 for each in late) and len(set(late)) > 5

    run(main)


def test_three_failures_keep_the_data_and_the_schedule() -> None:
    async def main() -> None:
        clock = SimulatedClock("2026-05-04T08:30Z")
        calls: list[datetime] = []

        async def orders() -> int:
            calls.append(clock.now())
            if 1 < len(calls) < 5:
                raise SourceError("The exchange does not answer.")
            return len(calls)

        source = declared(orders, name="orders", every="1h", retry=2)
        async with timed(source, clock):
            assert (await source.first(5)).value == 1
            await clock.advance(to="2026-05-04T09:00:10Z")
            assert [each.strftime("%H:%M:%S") for each in calls] == ["08:30:00", "09:00:00", "09:00:01", "09:00:03"]
            snapshot = source.get()
            assert snapshot.value == 1 and snapshot.error is not None
            assert snapshot.error.reason == "The exchange does not answer."
            assert source.status.next == datetime(2026, 5, 4, 10, tzinfo=UTC)
            await clock.advance("1h")
            assert source.get().value == 5 and source.get().error is None

    run(main)


@pytest.mark.parametrize(("missed", "runs"), [("run_once", 1), ("skip", 0), ("all", 3)])
def test_an_app_that_was_down(missed: str, runs: int) -> None:
    """Started again after three hourly ticks."""

    async def main() -> None:
        clock = SimulatedClock("2026-05-04T08:30Z")
        store = MemorySnapshots()
        await passes(scheduled(Diary(clock), every="1h", missed=missed), clock, store=store, to="2026-05-04T09:10Z")
        await clock.suspend("3h")
        diary = Diary(clock)
        source = scheduled(diary, every="1h", missed=missed)
        async with timed(source, clock, store=store):
            assert source.version == 1
            await clock.advance("1s")
            assert len(diary.times) == runs
            await clock.advance("50m")
            assert len(diary.times) == runs + 1

    run(main)


def test_a_leader_that_ends_in_mid_run() -> None:
    """The next one runs that tick again, and each other tick once."""

    async def main() -> None:
        clock = SimulatedClock("2026-05-04T08:30Z")
        shared = {"storage": MemoryStorage(), "store": MemorySnapshots(), "name": "shop"}
        slow, quick = Diary(clock, takes=600), Diary(clock)
        first, second = scheduled(slow, every="1h"), scheduled(quick, every="1h")
        async with timed(first, clock, **shared) as leading, timed(second, clock, **shared) as following:
            await clock.advance(to="2026-05-04T09:05Z")
            assert leading.leads and first.status.running and second.status.running
            await leading.close()
            await until(lambda: following.leads and second.version == 1, "run by the next leader")
            assert quick.times == [datetime(2026, 5, 4, 9, 5, tzinfo=UTC)]
            await clock.advance(to="2026-05-04T11:30Z")
            assert len(slow.times) == 1 and [each.hour for each in quick.times] == [9, 10, 11]

    run(main)


def test_a_run_that_ends_its_process_each_time_is_given_up_until_the_next_tick() -> None:
    """What a killed leader leaves is played by a store that forgets the end of the run."""

    async def main() -> None:
        clock = SimulatedClock("2026-05-04T08:30Z")
        store = MemorySnapshots()
        runs = 0

        async def deadly() -> None:
            nonlocal runs
            runs += 1
            await asyncio.sleep(3600)

        await passes(scheduled(Diary(clock), every="1h"), clock, store=store, to="2026-05-04T08:40Z")
        killed: dict[str, Any] | None = None
        for _ in range(5):
            source = scheduled(deadly, every="1h", retry=0)  # type: ignore[arg-type]
            if killed is not None:
                await store.set_state("orders", {**killed, "count": killed["count"] + 100})
            async with timed(source, clock, store=store):
                if killed is None:
                    await clock.advance(to="2026-05-04T09:00Z")
                await until(lambda which=source: which.status.running or which.status.error, "run")
                killed = await store.state("orders")
            if source.status.error is not None:
                break
        assert runs == 3 and source.status.error is not None
        assert "broken off 3 times" in source.status.error.reason
        assert source.known.state.tick == datetime(2026, 5, 4, 9, tzinfo=UTC)

    run(main)
