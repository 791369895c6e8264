"""Subscriptions that wait by reading from somewhere: the read is cut off when they are closed."""

from __future__ import annotations

import abc
import asyncio
import contextlib
from typing import Any

from .base import Subscription

#: How long a cancelled reader waits until its connection has been put away, in seconds.
CLEAN_UP = 1.0


class ReadingSubscription(Subscription):
    """Runs each read in a task of its own, which :meth:`close` cancels from whatever thread it is called."""

    def __init__(self, topic: str, seq: int) -> None:
        super().__init__(topic, seq)
        self._closed = False
        self._reading: tuple[asyncio.AbstractEventLoop, asyncio.Task[list[tuple[int, Any]]]] | None = None

    @property
    def closed(self) -> bool:
        """Whether the subscription, or its storage, has been closed."""
        return self._closed

    def close(self) -> None:
        """End the subscription, and whoever iterates it."""
        self._closed = True
        reading = self._reading
        if reading is not None:
            loop, task = reading
            # The reader's loop may have been closed.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(task.cancel)

    @abc.abstractmethod
    async def _read(self, after: int) -> list[tuple[int, Any]]:
        """What :meth:`_afetch` gives; none after some seconds in which there was none."""

    async def _afetch(self, after: int) -> list[tuple[int, Any]]:
        task = asyncio.ensure_future(self._read(after))
        task.add_done_callback(_seen)
        self._reading = asyncio.get_running_loop(), task
        if self._closed:
            task.cancel()
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            # What reads may take a cancellation for a timeout of its own; whoever is cancelled does not wait for it.
            task.cancel()
            await asyncio.wait({task}, timeout=CLEAN_UP)
            raise
        finally:
            self._reading = None
        # Closed together with its storage, whose connections may be gone first.
        return [] if self._closed else task.result()


def _seen(task: asyncio.Task[Any]) -> None:
    """Nobody is left to be told of an error after a cancellation, or at the end."""
    if not task.cancelled():
        task.exception()
