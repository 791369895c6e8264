"""What time it is, and waiting for it. Tests put ``flash.testing.SimulatedClock`` in its place."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

#: Seconds after which a sleeper looks at the wall clock again: the machine may have been suspended, or its clock set.
LOOKS_EVERY = 30.0


class Clock:
    """The machine's clock.

    Example:
        >>> clock = Clock()
        >>> await clock.sleep(1.5)
        >>> clock.now()
        datetime.datetime(2026, 3, 29, 1, 0, 1, 500120, tzinfo=datetime.timezone.utc)
    """

    def now(self) -> datetime:
        """What time it is, as an aware datetime in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait.

        It ends after so many seconds, or when the wall clock says that so much time is over: a machine that was
        suspended does not wait again for the time that it has slept through. It may take 30 seconds to notice that.
        A wall clock that is set back makes no wait longer.

        Args:
            seconds: How long; not longer than until the next turn of the loop when it is 0 or less.
        """
        loop = asyncio.get_running_loop()
        began, turned_up = self.now(), loop.time()
        left = seconds
        while True:
            await asyncio.sleep(max(0.0, min(left, LOOKS_EVERY)))
            passed = max((self.now() - began).total_seconds(), loop.time() - turned_up)
            left = seconds - passed
            if left <= 0:
                return
