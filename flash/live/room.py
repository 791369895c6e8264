"""Waiting until there is room for more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Room:
    """Where those wait who make more than a tab can read.

    Args:
        has_room: Whether there is room now.
    """

    __slots__ = ("_has_room", "_waiters")

    def __init__(self, has_room: Callable[[], bool]) -> None:
        self._has_room = has_room
        self._waiters: list[asyncio.Future[None]] = []

    async def wait(self) -> None:
        """Wait until there is room."""
        while not self._has_room():
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            finally:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)

    def let_in(self) -> None:
        """Wake those who wait, if there is room."""
        if self._waiters and self._has_room():
            waiters, self._waiters = self._waiters, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)
