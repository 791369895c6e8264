"""The sources of one process: it follows what is read, and reads it itself while it leads."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from ..exceptions import ConfigurationError
from ..pool import Pool
from ..storage import MemoryStorage, ProcessLock, SeveralProcesses, SharedStorageError, Storage, refuse_several
from .asks import Asks
from .chain import in_order
from .clock import Clock
from .failures import SourceError
from .following import Following
from .known import Known
from .leader import Leader, LeaseLost, lease_of
from .ledger import NEWS_TTL, Ledger, news_of
from .listeners import Listeners
from .runs import Runs
from .snapshot import Failure, Snapshot
from .source import Source
from .stores.base import SnapshotStore
from .term import Term

logger = logging.getLogger("flash")

#: How long a process waits for the end of another one that it may replace, in seconds.
GRACE_SECONDS = 10.0
#: How long a process waits for the version that a run elsewhere has given, in seconds.
_ARRIVAL_SECONDS = 10.0


class Engine:
    """Runs sources, once for all processes that share a storage and a name, and keeps each process as new as all.

    Every process follows; the one that holds the lease leads: it runs the sources.

    Args:
        sources: Those to run. What they follow is run too.
        storage: Where the lease and the news are.
        store: Where the snapshots are kept. The engine starts and closes it.
        name: What the processes have in common.
        pool: The threads of plain functions; without it the engine has its own.
        clock: What time it is.
        served: How the processes of one parent name the app; without it as ``name``.

    Example:
        >>> engine = Engine([orders], storage=MemoryStorage(), store=MemorySnapshots(), name="shop")
        >>> await engine.start()
        >>> (await orders.first(10)).value
        >>> await engine.close()
    """

    def __init__(
        self,
        sources: Iterable[Source],
        *,
        storage: Storage,
        store: SnapshotStore,
        name: str,
        pool: Pool | None = None,
        clock: Clock | None = None,
        served: str | None = None,
    ) -> None:
        self.name = name
        self.sources = in_order(sources)
        self._storage = storage
        self._store = store
        self._clock = clock or Clock()
        self._served = served or name
        self._pool = pool or Pool(2 * len(self.sources) + 4, "flash-data")
        self._owns_pool = pool is None
        self._topic = news_of(name)
        self._process = secrets.token_hex(8)
        self._lock: ProcessLock | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._term: Term | None = None
        self._listeners = Listeners(self._pool)
        self._following = Following(self.sources, storage, store, self._topic, self._hear, self._listeners)
        self._runs = Runs(self._pool, self._clock)
        self._leader = Leader(storage, lease_of(name), self._process, self)
        self._ledger = Ledger(storage, store, self._topic, self._following, self._leader.confirm, self._clock)
        self._asks = Asks(storage, self._topic, self._run)
        self._asks.leads = lambda: self._term is not None

    @property
    def leads(self) -> bool:
        """Whether this process runs the sources."""
        return self._leader.leads

    @property
    def clock(self) -> Clock:
        """What time it is."""
        return self._clock

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that it runs on."""
        if self._loop is None:
            raise ConfigurationError(f"The engine {self.name!r} has not been started.")
        return self._loop

    @property
    def on_news(self) -> list[Callable[[Source], None]]:
        """Called on the loop with each source of which this process has taken in a new version or state."""
        return self._following.on_news

    async def start(self) -> None:
        """Take in what is kept, and lead if nobody does.

        Raises:
            SeveralProcesses: Other processes of the same parent run these sources, and nothing is shared with them.
            ConfigurationError: Another engine of this process runs one of the sources.
            SnapshotStoreError: The store cannot be used.
        """
        await self._refuse_several()
        try:
            self._attach()
            await self._store.start()
            await self._following.start()
            await self._leader.start()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """End all runs, give the lease back, and let go of everything. It may be called again."""
        await self._leader.close()
        await self._asks.close()
        await self._tell({"free": self._process})
        await self._runs.close()
        await self._following.close()
        await self._listeners.close()
        await self._store.close()
        self.abandon()

    def abandon(self) -> None:
        """Let go of what needs no loop: all that can be done when the one that it ran on is closed."""
        self._detach()
        if self._owns_pool:
            self._pool.close()
        if self._lock is not None:
            # Not in a thread: when the program ends, Python starts none any more.
            lock, self._lock = self._lock, None
            lock.release()

    # What sources ask.

    async def refresh(self, source: Source) -> Snapshot:
        """Run a source now, in the process that leads, and give the snapshot.

        Raises:
            SourceError: The run has failed, or nobody leads.
        """
        version = await self._asks.ask(source)
        return await self.reached(source, version, _ARRIVAL_SECONDS)

    async def history(self, source: Source, most: int = 10) -> list[Snapshot]:
        """The last snapshots of a source that are kept, the newest first, at most so many."""
        stale_after = source.settings.max_stale
        newest = source.get()
        kept = await self._store.history(source.name, most)
        shown = [Known(record).snapshot(source.name, stale_after, self._clock) for record in kept]
        return [replace(each, at=newest.at) if each.version == newest.version else each for each in shown]

    async def reached(self, source: Source, version: int, seconds: float | None) -> Snapshot:
        """The newest snapshot, as soon as it has a version, or after so many seconds."""
        return await self._following.reached(source, version, seconds)

    # What the lease asks.

    async def begin(self) -> None:
        """Begin to run the sources: this process leads."""
        term = Term(self.sources, self._runs, self._ledger, self._store, self._clock)
        try:
            await term.begin()
        except BaseException:
            await term.end()
            raise
        self._term = term
        await self._tell({"leads": self._process})

    async def end(self) -> None:
        """Run nothing more: this process leads no more."""
        term, self._term = self._term, None
        if term is not None:
            await term.end()

    async def renewed(self) -> None:
        """The lease was renewed."""
        if self._term is not None:
            await self._term.renewed()

    async def _run(self, name: str, given: int | None) -> tuple[int, Failure | None]:
        source = next((each for each in self.sources if each.name == name), None)
        if source is None or self._term is None:
            raise SourceError(f"The process that runs the sources knows none called {name!r}.")
        try:
            failure = await (self._term.refresh(source) if given is None else self._term.take(source, given))
        except LeaseLost:
            # Who asks, asks again: the next process that leads.
            raise asyncio.CancelledError from None
        return source.version, failure

    def _hear(self, message: dict[str, Any]) -> None:
        if "free" in message:
            self._leader.look()
        else:
            self._asks.hear(message)

    async def _tell(self, news: dict[str, str]) -> None:
        """Tell the other processes of the lease. Without that they find out, a little later."""
        try:
            async with asyncio.timeout(1):
                await self._storage.apublish(self._topic, news, NEWS_TTL)
        except (TimeoutError, SharedStorageError) as error:
            logger.debug("The other processes were not told %s: %s", news, error)

    # Beginning and ending.

    async def _refuse_several(self) -> None:
        """Processes that share nothing would each run the sources, or never see what another has read."""
        if isinstance(self._storage, MemoryStorage):
            self._lock = await refuse_several(self._served, GRACE_SECONDS)
        elif not self._store.shared_between_processes:
            try:
                self._lock = await refuse_several(self._served, GRACE_SECONDS)
            except SeveralProcesses:
                raise SeveralProcesses(
                    f"Another process serves {self._served} too, and the snapshots of its sources are in the memory of "
                    "each. Leave out use_store() and FLASH_DATA_STORE, so that they are kept in Redis, or name it: "
                    '"redis://host:6379/0".'
                ) from None

    def _attach(self) -> None:
        self._loop = asyncio.get_running_loop()
        for source in self.sources:
            source.attach(self)

    def _detach(self) -> None:
        for source in self.sources:
            if source.engine is self:
                source.detach()
