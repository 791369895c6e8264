"""The five fields of crontab(5), read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..exceptions import ConfigurationError

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")

#: What crontab(5) calls each nickname.
NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}

_ITEM = re.compile(r"(\*|[a-z]+|\d+)(?:-([a-z]+|\d+))?(?:/(\d+))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Days:
    """On which days of the year: all conditions hold.

    Attributes:
        days: Days of the month, 1 to 31.
        last: The last day of the month too, whatever its number.
        weekdays: 0 is Monday, as in :meth:`datetime.date.weekday`.
        months: 1 to 12.
    """

    days: frozenset[int] = frozenset(range(1, 32))
    last: bool = False
    weekdays: frozenset[int] = frozenset(range(7))
    months: frozenset[int] = frozenset(range(1, 13))


@dataclass(frozen=True, slots=True)
class Crontab:
    """A line of crontab(5), without its command.

    Attributes:
        minutes: 0 to 59.
        hours: 0 to 23.
        days: One of these holds: two when both a day and a weekday were written.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: tuple[Days, ...]


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    @property
    def first_name(self) -> int:
        return 1 if self.names is _MONTHS else 0


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("weekday", 0, 7, _WEEKDAYS),
)


def crontab_of(text: str) -> Crontab:
    """Read five fields, or a nickname such as ``@daily``.

    As crontab(5) has it: weekdays are 0 to 7, and both 0 and 7 are Sunday; when both the day and the weekday are
    restricted, one of them is enough. ``L`` as the day is the last one of the month.

    Raises:
        ConfigurationError: It is none, with a sentence that says what to write.
    """
    written = text.strip().lower()
    fields = NICKNAMES.get(written, written).split()
    if len(fields) != 5 or written.startswith("@") and written not in NICKNAMES:
        raise ConfigurationError(_not_five(text, written))
    minute, hour, day, month, weekday = fields
    items = [item for item in day.split(",") if item != "l"]
    days = frozenset(_numbers(text, _FIELDS[2], items)) if items else frozenset()
    months = frozenset(_numbers(text, _FIELDS[3], month.split(",")))
    weekdays = frozenset((number - 1) % 7 for number in _numbers(text, _FIELDS[4], weekday.split(",")))
    last = "l" in day.split(",")
    if day.startswith("*") or weekday.startswith("*"):
        either: tuple[Days, ...] = (Days(days, last, weekdays, months),)
    else:
        either = (Days(days, last, months=months), Days(weekdays=weekdays, months=months))
    minutes = frozenset(_numbers(text, _FIELDS[0], minute.split(",")))
    return Crontab(minutes, frozenset(_numbers(text, _FIELDS[1], hour.split(","))), either)


def _not_five(text: str, written: str) -> str:
    if written == "@reboot":
        return "cron='@reboot' is no time: on_start=True runs a source when the app starts."
    if written.startswith("@"):
        return f"cron={text!r} is not known: write one of {', '.join(NICKNAMES)}, or five fields."
    return (
        f"cron={text!r} has {len(written.split())} fields and not five: write the minute, hour, day, month and "
        "weekday, as in '0 9 * * mon-fri'."
    )


def _numbers(text: str, field: _Field, items: Iterable[str]) -> Iterator[int]:
    for item in items:
        yield from _range(text, field, item)


def _range(text: str, field: _Field, item: str) -> range:
    match = _ITEM.fullmatch(item)
    if match is None or (match[1] == "*" and match[2]):
        raise _wrong(text, field, item, _expected(field))
    first, last = _ends(text, field, item, match)
    step = int(match[3] or 1)
    if match[3] and match[1] != "*" and not match[2]:
        raise _wrong(text, field, item, f"A step needs a range: write {item.partition('/')[0]}-{field.high}/{step}.")
    if not 1 <= step <= max(1, field.high - field.low):
        raise _wrong(text, field, item, f"Write a step from 1 to {field.high - field.low}.")
    if first > last:
        raise _wrong(text, field, item, f"A range goes upward: write {_split(field, match, first, last)}.")
    return range(first, last + 1, step)


def _ends(text: str, field: _Field, item: str, match: re.Match[str]) -> tuple[int, int]:
    if match[1] == "*":
        # 7 is another name of Sunday, not an eighth day for a step to count.
        return field.low, min(field.high, 6) if field.name == "weekday" else field.high
    first = _number(text, field, item, match[1])
    last = _number(text, field, item, match[2]) if match[2] else first
    return first, 7 if match[2] == "sun" and first > 0 else last


def _number(text: str, field: _Field, item: str, written: str) -> int:
    if written in field.names:
        return field.names.index(written) + field.first_name
    if not written.isdigit() or not field.low <= int(written) <= field.high:
        raise _wrong(text, field, item, _expected(field))
    return int(written)


def _split(field: _Field, match: re.Match[str], first: int, last: int) -> str:
    step = f"/{match[3]}" if match[3] else ""
    top = 6 if field.name == "weekday" else field.high
    low, high = (f"{a}-{b}{step}" if a != b else str(a) for a, b in ((first, top), (field.low, last)))
    return f"{low},{high}"


def _expected(field: _Field) -> str:
    names = f", {field.names[0]} to {field.names[-1]}" if field.names else ""
    last = ", L for the last day of the month" if field.name == "day" else ""
    return f"Write numbers from {field.low} to {field.high}{names}{last}, ranges (1-5), lists (1,3) and steps (*/2)."


def _wrong(text: str, field: _Field, item: str, advice: str) -> ConfigurationError:
    return ConfigurationError(f"cron={text!r}: {item!r} is no {field.name}. {advice}")
