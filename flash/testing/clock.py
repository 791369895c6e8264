"""A clock that tests set: what would take a day is over at once."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ..data.clock import Clock
from ..data.durations import Duration, seconds_of
from ..exceptions import ConfigurationError

#: Real seconds that the work of one moment may take.
_PATIENCE = 30.0

#: Real seconds between two looks at whether work that the loop does not see is done.
_LOOK = 0.001


class SimulatedClock(Clock):
    """A :class:`~flash.data.clock.Clock` whose time passes only when a test says so.

    Who waits for it is woken in the order of time, one after the other, and each has run as far as it can before the
    next one is woken and before :meth:`advance` returns. "As far as it can" is as far as the event loop sees: what
    runs in threads or waits for another process is waited for when :meth:`waits_while` names it. It belongs to one
    event loop, of asyncio's own kind, and is to be used on that.

    Args:
        start: What time it is at first: an aware datetime, or one in ISO 8601 with its offset.

    Example:
        >>> clock = SimulatedClock("2026-03-29T01:59+01:00")
        >>> schedule = Schedule(clock, lambda name, ticks: print(name, ticks))
        >>> schedule.add("night", trigger_of(at="02:30", tz="Europe/Prague"), after=clock.now())
        >>> schedule.start()
        >>> await clock.advance("2m")
        night [datetime.datetime(2026, 3, 29, 1, 0, tzinfo=datetime.timezone.utc)]
    """

    def __init__(self, start: str | datetime) -> None:
        self._now = _moment(start)
        self._sleepers: list[_Sleeper] = []
        self._numbers = itertools.count()
        self._busy: list[Callable[[], object]] = []

    def now(self) -> datetime:
        """What time it is, in UTC."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Wait until so much time was made to pass, or the clock was set so far forward."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        left = timedelta(seconds=seconds)
        sleeper = _Sleeper(left, self._now + left, next(self._numbers), asyncio.Event())
        self._sleepers.append(sleeper)
        try:
            await sleeper.woken.wait()
        finally:
            self._sleepers.remove(sleeper)

    async def advance(self, by: Duration | None = None, *, to: str | datetime | None = None) -> None:
        """Let time pass. What was due meanwhile has run when it returns.

        Args:
            by: How much, as in ``"2m"``; either this or ``to``.
            to: Until when.

        Raises:
            ConfigurationError: That is in the past, or there is not exactly one of both.
        """
        end = self._end(by, to)
        await self._settle()
        while (sleeper := self._next()) is not None and self._now + sleeper.left(self._now) <= end:
            self._pass(sleeper.left(self._now))
            await self._wake(sleeper)
        self._pass(end - self._now)

    async def suspend(self, by: Duration) -> None:
        """Let time pass as on a machine that is suspended: nobody is woken before it is over.

        Args:
            by: How long it is suspended, as in ``"3h"``.
        """
        await self.set(self._now + timedelta(seconds=seconds_of(by, "suspend()")))

    async def set(self, to: str | datetime) -> None:
        """Set the clock forward or back, as a time server does, or a user: no time passes by it.

        Who waits for a moment that is now in the past is woken. Who waits otherwise waits no longer than before.
        """
        await self._settle()
        self._now = _moment(to)
        while (sleeper := self._next()) is not None and sleeper.left(self._now) <= timedelta(0):
            await self._wake(sleeper)

    def waits_while(self, busy: Callable[[], object]) -> None:
        """Wait, before time goes on, for work that the event loop does not see: in threads, or in other processes.

        Args:
            busy: Tells whether there is still something to wait for: ``lambda: orders.status.running``.
        """
        self._busy.append(busy)

    def _end(self, by: Duration | None, to: str | datetime | None) -> datetime:
        if (by is None) == (to is None):
            raise ConfigurationError("advance() has one of by and to: write advance('2m') or advance(to='...').")
        end = _moment(to) if to is not None else self._now + timedelta(seconds=seconds_of(by or 0, "advance()"))
        if end < self._now:
            raise ConfigurationError(f"advance() cannot go back from {self._now} to {end}: set() does that.")
        return end

    def _next(self) -> _Sleeper | None:
        waiting = (sleeper for sleeper in self._sleepers if not sleeper.woken.is_set())
        return min(waiting, key=lambda sleeper: (sleeper.left(self._now), sleeper.number), default=None)

    def _pass(self, time: timedelta) -> None:
        self._now += time
        for sleeper in self._sleepers:
            sleeper.lasts -= time

    async def _wake(self, sleeper: _Sleeper) -> None:
        sleeper.woken.set()
        await self._settle()

    async def _settle(self) -> None:
        """Let everything run that can run without the time going on."""
        loop = asyncio.get_running_loop()
        end = loop.time() + _PATIENCE
        await _quiet(loop)
        while any(busy() for busy in self._busy):
            if loop.time() > end:
                raise AssertionError(f"What waits_while() names is still busy after {_PATIENCE:g} seconds.")
            await asyncio.sleep(_LOOK)
            await _quiet(loop)


@dataclass(slots=True, eq=False)
class _Sleeper:
    """Somebody who waits.

    Attributes:
        lasts: How much time has to pass.
        until: What the clock shows then, unless it is set meanwhile.
        number: Counts the sleepers.
        woken: Set when it is over.
    """

    lasts: timedelta
    until: datetime
    number: int
    woken: asyncio.Event

    def left(self, now: datetime) -> timedelta:
        return min(self.lasts, self.until - now)


async def _quiet(loop: asyncio.AbstractEventLoop) -> None:
    """Give the loop its turns until two in a row had nothing to do; the second has looked at sockets and threads."""
    idle = 0
    while idle < 2:
        await asyncio.sleep(0)
        # The standard library's loop does not tell otherwise whether it has something to do.
        idle = 0 if loop._ready else idle + 1  # type: ignore[attr-defined]


def _moment(value: str | datetime) -> datetime:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        raise ConfigurationError(f"{value!r} is no moment: write it as in '2026-03-29T01:59+01:00'.") from None
    if moment.tzinfo is None:
        raise ConfigurationError(
            f"{value!r} has no offset: write it as in '2026-03-29T01:59+01:00', or '...Z' for UTC."
        )
    return moment.astimezone(UTC)
