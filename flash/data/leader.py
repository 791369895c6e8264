"""The lease: one process of a cluster runs the sources."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Protocol

from ..exceptions import FlashError
from ..storage import MemoryStorage, SharedStorageError, Storage
from .ending import ended

logger = logging.getLogger("flash")

#: How long the process that leads may be silent before another takes its place, in seconds.
LEASE_SECONDS = 10.0
#: How often it renews its lease, and others look whether it is free.
LEASE_INTERVAL = 3.0
#: The same where there is one process only.
_ALONE_SECONDS = 3600.0
#: How long the storage may take to answer at the end.
_ENDING_SECONDS = 2.0


def lease_of(name: str) -> str:
    """What the lease is called of the processes that have a name in common."""
    return f"data:{name}:leads"


class LeaseLost(FlashError):
    """This process leads no more, or cannot make sure that it does: it writes nothing."""


class Work(Protocol):
    """What is done by the process that leads."""

    async def begin(self) -> None:
        """This process leads from now on."""

    async def end(self) -> None:
        """It leads no more."""

    async def renewed(self) -> None:
        """It still leads, and the storage answers."""


class Leader:
    """Holds the lease of a cluster whenever nobody else does.

    Args:
        storage: Where the lease is.
        name: The lease's.
        owner: This process: a text that no other uses.
        work: Begins when this process begins to lead; when that fails, it is tried again after a while.
    """

    def __init__(self, storage: Storage, name: str, owner: str, work: Work) -> None:
        self._storage = storage
        self._name = name
        self._owner = owner
        # Nobody else can have it in memory, and a function that blocks the loop must not cost it.
        self._seconds = _ALONE_SECONDS if isinstance(storage, MemoryStorage) else LEASE_SECONDS
        self._work = work
        #: The term that has begun here; None: another process leads, or nobody.
        self._term: int | None = None
        self._held_until = float("-inf")
        self._reachable = True
        self._wakes = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def leads(self) -> bool:
        """Whether this process runs the sources, and no other can have begun to."""
        return self._term is not None and time.monotonic() < self._held_until

    async def start(self) -> None:
        """Ask for the lease now, and whenever it may be free."""
        await self._look_and_go_on()
        self._task = asyncio.create_task(self._go_on(), name="flash-data-lease")

    async def close(self) -> None:
        """Lead no more, and give the lease to whoever wants it."""
        task, self._task = self._task, None
        if task is None:
            return
        await ended({task})
        await self._resign()
        self._held_until = float("-inf")
        try:
            async with asyncio.timeout(_ENDING_SECONDS):
                await self._storage.arelease(self._name, self._owner)
        except (TimeoutError, SharedStorageError):
            logger.warning("The shared storage did not answer at the end: another process leads after a while.")

    def look(self) -> None:
        """See at once whether the lease is free."""
        self._wakes.set()

    async def confirm(self) -> int:
        """Make sure that this process leads, and will for the next seconds.

        Returns:
            The number of its term: greater than that of any before.

        Raises:
            LeaseLost: It does not, or the storage cannot say so.
        """
        term = self._term
        if self.leads and term is not None:
            began = time.monotonic()
            try:
                async with asyncio.timeout(LEASE_SECONDS / 2):
                    if await self._storage.arenew(self._name, self._owner, self._seconds):
                        self._held_until = began + self._seconds
                        return term
            except (TimeoutError, SharedStorageError) as error:
                self._lost(error)
            # What must not be written now is run again, by whoever leads next.
            self._held_until = float("-inf")
            self.look()
        raise LeaseLost("This process does not lead any more: another one runs its sources.")

    async def _go_on(self) -> None:
        while True:
            try:
                async with asyncio.timeout(LEASE_INTERVAL):
                    await self._wakes.wait()
            except TimeoutError:
                pass
            self._wakes.clear()
            await self._look_and_go_on()

    async def _look_and_go_on(self) -> None:
        try:
            await self._look()
        except (LeaseLost, SharedStorageError) as error:
            self._lost(error)
        except Exception:
            logger.exception("Leading the sources has failed; it is tried again.")

    async def _look(self) -> None:
        began = time.monotonic()
        if self._term is not None and began >= self._held_until:
            # Another process may have led meanwhile, though the lease is here again.
            await self._resign()
        try:
            async with asyncio.timeout(LEASE_SECONDS / 2):
                term = await self._storage.aacquire(self._name, self._owner, self._seconds)
        except (TimeoutError, SharedStorageError) as error:
            self._lost(error)
            return
        if not self._reachable:
            self._reachable = True
            logger.warning("The shared storage can be reached again; sources are run.")
        if term != self._term:
            await self._resign()
        if term is None:
            return
        self._held_until = began + self._seconds
        if self._term is None:
            self._term = term
            try:
                await self._work.begin()
            except BaseException:
                await self._resign()
                raise
        else:
            await self._work.renewed()

    async def _resign(self) -> None:
        if self._term is not None:
            try:
                await self._work.end()
            finally:
                self._term = None

    def _lost(self, error: Exception) -> None:
        if self._reachable:
            self._reachable = False
            logger.error("The shared storage cannot be reached; sources are not run now: %s", error or "no answer")
