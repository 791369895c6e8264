"""The runs of one source, in the process that leads."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import random
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime, timedelta
from typing import Any

from .chain import Made
from .clock import Clock
from .codec import Encoded
from .ending import ended
from .failures import RunFailed, StillRunning
from .leader import LeaseLost
from .ledger import Ledger
from .runs import Runs
from .schedule import MOST_TICKS
from .snapshot import Failure
from .source import Source
from .stores.base import Record

logger = logging.getLogger("flash")

#: A tick that comes later than this was missed: ``missed=`` says what happens. In seconds.
LATE_SECONDS = 30.0
#: The pauses before a failed run is tried again: the first, and the longest, in seconds.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
#: So many ticks wait with ``overlap="queue"``, and so many runs go on at once with ``"parallel"``.
MOST_QUEUED = 100
MOST_PARALLEL = 10
#: So many processes may die in the run of one tick; then it is given up.
MOST_TRIES = 3

_numbers = itertools.count(1)


class Inputs:
    """What a run is made of: versions of the upstream sources, and their data, in order."""

    def __init__(self, made: Sequence[Made] = (), records: Sequence[Record] = ()) -> None:
        self.made = made
        self.records = records


class Lane:
    """Runs one source: when it is time, again when it fails, and beside or after older runs as ``overlap`` says.

    Args:
        source: The source.
        runs: Calls its function.
        ledger: Takes what it gives.
        clock: What time it is.
        next_tick: When it runs next.
        done: Called after each run.
    """

    def __init__(
        self,
        source: Source,
        runs: Runs,
        ledger: Ledger,
        clock: Clock,
        next_tick: Callable[[Source], datetime | None],
        done: Callable[[], None],
    ) -> None:
        self.source = source
        self._runs = runs
        self._ledger = ledger
        self._clock = clock
        self._next_tick = next_tick
        self._done = done
        self._tasks: set[asyncio.Task[Failure | None]] = set()
        #: Notes of ticks that are skipped: no runs, that others could wait for.
        self._notes: set[asyncio.Task[None]] = set()
        self._queued: deque[datetime] = deque()
        #: The newest tick that is dealt with when the runs of now have ended.
        self._dealt: datetime | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a run goes on here."""
        return bool(self._tasks)

    def tick(self, ticks: Sequence[datetime]) -> None:
        """Its time has come, perhaps several times, the oldest first."""
        missed, now = self.source.settings.missed, self._clock.now()
        in_time = now - ticks[-1] <= timedelta(seconds=LATE_SECONDS)
        if missed == "all" and (len(ticks) > 1 or not in_time):
            self._queued.extend(ticks)
            self._next_queued()
        elif missed == "run_once" or in_time:
            self._due(ticks[-1])
        else:
            logger.info("The source %r has missed %d ticks, which are skipped.", self.source.name, len(ticks))
            self._note(ticks[-1])

    def run(self, inputs: Inputs | None = None, tick: datetime | None = None) -> asyncio.Task[Failure | None]:
        """Run it now, unless it runs already: then give that run.

        Args:
            inputs: What it is made of.
            tick: The tick that is dealt with thereby.
        """
        if self._tasks and self.source.settings.overlap != "parallel":
            return next(iter(self._tasks))
        return self._begin(self._run(inputs or Inputs(), tick))

    async def take(self, encoded: Encoded, made: Sequence[Made]) -> None:
        """Keep what a run elsewhere has given.

        Raises:
            RunFailed: It could not be stored.
        """
        await self._ledger.keep(self.source, next(_numbers), encoded, made)
        self._done()

    async def close(self) -> None:
        """End its runs here. What they were to do is left to the next process that leads."""
        self._queued.clear()
        was_busy = self.is_busy
        await ended(self._tasks | self._notes)
        if was_busy:
            # No fault of the run's. Who has lost the lease cannot say so, and need not.
            with contextlib.suppress(LeaseLost):
                await self._ledger.change(self.source, running=False, tries=max(0, self.source.known.state.tries - 1))

    def _due(self, tick: datetime) -> None:
        overlap = self.source.settings.overlap
        if overlap == "queue":
            self._queued.append(tick)
            self._next_queued()
        elif not self._tasks or (overlap == "parallel" and len(self._tasks) < MOST_PARALLEL):
            self._begin(self._run(Inputs(), tick))
        else:
            logger.info("The source %r still runs: a tick is skipped.", self.source.name)
            self._dealt = tick

    def _next_queued(self) -> None:
        while len(self._queued) > (MOST_TICKS if self.source.settings.missed == "all" else MOST_QUEUED):
            self._queued.popleft()
            logger.warning("The source %r is slower than its ticks: one that waited is dropped.", self.source.name)
        if self._queued and not self._tasks:
            self._begin(self._run(Inputs(), self._queued.popleft()))

    def _begin(self, run: Coroutine[None, None, Failure | None]) -> asyncio.Task[Failure | None]:
        task: asyncio.Task[Failure | None] = asyncio.create_task(run, name=f"flash-data-{self.source.name}")
        self._tasks.add(task)
        task.add_done_callback(self._end)
        return task

    def _end(self, task: asyncio.Task[Failure | None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        self._log(task)
        self._next_queued()
        self._done()

    def _note(self, tick: datetime) -> None:
        """Note that a tick is dealt with, though nothing runs."""
        noting = self._ledger.change(self.source, tick=tick, next=self._next_tick(self.source))
        task = asyncio.create_task(noting, name=f"flash-data-{self.source.name}")
        self._notes.add(task)
        task.add_done_callback(self._notes.discard)
        task.add_done_callback(self._log)

    def _log(self, task: asyncio.Task[Any]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, LeaseLost):
            logger.error("A run of the source %r has broken off.", self.source.name, exc_info=error)

    async def _run(self, inputs: Inputs, tick: datetime | None) -> Failure | None:
        source, number = self.source, next(_numbers)
        if tick is not None:
            self._dealt = max(tick, self._dealt or tick)
            state = source.known.state
            tries = state.tries + 1 if state.was_interrupted and state.began == tick else 1
            await self._ledger.change(source, began=tick, tries=tries)
            if tries > MOST_TRIES:
                return await self._give_up(tick)
            if source.settings.jitter:
                await self._clock.sleep(random.uniform(0, source.settings.jitter))
        await self._ledger.change(source, running=True, next=self._next_tick(source))
        failure = await self._attempts(inputs, number)
        await self._finish(tick)
        return failure

    async def _finish(self, tick: datetime | None) -> None:
        """Note that a run has ended. Of one that was broken off nothing is noted: it is run again."""
        state, alone = self.source.known.state, len(self._tasks) == 1
        dealt = [each for each in (state.tick, tick, self._dealt if alone else None) if each is not None]
        if self._queued:
            # What waits is not dealt with, also when a later tick was passed over meanwhile.
            dealt = [each for each in dealt if each < self._queued[0]]
        await self._ledger.change(
            self.source, running=not alone, next=self._next_tick(self.source), tick=max(dealt, default=None)
        )

    async def _attempts(self, inputs: Inputs, number: int) -> Failure | None:
        for attempt in range(1 + self.source.settings.retry):
            if attempt:
                await self._clock.sleep(min(FIRST_PAUSE * 2 ** (attempt - 1), LONGEST_PAUSE))
            if attempt and self._runs.overruns(self.source) and self.source.settings.overlap != "parallel":
                break
            try:
                encoded = await self._runs.run(self.source, inputs.records)
                await self._ledger.keep(self.source, number, encoded, inputs.made)
                return None
            except LeaseLost:
                raise
            except Exception as error:
                await self._ledger.fail(self.source, error, inputs.made)
                if isinstance(error, StillRunning):
                    break
        return self.source.known.state.error

    async def _give_up(self, tick: datetime) -> Failure | None:
        error = RunFailed(f"The run was broken off {MOST_TRIES} times, with its process or its event loop.")
        await self._ledger.fail(self.source, error, [])
        await self._ledger.change(self.source, tick=tick, next=self._next_tick(self.source))
        return self.source.known.state.error
