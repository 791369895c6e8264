"""Wall times and the instants that they name: what happens to 02:30 when clocks are put forward or back."""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, datetime, timedelta, tzinfo


def wall_of(moment: datetime, zone: tzinfo) -> datetime:
    """What a clock in the zone shows at a moment, without a zone."""
    return moment.astimezone(zone).replace(tzinfo=None)


def instant_of(wall: datetime, zone: tzinfo, fold: int = 0) -> datetime:
    """When a clock in the zone shows a wall time, in UTC.

    Args:
        wall: A datetime without a zone.
        zone: Where the clock is.
        fold: Which of both, when clocks are put back and show it twice: 0 the first, 1 the second.

    Returns:
        The instant. When clocks are put forward over it, the first one after that.
    """
    instant = wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)
    return instant if wall_of(instant, zone) == wall.replace(fold=0) else _end_of_gap(wall, zone)


def exists(wall: datetime, zone: tzinfo) -> bool:
    """Whether a clock in the zone ever shows a wall time: False when it is put forward over it."""
    return wall_of(wall.replace(tzinfo=zone).astimezone(UTC), zone) == wall.replace(fold=0)


def overlap_at(wall: datetime, zone: tzinfo) -> timedelta:
    """How much later a clock in the zone shows a wall time a second time; nothing when it shows it once."""
    first, second = _offset(wall, zone, 0), _offset(wall, zone, 1)
    return max(first - second, timedelta(0))


def _end_of_gap(wall: datetime, zone: tzinfo) -> datetime:
    """The instant of the change that skips a wall time."""
    before, after = _offset(wall, zone, 0), _offset(wall, zone, 1)
    earlier = (wall - after).replace(tzinfo=UTC)
    seconds = range(round((after - before).total_seconds()) + 1)
    changed = bisect_left(seconds, True, key=lambda s: _shown(earlier + timedelta(seconds=s), zone) == after)
    return earlier + timedelta(seconds=changed)


def _offset(wall: datetime, zone: tzinfo, fold: int) -> timedelta:
    return wall.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta(0)


def _shown(moment: datetime, zone: tzinfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta(0)
