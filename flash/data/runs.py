"""Calling the functions of sources: in threads, on the loop, or in processes of their own."""

from __future__ import annotations

import asyncio
import inspect
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from ..functions import is_async
from ..pool import Pool, ended_program
from .clock import Clock
from .codec import Encoded, decode, encode
from .failures import RunFailed, StillRunning
from .processes import Process, Processes
from .source import Source
from .stores.base import Record
from .values import SnapshotValueError

#: How long cancelled functions may take to end when all is closed, in seconds.
_ENDING_SECONDS = 2.0


class Runs:
    """Runs sources, and ends runs that take too long.

    A process is killed. What is asynchronous is cancelled. A thread cannot be ended: it has overrun, what it returns is
    dropped, and the source is not run beside it, unless its ``overlap`` is ``"parallel"``.

    Args:
        pool: The threads.
        clock: Says how long a run takes.
    """

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock
        self._processes = Processes(pool)
        #: Runs that took too long and go on; and those that were broken off, since this process led no more.
        self._overrun: dict[str, set[asyncio.Task[Encoded]]] = defaultdict(set)
        self._broken_off: dict[str, set[asyncio.Task[Encoded]]] = defaultdict(set)

    def overruns(self, source: Source) -> bool:
        """Whether an older run goes on, which nothing can end."""
        return bool(self._overrun[source.name])

    def when_ended(self, source: Source, tell: Callable[[asyncio.Task[Encoded]], None]) -> None:
        """Call a function, once each, when older runs end that nothing can end. It may be given again."""
        for work in self._overrun[source.name]:
            work.remove_done_callback(tell)
            work.add_done_callback(tell)

    async def run(self, source: Source, inputs: Sequence[Record]) -> Encoded:
        """Call a source's function and encode what it returns.

        Args:
            source: The source.
            inputs: Of its upstream sources, in order.

        Raises:
            RunFailed: It took too long, its process has ended, or its result cannot be kept.
            Exception: What the function raised.
        """
        if source.settings.overlap != "parallel":
            if self.overruns(source):
                raise StillRunning("An earlier run took too long and cannot be ended; it still runs.")
            for work in list(self._broken_off[source.name]):
                await self._wait(work, source.settings.timeout)
            if self._broken_off[source.name] and source.settings.timeout is not None:
                raise StillRunning("An earlier run was broken off and cannot be ended; it still runs.")
        process = self._processes.take(source) if source.settings.process else None
        work = asyncio.create_task(self._work(source, inputs, process), name=f"flash-data-run-{source.name}")
        among = self._broken_off
        try:
            await self._wait(work, source.settings.timeout)
            among = self._overrun
        finally:
            if not work.done():
                _remember(work, among[source.name])
                if process is not None:
                    process.kill()
                elif is_async(source.func):
                    work.cancel()
        if not work.done():
            raise RunFailed(f"The run took longer than {source.settings.timeout:g} s.")
        return _given_by(work)

    async def close(self) -> None:
        """End all that runs. A function in a thread ends by itself, and nobody waits for it."""
        self._processes.close()
        left = {task for runs in (self._overrun, self._broken_off) for tasks in runs.values() for task in tasks}
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=_ENDING_SECONDS)

    async def _wait(self, work: asyncio.Task[Encoded], seconds: float | None) -> None:
        if seconds is None:
            await asyncio.wait({work})
            return
        limit = asyncio.create_task(self._clock.sleep(seconds), name="flash-data-timeout")
        try:
            await asyncio.wait({work, limit}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            limit.cancel()

    async def _work(self, source: Source, inputs: Sequence[Record], process: Process | None) -> Encoded:
        if process is not None:
            return await self._processes.run(process, inputs)
        if is_async(source.func):
            values = await self._pool.run(_values, inputs) if inputs else []
            result = await _guarded(source.func(*values))
        else:
            result = await self._pool.run(_call, source.func, inputs)
            if isinstance(result, Encoded):
                return result
            result = await _guarded(result)
        return await self._pool.run(encoded, result)


def encoded(value: Any) -> Encoded:
    """The bytes of what a source's function returned.

    Raises:
        RunFailed: It cannot be kept. The log says why.
    """
    try:
        return encode(value)
    except SnapshotValueError as error:
        raise RunFailed("What the run gave cannot be kept.") from error


def _values(inputs: Sequence[Record]) -> list[Any]:
    return [decode(each.kind, each.data) for each in inputs]


def _call(func: Callable[..., Any], inputs: Sequence[Record]) -> Any:
    """In one visit to a thread: decode, call, encode. What has to be awaited comes back as it is."""
    result = func(*_values(inputs))
    return result if inspect.isawaitable(result) else encoded(result)


async def _guarded(given: Awaitable[Any]) -> Any:
    try:
        return await given
    except (SystemExit, KeyboardInterrupt) as error:
        raise ended_program(error) from error


def _given_by(work: asyncio.Task[Encoded]) -> Encoded:
    """What a run that has ended gave. What it raised is an ``Exception`` in any case."""
    if work.cancelled():
        raise RunFailed("The run was cancelled.")
    error = work.exception()
    if error is not None and not isinstance(error, Exception):
        # As Rust's panics, in polars: they would end the loop's tasks, and nobody would be told.
        raise RunFailed("The run failed.") from error
    return work.result()


def _remember(work: asyncio.Task[Encoded], among: set[asyncio.Task[Encoded]]) -> None:
    """Keep a run that is given up, as long as it goes on."""
    among.add(work)
    work.add_done_callback(among.discard)
    work.add_done_callback(_forget)


def _forget(work: asyncio.Task[Encoded]) -> None:
    """Take what nobody waits for any more."""
    if not work.cancelled():
        work.exception()
