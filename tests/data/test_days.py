"""Days and hours as in the configuration file of dash-app-template, without the ends that its loop came to."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from flash.data.triggers import trigger_of
from flash.exceptions import ConfigurationError

#: What the template's ``utils/config.json`` has as ``scheduler_config``.
TEMPLATE = {"dates": [{"day": "daily", "hour": 9}]}


def ticks(days: Any, after: str, count: int, tz: str = "UTC") -> list[str]:
    trigger, moment = trigger_of(days=days, tz=tz), datetime.fromisoformat(after)
    found = []
    for _ in range(count):
        following = trigger.next_after(moment)
        assert following is not None
        moment = following
        found.append(moment.strftime("%Y-%m-%d %H:%M"))
    return found


def test_the_templates_configuration_is_understood() -> None:
    assert ticks(TEMPLATE, "2026-03-01T12:00Z", 2) == ["2026-03-02 09:00", "2026-03-03 09:00"]
    assert ticks(TEMPLATE["dates"], "2026-03-01T12:00Z", 1) == ["2026-03-02 09:00"]


def test_exactly_on_the_hour_is_followed_by_the_next_day() -> None:
    assert ticks(TEMPLATE, "2026-03-01T09:00:00Z", 1) == ["2026-03-02 09:00"]
    assert ticks(TEMPLATE, "2026-03-01T08:59:59.999999Z", 1) == ["2026-03-01 09:00"]


def test_a_day_of_the_month_skips_months_without_it() -> None:
    assert ticks([{"day": 31, "hour": 0}], "2026-01-31T00:00Z", 3) == [
        "2026-03-31 00:00",
        "2026-05-31 00:00",
        "2026-07-31 00:00",
    ]


def test_the_last_day_skips_no_month() -> None:
    days = [{"day": "last", "hour": 0}]
    assert ticks(days, "2028-01-31T00:00Z", 3) == ["2028-02-29 00:00", "2028-03-31 00:00", "2028-04-30 00:00"]


def test_several_are_one_schedule_whatever_their_order() -> None:
    days = [{"day": 15, "hour": 18, "minute": 30}, {"day": "daily", "hour": 9}]
    assert ticks(days, "2026-03-14T10:00Z", 3) == ["2026-03-15 09:00", "2026-03-15 18:30", "2026-03-16 09:00"]


def test_the_year_ends_without_an_error() -> None:
    assert ticks([{"day": 1, "hour": 9}], "2026-12-31T23:00Z", 2) == ["2027-01-01 09:00", "2027-02-01 09:00"]


def test_hours_are_those_of_the_zone() -> None:
    assert ticks(TEMPLATE, "2026-03-28T12:00Z", 1, tz="Europe/Prague") == ["2026-03-29 07:00"]


def test_it_is_said_in_words() -> None:
    days = [{"day": "daily", "hour": 9}, {"day": 31, "hour": 18, "minute": 5}, {"day": "last", "hour": 0}]
    text = "daily at 09:00 and on day 31 at 18:05 and on the last day of the month at 00:00 (UTC)"
    assert trigger_of(days=days, tz="UTC").describe() == text
    assert trigger_of(days=TEMPLATE, tz="UTC").describe() == "daily at 09:00 (UTC)"


@pytest.mark.parametrize(
    ("days", "message"),
    [
        ([], "a list of days and hours, not"),
        ({"dates": []}, "a list of days and hours"),
        ({"day": "daily", "hour": 9}, "a list of days and hours"),
        ("daily", "a list of days and hours"),
        ([{"day": "daily"}], "a day, an hour"),
        ([{"hour": 9}], "a day, an hour"),
        (["daily"], "a day, an hour"),
        ([{"day": "daily", "hour": 9, "second": 5}], "a day, an hour"),
        ([{"day": "daily", "hour": 24}], "the hour 24: write a whole number from 0 to 23"),
        ([{"day": "daily", "hour": "9"}], "the hour '9'"),
        ([{"day": "daily", "hour": True}], "the hour True"),
        ([{"day": "daily", "hour": 9, "minute": 60}], "the minute 60"),
        ([{"day": 0, "hour": 9}], "the day 0: write 'daily', a day of the month"),
        ([{"day": 32, "hour": 9}], "the day 32"),
        ([{"day": "monday", "hour": 9}], "Weekdays are written as in cron="),
    ],
)
def test_what_is_none_says_what_to_write(days: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        trigger_of(days=days, tz="UTC")
