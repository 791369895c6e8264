"""What every process does: it takes in what the process that leads has read."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from ..storage import SharedStorageError, SharedStorageGap, Storage
from .ending import ended
from .known import Known, State, from_json
from .listeners import Listeners
from .snapshot import Snapshot
from .source import Source
from .stores.base import Record, SnapshotStore

logger = logging.getLogger("flash")

#: Seconds between two attempts while storage or store do not answer.
_PAUSES = (0.1, 2.0)
#: How long a start waits until all is read, in seconds; then the process begins with what it has.
_STARTING_SECONDS = 5.0


class Following:
    """Keeps what this process knows of its sources as new as the store.

    Args:
        sources: The sources.
        storage: Where the news are.
        store: Where the snapshots are.
        topic: The news' name.
        hear: Called with each message that is not of a source's state.
        listeners: Are told of new versions.
    """

    def __init__(
        self,
        sources: Iterable[Source],
        storage: Storage,
        store: SnapshotStore,
        topic: str,
        hear: Callable[[dict[str, Any]], None],
        listeners: Listeners,
    ) -> None:
        self._sources = {each.name: each for each in sources}
        self._storage = storage
        self._store = store
        self._topic = topic
        self._hear = hear
        self._listeners = listeners
        self.on_news: list[Callable[[Source], None]] = []
        self._waiting: dict[str, set[asyncio.Future[None]]] = defaultdict(set)
        self._caught_up = asyncio.Event()
        self._reachable = True
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read what there is, and go on by what is new. When storage or store do not answer, it goes on without."""
        self._task = asyncio.create_task(self._endlessly(), name="flash-data-news")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STARTING_SECONDS):
                await self._caught_up.wait()

    async def close(self) -> None:
        """Take in nothing more. Who waits for a version gets what there is."""
        task, self._task = self._task, None
        if task is not None:
            await ended({task})
        for name in list(self._waiting):
            self._wake(name)

    async def reached(self, source: Source, version: int, seconds: float | None) -> Snapshot:
        """The newest snapshot, as soon as it has a version, or after so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while source.version < version and self._task is not None:
                    await self._next(source)
        return source.get()

    async def read_all(self) -> None:
        """Take in what the store has of every source."""
        for source in self._sources.values():
            await self.read(source)

    async def read(self, source: Source) -> None:
        """Take in what the store has of a source."""
        state = from_json(await self._store.state(source.name))
        record = source.known.record
        if not state.is_of(record):
            record = await self._store.newest(source.name)
        self.take(source, record, state)

    def take(self, source: Source, record: Record | None, state: State) -> None:
        """Take in a snapshot and a state, each if it is newer than what is known, and tell whom it concerns.

        A snapshot is newer by its version, or since a newer state tells of it: after a loss of data versions may begin
        anew.
        """
        before = source.known
        is_newer = state.is_newer_than(before.state)
        newer = record is not None and (
            record.version > before.version or (is_newer and state.is_of(record) and not state.is_of(before.record))
        )
        known = Known(record if newer else before.record, state if is_newer else before.state)
        if known == before:
            return
        source.take(known)
        if newer:
            self._listeners.tell(source)
        self._wake(source.name)
        for listener in self.on_news:
            try:
                listener(source)
            except Exception:
                logger.exception("A listener to the news of %r has failed.", source.name)

    async def _next(self, source: Source) -> None:
        future = asyncio.get_running_loop().create_future()
        self._waiting[source.name].add(future)
        try:
            await future
        finally:
            self._waiting[source.name].discard(future)

    def _wake(self, name: str) -> None:
        for future in self._waiting[name]:
            if not future.done():
                future.set_result(None)

    async def _endlessly(self) -> None:
        pause = _PAUSES[0]
        while True:
            try:
                await self._follow()
            except SharedStorageGap:
                logger.info("News of the sources are gone; the store is read anew.")
            except Exception as error:
                self._lost(error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _PAUSES[1])
            else:
                pause = _PAUSES[0]

    async def _follow(self) -> None:
        async with await self._storage.asubscribe(self._topic) as news:
            # What is written from here on comes by the topic.
            await self.read_all()
            self._found()
            self._caught_up.set()
            while messages := await news.apoll():
                for _, message in messages:
                    await self._take_message(message)
        await asyncio.sleep(_PAUSES[0])

    async def _take_message(self, message: dict[str, Any]) -> None:
        source = self._sources.get(message.get("source", ""))
        if "state" not in message:
            self._hear(message)
        elif source is not None:
            await self._take_state(source, from_json(message["state"]))

    async def _take_state(self, source: Source, state: State) -> None:
        record, known = None, source.known
        is_told = state.version > 0 and state.is_newer_than(known.state) and not state.is_of(known.record)
        if is_told or state.version > known.version:
            record = await self._store.get(source.name, state.version) or await self._store.newest(source.name)
        self.take(source, record, state)

    def _lost(self, error: Exception) -> None:
        if self._reachable:
            self._reachable = False
            known = isinstance(error, SharedStorageError)
            logger.error("News of the sources cannot be read now: %s", error, exc_info=None if known else error)

    def _found(self) -> None:
        if not self._reachable:
            self._reachable = True
            logger.warning("News of the sources can be read again.")
