"""The sources of a program from outside of its servers: seen, run once and followed. For ``flash data``.

No schedule is started here. What a run by hand gives is kept by the process that leads, as if it had run there; where
none leads, it is written here, and the lease is held for that moment only, so that no process begins to lead meanwhile.
"""

from __future__ import annotations

import asyncio
import difflib
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..exceptions import ConfigurationError, FlashError
from ..pool import Pool
from ..storage import MemoryStorage, SharedStorageError, SharedStorageGap, Storage, Subscription
from .asks import Asks, given_name
from .chain import Made, consistent, versions_of
from .clock import Clock
from .codec import Encoded, decode
from .failures import RunFailed, SourceError
from .following import Following
from .known import State, from_json
from .leader import LEASE_SECONDS, LeaseLost, lease_of
from .ledger import NEWS_TTL, Ledger, news_of
from .listeners import Listeners
from .runs import Runs
from .source import Source
from .stores.base import Record, SnapshotStore, SnapshotStoreError

#: How many of the times to come are shown.
TIMES = 3
#: Seconds until a storage that has not answered is asked again.
AGAIN_SECONDS = 2.0


class ReaderFailed(FlashError):
    """The function of a source has raised something.

    Attributes:
        cause: That.
    """

    def __init__(self, source: Source, cause: Exception) -> None:
        super().__init__(f"The source {source.name!r}")
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Fact:
    """What can be told of a source from outside.

    Attributes:
        source: The source.
        next: When it runs next, in its zone; empty for one that follows others.
        state: How it fares, as its servers have written it; None when they keep that to themselves.
    """

    source: Source
    next: list[datetime]
    state: State | None

    @property
    def age(self) -> float | None:
        """Seconds since it was read, or confirmed to be unchanged; None before that, and when it is not known."""
        at = self.state.at if self.state is not None else None
        return None if at is None else max(0.0, (datetime.now(UTC) - at).total_seconds())

    @property
    def fares(self) -> str:
        """In a word: ``unknown``, ``running``, ``failed``, ``empty``, ``stale`` or ``fresh``."""
        if self.state is None:
            return "unknown"
        if self.state.running:
            return "running"
        if self.state.error is not None:
            return "failed"
        if self.age is None:
            return "empty"
        most = self.source.settings.max_stale
        return "stale" if most is not None and self.age > most else "fresh"


@dataclass(frozen=True, slots=True)
class Done:
    """What one run has given.

    Attributes:
        source: The source.
        value: What its readers get.
        size: The bytes that it takes in a store.
        seconds: How long the run took.
        version: The newest version afterwards; None when nothing was kept.
        is_new: Whether that version is this run's.
        told: Whether a server that runs the sources has kept it.
    """

    source: Source
    value: Any
    size: int
    seconds: float
    version: int | None
    is_new: bool
    told: bool


class Outside:
    """The sources of a program, and where its servers keep what they know. Used as a context, on a loop.

    Args:
        sources: The declared ones.
        storage: Where the servers meet.
        store: Where they keep snapshots.
        name: What they call what they have in common.
    """

    def __init__(self, sources: Sequence[Source], storage: Storage, store: SnapshotStore, name: str) -> None:
        self.sources = list(sources)
        self._storage = storage
        self._store = store
        self._name = name
        self._topic = news_of(name)
        self._lease = lease_of(name)
        self._clock = Clock()
        self._pool = Pool(4, "flash-data")
        self._runs = Runs(self._pool, self._clock)
        self._heard: dict[str, State] = {}
        self._open = AsyncExitStack()

    @property
    def can_see(self) -> bool:
        """Whether what servers keep can be seen from here."""
        return self._store.shared_between_processes

    @property
    def can_tell(self) -> bool:
        """Whether servers can be told something from here."""
        return not isinstance(self._storage, MemoryStorage)

    async def __aenter__(self) -> Outside:
        await asyncio.to_thread(self._storage.start)
        self._open.push_async_callback(self._storage.aclose)
        if self.can_see:
            await self._store.start()
            self._open.push_async_callback(self._store.close)
        self._open.push_async_callback(self._runs.close)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._open.aclose()
        self._pool.close()

    def named(self, name: str) -> Source:
        """A source.

        Raises:
            ConfigurationError: There is none of that name.
        """
        known = {each.name: each for each in self.sources}
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            hint = f"Did you mean {close[0]}?" if close else f"There are {', '.join(known)}."
            raise ConfigurationError(f"There is no source {name!r}. {hint}")
        return known[name]

    # Seeing.

    async def facts(self) -> list[Fact]:
        """What can be told of each source now."""
        now = self._clock.now()
        return [Fact(each, times_of(each, now), await self._state(each)) for each in self.sources]

    async def follow(self, every: float | None = None) -> AsyncIterator[list[Fact] | None]:
        """What can be told, now and after each news.

        Args:
            every: After so many seconds also without news.

        Yields:
            The facts; None when the storage does not answer.

        Raises:
            ConfigurationError: The servers' news do not get here.
        """
        if not self.can_tell:
            raise ConfigurationError(
                "The news of a server that keeps them in memory do not get here. Set FLASH_REDIS_URL "
                "(redis://host:6379/0) for the server and for this command, to follow what it reads."
            )
        while True:
            try:
                async with await self._storage.asubscribe(self._topic) as news:
                    while not news.closed:
                        yield await self.facts()
                        await self._hear(news, every)
            except SharedStorageGap:
                continue
            except (SharedStorageError, SnapshotStoreError):
                yield None
                await asyncio.sleep(AGAIN_SECONDS)

    async def _hear(self, news: Subscription, seconds: float | None) -> None:
        """Wait until a source fares differently, at most so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                while messages := await news.apoll():
                    states = {each["source"]: from_json(each["state"]) for _, each in messages if "state" in each}
                    self._heard.update(states)
                    if states:
                        return
        except TimeoutError:
            pass

    async def _state(self, source: Source) -> State | None:
        heard = self._heard.get(source.name)
        if not self.can_see:
            return heard
        kept = from_json(await self._store.state(source.name))
        return heard if heard is not None and heard.is_newer_than(kept) else kept

    # Running.

    async def run(self, source: Source, keep: bool) -> list[Done]:
        """Run a source once, here, after those that it follows and that have given nothing yet.

        Args:
            source: The source.
            keep: Whether to keep what it gives, and to tell the servers.

        Returns:
            One for each source that was run; the one that was asked for comes last.

        Raises:
            ReaderFailed: Its function has raised something.
            RunFailed: It took too long, or gave what cannot be kept.
            SourceError: What it gave was not kept.
            ConfigurationError: Nothing can be kept from here.
        """
        if keep and not self.can_see:
            raise ConfigurationError(
                "What a server keeps in memory cannot be changed from here. Say --dry to see what the source gives, or "
                "set FLASH_REDIS_URL (redis://host:6379/0) for the server and for this command."
            )
        done: dict[str, tuple[Done, Record, Made]] = {}
        await self._run(source, keep, done)
        return [each for each, _, _ in done.values()]

    async def _run(self, source: Source, keep: bool, done: dict[str, tuple[Done, Record, Made]]) -> None:
        records, made = [], []
        for upstream in source.after:
            kept = await self._store.newest(upstream.name) if self.can_see and upstream.name not in done else None
            if kept is None and upstream.name not in done:
                await self._run(upstream, keep, done)
            records.append(kept or done[upstream.name][1])
            made.append(await self._made(upstream, records[-1]) if kept else done[upstream.name][2])
        if consistent([[each] for each in made]) is None:
            names = " and ".join(each.name for each in source.after)
            raise SourceError(f"{names} are made of different versions of the same source. Run them first.")
        began = time.monotonic()
        encoded = await self._read(source, records)
        seconds = time.monotonic() - began
        version, is_new, led = await self._keep(source, encoded, made) if keep else (None, False, False)
        value = decode(encoded.kind, encoded.data)
        record = Record(version or 0, time.time(), encoded.kind, encoded.data, encoded.digest)
        done[source.name] = (
            Done(source, value, len(encoded.data), seconds, version, is_new, led),
            record,
            await self._made(source, record),
        )

    async def _read(self, source: Source, records: Sequence[Record]) -> Encoded:
        try:
            return await self._runs.run(source, records)
        except (SourceError, RunFailed):
            raise
        except Exception as error:
            raise ReaderFailed(source, error) from error

    async def _made(self, source: Source, record: Record) -> Made:
        """What those that follow a source need to know of its version."""
        if not source.after:
            return Made(record.version, {source.name: record.version})
        state = await self._state(source)
        return Made(record.version, {} if state is None else state.roots)

    # Keeping.

    async def _keep(self, source: Source, encoded: Encoded, made: Sequence[Made]) -> tuple[int, bool, bool]:
        """Keep what a run has given.

        Returns:
            The newest version then; whether it is another one than before; and whether a process leads, which kept it.
        """
        before = (await self._state(source) or State()).version
        owner = secrets.token_hex(8)
        led = await self._storage.aacquire(self._lease, owner, LEASE_SECONDS) is None
        if led:
            version = await self._give(source, encoded, made)
        else:
            version = await self._write(source, encoded, made, owner)
        return version, version != before, led

    async def _give(self, source: Source, encoded: Encoded, made: Sequence[Made]) -> int:
        """Have the process that leads keep what a run has given."""
        name, number = given_name(source.name), time.time_ns() // 1000
        now = self._clock.now().timestamp()
        await self._store.put(
            name, Record(number, now, encoded.kind, encoded.data, encoded.digest, versions_of(source, made)), 1
        )
        asks = Asks(self._storage, self._topic)
        async with await self._storage.asubscribe(self._topic) as news:
            hearing = asyncio.create_task(_hear_all(news, asks))
            try:
                return await asks.ask(source, number)
            finally:
                hearing.cancel()
                await asyncio.wait({hearing})
                # In its place: nothing.
                await self._store.put(name, Record(number + 1, now, "json", b"null", "", {}), 1)

    async def _write(self, source: Source, encoded: Encoded, made: Sequence[Made], owner: str) -> int:
        """Keep what a run has given, while this process holds the lease."""

        async def confirm() -> int:
            held = await self._storage.arenew(self._lease, owner, LEASE_SECONDS)
            term = await self._storage.aacquire(self._lease, owner, LEASE_SECONDS) if held else None
            if term is None:
                raise LeaseLost("A process has begun to run the sources meanwhile: nothing was kept. Try again.")
            return term

        following = Following(
            self.sources, self._storage, self._store, self._topic, lambda message: None, _Nobody(self._pool)
        )
        ledger = Ledger(self._storage, self._store, self._topic, following, confirm, self._clock)
        try:
            await ledger.take_over(source)
            await ledger.keep(source, 1, encoded, made)
        finally:
            await self._storage.arelease(self._lease, owner)
            await self._storage.apublish(self._topic, {"free": owner}, NEWS_TTL)
        return from_json(await self._store.state(source.name)).version


class _Nobody(Listeners):
    """No function is called here: the servers call theirs."""

    def tell(self, source: Source) -> None:
        """Nobody."""


async def _hear_all(news: Subscription, asks: Asks) -> None:
    async for message in news:
        asks.hear(message)


def times_of(source: Source, now: datetime) -> list[datetime]:
    """The next times at which a source runs, in its zone."""
    trigger = source.settings.trigger
    found: list[datetime] = []
    moment: datetime | None = now
    while trigger is not None and len(found) < TIMES and (moment := trigger.next_after(moment or now)) is not None:
        found.append(moment.astimezone(trigger.zone))
    return found
