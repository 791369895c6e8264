"""Functions that are called with new snapshots: ``source.on_change``."""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from ..calls import call
from ..pool import Pool
from .snapshot import Snapshot
from .source import Listener, Source

logger = logging.getLogger("flash")

#: So many snapshots of a source wait for slow functions; then the oldest are passed over.
MOST_WAITING = 100


class Listeners:
    """Calls the functions, those of one source one after the other.

    Args:
        pool: Where plain ones run.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._waiting: dict[str, deque[Snapshot]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def tell(self, source: Source) -> None:
        """Call a source's functions with its snapshot, soon."""
        if not source.listeners:
            return
        waiting = self._waiting.setdefault(source.name, deque())
        waiting.append(source.get())
        if len(waiting) > MOST_WAITING:
            passed = waiting.popleft()
            logger.warning("on_change of %r is slow: version %d is passed over.", source.name, passed.version)
        if source.name not in self._tasks:
            self._tasks[source.name] = asyncio.create_task(self._work(source), name="flash-data-on-change")

    async def close(self) -> None:
        """End the calls."""
        tasks = set(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=2)
        self._waiting.clear()

    async def _work(self, source: Source) -> None:
        waiting = self._waiting[source.name]
        try:
            while waiting:
                snapshot = waiting.popleft()
                for listener in list(source.listeners):
                    await self._call(listener, snapshot)
        finally:
            self._tasks.pop(source.name, None)

    async def _call(self, listener: Listener, snapshot: Snapshot) -> None:
        try:
            await call(self._pool, listener, snapshot)
        except GeneratorExit:
            raise
        except BaseException as error:
            # A SystemExit would end the server, and a CancelledError of the function's own the calls after it.
            if isinstance(error, asyncio.CancelledError) and _is_cancelled():
                raise
            logger.error("A function of on_change of %r has failed.", snapshot.source, exc_info=error)


def _is_cancelled() -> bool:
    """Whether the task that runs is to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
