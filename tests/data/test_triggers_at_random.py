"""Crons at random, against what a clock in the zone shows minute by minute."""

from __future__ import annotations

import random
from bisect import bisect_right
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import pytest

from flash.data.triggers import trigger_of

MINUTE = timedelta(minutes=1)
WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]

#: A zone, a change of its clocks, and what is special about it.
CHANGES = {
    "forward an hour": ("Europe/Prague", "2026-03-29T01:00Z"),
    "back an hour": ("Europe/Prague", "2026-10-25T01:00Z"),
    "forward, west of UTC": ("America/New_York", "2026-03-08T07:00Z"),
    "back, west of UTC": ("America/New_York", "2026-11-01T06:00Z"),
    "forward half an hour": ("Australia/Lord_Howe", "2026-10-03T15:30Z"),
    "back half an hour": ("Australia/Lord_Howe", "2026-04-04T15:00Z"),
    "forward at midnight": ("Africa/Cairo", "2026-04-23T22:00Z"),
    "back to the day before": ("America/Santiago", "2026-04-05T03:00Z"),
    "a day left out": ("Pacific/Apia", "2011-12-30T10:00Z"),
    "winter time is the daylight saving": ("Europe/Dublin", "2026-10-25T01:00Z"),
    "half an hour off": ("America/St_Johns", "2026-03-08T05:30Z"),
    "none at the end of a leap February": ("Asia/Kathmandu", "2028-02-29T00:00Z"),
    "none far in the east": ("Pacific/Kiritimati", "2026-12-31T10:00Z"),
}


@dataclass
class Field:
    """A field of a cron as it is written, and what it means."""

    text: str
    numbers: set[int]
    last: bool = False


def field(chance: random.Random, low: int, high: int, names: list[str] | None = None) -> Field:
    kind = chance.choice(["star", "star", "star", "number", "list", "range", "step"])
    some = sorted(chance.sample(range(low, high + 1), 2))
    match kind:
        case "star":
            return Field("*", set(range(low, high + 1)))
        case "number":
            return Field(names[some[0] - low] if names else str(some[0]), {some[0]})
        case "list":
            return Field(",".join(map(str, reversed(some))), set(some))
        case "range":
            return Field(f"{some[0]}-{some[1]}", set(range(some[0], some[1] + 1)))
        case _:
            step = chance.randint(2, high - low)
            return Field(f"*/{step}", set(range(low, high + 1, step)))


@dataclass
class Cron:
    minute: Field
    hour: Field
    day: Field
    month: Field
    weekday: Field

    @classmethod
    def at_random(cls, chance: random.Random, month: int) -> Cron:
        day = field(chance, 1, 31)
        if chance.random() < 0.2:
            day = Field("L", set(), last=True)
        months = Field("*", set(range(1, 13))) if chance.random() < 0.7 else Field(f"{month}", {month})
        return cls(field(chance, 0, 59), field(chance, 0, 23), day, months, field(chance, 0, 6, WEEKDAYS))

    @property
    def text(self) -> str:
        return " ".join(part.text for part in (self.minute, self.hour, self.day, self.month, self.weekday))

    def shows(self, wall: datetime) -> bool:
        if wall.minute not in self.minute.numbers or wall.hour not in self.hour.numbers:
            return False
        is_last = self.day.last and wall.day == monthrange(wall.year, wall.month)[1]
        day, weekday = wall.day in self.day.numbers or is_last, wall.isoweekday() % 7 in self.weekday.numbers
        both = self.day.text.startswith("*") or self.weekday.text.startswith("*")
        return wall.month in self.month.numbers and (day and weekday if both else day or weekday)


@lru_cache(1)
def minutes_around(tz: str, change: str) -> list[tuple[datetime, datetime, int]]:
    """Each minute of some weeks: the instant, what a clock in the zone shows, and whether for the second time."""
    zone, first = ZoneInfo(tz), datetime.fromisoformat(change) - timedelta(days=10)
    instants = [first + number * MINUTE for number in range(33 * 24 * 60)]
    shown = [(instant, instant.astimezone(zone)) for instant in instants]
    return [(instant, wall.replace(tzinfo=None, fold=0), wall.fold) for instant, wall in shown]


def expected(cron: Cron, tz: str, change: str) -> list[datetime]:
    found, before = [], None
    by_real_time = len(cron.hour.numbers) == 24
    for instant, wall, fold in minutes_around(tz, change):
        skipped = before is not None and wall > before + MINUTE and not by_real_time
        if skipped and before is not None and any(cron.shows(wall) for wall in minutes_from(before + MINUTE, wall)):
            found.append(instant)
        elif (fold == 0 or by_real_time) and cron.shows(wall):
            found.append(instant)
        before = wall
    return found


def minutes_from(first: datetime, end: datetime) -> list[datetime]:
    return [first + number * MINUTE for number in range((end - first) // MINUTE)]


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_the_next_tick_is_the_one_that_a_clock_shows_next(change: tuple[str, str]) -> None:
    tz, at = change
    turn = datetime.fromisoformat(at)
    chance = random.Random(f"{tz} {at}")
    checked = 0
    for _ in range(14):
        cron = Cron.at_random(chance, turn.astimezone(ZoneInfo(tz)).month)
        ticks = expected(cron, tz, at)
        trigger = trigger_of(cron=cron.text, tz=tz)
        near = [turn + timedelta(seconds=chance.uniform(-8000, 8000)) for _ in range(30)]
        far = [turn + timedelta(days=chance.uniform(-9, 20)) for _ in range(15)]
        on = [tick for tick in ticks if abs(tick - turn) < timedelta(days=2)][:20]
        for moment in (*near, *far, *on):
            place = bisect_right(ticks, moment)
            if place < len(ticks):
                assert trigger.next_after(moment) == ticks[place], (cron.text, moment)
                checked += 1
    assert checked > 200


def test_the_clock_of_the_test_itself_is_right() -> None:
    """The first instant after a gap, and the first of two times: what the comparison takes for granted."""
    cron = Cron(Field("30", {30}), Field("2", {2}), *[Field("*", set(range(32)))] * 3)
    forward, back = CHANGES["forward an hour"], CHANGES["back an hour"]
    assert datetime(2026, 3, 29, 1, tzinfo=UTC) in expected(cron, *forward)
    assert datetime(2026, 10, 25, 0, 30, tzinfo=UTC) in expected(cron, *back)
    assert datetime(2026, 10, 25, 1, 30, tzinfo=UTC) not in expected(cron, *back)
