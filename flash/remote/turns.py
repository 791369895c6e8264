"""How many calls of one backend run at once on one event loop, and how many wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

#: Calls that wait, for each that may run.
_WAITING_PER_CALL = 10


class Turns:
    """Lets so many calls run at once. Ten times as many may wait; one more is refused.

    Args:
        limit: How many run at once.
    """

    def __init__(self, limit: int) -> None:
        self._turns = asyncio.Semaphore(limit)
        self._waiting = 0
        self._most_waiting = limit * _WAITING_PER_CALL

    @asynccontextmanager
    async def turn(self, deadline: float, busy: Callable[[str], Exception]) -> AsyncIterator[None]:
        """Wait until a call may run.

        Args:
            deadline: When it is given up, in the loop's time.
            busy: Makes the error of a call that may not, from what there is to tell of that.

        Raises:
            Exception: What ``busy`` has made: too many wait, or it took too long.
        """
        if self._turns.locked() and self._waiting >= self._most_waiting:
            raise busy(f"{self._waiting} calls wait.")
        self._waiting += 1
        try:
            async with asyncio.timeout_at(deadline):
                await self._turns.acquire()
        except TimeoutError as error:
            raise busy("Its turn did not come in time.") from error
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._turns.release()
