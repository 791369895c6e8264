"""The log of shared changes of several processes: a topic of the storage, which all of them read.

Each process writes what its tabs change, reads everything in the one order that the storage gives, and folds it: so all
hold the same state, and a change counts where the storage has put it. One process leads, by a lease: it alone runs the
callbacks. What is older than the last snapshot is trimmed; who starts, or has fallen behind, begins with the snapshot.

When the storage cannot be reached, shared properties cannot be changed; pages are told so, and show what they show. All
goes on by itself when it is back.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from ..storage import SharedStorageError, SharedStorageGap, Storage
from .entries import AnyEntry, Leads, Outcome
from .snapshots import LogPlace, Snapshots

if TYPE_CHECKING:
    from .shared import Shared

logger = logging.getLogger("flash")

#: How long the process that leads may be silent before another takes its place, in seconds.
_LEASE_SECONDS = 5.0
#: How often it renews its lease, and others look whether it is free.
_LEASE_INTERVAL = 1.0
#: How often what has changed is written down for processes that start later.
_SNAPSHOT_INTERVAL = 1.0
#: So many messages are kept behind the snapshot, for processes that are a little behind.
_KEPT_MESSAGES = 2_000
#: The processes whose batches are remembered, the latest.
_MOST_PROCESSES = 1000
#: Entries that wait to be written; more are refused.
_MOST_WAITING = 20_000
#: Entries that are written together.
_MOST_TOGETHER = 500
#: Seconds between two attempts while the storage does not answer.
_PAUSES = (0.1, 2.0)
#: Seconds in which a process that ends gives away what it holds.
_ENDING_SECONDS = 2.0

_decoder = msgspec.json.Decoder(list[AnyEntry])


class StoredLog:
    """The log in a storage.

    Args:
        shared: The room whose state it makes.
        storage: Where it is kept.
        name: The app's, for the keys.
        fold: Takes each entry into the state.
    """

    def __init__(self, shared: Shared, storage: Storage, name: str, fold: Callable[[AnyEntry], None]) -> None:
        self._shared = shared
        self._storage = storage
        self._topic = f"shared:{name}:log"
        self._lease = f"shared:{name}:leads"
        self._fold = fold
        self._snapshots = Snapshots(shared, storage, name)
        self._tasks: list[asyncio.Task[None]] = []
        self._forget()

    def _forget(self) -> None:
        """Begin anew: nothing is written, read or led."""
        self.leads = False
        self._waiting: list[AnyEntry] = []
        self._written = 0
        self._wakes = asyncio.Event()
        self._reachable = True
        self._caught_up = asyncio.Event()
        self._place = LogPlace()
        #: What nobody has run, because nobody leads.
        self._unled: list[AnyEntry] = []
        self._asked_term = 0
        #: Whether this process has the lease; from the entry that says so until the one that gives it back, it leads.
        self._holds = False
        self._resigned = False
        self._renewed_at = float("-inf")

    # What the room asks.

    @property
    def available(self) -> bool:
        """Whether entries can be written now."""
        return self._reachable and len(self._waiting) < _MOST_WAITING

    @property
    def term(self) -> int:
        """The term of the process that leads. What is written in an older one does not count."""
        return self._place.term

    def append(self, entry: AnyEntry) -> None:
        """Write an entry. It is folded when it comes back, in its turn."""
        if isinstance(entry, Outcome):
            # What runs on after the lease was lost is of no term.
            entry.term = self._place.term if self._holds else -1
        self._waiting.append(entry)
        self._wakes.set()

    async def start(self) -> None:
        """Take over the state of the other processes, and begin to follow.

        Raises:
            SharedStorageError: The storage cannot be reached.
        """
        self._forget()
        self._place = await self._snapshots.load()
        self._tasks = [asyncio.create_task(self._endlessly(each)) for each in (self._read, self._write, self._lead)]
        await asyncio.wait_for(self._caught_up.wait(), 30)

    async def resign(self) -> None:
        """Begin no more runs here. Who leads next, which is after :meth:`close`, runs what comes from now on."""
        self._resigned = True
        if self.leads:
            self.append(Leads(None, self._place.term))
            with suppress(TimeoutError):
                async with asyncio.timeout(_ENDING_SECONDS):
                    while self.leads:  # noqa: ASYNC110
                        await asyncio.sleep(0.005)

    async def close(self) -> None:
        """Let another process lead, and end."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
            try:
                async with asyncio.timeout(_ENDING_SECONDS):
                    await self._give_back()
            except (TimeoutError, SharedStorageError):
                logger.warning("The shared storage did not answer at the end: another process leads after a while.")
        self._tasks = []

    async def _give_back(self) -> None:
        while self._waiting:
            await self._publish()
        if self._holds:
            await self._storage.arelease(self._lease, self._shared.process)

    async def _endlessly(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Go on with one of the log's tasks whatever fails, at longer and longer intervals."""
        pause = _PAUSES[0]
        while True:
            began = time.monotonic()
            try:
                await work()
            except SharedStorageError as error:
                self._lost(error)
            except Exception:
                logger.exception("The log of shared changes has failed; it goes on.")
            pause = _PAUSES[0] if time.monotonic() - began > _PAUSES[1] else min(2 * pause, _PAUSES[1])
            await asyncio.sleep(pause * (0.5 + secrets.randbelow(1000) / 1000))

    def _lost(self, error: Exception) -> None:
        if self._reachable:
            self._reachable = False
            self._wakes.set()  # Something must be written, and come back, before all is well.
            logger.error("The shared storage cannot be reached; shared properties cannot be changed now: %s", error)

    def _found(self) -> None:
        if not self._reachable:
            self._reachable = True
            logger.warning("The shared storage can be reached again.")

    # Writing.

    async def _write(self) -> None:
        while True:
            # Perhaps an empty batch: when it comes back, all that was there before has been read.
            await self._publish()
            while self._waiting:
                await self._publish()
            await self._wakes.wait()
            self._wakes.clear()

    async def _publish(self) -> None:
        """Write the next batch. When that fails it is written again: under its number it counts once."""
        batch = self._waiting[:_MOST_TOGETHER]
        number = self._written + 1
        text = msgspec.json.encode(batch).decode()
        await self._storage.apublish(self._topic, {"process": self._shared.process, "batch": number, "entries": text})
        self._written = number
        del self._waiting[: len(batch)]

    # Reading.

    async def _read(self) -> None:
        try:
            async with await self._storage.asubscribe(self._topic, self._place.seq) as subscription:
                while messages := await subscription.apoll():
                    for seq, message in messages:
                        self._take(seq, message)
                    # What was read together must not keep others waiting.
                    await asyncio.sleep(0)
        except SharedStorageGap:
            logger.warning("This process has fallen behind the log of shared changes, or its storage has lost it.")
            self._place = await self._snapshots.recover(self._place)
            self._shared.refresh_all()

    def _take(self, seq: int, message: dict[str, Any]) -> None:
        """Fold the entries of one message."""
        self._place.seq = seq
        batches, process, batch = self._place.batches, message["process"], message["batch"]
        if process == self._shared.process:
            self._caught_up.set()
            self._found()
        if batch <= batches.get(process, 0):
            return
        batches.pop(process, None)  # The latest stands last.
        batches[process] = batch
        if len(batches) > _MOST_PROCESSES:
            del batches[next(iter(batches))]
        for entry in _decoder.decode(message["entries"]):
            self._take_entry(entry)

    def _take_entry(self, entry: AnyEntry) -> None:
        if isinstance(entry, Leads):
            self._follow(entry)
        elif isinstance(entry, Outcome) and entry.term != self._place.term:
            return  # Of a process that led before.
        elif self._place.leader is None and not isinstance(entry, Outcome):
            self._unled.append(entry)
        self._fold(entry)

    # Leading.

    def _follow(self, entry: Leads) -> None:
        """Another process leads from here on, or none."""
        if entry.term < self._place.term:
            return
        crashed = self._place.leader is not None and entry.process is not None
        self._place.leader, self._place.term = entry.process, entry.term
        self.leads = entry.process == self._shared.process
        if crashed:
            self._shared.lose_runs()
        unled, self._unled = self._unled, []
        if entry.process is None:
            return
        if self.leads:
            for each in unled:
                self._shared.run_late(each)

    async def _lead(self) -> None:
        snapshot_at = time.monotonic()
        while True:
            began = time.monotonic()
            try:
                async with asyncio.timeout(_LEASE_SECONDS / 2):
                    term = await self._storage.aacquire(self._lease, self._shared.process, _LEASE_SECONDS)
            except (TimeoutError, SharedStorageError):
                if began - self._renewed_at > _LEASE_SECONDS - _LEASE_INTERVAL:
                    self.leads = self._holds = False  # Another one may lead by now.
                raise
            self._holds = term is not None
            if term is None:
                self.leads = False
            else:
                self._renewed_at = began
                if term != self._asked_term and not self._resigned:
                    self._asked_term = term
                    self.append(Leads(self._shared.process, term))
                if self.leads and time.monotonic() - snapshot_at >= _SNAPSHOT_INTERVAL:
                    snapshot_at = time.monotonic()
                    place = replace(self._place, batches=dict(self._place.batches))
                    if await self._snapshots.save(place):
                        await self._storage.atrim(self._topic, place.seq - _KEPT_MESSAGES)
            await asyncio.sleep(_LEASE_INTERVAL)
