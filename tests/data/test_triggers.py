"""When sources run: the rules of docs/schedules.md, one by one."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from flash.data.triggers import Trigger, trigger_of
from flash.exceptions import ConfigurationError

PRAGUE, NEW_YORK, LORD_HOWE = "Europe/Prague", "America/New_York", "Australia/Lord_Howe"


def ticks(trigger: Trigger, after: str, count: int) -> list[datetime]:
    moment, found = datetime.fromisoformat(after), []
    for _ in range(count):
        following = trigger.next_after(moment)
        assert following is not None
        found.append(moment := following)
    return found


def shown(tz: str, after: str, count: int, **when: Any) -> list[str]:
    """The ticks as a clock of the zone shows them, with its offset."""
    zone = ZoneInfo(tz)
    return [
        tick.astimezone(zone).strftime("%Y-%m-%d %H:%M %z") for tick in ticks(trigger_of(tz=tz, **when), after, count)
    ]


# Clocks are put forward


@pytest.mark.parametrize(
    "when", [{"at": "02:30"}, {"cron": "30 2 * * *"}, {"days": [{"day": "daily", "hour": 2, "minute": 30}]}]
)
def test_a_time_that_does_not_exist_is_the_first_instant_after_the_gap(when: dict[str, Any]) -> None:
    assert shown(PRAGUE, "2026-03-28T12:00+01:00", 3, **when) == [
        "2026-03-29 03:00 +0200",
        "2026-03-30 02:30 +0200",
        "2026-03-31 02:30 +0200",
    ]


def test_several_times_in_the_gap_are_one_tick() -> None:
    assert shown(PRAGUE, "2026-03-28T12:00+01:00", 3, at=["02:00", "02:59", "03:00"]) == [
        "2026-03-29 03:00 +0200",
        "2026-03-30 02:00 +0200",
        "2026-03-30 02:59 +0200",
    ]
    assert shown(PRAGUE, "2026-03-28T12:00+01:00", 2, cron="*/5 2 * * *") == [
        "2026-03-29 03:00 +0200",
        "2026-03-30 02:00 +0200",
    ]


def test_a_gap_at_midnight() -> None:
    assert shown("Africa/Cairo", "2026-04-23T12:00+02:00", 2, cron="@daily") == [
        "2026-04-24 01:00 +0300",
        "2026-04-25 00:00 +0300",
    ]


def test_a_day_that_was_left_out_is_made_up_for_when_the_next_begins() -> None:
    assert shown("Pacific/Apia", "2011-12-29T12:00-10:00", 2, at="09:00") == [
        "2011-12-31 00:00 +1400",
        "2011-12-31 09:00 +1400",
    ]


def test_every_hour_goes_on_by_real_time_over_the_gap() -> None:
    assert shown(PRAGUE, "2026-03-29T00:45+01:00", 3, cron="30 * * * *") == [
        "2026-03-29 01:30 +0100",
        "2026-03-29 03:30 +0200",
        "2026-03-29 04:30 +0200",
    ]


# Clocks are put back


def test_a_time_that_comes_twice_is_the_first_one() -> None:
    assert shown(PRAGUE, "2026-10-24T12:00+02:00", 2, at="02:30") == [
        "2026-10-25 02:30 +0200",
        "2026-10-26 02:30 +0100",
    ]


def test_between_both_and_at_the_second_one_comes_the_next_day() -> None:
    for moment in [
        "2026-10-25T02:30+02:00",
        "2026-10-25T02:45+02:00",
        "2026-10-25T02:15+01:00",
        "2026-10-25T02:30+01:00",
    ]:
        assert shown(PRAGUE, moment, 1, at="02:30") == ["2026-10-26 02:30 +0100"]


def test_every_hour_goes_on_by_real_time_through_both_hours() -> None:
    trigger = trigger_of(cron="*/15 * * * *", tz=PRAGUE)
    found = ticks(trigger, "2026-10-25T01:45+02:00", 10)
    assert {later - earlier for earlier, later in pairwise(found)} == {timedelta(minutes=15)}
    assert [tick.astimezone(ZoneInfo(PRAGUE)).strftime("%H:%M %z") for tick in found[3:6]] == [
        "02:45 +0200",
        "02:00 +0100",
        "02:15 +0100",
    ]


def test_hours_that_are_named_run_once_each() -> None:
    assert shown(NEW_YORK, "2026-11-01T00:30-04:00", 3, cron="0 0-3 * * *") == [
        "2026-11-01 01:00 -0400",
        "2026-11-01 02:00 -0500",
        "2026-11-01 03:00 -0500",
    ]


# Half an hour


def test_half_an_hour_forward() -> None:
    assert shown(LORD_HOWE, "2026-10-03T12:00+10:30", 2, at="02:15") == [
        "2026-10-04 02:30 +1100",
        "2026-10-05 02:15 +1100",
    ]


def test_half_an_hour_back() -> None:
    assert shown(LORD_HOWE, "2026-04-04T12:00+11:00", 2, at="01:45") == [
        "2026-04-05 01:45 +1100",
        "2026-04-06 01:45 +1030",
    ]
    assert shown(LORD_HOWE, "2026-04-05T01:00+11:00", 3, cron="45 * * * *") == [
        "2026-04-05 01:45 +1100",
        "2026-04-05 01:45 +1030",
        "2026-04-05 02:45 +1030",
    ]


# Days


def test_day_31_skips_short_months() -> None:
    found = ticks(trigger_of(cron="0 0 31 * *", tz="UTC"), "2026-01-01T00:00Z", 7)
    assert [tick.month for tick in found] == [1, 3, 5, 7, 8, 10, 12]


def test_the_last_day_skips_none() -> None:
    found = ticks(trigger_of(cron="0 0 L * *", tz="UTC"), "2026-01-01T00:00Z", 4)
    assert [(tick.month, tick.day) for tick in found] == [(1, 31), (2, 28), (3, 31), (4, 30)]


def test_29_february() -> None:
    found = ticks(trigger_of(cron="0 12 29 2 *", tz=PRAGUE), "2026-01-01T00:00Z", 3)
    assert [tick.year for tick in found] == [2028, 2032, 2036]
    assert ticks(trigger_of(cron="0 0 29 2 *", tz="UTC"), "2096-03-01T00:00Z", 1)[0].year == 2104


def test_a_day_and_a_weekday_are_alternatives_as_in_crontab() -> None:
    found = ticks(trigger_of(cron="0 0 13 * fri", tz="UTC"), "2026-04-01T00:00Z", 4)
    assert [tick.strftime("%a %d") for tick in found] == ["Fri 03", "Fri 10", "Mon 13", "Fri 17"]


def test_what_never_comes_does_not_slow_down_its_alternative() -> None:
    found = ticks(trigger_of(cron="0 0 30 2 mon", tz="UTC"), "2026-01-01T00:00Z", 300)
    assert {(tick.month, tick.weekday()) for tick in found} == {(2, 0)}


def test_weekday_numbers_are_those_of_crontab() -> None:
    found = ticks(trigger_of(cron="0 0 * * 1-5", tz="UTC"), "2026-03-01T00:00Z", 6)
    assert [tick.strftime("%a") for tick in found] == ["Mon", "Tue", "Wed", "Thu", "Fri", "Mon"]


def test_far_ahead() -> None:
    assert str(ticks(trigger_of(at="09:00", tz=PRAGUE), "2150-07-01T07:00Z", 1)[0]) == "2150-07-02 07:00:00+00:00"


@pytest.mark.parametrize(
    ("tz", "instant"),
    [
        ("Pacific/Kiritimati", "2026-03-01 19:00:00+00:00"),
        ("Pacific/Pago_Pago", "2026-03-02 20:00:00+00:00"),
        ("Asia/Kathmandu", "2026-03-02 03:15:00+00:00"),
    ],
)
def test_zones_far_from_utc(tz: str, instant: str) -> None:
    assert str(ticks(trigger_of(cron="0 9 2 3 *", tz=tz), "2026-02-01T00:00Z", 1)[0]) == instant


# Moments


@pytest.mark.parametrize("when", [{"at": "09:00", "tz": "UTC"}, {"cron": "0 9 * * *", "tz": "UTC"}, {"every": "1h"}])
def test_exactly_on_the_hour_that_tick_is_not_given_again(when: dict[str, Any]) -> None:
    trigger, nine = trigger_of(**when), datetime(2026, 3, 1, 9, tzinfo=UTC)
    following = trigger.next_after(nine)
    assert following is not None and following > nine
    assert trigger.next_after(nine - timedelta(microseconds=1)) == nine
    assert trigger.next_after(nine + timedelta(microseconds=1)) == following


def test_a_tick_is_aware_and_in_utc_whatever_is_asked_in() -> None:
    asked = datetime(2026, 3, 1, 9, tzinfo=ZoneInfo("Asia/Kathmandu"))
    for trigger in (trigger_of(every="5m"), trigger_of(at="09:00", tz=PRAGUE)):
        assert [tick.tzinfo for tick in ticks(trigger, asked.isoformat(), 2)] == [UTC, UTC]


# every=


def test_every_counts_from_the_epoch_so_that_all_workers_agree() -> None:
    assert str(ticks(trigger_of(every="5m"), "2026-03-01T09:02:03Z", 1)[0]) == "2026-03-01 09:05:00+00:00"
    assert str(ticks(trigger_of(every="1d"), "2026-03-01T09:02:03Z", 1)[0]) == "2026-03-02 00:00:00+00:00"
    assert str(ticks(trigger_of(every=1.5), "1970-01-01T00:00:02Z", 2)[1]) == "1970-01-01 00:00:04.500000+00:00"


def test_every_knows_no_daylight_saving() -> None:
    found = ticks(trigger_of(every="1h"), "2026-10-24T22:00Z", 6)
    assert {later - earlier for earlier, later in pairwise(found)} == {timedelta(hours=1)}


# Many at once


@pytest.mark.parametrize(
    "when",
    [
        {"every": "1s"},
        {"every": "7m"},
        {"cron": "*/9 * * * *", "tz": PRAGUE},
        {"cron": "* 9 17-18 1 *", "tz": PRAGUE},
        {"cron": "*/20 9 * * mon", "tz": PRAGUE},
        {"cron": "0 0 29 2 *", "tz": PRAGUE},
    ],
)
@pytest.mark.parametrize("most", [1, 10, 1000])
def test_the_last_ones_of_many(when: dict[str, Any], most: int) -> None:
    trigger = trigger_of(**when)
    until = datetime(2026, 3, 1, 9, tzinfo=UTC)
    after = until - (timedelta(hours=1) if "every" in when else timedelta(days=45))
    every_one, tick = [], trigger.next_after(after)
    while tick is not None and tick <= until:
        every_one.append(tick)
        tick = trigger.next_after(tick)
    assert trigger.between(after, until, most) == every_one[-most:]


def test_the_last_ones_of_years_are_found_without_counting_all() -> None:
    asked = 0

    class Counted(type(trigger_of(every="1s"))):  # type: ignore[misc]
        def next_after(self, moment: datetime) -> datetime | None:
            nonlocal asked
            asked += 1
            return super().next_after(moment)

    until = datetime(2026, 3, 1, tzinfo=UTC)
    found = Counted("1s").between(datetime(1990, 1, 1, tzinfo=UTC), until, 1000)
    assert len(found) == 1000 and found[-1] == until and asked < 1100


def test_the_last_ones_before_a_long_silence_are_found_without_counting_all() -> None:
    trigger, asked = trigger_of(cron="* * * 1 *", tz=PRAGUE), []
    next_after = trigger.next_after
    trigger.next_after = lambda moment: asked.append(moment) or next_after(moment)  # type: ignore[method-assign]
    found = trigger.between(datetime(2020, 1, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC), 1000)
    assert len(asked) < 3000
    assert len(found) == 1000
    assert (found[-1], found[-1] - found[0]) == (datetime(2026, 1, 31, 22, 59, tzinfo=UTC), timedelta(minutes=999))


def test_none_are_none() -> None:
    until = datetime(2026, 3, 1, 9, tzinfo=UTC)
    trigger = trigger_of(at="09:00", tz="UTC")
    assert trigger.between(until, until, 10) == [] == trigger.between(until, until - timedelta(days=9), 10)
    assert trigger.between(until - timedelta(microseconds=1), until, 10) == [until]


# Words


@pytest.mark.parametrize(
    ("when", "text"),
    [
        ({"every": "5m"}, "every 5 minutes"),
        ({"every": 90}, "every 90 seconds"),
        ({"every": "1h"}, "every hour"),
        ({"at": "9:00", "tz": PRAGUE}, "at 09:00 (Europe/Prague)"),
        ({"at": ["17:30", "09:00"], "tz": PRAGUE}, "at 09:00 and 17:30 (Europe/Prague)"),
        ({"at": ("17:30", "09:00", "12:00"), "tz": "UTC"}, "at 09:00, 12:00 and 17:30 (UTC)"),
        ({"cron": " 0 9 * *  mon-fri", "tz": PRAGUE}, "cron 0 9 * * mon-fri (Europe/Prague)"),
        ({"cron": "@daily", "tz": PRAGUE}, "cron @daily (Europe/Prague)"),
    ],
)
def test_a_trigger_is_said_in_words(when: dict[str, Any], text: str) -> None:
    assert trigger_of(**when).describe() == text


@pytest.mark.parametrize(
    ("when", "message"),
    [
        ({}, "exactly one of every=, cron=, at= and days=; here it has nothing"),
        ({"every": "5m", "at": "09:00"}, "here it has every= and at="),
        ({"every": "0.5s"}, "too often: write a second or more"),
        ({"every": "40000d"}, "too seldom"),
        ({"every": "often"}, "every= cannot be 'often'"),
        ({"every": "5m", "tz": "UTC"}, "knows no tz=: leave tz= out"),
        ({"at": "24:00"}, "from '00:00' to '23:59'"),
        ({"at": "9"}, "at= cannot be '9'"),
        ({"at": "09:00:00"}, "at= cannot be '09:00:00'"),
        ({"at": ["09:00", 9]}, "at= cannot be 9"),
        ({"at": []}, "write a time of day or several"),
        ({"at": 9}, "write a time of day or several"),
        ({"cron": 5}, "cron= is a text, not 5"),
        ({"cron": "0 0 30 2 *"}, "there is no such day in any year"),
        ({"cron": "0 0 31 4,6,9,11 *"}, "there is no such day in any year"),
        ({"at": "09:00", "tz": "Mars/Olympus"}, "write an IANA name"),
        ({"at": "09:00", "tz": "/etc/passwd"}, "write an IANA name"),
        ({"at": "09:00", "tz": "Europe"}, "write an IANA name"),
        ({"at": "09:00", "tz": 2}, "write an IANA name"),
    ],
)
def test_what_cannot_be_says_what_to_write(when: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        trigger_of(**when)


# The machine


def described(environment: dict[str, str]) -> str:
    code = "from flash.data.triggers import trigger_of; print(trigger_of(at='09:00').describe())"
    told = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, env=environment)
    assert told.returncode == 0, told.stderr
    return told.stdout.strip()


def test_the_zone_is_otherwise_that_of_the_machine() -> None:
    assert described({"TZ": "Asia/Kathmandu"}) == "at 09:00 (Asia/Kathmandu)"


def test_the_zone_of_a_machine_that_has_none_is_utc() -> None:
    assert described({"TZ": "Nowhere/Atall"}) == "at 09:00 (UTC)"


@pytest.mark.parametrize("module", ["triggers", "schedule"])
def test_what_is_missing_is_said(module: str) -> None:
    code = f"import sys; sys.modules['apscheduler'] = None; import flash.data.{module}"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert 'ImportError: flash.data needs an extra: pip install "dash-flash[data]"' in told.stderr
