"""Time passes when a test says so, and what was due meanwhile has run."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from flash.exceptions import ConfigurationError
from flash.testing.clock import SimulatedClock

from ..data.on_loop import on_loop


class Log:
    """Sleepers, and when each of them was woken."""

    def __init__(self) -> None:
        self.clock = SimulatedClock("2026-03-29T01:59+01:00")
        self.woken: list[tuple[str, str]] = []
        self.tasks: list[asyncio.Task[None]] = []

    def note(self, name: str) -> None:
        self.woken.append((name, self.clock.now().strftime("%H:%M:%S")))

    def sleeps(self, name: str, *seconds: float) -> asyncio.Task[None]:
        async def sleeper() -> None:
            for time in seconds:
                await self.clock.sleep(time)
                self.note(name)

        self.tasks.append(asyncio.create_task(sleeper()))
        return self.tasks[-1]


@on_loop
async def test_time_stands_still_until_it_is_advanced() -> None:
    clock = SimulatedClock("2026-03-29T01:59+01:00")
    assert clock.now() == datetime(2026, 3, 29, 0, 59, tzinfo=UTC)
    await asyncio.sleep(0.01)
    assert str(clock.now()) == "2026-03-29 00:59:00+00:00"
    await clock.advance("2m")
    assert str(clock.now()) == "2026-03-29 01:01:00+00:00"
    await clock.advance(to=datetime(2026, 3, 30, tzinfo=UTC))
    assert str(clock.now()) == "2026-03-30 00:00:00+00:00"


@on_loop
async def test_sleepers_wake_in_the_order_of_their_time_and_see_it() -> None:
    log = Log()
    log.sleeps("late", 90)
    log.sleeps("early", 30)
    log.sleeps("too late", 121)
    log.sleeps("twice", 10, 60)
    await log.clock.advance("2m")
    assert log.woken == [("twice", "00:59:10"), ("early", "00:59:30"), ("twice", "01:00:10"), ("late", "01:00:30")]
    log.tasks[2].cancel()


@on_loop
async def test_who_sleeps_until_the_same_moment_wakes_in_the_order_of_arrival() -> None:
    log = Log()
    for name in "abc":
        log.sleeps(name, 60)
    await log.clock.advance("1m")
    assert [name for name, _ in log.woken] == ["a", "b", "c"]


@on_loop
async def test_what_one_starts_has_run_before_the_next_is_woken() -> None:
    log = Log()

    async def works() -> None:
        await log.clock.sleep(60)
        for _ in range(50):
            await asyncio.create_task(asyncio.sleep(0))
        log.note("worked")

    work = asyncio.create_task(works())
    log.sleeps("next", 61)
    await log.clock.advance(61)
    assert log.woken == [("worked", "01:00:00"), ("next", "01:00:01")]
    await work


@on_loop
async def test_a_sleep_that_is_cancelled_wakes_nobody() -> None:
    log = Log()
    task = log.sleeps("gone", 60)
    await log.clock.advance("30s")
    task.cancel()
    await log.clock.advance("2m")
    assert log.woken == [] and task.cancelled()


@on_loop
async def test_no_time_is_one_turn_of_the_loop() -> None:
    await asyncio.wait_for(SimulatedClock("2026-03-29T01:59Z").sleep(0), 10)


@on_loop
async def test_who_slept_on_a_suspended_machine_wakes_at_its_end() -> None:
    log = Log()
    log.sleeps("hour", 3600, 3600)
    log.sleeps("minute", 60, 60)
    log.sleeps("day", 86_400)
    await log.clock.suspend("3h")
    assert log.woken == [("minute", "03:59:00"), ("hour", "03:59:00")]
    await log.clock.advance("1m")
    assert log.woken[2:] == [("minute", "04:00:00")]
    await log.clock.advance(to="2026-03-30T00:59:00Z")
    assert log.woken[3:] == [("hour", "04:59:00"), ("day", "00:59:00")]


@on_loop
async def test_who_sleeps_while_the_clock_is_set_back_sleeps_no_longer() -> None:
    log = Log()
    log.sleeps("minute", 60)
    await log.clock.set("2026-03-28T12:00Z")
    assert log.woken == []
    await log.clock.advance("1m")
    assert log.woken == [("minute", "12:01:00")]


@on_loop
async def test_threads_are_waited_for_when_they_are_named() -> None:
    log, may_end = Log(), threading.Event()
    running: list[Any] = []

    def reads() -> None:
        assert may_end.wait(20)

    async def works() -> None:
        await log.clock.sleep(60)
        running.append(1)
        asyncio.get_running_loop().call_later(0.05, may_end.set)
        await asyncio.to_thread(reads)
        running.clear()
        log.note("read")

    log.clock.waits_while(lambda: running)
    work = asyncio.create_task(works())
    await log.clock.advance("5m")
    assert log.woken == [("read", "01:00:00")]
    await work


@on_loop
async def test_what_is_busy_for_ever_fails_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flash.testing.clock._PATIENCE", 0.05)
    clock = SimulatedClock("2026-03-29T01:59Z")
    clock.waits_while(lambda: True)
    with pytest.raises(AssertionError, match="still busy after 0.05 seconds"):
        await clock.advance("1m")


@on_loop
async def test_what_cannot_be_says_what_to_write() -> None:
    for start in ["2026-03-29T01:59", datetime(2026, 3, 29)]:
        with pytest.raises(ConfigurationError, match="has no offset: write it as in"):
            SimulatedClock(start)
    with pytest.raises(ConfigurationError, match="is no moment: write it as in"):
        SimulatedClock("tomorrow")
    clock = SimulatedClock("2026-03-29T01:59Z")
    for times in [{}, {"by": "1m", "to": "2026-03-29T02:00Z"}]:
        with pytest.raises(ConfigurationError, match="one of by and to"):
            await clock.advance(**times)
    with pytest.raises(ConfigurationError, match=r"cannot go back .* set\(\) does that"):
        await clock.advance(to="2026-03-29T01:00Z")
    with pytest.raises(ConfigurationError, match=r"suspend\(\) cannot be 'long'"):
        await clock.suspend("long")
