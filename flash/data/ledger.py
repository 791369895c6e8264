"""What the process that leads writes down, and tells all others."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from ..storage import SharedStorageError, Storage
from .chain import Made, roots_of, versions_of
from .clock import Clock
from .codec import Encoded
from .failures import RunFailed, failure_of
from .following import Following
from .known import to_json
from .source import Source
from .stores.base import Record, SnapshotStore

logger = logging.getLogger("flash")

#: The topic is forgotten when for so many seconds nobody has written to it, or waited for its messages.
NEWS_TTL = 600.0
#: So many news are kept for processes that are a little behind; the others read the store.
_KEPT_NEWS = 1000


def news_of(name: str) -> str:
    """The topic of the processes that have a name in common."""
    return f"data:{name}:news"


class Ledger:
    """Writes snapshots and states into the store and tells the news. It writes nothing unless this process leads.

    Args:
        storage: Where the news are.
        store: Where snapshots and states are kept.
        topic: The news' name.
        following: What this process knows.
        confirm: Makes sure that this process leads, and gives the number of its term; or raises.
        clock: What time it is.
    """

    def __init__(
        self,
        storage: Storage,
        store: SnapshotStore,
        topic: str,
        following: Following,
        confirm: Callable[[], Awaitable[int]],
        clock: Clock,
    ) -> None:
        self._storage = storage
        self._store = store
        self._topic = topic
        self._following = following
        self._confirm = confirm
        self._clock = clock
        self._writing: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        #: The run that gave the newest data of a source: what an older one gives later is dropped.
        self._newest_run: dict[str, int] = {}
        #: Sources whose state the store could not keep.
        self._unkept: set[str] = set()

    async def take_over(self, source: Source) -> None:
        """Begin with what the store has, or, when it has lost it, with what this process knows.

        Raises:
            SharedStorageError: It cannot be read or written.
            SnapshotStoreError: The same.
        """
        await self._confirm()
        await self._following.read(source)
        known, record = source.known, await self._store.newest(source.name)
        if known.record is not None and (record is None or record.version < known.version):
            logger.warning("The store has lost the snapshots of %r; its newest one is written again.", source.name)
            await self._store.put(source.name, known.record, source.settings.keep)

    async def keep(self, source: Source, run: int, encoded: Encoded, inputs: Sequence[Made]) -> None:
        """Keep what a run gave: a new version if it is different, else only that it was confirmed.

        Args:
            source: The source.
            run: The run's number: what an older run gives after a newer one is dropped.
            encoded: The data.
            inputs: What they were made of.

        Raises:
            LeaseLost: This process does not lead: nothing was written.
            RunFailed: The store could not keep them.
        """
        async with self._writing[source.name]:
            await self._confirm()
            if run < self._newest_run.get(source.name, 0):
                return
            now, record, version = self._clock.now(), source.known.record, source.version
            if record is None or record.digest != encoded.digest:
                version += 1
                record = Record(
                    version, now.timestamp(), encoded.kind, encoded.data, encoded.digest, versions_of(source, inputs)
                )
                await self._put(source, record)
            self._newest_run[source.name] = run
            roots = roots_of(inputs) if source.after else {source.name: version}
            changes = {"at": now, "checked": now, "error": None, "inputs": versions_of(source, inputs), "roots": roots}
            await self.change(source, record, **changes)

    async def confirm_unchanged(self, source: Source, inputs: Sequence[Made], at: datetime) -> None:
        """Note that what a source was made of has been read again, at some time, and is the same."""
        await self.change(source, at=at, checked=at, roots=roots_of(inputs))

    async def fail(self, source: Source, error: BaseException, inputs: Sequence[Made]) -> None:
        """Log and note that a run has failed. What was kept stays."""
        now = self._clock.now()
        failure = failure_of(source.name, error, now)
        await self.change(source, checked=now, error=failure, inputs=versions_of(source, inputs))

    async def change(self, source: Source, record: Record | None = None, **changes: Any) -> None:
        """Change a source's state, here and everywhere. A store that fails is no error: it is tried again.

        Args:
            source: The source.
            record: Its newest snapshot, if it is a new one.
            changes: Fields of :class:`~flash.data.known.State`.

        Raises:
            LeaseLost: This process does not lead: nothing was written.
        """
        term, known = await self._confirm(), source.known
        newest = record or known.record
        if newest is not None:
            changes |= {"version": newest.version, "digest": newest.digest}
        # The number of a term is a time where storages forget: a clock may have been set back since.
        state = known.state.but(term=max(term, known.state.term), **changes)
        self._following.take(source, record, state)
        await self._keep_state(source)
        await self._tell({"source": source.name, "state": to_json(state)})

    async def keep_states(self, sources: Iterable[Source]) -> None:
        """Keep the states that the store could not keep before."""
        for source in sources:
            if source.name in self._unkept:
                await self._keep_state(source)

    async def _keep_state(self, source: Source) -> None:
        try:
            await self._store.set_state(source.name, to_json(source.known.state))
        except Exception as error:
            if source.name not in self._unkept:
                logger.error("The state of the source %r cannot be kept: %s", source.name, error)
            self._unkept.add(source.name)
        else:
            self._unkept.discard(source.name)

    async def _tell(self, news: dict[str, Any]) -> None:
        try:
            seq = await self._storage.apublish(self._topic, news, NEWS_TTL)
        except SharedStorageError as error:
            # In an outage this process leads no more, and the next one tells all.
            await self._confirm()
            logger.warning("News of the source %r could not be told: %s", news["source"], error)
            return
        if seq % _KEPT_NEWS == 0:
            with contextlib.suppress(SharedStorageError):
                await self._storage.atrim(self._topic, seq - _KEPT_NEWS)

    async def _put(self, source: Source, record: Record) -> None:
        try:
            await self._store.put(source.name, record, source.settings.keep)
        except Exception as error:
            raise RunFailed("The new version could not be stored.") from error
