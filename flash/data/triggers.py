"""When a source runs: ``every=``, ``cron=``, ``at=`` or ``days=``, and the time zone of these. See docs/schedules.md.

The times of a cron are found by APScheduler's ``CronTrigger``, over wall times: it is told that they are UTC, where no
hour is missing and none comes twice. What instant a wall time is, is a question of its own (:mod:`.walltime`).
"""

from __future__ import annotations

import re
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ..exceptions import ConfigurationError
from .crontab import Crontab, Days, crontab_of
from .days import crontabs_of, days_text
from .durations import Duration, duration_text, seconds_of
from .walltime import exists, instant_of, overlap_at, wall_of

try:
    from apscheduler.triggers.base import BaseTrigger
    from apscheduler.triggers.combining import OrTrigger
    from apscheduler.triggers.cron import CronTrigger
    from tzlocal import get_localzone
except ImportError as error:
    raise ImportError('flash.data needs an extra: pip install "dash-flash[data]"') from error

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ALL_HOURS = frozenset(range(24))
_TIME = re.compile(r"(\d{1,2}):(\d{2})", re.ASCII)


class Trigger(ABC):
    """The moments at which something is to run: its ticks.

    Attributes:
        least: No two ticks are nearer to each other than this.
        zone: Where the clocks are that it goes by; UTC when it goes by none.
    """

    least: timedelta
    zone: tzinfo = UTC

    @abstractmethod
    def next_after(self, moment: datetime) -> datetime | None:
        """The first tick after a moment, never the moment itself.

        Args:
            moment: An aware datetime.

        Returns:
            An aware datetime in UTC; None when there is none any more.
        """

    @abstractmethod
    def describe(self) -> str:
        """When it runs, in English: ``"at 09:00 and 17:30 (Europe/Prague)"``."""

    def between(self, after: datetime, until: datetime, most: int) -> list[datetime]:
        """The ticks after a moment, up to another one and with it: the last ``most`` of them, the oldest first.

        The work depends on ``most``, not on how many ticks there are.
        """
        found: list[datetime] = []
        window = nearest = self.least * most
        while until > after and len(found) < most:
            start = max(after, until - window)
            first = self.next_after(start)
            if first is not None and first <= until and window > nearest:
                window /= 2
                continue
            found = [*self._walk(first, until), *found]
            window = window * 2 if first is None or first > until else nearest
            until = start
        return found[-most:]

    def _walk(self, tick: datetime | None, until: datetime) -> Iterator[datetime]:
        while tick is not None and tick <= until:
            yield tick
            tick = self.next_after(tick)


def trigger_of(
    every: Duration | None = None,
    cron: str | None = None,
    at: str | Iterable[str] | None = None,
    tz: str | tzinfo | None = None,
    days: Sequence[Mapping[str, Any]] | Mapping[str, Any] | None = None,
) -> Trigger:
    """When something is to run, from exactly one of ``every``, ``cron``, ``at`` and ``days``.

    Args:
        every: A duration of a second or more: ``"5m"``. Counted from 1970-01-01 00:00 UTC, so that all workers agree.
        cron: Five fields as in crontab(5), with names, lists, ranges, steps and ``L``, or ``@daily`` and the like.
        at: One time of day or several: ``["09:00", "17:30"]``.
        tz: The IANA name of the zone of ``cron``, ``at`` and ``days``. Otherwise that of the machine; UTC when it
            has none.
        days: Days and hours as in a configuration file: ``[{"day": "daily", "hour": 9}]``; see docs/schedules.md.

    Raises:
        ConfigurationError: That cannot be, with a sentence that says what to write.

    Example:
        >>> trigger_of(cron="0 9 * * mon-fri", tz="Europe/Prague").describe()
        'cron 0 9 * * mon-fri (Europe/Prague)'
    """
    given = [
        name for name, value in {"every": every, "cron": cron, "at": at, "days": days}.items() if value is not None
    ]
    if len(given) != 1:
        have = " and ".join(f"{name}=" for name in given) or "nothing"
        raise ConfigurationError(f"A schedule has exactly one of every=, cron=, at= and days=; here it has {have}.")
    if every is not None:
        if tz is not None:
            raise ConfigurationError("every= counts real time and knows no tz=: leave tz= out, or write at= or cron=.")
        return Every(every)
    zone = _zone(tz)
    if cron is not None:
        return _from_cron(cron, zone)
    if at is not None:
        return _from_times(at, zone)
    assert days is not None
    return WallTimes(crontabs_of(days), zone, days_text(days))


def _from_cron(cron: object, zone: tzinfo) -> Trigger:
    if not isinstance(cron, str):
        raise ConfigurationError(f"cron= is a text, not {cron!r}: write '0 9 * * mon-fri'.")
    crontab, text = crontab_of(cron), f"cron {' '.join(cron.split())}"
    return WallTimes([crontab], zone, text)


def _from_times(at: object, zone: tzinfo) -> Trigger:
    times = [at] if isinstance(at, str) else list(at) if isinstance(at, Iterable) else []
    clock = sorted({_time(time) for time in times})
    if not clock:
        raise ConfigurationError(f"at= cannot be {at!r}: write a time of day or several, as in '09:00'.")
    crontabs = [Crontab(frozenset([minute]), frozenset([hour]), (Days(),)) for hour, minute in clock]
    *some, last = [f"{hour:02}:{minute:02}" for hour, minute in clock]
    return WallTimes(crontabs, zone, "at " + (f"{', '.join(some)} and {last}" if some else last))


def _time(text: object) -> tuple[int, int]:
    match = _TIME.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None or int(match[1]) > 23 or int(match[2]) > 59:
        raise ConfigurationError(f"at= cannot be {text!r}: write times of day from '00:00' to '23:59'.")
    return int(match[1]), int(match[2])


def _zone(tz: object) -> tzinfo:
    if tz is None:
        return _machine_zone()
    if isinstance(tz, tzinfo):
        return tz
    try:
        return ZoneInfo(tz)  # type: ignore[arg-type]  # What else it may be, ends below.
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        raise ConfigurationError(
            f"tz={tz!r} is no time zone that this machine knows: write an IANA name, as in 'Europe/Prague' or 'UTC'."
        ) from None


def _machine_zone() -> tzinfo:
    with warnings.catch_warnings():
        # tzlocal warns where nothing is set, and takes UTC: that is documented here.
        warnings.simplefilter("ignore")
        try:
            return get_localzone()
        except (ZoneInfoNotFoundError, ValueError, OSError):
            return UTC


class Every(Trigger):
    """Ticks at whole multiples of a duration since 1970-01-01 00:00 UTC, by real time.

    Args:
        every: The duration, a second or more.

    Raises:
        ConfigurationError: It is shorter, or no duration.
    """

    def __init__(self, every: Duration) -> None:
        seconds = seconds_of(every, "every=")
        if seconds < 1:
            raise ConfigurationError(f"every={every!r} is too often: write a second or more.")
        if seconds > timedelta(days=36_500).total_seconds():
            raise ConfigurationError(f"every={every!r} is too seldom: write no more than a hundred years.")
        self.least = timedelta(seconds=seconds)

    def next_after(self, moment: datetime) -> datetime | None:
        return _EPOCH + ((moment - _EPOCH) // self.least + 1) * self.least

    def describe(self) -> str:
        return f"every {duration_text(self.least.total_seconds()).removeprefix('1 ')}"


class WallTimes(Trigger):
    """Ticks at what the clocks of a zone show.

    Args:
        crontabs: The wall times: those of each.
        zone: Where.
        text: The same in English.

    Raises:
        ConfigurationError: They show it never, as on 30 February.
    """

    least = timedelta(minutes=1)

    def __init__(self, crontabs: Iterable[Crontab], zone: tzinfo, text: str) -> None:
        self._parts = [_Part(crontab, zone) for crontab in crontabs]
        self.zone = zone
        self._text = text
        if any(part.next_after(_EPOCH) is None for part in self._parts):
            raise ConfigurationError(f"{text}: there is no such day in any year.")

    def next_after(self, moment: datetime) -> datetime | None:
        ticks = [part.next_after(moment) for part in self._parts]
        return min((tick for tick in ticks if tick is not None), default=None)

    def describe(self) -> str:
        return f"{self._text} ({self.zone})"


class _Part:
    """The ticks of one crontab.

    Where its hour is every hour, it runs by real time: through both hours when clocks are put back, and not for the
    sake of the hour that is missing when they are put forward. Otherwise each of its wall times runs once.
    """

    def __init__(self, crontab: Crontab, zone: tzinfo) -> None:
        self._zone = zone
        self._by_real_time = crontab.hours == _ALL_HOURS
        self._wall = _apscheduler_trigger(crontab)

    def next_after(self, moment: datetime) -> datetime | None:
        wall = wall_of(moment, self._zone)
        overlap = overlap_at(wall, self._zone)
        # What comes a second time has to be looked for from before its first.
        folds = (0, 1) if overlap and self._by_real_time else (0,)
        ticks = [self._first(wall - overlap, moment, fold) for fold in folds]
        return min((tick for tick in ticks if tick is not None), default=None)

    def _first(self, wall: datetime, moment: datetime, fold: int) -> datetime | None:
        while (shown := self._next_shown(wall)) is not None:
            wall = shown
            if self._by_real_time and not exists(wall, self._zone):
                continue
            tick = instant_of(wall, self._zone, fold)
            if tick > moment:
                return tick
        return None

    def _next_shown(self, wall: datetime) -> datetime | None:
        second = wall.replace(microsecond=0, tzinfo=UTC) + timedelta(seconds=1)
        shown: datetime | None = self._wall.get_next_fire_time(None, second)
        return shown and shown.replace(tzinfo=None)


def _apscheduler_trigger(crontab: Crontab) -> BaseTrigger:
    triggers = [_cron_trigger(crontab, days) for days in crontab.days]
    # What never comes is looked for through thousands of years, each time.
    return OrTrigger([trigger for trigger in triggers if trigger.get_next_fire_time(None, _EPOCH)])


def _cron_trigger(crontab: Crontab, days: Days) -> CronTrigger:
    return CronTrigger(
        minute=_listed(crontab.minutes, 60),
        hour=_listed(crontab.hours, 24),
        day=",".join(filter(None, [_listed(days.days, 31), "last" if days.last else ""])),
        month=_listed(days.months, 12),
        day_of_week=_listed(days.weekdays, 7),
        timezone=UTC,
    )


def _listed(numbers: frozenset[int], all_of_them: int) -> str:
    return "*" if len(numbers) == all_of_them else ",".join(map(str, sorted(numbers)))
