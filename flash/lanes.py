"""Lanes: jobs with the same key run one after the other, in the order in which they came.

Nothing but a future waits, so no thread is held. A job runs in the task of its caller, with its context variables;
whatever becomes of that task, the next job gets its turn. A job never waits for another one of its lane: what a
callback sets in motion (by ``push_mods``, or as a chain) is queued behind it and not awaited.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

from .exceptions import RequestRefused
from .services import Overlap

P = ParamSpec("P")
T = TypeVar("T")

#: Keeps other processes out of a lane while its block runs.
Exclusion = Callable[[Hashable], AbstractAsyncContextManager[object]]

MOST_WAITING = 10_000


class Replaced(Exception):
    """A newer job has taken the place of one that waited."""


class Lanes:
    """The lanes of an app. All are used on one loop.

    A lane with nothing to do takes no memory. At most ``most_waiting`` jobs wait in one; one more is refused.

    Args:
        exclusion: Gives for a key what keeps other processes out while a job runs; None for an app of one process.
            Between processes the order is not that of arrival.
        most_waiting: How many jobs wait in one lane.

    Example:
        >>> lanes = Lanes()
        >>> answer = await lanes.run("camera", lambda: take_photo(exposure=3))
    """

    def __init__(self, exclusion: Exclusion | None = None, most_waiting: int = MOST_WAITING) -> None:
        self.exclusion = exclusion
        self.most_waiting = most_waiting
        #: What waits in each lane where a job runs, the oldest first: futures of whether it runs after all.
        self._lanes: dict[Hashable, OrderedDict[Hashable, asyncio.Future[bool]]] = {}
        self._outliving: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """How many lanes are in use."""
        return len(self._lanes)

    async def run(
        self, key: Hashable, job: Callable[[], Awaitable[T]], overlap: Overlap = "queue", replaces: Hashable = None
    ) -> T:
        """Run a job when all that came before it in its lane have ended.

        Args:
            key: The lane.
            job: What runs, in the task of the caller.
            overlap: ``"queue"``: it waits for its turn. ``"most_recent"``: it replaces an older one of its kind that
                waits, and goes to the end. ``"parallel"``: it waits for nothing.
            replaces: Of which kind it is. In the lane of a resource, a newer focus must not replace an exposure.

        Raises:
            Replaced: A newer job of its kind has come while it waited. It has not run.
            RequestRefused: 429, too many jobs wait in the lane.
            Exception: What the job raised.
        """
        if overlap == "parallel":
            return await job()
        await self._wait(key, ("most recent", replaces) if overlap == "most_recent" else object())
        turn, held = Turn(), AsyncExitStack()
        mark = _turn.set(turn)
        try:
            if self.exclusion is not None:
                await held.enter_async_context(self.exclusion(key))
            return await job()
        finally:
            _turn.reset(mark)
            await self._end(key, turn, held)

    async def _wait(self, key: Hashable, kind: Hashable) -> None:
        """Wait for a turn.

        Args:
            key: The lane.
            kind: No two that wait have the same: the newer replaces the older.
        """
        waiting = self._lanes.get(key)
        if waiting is None:
            self._lanes[key] = OrderedDict()
            return
        older = waiting.pop(kind, None)
        if older is not None and not older.done():
            older.set_result(False)
        if len(waiting) >= self.most_waiting:
            raise RequestRefused(429, f"{self.most_waiting} calls already wait for their turn.")
        turn = waiting[kind] = asyncio.get_running_loop().create_future()
        try:
            granted = await turn
        except asyncio.CancelledError:
            if waiting.get(kind) is turn:
                del waiting[kind]
            elif not turn.cancelled() and turn.result():
                self._pass_on(key)  # The turn came in the same moment.
            raise
        if not granted:
            raise Replaced

    async def _end(self, key: Hashable, turn: Turn, held: AsyncExitStack) -> None:
        """Give the turn to the next, as soon as no thread is busy with this one."""
        if turn.end():
            try:
                await held.aclose()
            finally:
                self._pass_on(key)
            return
        # The caller is gone, and its function cannot be stopped.
        task = asyncio.create_task(_outlive(turn, held))
        self._outliving.add(task)
        task.add_done_callback(self._outliving.discard)
        # Not in the task: one that is cancelled before it begins runs nothing.
        task.add_done_callback(lambda _: self._pass_on(key))

    def _pass_on(self, key: Hashable) -> None:
        waiting = self._lanes[key]
        while waiting:
            _, turn = waiting.popitem(last=False)
            if not turn.done():
                turn.set_result(True)
                return
        del self._lanes[key]

    async def close(self) -> None:
        """Stop waiting for functions in threads whose callers are gone."""
        for task in self._outliving:
            task.cancel()
        if self._outliving:
            await asyncio.wait(self._outliving)


async def _outlive(turn: Turn, held: AsyncExitStack) -> None:
    async with held:
        await turn.left


class Turn:
    """The right of one job to be the only one of its lane, for its functions in threads too.

    A thread cannot be cancelled: a function that runs there may outlive the task that has called it.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._inside = 0
        self._over = False
        #: Done when the last thread has left a turn that is over.
        self.left: asyncio.Future[None] = self._loop.create_future()

    def enter(self) -> bool:
        """Begin in a thread. False when the turn is over: then the function must not run."""
        with self._lock:
            if not self._over:
                self._inside += 1
            return not self._over

    def leave(self) -> None:
        """End in that thread."""
        with self._lock:
            self._inside -= 1
            is_last = self._over and not self._inside
        if is_last:
            with suppress(RuntimeError):  # The loop is closed: nobody waits any more.
                self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        if not self.left.done():
            self.left.set_result(None)

    def end(self) -> bool:
        """End the turn. False when threads are still busy with it; then ``left`` tells of their end."""
        with self._lock:
            self._over = True
            return not self._inside


_turn: ContextVar[Turn | None] = ContextVar("flash_turn", default=None)


def keeping_turn(func: Callable[P, T]) -> Callable[P, T]:
    """A plain function that holds its lane until it has ended in its thread, also when its caller is gone."""

    @functools.wraps(func)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        turn = _turn.get()
        if turn is None:
            return func(*args, **kwargs)
        if not turn.enter():
            raise asyncio.CancelledError  # Nobody waits for it any more, and another one runs.
        try:
            return func(*args, **kwargs)
        finally:
            turn.leave()

    return run
