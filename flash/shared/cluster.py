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
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..storage import SharedStorageError, SharedStorageGap, Storage
from .entries import AnyEntry, Change, Leads, Outcome, entries_in
from .outgoing import Outgoing
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
#: So many messages are kept behind the snapshot, for processes that are a little behind, and so many bytes.
_KEPT_MESSAGES = 2_000
_KEPT_BYTES = 64_000_000
#: So many batches may be written at once, and one more in each of so many seconds: every one costs a round trip.
_BATCHES_AT_ONCE = 4.0
_GATHERING_SECONDS = 0.005
#: The processes whose batches are remembered, the latest.
_MOST_PROCESSES = 1000
#: Seconds between two attempts while the storage does not answer.
_PAUSES = (0.1, 2.0)
#: Seconds in which a process that starts has read what it has missed, and one that ends gives away what it holds.
_STARTING_SECONDS = 30.0
_ENDING_SECONDS = 2.0


class StoredLog:
    """The log in a storage.

    Args:
        shared: The room whose state it makes.
        storage: Where it is kept.
        name: The app's, for the keys.
        fold: Takes each entry into the state; None is one that a newer release has written.
    """

    def __init__(self, shared: Shared, storage: Storage, name: str, fold: Callable[[AnyEntry | None], None]) -> None:
        self._shared = shared
        self._storage = storage
        self._topic = f"shared:{name}:log"
        self._lease = f"shared:{name}:leads"
        self._fold = fold
        self._snapshots = Snapshots(shared, storage, name, self._topic)
        self._tasks: list[asyncio.Task[None]] = []
        self._forget()

    def _forget(self) -> None:
        """Begin anew: nothing is written, read or led."""
        self._outgoing = Outgoing()
        self._wakes = asyncio.Event()
        #: How many batches may be written now without gathering, as of a time.
        self._credit = _BATCHES_AT_ONCE
        self._credited_at = float("-inf")
        self._reachable = True
        self._dropping = False
        self._caught_up = asyncio.Event()
        self._place = LogPlace()
        #: The numbers and sizes of the last messages.
        self._sizes: deque[tuple[int, int]] = deque()
        self._size = 0
        #: Changes that nobody has run, because nobody leads.
        self._unled: list[Change] = []
        #: The term that this process has asked for, and the one in which its runs count.
        self._announced = 0
        self._term: int | None = None
        self._resigned = False
        #: Until when no other process can have the lease.
        self._held_until = float("-inf")

    # What the room asks.

    @property
    def leads(self) -> bool:
        """Whether this process runs the callbacks: the log says so, and its lease has not run out."""
        return self._place.leader == self._shared.process and time.monotonic() < self._held_until

    @property
    def available(self) -> bool:
        """Whether entries can be written now."""
        return self._reachable and not self._outgoing.is_full

    def append(self, entry: AnyEntry) -> None:
        """Write an entry. It is folded when it comes back, in its turn."""
        if isinstance(entry, Outcome):
            if self._term is None:
                return  # Of a run that another process's term has ended.
            entry.term = self._term
        if self._outgoing.add(entry):
            self._wakes.set()
        elif not self._dropping:
            self._dropping = True
            logger.error("Too much waits for the shared storage; what code pushes now is lost.")

    async def start(self) -> None:
        """Take over the state of the other processes, and begin to follow.

        Raises:
            SharedStorageError: The storage cannot be reached.
        """
        self._forget()
        self._place = await self._snapshots.load()
        work = self._read, self._write, self._lead, self._keep
        self._tasks = [asyncio.create_task(self._endlessly(each)) for each in work]
        try:
            async with asyncio.timeout(_STARTING_SECONDS):
                await self._caught_up.wait()
        except TimeoutError:
            raise SharedStorageError("The log of shared changes could not be read in time.") from None
        finally:
            if not self._caught_up.is_set():
                await self._end_tasks()

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
        if not self._tasks:
            return
        await self._end_tasks()
        try:
            async with asyncio.timeout(_ENDING_SECONDS):
                while self._outgoing.is_waiting:
                    await self._publish()
                await self._storage.arelease(self._lease, self._shared.process)
        except (TimeoutError, SharedStorageError):
            logger.warning("The shared storage did not answer at the end: another process leads after a while.")
        self._held_until = float("-inf")

    async def _end_tasks(self) -> None:
        tasks, self._tasks = set(self._tasks), []
        while tasks:
            # What a storage does may take a cancellation for a timeout of its own.
            for task in tasks:
                task.cancel()
            _, tasks = await asyncio.wait(tasks, timeout=0.1)

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
            self._dropping = False
            logger.warning("The shared storage can be reached again.")

    # Writing.

    async def _write(self) -> None:
        while True:
            # Perhaps an empty batch: when it comes back, all that was there before has been read.
            await self._gather()
            await self._publish()
            while self._outgoing.is_waiting:
                await self._gather()
                await self._publish()
            await self._wakes.wait()
            self._wakes.clear()

    async def _gather(self) -> None:
        """Wait for a moment when much is written, so that more goes together; a few batches go at once."""
        now = time.monotonic()
        self._credit = min(_BATCHES_AT_ONCE, self._credit + (now - self._credited_at) / _GATHERING_SECONDS) - 1
        self._credited_at = now
        if self._credit < 0:
            await asyncio.sleep(-self._credit * _GATHERING_SECONDS)

    async def _publish(self) -> None:
        """Write the next batch. When that fails it is written again: under its number it counts once."""
        batch, epoch = self._outgoing.next(), self._shared.epoch
        message = {"process": self._shared.process, "batch": batch.number, "epoch": epoch, "entries": batch.text}
        await self._storage.apublish(self._topic, message)
        # What was written into a history that has ended does not count.
        batch.written = epoch == self._shared.epoch

    # Reading.

    async def _read(self) -> None:
        try:
            async with await self._storage.asubscribe(self._topic, self._place.seq) as subscription:
                while messages := await subscription.apoll():
                    for seq, message in messages:
                        if message["epoch"] != self._shared.epoch and (
                            other := await self._snapshots.other(self._place)
                        ):
                            return self._change_over(other)
                        self._take(seq, message)
                    # What was read together must not keep others waiting.
                    await asyncio.sleep(0)
        except SharedStorageGap:
            logger.warning("This process has fallen behind the log of shared changes, or its storage has lost it.")
            self._change_over(await self._snapshots.recover(self._place))

    def _change_over(self, place: LogPlace) -> None:
        """Go on with a state that this process has not folded itself, and from another place."""
        self._place = place
        self._sizes.clear()
        self._size = 0
        self._outgoing.write_again(place.batches.get(self._shared.process, 0))
        self._wakes.set()
        if place.leader != self._shared.process:
            self._term = None
        self._shared.lose_runs(self._outgoing.names(), self._term is not None)
        self._shared.refresh_all()
        if time.monotonic() < self._held_until:
            self._announce()  # Perhaps nobody has read it yet.

    def _take(self, seq: int, message: dict[str, Any]) -> None:
        """Fold the entries of one message, if it is of this history and new."""
        self._place.seq = seq
        self._measure(seq, len(message["entries"]))
        batches, process, batch = self._place.batches, message["process"], message["batch"]
        if message["epoch"] != self._shared.epoch or batch <= batches.get(process, 0):
            return
        batches.pop(process, None)  # The latest stands last.
        batches[process] = batch
        if len(batches) > _MOST_PROCESSES:
            del batches[next(iter(batches))]
        for entry in entries_in(message["entries"]):
            self._take_entry(entry)
        if process == self._shared.process:
            self._outgoing.read_back(batch)
            self._caught_up.set()
            self._found()

    def _measure(self, seq: int, size: int) -> None:
        """Remember which messages are the last ones, of so many bytes."""
        self._sizes.append((seq, size))
        self._size += size
        while len(self._sizes) > _KEPT_MESSAGES or self._size > _KEPT_BYTES:
            self._size -= self._sizes.popleft()[1]

    def _take_entry(self, entry: AnyEntry | None) -> None:
        if isinstance(entry, Leads):
            self._follow(entry)
        elif isinstance(entry, Outcome) and not self._place.since <= entry.term <= self._place.term:
            return  # Of a process that led before.
        elif isinstance(entry, Change) and self._is_unled:
            self._unled.append(entry)
        self._fold(entry)

    # Leading.

    @property
    def _is_unled(self) -> bool:
        """Whether nobody runs what comes now: nobody leads, or this process, whose lease has run out."""
        leader = self._place.leader
        return leader is None or (leader == self._shared.process and not self.leads)

    def _follow(self, entry: Leads) -> None:
        """Another process leads from here on, or none, or the same one again."""
        place = self._place
        if entry.term < place.term:
            return
        before, place.leader, place.term = place.leader, entry.process, entry.term
        if entry.process == self._shared.process:
            self._term = entry.term
        if entry.process is None or entry.process == before:
            return self._run_unled()
        place.since = entry.term
        if before is not None:
            self._unled.clear()  # It may have run them, or not.
        if entry.process != self._shared.process:
            self._term = None
        coming = {each.asker.request for each in self._unled if each.asker and self._is_own(each)}
        self._shared.lose_runs(self._outgoing.names() | coming, self._term is not None)
        if entry.process == self._shared.process:
            self._run_unled()
        else:
            self._unled.clear()
        self._shared.reopen()

    def _is_own(self, change: Change) -> bool:
        return change.asker is not None and change.asker.process == self._shared.process

    def _run_unled(self) -> None:
        """Run what nobody has run, if this process leads now."""
        if self.leads:
            unled, self._unled = self._unled, []
            for each in unled:
                self._shared.run_late(each)

    async def _lead(self) -> None:
        """Lead when nobody else does, and go on."""
        while True:
            if not self._resigned or time.monotonic() < self._held_until:
                await self._ask_for_lease()
            await asyncio.sleep(_LEASE_INTERVAL)

    async def _ask_for_lease(self) -> None:
        began = time.monotonic()
        try:
            async with asyncio.timeout(_LEASE_SECONDS / 2):
                term = await self._storage.aacquire(self._lease, self._shared.process, _LEASE_SECONDS)
        except TimeoutError:
            raise SharedStorageError("It does not answer.") from None
        if term is None:
            self._held_until = float("-inf")
            return
        self._held_until = began + _LEASE_SECONDS
        if term != self._announced:
            self._announced = term
            self._announce()
        self._run_unled()

    def _announce(self) -> None:
        """Say that this process leads from here on."""
        if not self._resigned:
            self.append(Leads(self._shared.process, self._announced))

    async def _keep(self) -> None:
        """Write down what has changed, and drop from the log what nobody needs any more."""
        while True:
            await asyncio.sleep(_SNAPSHOT_INTERVAL)
            if self.leads:
                place = replace(self._place, batches=dict(self._place.batches))
                kept = self._sizes[0][0] if self._sizes else place.seq
                if await self._snapshots.save(place):
                    await self._storage.atrim(self._topic, min(kept, place.seq))
