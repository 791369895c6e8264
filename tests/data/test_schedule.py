"""Ticks are given when they come, each of them once."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from flash.data.clock import Clock
from flash.data.schedule import MOST_TICKS, Schedule
from flash.data.triggers import Trigger, trigger_of
from flash.testing.clock import SimulatedClock

from .on_loop import on_loop

EVERY_5 = trigger_of(every="5m")
NINE = trigger_of(at="09:00", tz="UTC")


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def times(ticks: list[datetime]) -> list[str]:
    return [tick.strftime("%H:%M") for tick in ticks]


class Kit:
    """A schedule at 08:58:30 on 1 March 2026, and what it has given."""

    def __init__(self) -> None:
        self.clock = SimulatedClock("2026-03-01T08:58:30Z")
        self.given: list[tuple[str, list[datetime]]] = []
        self.schedule = Schedule(self.clock, self.due)
        self.then: Callable[[str], None] = lambda name: None

    def due(self, name: str, ticks: list[datetime]) -> None:
        self.given.append((name, ticks))
        self.then(name)

    def add(self, name: str, trigger: Trigger, after: str | None = None) -> None:
        self.schedule.add(name, trigger, moment(after) if after else self.clock.now())

    def told(self) -> list[tuple[str, list[str]]]:
        """What it has given since it was last asked."""
        told, self.given = [(name, times(ticks)) for name, ticks in self.given], []
        return told


@asynccontextmanager
async def kit(**added: Trigger) -> AsyncIterator[Kit]:
    kit = Kit()
    for name, trigger in added.items():
        kit.add(name, trigger)
    kit.schedule.start()
    yield kit
    kit.schedule.stop()


@on_loop
async def test_a_tick_is_given_when_it_comes_and_not_before() -> None:
    async with kit(orders=NINE) as it:
        await it.clock.advance(to="2026-03-01T08:59:59.999Z")
        assert it.told() == []
        await it.clock.advance(to="2026-03-01T09:00:00Z")
        assert it.given == [("orders", [moment("2026-03-01T09:00Z")])]


@on_loop
async def test_exactly_on_the_hour_is_given_once_and_then_the_next_day() -> None:
    async with kit(orders=NINE) as it:
        await it.clock.advance(to="2026-03-01T09:00:00Z")
        await it.clock.advance("23h")
        assert it.told() == [("orders", ["09:00"])]
        await it.clock.advance("1h")
        assert it.told() == [("orders", ["09:00"])]


@on_loop
async def test_a_tick_that_is_now_is_due_and_the_one_that_was_handled_is_not() -> None:
    it = Kit()
    await it.clock.set("2026-03-01T09:00:00Z")
    it.add("due", NINE, after="2026-02-28T09:00Z")
    it.add("handled", NINE, after="2026-03-01T09:00Z")
    it.schedule.start()
    await it.clock.advance("1m")
    assert it.told() == [("due", ["09:00"])]
    it.schedule.stop()


@on_loop
async def test_what_was_missed_comes_at_once_in_one_call() -> None:
    async with kit() as it:
        it.add("orders", EVERY_5, after="2026-03-01T08:40Z")
        assert it.told() == []  # Not from within add().
        await it.clock.advance("1s")
        assert it.told() == [("orders", ["08:45", "08:50", "08:55"])]
        await it.clock.advance("2m")
        assert it.told() == [("orders", ["09:00"])]


@on_loop
async def test_of_very_many_the_last_thousand_are_given() -> None:
    async with kit() as it:
        it.add("seconds", trigger_of(every="1s"), after="2006-03-01T00:00Z")
        await it.clock.advance(0.5)
        [(_, ticks)] = it.given
        assert len(ticks) == MOST_TICKS == 1000
        assert (ticks[0], ticks[-1]) == (moment("2026-03-01T08:41:51Z"), moment("2026-03-01T08:58:30Z"))
        it.told()
        await it.clock.advance(1)
        assert [len(ticks) for _, ticks in it.given] == [1]


@on_loop
async def test_several_are_given_in_the_order_of_their_time() -> None:
    async with kit(five=EVERY_5, nine=NINE, minute=trigger_of(cron="* * * * *", tz="UTC")) as it:
        await it.clock.advance(to="2026-03-01T09:01Z")
        told = it.told()
        assert [ticks for _, ticks in told] == [["08:59"], ["09:00"], ["09:00"], ["09:00"], ["09:01"]]
        assert {name for name, _ in told[1:4]} == {"five", "nine", "minute"}


@on_loop
async def test_what_comes_next_is_known() -> None:
    it = Kit()
    it.add("orders", EVERY_5)
    assert it.schedule.next_of("orders") == moment("2026-03-01T09:00Z")
    it.add("missed", EVERY_5, after="2026-03-01T08:50Z")
    assert it.schedule.next_of("missed") == moment("2026-03-01T08:55Z")
    it.schedule.start()
    await it.clock.advance("2m")
    assert it.schedule.next_of("orders") == it.schedule.next_of("missed") == moment("2026-03-01T09:05Z")
    with pytest.raises(KeyError):
        it.schedule.next_of("other")
    it.schedule.stop()


@on_loop
async def test_starting_twice_is_starting_once_and_so_is_stopping() -> None:
    async with kit(orders=EVERY_5) as it:
        it.schedule.start()
        await it.clock.advance("2m")
        assert it.told() == [("orders", ["09:00"])]
        it.schedule.stop()
        it.schedule.stop()
        await it.clock.advance("1h")
        assert it.told() == []


@on_loop
async def test_started_again_it_gives_what_came_meanwhile() -> None:
    async with kit(orders=EVERY_5) as it:
        await it.clock.advance("2m")
        it.schedule.stop()
        await it.clock.advance("10m")
        it.schedule.start()
        await it.clock.advance("1s")
        assert it.told() == [("orders", ["09:00"]), ("orders", ["09:05", "09:10"])]


@on_loop
async def test_stopped_and_started_at_once_it_goes_on() -> None:
    async with kit(orders=EVERY_5) as it:
        it.schedule.stop()
        it.schedule.start()
        await it.clock.advance("10m")
        assert it.told() == [("orders", ["09:00"]), ("orders", ["09:05"])]


@on_loop
async def test_added_again_it_counts_from_what_was_handled_elsewhere() -> None:
    async with kit(orders=EVERY_5) as it:
        await it.clock.advance("2m")
        it.schedule.stop()
        await it.clock.advance("10m")
        it.add("orders", EVERY_5, after="2026-03-01T09:10Z")
        it.schedule.start()
        await it.clock.advance("5m")
        assert it.told() == [("orders", ["09:00"]), ("orders", ["09:15"])]


@on_loop
async def test_what_is_added_while_it_waits_for_something_later_is_given_in_time() -> None:
    async with kit(nine=NINE) as it:
        await it.clock.advance(1)
        it.add("minute", trigger_of(cron="* * * * *", tz="UTC"))
        await it.clock.advance(to="2026-03-01T08:59:10Z")
        assert it.told() == [("minute", ["08:59"])]


@on_loop
async def test_added_from_within_it_takes_the_place_of_the_other() -> None:
    async with kit(orders=EVERY_5) as it:
        it.then = lambda name: it.add("orders", NINE)
        await it.clock.advance(to="2026-03-01T12:00Z")
        assert it.told() == [("orders", ["09:00"])]
        assert it.schedule.next_of("orders") == moment("2026-03-02T09:00Z")


@on_loop
async def test_what_was_handled_elsewhere_meanwhile_is_not_given_from_within_the_same_moment() -> None:
    async with kit(first=NINE, second=NINE) as it:
        it.then = lambda name: [it.add(other, NINE) for other in ("first", "second")] and None
        await it.clock.advance("2m")
        assert it.told() == [("first", ["09:00"])]


@on_loop
async def test_stopped_from_within_nothing_more_comes_and_nothing_is_lost() -> None:
    async with kit(first=NINE, second=NINE) as it:
        it.then = lambda name: it.schedule.stop()
        await it.clock.advance("2m")
        (one,) = it.told()
        it.schedule.start()
        await it.clock.advance("1s")
        (other,) = it.told()
        assert {one[0], other[0]} == {"first", "second"}


@on_loop
async def test_an_error_stops_neither_the_others_nor_the_schedule(caplog: pytest.LogCaptureFixture) -> None:
    def fails(name: str) -> None:
        raise OSError("no disk")

    async with kit(first=EVERY_5, second=EVERY_5) as it:
        it.then = fails
        await it.clock.advance("2m")
        assert sorted(it.told()) == [("first", ["09:00"]), ("second", ["09:00"])]
        await it.clock.advance("5m")
        assert sorted(it.told()) == [("first", ["09:05"]), ("second", ["09:05"])]
    assert caplog.text.count("The ticks of first could not be handled.") == 2


@on_loop
async def test_a_trigger_may_have_an_end() -> None:
    class Once(Trigger):
        least = timedelta(seconds=1)

        def next_after(self, moment: datetime) -> datetime | None:
            return tick if moment < tick else None

        def describe(self) -> str:
            return "once"

    tick = moment("2026-03-01T09:00Z")
    async with kit(once=Once()) as it:
        await it.clock.advance("1d")
        assert it.told() == [("once", ["09:00"])]
        assert it.schedule.next_of("once") is None


# The wall clock


@on_loop
async def test_what_a_suspended_machine_has_missed_comes_when_it_wakes() -> None:
    async with kit(orders=EVERY_5) as it:
        await it.clock.suspend("17m")
        assert it.told() == [("orders", ["09:00", "09:05", "09:10", "09:15"])]
        await it.clock.advance("5m")
        assert it.told() == [("orders", ["09:20"])]


@on_loop
async def test_a_clock_that_is_set_forward_brings_what_was_skipped() -> None:
    async with kit(orders=EVERY_5) as it:
        await it.clock.set("2026-03-01T09:05:30Z")
        assert it.told() == [("orders", ["09:00", "09:05"])]


@on_loop
async def test_a_clock_that_is_set_back_brings_no_tick_twice() -> None:
    async with kit(orders=EVERY_5) as it:
        await it.clock.advance("7m")
        it.told()
        await it.clock.set("2026-03-01T08:58Z")
        await it.clock.advance(to="2026-03-01T09:09Z")
        assert it.told() == []
        await it.clock.advance("1m")
        assert it.told() == [("orders", ["09:10"])]


@on_loop
async def test_a_clock_that_was_years_ahead_does_not_silence_the_schedule() -> None:
    async with kit(orders=NINE) as it:
        await it.clock.set("2036-03-01T10:00Z")
        it.told()
        await it.clock.set("2026-03-01T10:00Z")
        await it.clock.advance("2d")
        assert it.told() == [("orders", ["09:00"]), ("orders", ["09:00"])]


@on_loop
async def test_the_nights_in_which_clocks_are_changed() -> None:
    it = Kit()
    await it.clock.set("2026-03-29T01:59+01:00")
    it.add("night", trigger_of(at="02:30", tz="Europe/Prague"))
    it.add("hourly", trigger_of(cron="30 * * * *", tz="Europe/Prague"))
    it.schedule.start()
    await it.clock.advance("2m")
    assert it.given == [("night", [moment("2026-03-29T03:00+02:00")])]
    it.told()
    await it.clock.set("2026-10-25T01:59+02:00")
    it.given.clear()
    await it.clock.advance("2h")
    assert it.given == [
        ("hourly", [moment("2026-10-25T02:30+02:00")]),
        ("night", [moment("2026-10-25T02:30+02:00")]),
        ("hourly", [moment("2026-10-25T02:30+01:00")]),
    ]
    it.schedule.stop()


# What it is made of


@on_loop
async def test_it_runs_by_the_machines_clock_too_and_has_no_threads() -> None:
    given: asyncio.Queue[datetime] = asyncio.Queue()
    schedule = Schedule(Clock(), lambda name, ticks: given.put_nowait(ticks[-1]))
    schedule.add("seconds", trigger_of(every="1s"), after=datetime.now(UTC))
    threads = threading.active_count()
    schedule.start()
    first, second = await given.get(), await given.get()
    assert second - first == timedelta(seconds=1)
    assert timedelta(0) <= datetime.now(UTC) - second < timedelta(seconds=5)
    assert threading.active_count() == threads
    schedule.stop()


@on_loop
async def test_apscheduler_says_nothing_of_its_daily_work(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with kit(orders=EVERY_5) as it:
        await it.clock.advance("1h")
        assert len(it.told()) == 12
    assert [record for record in caplog.records if "apscheduler" in record.name] == []
