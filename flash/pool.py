"""A bounded pool of threads for the plain functions of an app.

Not :class:`concurrent.futures.ThreadPoolExecutor`: its threads are joined when the interpreter exits, so one
blocked callback would keep a server from ending within its grace period, and its futures cost a lock and a
condition for each call. These threads are daemons, and a result goes straight to the loop's own future.
"""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any, ParamSpec, TypeVar

from .exceptions import PoolFull

P = ParamSpec("P")
T = TypeVar("T")

#: The loop that serves the current request; set for every call in a pool, so that a thread finds its way back.
serving_loop: ContextVar[asyncio.AbstractEventLoop] = ContextVar("flash_serving_loop")

WAITING_PER_THREAD = 250
_UNSET: Any = object()


class Pool:
    """Runs plain functions in at most ``threads`` threads, each with the caller's context variables.

    Threads are started when they are needed, so a process that forks after construction has none to lose.
    At most ``250 * threads`` calls wait; one more is refused with :class:`~flash.exceptions.PoolFull`.

    Args:
        threads: The most functions that run at once.
        name: The prefix of the threads' names.

    Example:
        >>> pool = Pool(4, "reports")
        >>> await pool.run(time.sleep, 0.1)
    """

    def __init__(self, threads: int, name: str) -> None:
        self.threads = threads
        self.name = name
        self._begin()
        _pools.add(self)

    def _begin(self) -> None:
        self._waiting: deque[_Call] = deque()
        self._available = threading.Condition()
        self._started = 0
        self._idle = 0
        self._closed = False

    async def run(self, func: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call ``func`` in a thread and return what it returns, or raise what it raises.

        A caller that is cancelled goes away at once; the function, which nothing can stop, ends by itself.
        """
        result: T = await self._result_of(_Call(asyncio.get_running_loop(), func, args, kwargs))
        return result

    async def run_in_place(self, func: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """As :meth:`run`, and what ``func`` sets in context variables is set for the caller too.

        For guards: a ``before_request`` function sets what callbacks read later in the same request.
        """
        call = _Call(asyncio.get_running_loop(), func, args, kwargs)
        try:
            result: T = await self._result_of(call)
            return result
        finally:
            mine = copy_context()
            for variable, value in call.context.items():
                if variable is not serving_loop and mine.get(variable, _UNSET) is not value:
                    variable.set(value)

    async def _result_of(self, call: _Call) -> Any:
        self._submit(call)
        succeeded, value = await call.outcome
        if succeeded:
            return value
        try:
            raise value
        finally:
            # The traceback of the error refers to this frame: let go of the error, or both wait for the collector.
            del call, value

    @property
    def waiting(self) -> int:
        """How many calls wait for a thread."""
        return len(self._waiting)

    def close(self) -> None:
        """End the idle threads now and the busy ones after their function."""
        with self._available:
            self._closed = True
            self._available.notify_all()

    def _submit(self, call: _Call) -> None:
        with self._available:
            # A test client starts an app again that was closed before.
            self._closed = False
            if len(self._waiting) >= WAITING_PER_THREAD * self.threads:
                raise PoolFull(
                    f"{len(self._waiting)} calls already wait for the {self.threads} threads of {self.name}."
                )
            self._waiting.append(call)
            if self._idle >= len(self._waiting):
                self._available.notify()
            elif self._started < self.threads:
                self._start_thread(call)

    def _start_thread(self, call: _Call) -> None:
        thread = threading.Thread(target=self._work, name=f"{self.name}-{self._started + 1}", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # The system has no more threads: those that run take the call, if there are any.
            if self._started == 0:
                self._waiting.remove(call)
                raise
        else:
            self._started += 1

    def _work(self) -> None:
        while (call := self._next()) is not None:
            call.run()
            del call

    def _next(self) -> _Call | None:
        with self._available:
            while not self._waiting:
                if self._closed:
                    self._started -= 1
                    return None
                self._idle += 1
                self._available.wait()
                self._idle -= 1
            return self._waiting.popleft()


_pools: weakref.WeakSet[Pool] = weakref.WeakSet()


def _begin_anew() -> None:
    """A forked process has none of its parent's threads."""
    for pool in _pools:
        pool._begin()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


class _Call:
    """One function call on its way through a pool."""

    __slots__ = ("args", "context", "func", "kwargs", "loop", "outcome")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        self.loop = loop
        self.func = func
        self.args = args
        self.kwargs = kwargs
        self.outcome: asyncio.Future[tuple[bool, Any]] = loop.create_future()
        self.context: Context = copy_context()
        self.context.run(serving_loop.set, loop)

    def run(self) -> None:
        if self.outcome.cancelled():
            return
        try:
            value = self.context.run(self.func, *self.args, **self.kwargs)
            succeeded = True
        except (SystemExit, KeyboardInterrupt) as error:
            value, succeeded = ended_program(error), False
        except BaseException as error:
            # As a value, not by set_exception: a future refuses StopIteration and would never be resolved.
            value, succeeded = error, False
        try:
            self.loop.call_soon_threadsafe(self._resolve, succeeded, value)
        except RuntimeError:
            pass  # The loop is closed: nobody waits for the result any more.

    def _resolve(self, succeeded: bool, value: Any) -> None:
        if not self.outcome.done():
            self.outcome.set_result((succeeded, value))


def ended_program(error: BaseException) -> RuntimeError:
    """What stands for a SystemExit or KeyboardInterrupt of a function: in a server it ends one request, not all."""
    ended = RuntimeError(f"A function tried to end the program, with {error!r}. It ends its own request only.")
    ended.__cause__ = error
    return ended


def awaited_or_run(coroutine: Coroutine[Any, Any, T]) -> Coroutine[Any, Any, T] | T:
    """On a loop the coroutine itself, for the caller to await; in a thread its result, see :func:`run_on_loop`.

    For functions that Dash calls from both.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return run_on_loop(coroutine)
    return coroutine


def run_on_loop(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the loop that serves the current request, from a thread, and wait for its result.

    Context variables travel along: the loop's task copies the context of the calling thread.

    Raises:
        RuntimeError: Called where no request is served, or on the loop itself, where waiting would deadlock.
    """
    loop = serving_loop.get(None)
    if loop is None:
        coroutine.close()
        raise RuntimeError("This function waits for the server's event loop, and no server calls it here.")
    try:
        running = asyncio.get_running_loop()
    except RuntimeError:
        running = None
    if running is loop:
        coroutine.close()
        raise RuntimeError("This function waits for the event loop; on the loop itself, await the coroutine instead.")
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result()
