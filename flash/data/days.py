"""Days and hours as the configuration file of dash-app-template has them: ``{"dates": [{"day": "daily", "hour": 9}]}``.

That template has a loop of its own, which ended for good at 09:00:00 exactly, on the first error, and where the day 31
met a month of 30 days. Here the same file says the same times, and they are kept as those of ``cron=`` are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..exceptions import ConfigurationError
from .crontab import Crontab, Days

_EXAMPLE = '[{"day": "daily", "hour": 9}, {"day": 31, "hour": 18, "minute": 30}]'


def crontabs_of(days: Sequence[Mapping[str, Any]] | Mapping[str, Any]) -> list[Crontab]:
    """What a configuration of days and hours stands for.

    Args:
        days: A list of ``{"day": "daily" | 1 to 31 | "last", "hour": 0 to 23, "minute": 0 to 59}``, the minute
            being 0 when it is not there; or ``{"dates": that list}``.

    Raises:
        ConfigurationError: It is none, with a sentence that says what to write.
    """
    dates = days.get("dates") if isinstance(days, Mapping) and "dates" in days else days
    if not isinstance(dates, (list, tuple)) or not dates:
        raise ConfigurationError(f"days= is a list of days and hours, not {days!r}: write {_EXAMPLE}.")
    return [_crontab(date) for date in dates]


def days_text(days: Sequence[Mapping[str, Any]] | Mapping[str, Any]) -> str:
    """The same configuration in words, once it is known to be right: ``"daily at 09:00"``."""
    dates = days["dates"] if isinstance(days, Mapping) else days
    return " and ".join(f"{_day_text(date['day'])} at {date['hour']:02}:{date.get('minute', 0):02}" for date in dates)


def _day_text(day: str | int) -> str:
    return {"daily": "daily", "last": "on the last day of the month"}.get(str(day), f"on day {day}")


def _crontab(date: object) -> Crontab:
    if not isinstance(date, Mapping) or not {"day", "hour"} <= date.keys() <= {"day", "hour", "minute"}:
        raise ConfigurationError(
            f"days= cannot have {date!r}: write a day, an hour, and a minute if need be: {_EXAMPLE}."
        )
    hours = frozenset([_number(date, "hour", 23)])
    return Crontab(frozenset([_number(date, "minute", 59)]), hours, (_days(date),))


def _days(date: Mapping[str, Any]) -> Days:
    day = date["day"]
    if day == "daily":
        return Days()
    if day == "last":
        return Days(days=frozenset(), last=True)
    if isinstance(day, int) and not isinstance(day, bool) and 1 <= day <= 31:
        return Days(days=frozenset([day]))
    raise ConfigurationError(
        f"days= cannot have the day {day!r}: write 'daily', a day of the month from 1 to 31, or 'last'. "
        "Weekdays are written as in cron='0 9 * * mon-fri'."
    )


def _number(date: Mapping[str, Any], name: str, high: int) -> int:
    value = date.get(name, 0)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= high:
        return value
    raise ConfigurationError(f"days= cannot have the {name} {value!r}: write a whole number from 0 to {high}.")
