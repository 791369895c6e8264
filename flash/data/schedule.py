"""Ticks of several triggers, given to a function on the event loop when they come. Runs by APScheduler."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from .clock import Clock
from .triggers import Trigger

# isort: split
# After the triggers, which say what to install where it is missing.
from apscheduler.executors.base import BaseExecutor
from apscheduler.job import Job
from apscheduler.schedulers.base import BaseScheduler
from apscheduler.triggers.base import BaseTrigger

logger = logging.getLogger("flash")

#: APScheduler tells of each job that it adds. Only its warnings are news here.
_apscheduler_logger = logging.getLogger("flash.apscheduler")
_apscheduler_logger.setLevel(logging.WARNING)

#: No more ticks than these are given at once when many were missed: the last ones.
MOST_TICKS = 1000

#: Seconds after which the schedule looks what time it is, whatever it waits for: the clock may have been set back.
_LOOKS_AGAIN = 3600.0

#: Nothing is given twice, unless the clock was set back by more than this: then the schedule goes on from there.
_SET_BACK = timedelta(days=1)


class Schedule:
    """Calls a function on the event loop with the ticks that have come.

    Nothing of it blocks, and there are no threads. All of it is to be used on the loop.

    Args:
        clock: What time it is.
        due: Called with a name and its ticks, aware datetimes in UTC, the oldest first: one, or several when some
            were missed, but no more than the last 1,000. It is never called from within a call of the schedule's, and
            must return at once.

    Example:
        >>> schedule = Schedule(Clock(), lambda name, ticks: print(name, ticks[-1]))
        >>> schedule.add("orders", trigger_of(every="5m"), after=datetime.now(UTC))
        >>> schedule.start()
    """

    def __init__(self, clock: Clock, due: Callable[[str, list[datetime]], None]) -> None:
        self._clock = clock
        self._due = due
        self._lines: dict[str, _Line] = {}
        self._come: list[_Line] = []
        self._scheduler = _Scheduler(clock, self._come)
        self._running: asyncio.Task[None] | None = None

    def add(self, name: str, trigger: Trigger, after: datetime) -> None:
        """Give the ticks of a trigger; in place of those of the same name.

        Args:
            name: What ``due`` is called with.
            trigger: When.
            after: The last tick that was handled, or since when they count: an aware datetime. What was missed since
                then comes at once, in one call.
        """
        self._lines[name] = line = _Line(name, trigger, after.astimezone(UTC))
        self._scheduler.put(line)

    def next_of(self, name: str) -> datetime | None:
        """The next tick, given or not started yet; it is in the past while it was missed and has still to be given.

        Raises:
            KeyError: Nothing of that name was added.
        """
        return self._lines[name].next()

    def start(self) -> None:
        """Begin to give ticks, on the running loop: first those that came while it was stopped. Twice is once."""
        if self._running is None:
            for line in self._lines.values():
                self._scheduler.put(line)
            self._running = asyncio.create_task(self._run(), name="flash-schedule")

    def stop(self) -> None:
        """Give no ticks until it is started again. Twice is once."""
        if self._running is not None:
            self._running.cancel()
            self._running = None

    async def _run(self) -> None:
        while True:
            self._look()
            await self._scheduler.wait()

    def _look(self) -> None:
        now = self._clock.now()
        for line in self._lines.values():
            if line.last > now + _SET_BACK:
                line.last = now
                self._scheduler.put(line)
        self._scheduler.process()
        while self._come and self._running is not None:
            self._give(self._come.pop(0))
        self._come.clear()

    def _give(self, line: _Line) -> None:
        if self._lines[line.name] is not line:
            return  # It was added anew meanwhile.
        try:
            if ticks := line.take(self._clock.now()):
                self._due(line.name, ticks)
        except Exception:
            logger.exception("The ticks of %s could not be handled.", line.name)


@dataclass(slots=True, eq=False)
class _Line:
    """A trigger, and how far its ticks were given."""

    name: str
    trigger: Trigger
    last: datetime

    def next(self) -> datetime | None:
        return self.trigger.next_after(self.last)

    def take(self, now: datetime) -> list[datetime]:
        ticks = self.trigger.between(self.last, now, MOST_TICKS)
        self.last = ticks[-1] if ticks else self.last
        return ticks


class _Scheduler(BaseScheduler):  # type: ignore[misc]  # APScheduler has no types.
    """APScheduler's scheduler on the running loop, by a clock of ours: what has come, and waiting for the next.

    Args:
        clock: What time it is.
        come: Lines that have come are put here.
    """

    def __init__(self, clock: Clock, come: list[_Line]) -> None:
        self._clock = clock
        self._come = come
        self._sleep: asyncio.Task[None] | None = None
        super().__init__(logger=_apscheduler_logger, timezone=_ClockZone(clock))
        self.add_executor(_Executor())
        self.start()

    def put(self, line: _Line) -> None:
        """Add a line, or what has changed in it."""
        about = {"id": line.name, "name": line.name, "args": (line,), "next_run_time": line.next()}
        self.add_job(self._came, _Ticks(line), replace_existing=True, **about)

    def _came(self, line: _Line) -> None:
        self._come.append(line)

    def process(self) -> None:
        """See which lines have come."""
        self._process_jobs()

    async def wait(self) -> None:
        """Wait for the next tick, or until :meth:`wakeup` is called."""
        nexts = [job.next_run_time for job in self.get_jobs() if job.next_run_time is not None]
        seconds = min(((tick - self._clock.now()).total_seconds() for tick in nexts), default=_LOOKS_AGAIN)
        self._sleep = sleep = asyncio.create_task(self._clock.sleep(min(seconds, _LOOKS_AGAIN)))
        try:
            await asyncio.wait([sleep])
        finally:
            sleep.cancel()

    def wakeup(self) -> None:
        """APScheduler asks for this when a job was added."""
        if self._sleep is not None:
            self._sleep.cancel()

    def shutdown(self, wait: bool = True) -> None:
        """APScheduler wants one; there is nothing to free."""
        super().shutdown(wait)


class _Executor(BaseExecutor):  # type: ignore[misc]
    """Runs a job where it stands: it only notes that its time has come."""

    def _do_submit_job(self, job: Job, run_times: list[datetime]) -> None:
        job.func(*job.args)
        self._run_job_success(job.id, [])


class _Ticks(BaseTrigger):  # type: ignore[misc]
    """A line as APScheduler's trigger: when to look at it next. All that came until then is taken at once."""

    def __init__(self, line: _Line) -> None:
        self._line = line

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        return self._line.trigger.next_after(now)


class _ClockZone(tzinfo):
    """Shows APScheduler what time it is by a clock of ours.

    It asks ``datetime.now(timezone)``, which Python answers by ``timezone.fromutc``: the one place where it can be
    told, and no other scheduler of the process is touched.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def fromutc(self, moment: datetime) -> datetime:
        return self._clock.now()

    def utcoffset(self, moment: datetime | None) -> timedelta:
        return timedelta(0)

    def dst(self, moment: datetime | None) -> None:
        return None

    def tzname(self, moment: datetime | None) -> str:
        return "clock"
