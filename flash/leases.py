"""Lanes across processes: while a job runs, its process holds the lane's lease in the storage that all of them use."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import secrets
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager, suppress

from .storage import SharedStorageError, Storage

logger = logging.getLogger("flash")

#: Seconds after which the lease of a process that has ended without a word is free again.
LEASE_SECONDS = 10.0

#: Seconds between two attempts to get a lease that another process has.
_FIRST_WAIT, _LONGEST_WAIT = 0.01, 0.1

#: A process that has held a lane for so many seconds lets others have it first, if they want it.
_LONGEST_HOLD = 0.5
#: A lane that was free for so many seconds was free for others too.
_BREAK = 0.2


class LaneLeases:
    """What keeps other processes out of a lane: ``Lanes(exclusion=LaneLeases(storage, "app").held)``.

    One process at a time has a lane. Within a process the order is that of arrival; between processes each has the
    lane for a while. Without the storage no job begins.

    Args:
        storage: What all processes use.
        prefix: Of the names of the leases, the same in all processes of an app.
        seconds: How long a lease outlives a process that has ended without a word.

    Example:
        >>> lanes = Lanes(exclusion=LaneLeases(storage, "lanes").held)
    """

    def __init__(self, storage: Storage, prefix: str, seconds: float = LEASE_SECONDS) -> None:
        self._storage = storage
        self._prefix = prefix
        self._seconds = seconds
        self._process = secrets.token_urlsafe(9)
        self._numbers = itertools.count(1)
        #: Since when this process has had a lane without a break, and when it had it last.
        self._held: dict[str, tuple[float, float]] = {}

    @asynccontextmanager
    async def held(self, key: Hashable) -> AsyncIterator[None]:
        """Hold the lease of a lane while the block runs.

        Raises:
            SharedStorageError: The storage does not answer.
        """
        name = f"{self._prefix}:{key!r}"
        # One for each holding: a release that comes late must not end the next one.
        owner = f"{self._process}.{next(self._numbers)}"
        try:
            await self._step_back(name)
            await self._acquire(name, owner)
            begun = asyncio.get_running_loop().time()
            renewing = asyncio.create_task(self._renew(name, owner))
            try:
                yield
            finally:
                renewing.cancel()
                self._note(name, begun)
        finally:
            with suppress(SharedStorageError):  # It ends by itself.
                await self._storage.arelease(name, owner)

    async def _acquire(self, name: str, owner: str) -> None:
        wait = _FIRST_WAIT
        while await self._storage.aacquire(name, owner, self._seconds) is None:
            await self._storage.aset(_wanted(name), self._process, ttl=1.0)
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))
            wait = min(wait * 1.5, _LONGEST_WAIT)

    async def _renew(self, name: str, owner: str) -> None:
        while True:
            await asyncio.sleep(self._seconds / 3)
            try:
                if not await self._storage.arenew(name, owner, self._seconds):
                    logger.error("The lease %s was lost while a callback ran: another process may run it too.", name)
                    return
            except SharedStorageError as error:
                logger.warning("The lease %s could not be renewed: %s", name, error)

    # Fairness.

    def _note(self, name: str, begun: float) -> None:
        """Note that this process has had a lane until now; what is past is forgotten."""
        now = asyncio.get_running_loop().time()
        since, until = self._held.pop(name, (begun, begun))
        self._held = {each: times for each, times in self._held.items() if now - times[1] < _BREAK}
        self._held[name] = (since if begun - until < _BREAK else begun), now

    async def _step_back(self, name: str) -> None:
        """Leave a lane to other processes that want it, after having had it for long."""
        now = asyncio.get_running_loop().time()
        since, until = self._held.get(name, (now, now))
        if now - until >= _BREAK or until - since < _LONGEST_HOLD:
            return
        del self._held[name]
        if await self._storage.aget(_wanted(name)) not in (None, self._process):
            await self._storage.adelete(_wanted(name))
            await asyncio.sleep(2 * _LONGEST_WAIT)


def _wanted(name: str) -> str:
    return f"{name}:wanted"
