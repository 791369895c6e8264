"""A time in which this process leads: it runs the sources."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from datetime import datetime

from .asks import given_name
from .chain import Made, consistent, roots_of, versions_of
from .clock import Clock
from .codec import Encoded
from .ending import ended
from .failures import RunFailed, SourceError
from .lane import Inputs, Lane
from .ledger import Ledger
from .runs import Runs
from .schedule import Schedule
from .snapshot import Failure
from .source import Source
from .stores.base import SnapshotStore

logger = logging.getLogger("flash")

#: So many versions of a source are remembered for those that follow it and others.
_REMEMBERED = 30


class Term:
    """Runs the sources: by their schedules, after each other, and when it is asked.

    Args:
        sources: All of them, each after those that it follows.
        runs: Calls their functions.
        ledger: Takes what they give.
        store: Where older versions are read.
        clock: What time it is.
    """

    def __init__(self, sources: Sequence[Source], runs: Runs, ledger: Ledger, store: SnapshotStore, clock: Clock):
        self._sources = {each.name: each for each in sources}
        self._runs = runs
        self._ledger = ledger
        self._store = store
        self._clock = clock
        self._schedule = Schedule(clock, lambda name, ticks: self._lanes[name].tick(ticks))
        self._changed = asyncio.Event()
        self._lanes = {
            each.name: Lane(each, runs, ledger, clock, self._next_tick, self._changed.set) for each in sources
        }
        self._made: dict[str, deque[Made]] = {each.name: deque(maxlen=_REMEMBERED) for each in sources}
        #: Those that follow others and are run though nothing is new, since their last run failed.
        self._due: set[str] = set()
        self._settling: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Take over what others have left, and begin."""
        for source in self._sources.values():
            await self._ledger.take_over(source)
        for source in self._sources.values():
            self._remember(source)
            if source.settings.trigger is not None:
                await self._begin_scheduled(source)
            else:
                if source.known.state.error is not None:
                    self._due.add(source.name)
                await self._ledger.change(source, running=False)
        self._schedule.start()
        self._settling = asyncio.create_task(self._settle_on(), name="flash-data-chain")
        self._changed.set()

    async def end(self) -> None:
        """Run nothing more here."""
        self._schedule.stop()
        settling, self._settling = self._settling, None
        if settling is not None:
            await ended({settling})
        for lane in self._lanes.values():
            await lane.close()

    async def renewed(self) -> None:
        """Write what could not be written before."""
        await self._ledger.keep_states(self._sources.values())

    async def refresh(self, source: Source) -> Failure | None:
        """Run a source now, or wait for the run that goes on.

        Raises:
            SourceError: What it follows has no version yet.
        """
        inputs = await self._inputs(source)
        if inputs is None:
            names = " and ".join(repr(each.name) for each in source.after)
            raise SourceError(f"{source.name!r} cannot run before {names} have been read.")
        return await asyncio.shield(self._lanes[source.name].run(inputs))

    async def take(self, source: Source, given: int) -> None:
        """Keep what a run by hand has given, as if the source had run here.

        Args:
            source: The source.
            given: The version under which the store has it.

        Raises:
            SourceError: It is gone, was made of versions that are forgotten here, or cannot be stored.
        """
        record = await self._store.get(given_name(source.name), given)
        made = None if record is None else self._made_of(source, record.derived)
        if record is None or made is None:
            raise SourceError(f"What {source.name!r} was made of has changed meanwhile. Run it again.")
        try:
            await self._lanes[source.name].take(Encoded(record.kind, record.data, record.digest), made)
        except RunFailed as error:
            raise SourceError(str(error)) from error

    # Schedules.

    def _next_tick(self, source: Source) -> datetime | None:
        return None if source.settings.trigger is None else self._schedule.next_of(source.name)

    async def _begin_scheduled(self, source: Source) -> None:
        state, settings, now = source.known.state, source.settings, self._clock.now()
        assert settings.trigger is not None
        broken_off = state.began if state.was_interrupted else None
        last = broken_off or state.tick or now
        self._schedule.add(source.name, settings.trigger, last)
        first = state.tick or now if settings.on_start and not source.version else None
        if state.tick is None and first is None and broken_off is None:
            # From here on it has missed what it misses.
            await self._ledger.change(source, running=False, tick=now, next=self._next_tick(source))
        else:
            await self._ledger.change(source, running=False, next=self._next_tick(source))
        tick = broken_off or first
        if tick is not None:
            self._lanes[source.name].run(tick=tick)

    # Chains.

    async def _settle_on(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            for source in self._sources.values():
                try:
                    await self._settle(source)
                except Exception:
                    logger.exception("What follows %r could not be run.", source.name)

    async def _settle(self, source: Source) -> None:
        """Run a source that follows others, if they have something new for it."""
        if self._runs.overruns(source):
            # It is run with the newest then.
            self._runs.when_ended(source, self._look_again)
        elif source.after and not self._lanes[source.name].is_busy:
            made = self._newest_of(source)
            if made is not None:
                await self._follow(source, made)
        self._remember(source)

    def _look_again(self, ended: object) -> None:
        self._changed.set()

    async def _follow(self, source: Source, made: Sequence[Made]) -> None:
        state = source.known.state
        if versions_of(source, made) != state.inputs or source.name in self._due:
            inputs = await self._inputs(source)
            if inputs is not None:
                self._due.discard(source.name)
                self._lanes[source.name].run(inputs)
        elif state.error is None and state.at is not None:
            read = min(self._sources[each.name].known.state.at or state.at for each in source.after)
            if read > state.at or roots_of(made) != state.roots:
                await self._ledger.confirm_unchanged(source, made, max(read, state.at))

    def _newest_of(self, source: Source) -> list[Made] | None:
        return consistent([list(self._made[upstream.name]) for upstream in source.after])

    async def _inputs(self, source: Source) -> Inputs | None:
        """The newest versions of what a source follows that belong together, with their data."""
        if not source.after:
            return Inputs()
        made = self._newest_of(source)
        if made is None:
            return None
        records = []
        for upstream, each in zip(source.after, made, strict=True):
            record = self._sources[upstream.name].known.record
            if record is None or record.version != each.version:
                record = await self._store.get(upstream.name, each.version)
            if record is None:
                return None
            records.append(record)
        return Inputs(made, records)

    def _made_of(self, source: Source, versions: dict[str, int]) -> list[Made] | None:
        """What those versions of what a source follows go back to; None when it is forgotten."""
        found: list[Made] = []
        for upstream in source.after:
            self._remember(upstream)
            known = self._made[upstream.name]
            found += [each for each in known if each.version == versions.get(upstream.name)][:1]
        return found if len(found) == len(source.after) else None

    def _remember(self, source: Source) -> None:
        """Remember a source's newest version for those that follow it and others."""
        state = self._sources[source.name].known.state
        made = Made(source.version, state.roots if source.after else {source.name: source.version})
        remembered = self._made[source.name]
        if made.version and (not remembered or remembered[0] != made):
            remembered.appendleft(made)
