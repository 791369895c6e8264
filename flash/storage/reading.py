"""Subscriptions that wait by reading from somewhere: the read is cut off when they are closed."""

from __future__ import annotations

import abc
import asyncio
import contextlib
from typing import Any

from .base import SharedStorageError, Subscription


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
        """What :meth:`_afetch` gives."""

    async def _afetch(self, after: int) -> list[tuple[int, Any]]:
        task = asyncio.ensure_future(self._read(after))
        self._reading = asyncio.get_running_loop(), task
        if self._closed:
            task.cancel()
        try:
            return await task
        except asyncio.CancelledError:
            reader = asyncio.current_task()
            if self._closed and reader is not None and not reader.cancelling():
                return []
            raise
        except SharedStorageError:
            # Closed together with its storage, whose connections may be gone first.
            if self._closed:
                return []
            raise
        finally:
            self._reading = None
