"""The values of a streaming callback, whether its generator is plain or asynchronous."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any, Protocol

from .exceptions import PoolFull, new_error_id
from .functions import is_async_generator
from .pool import Pool, serving_loop

logger = logging.getLogger("flash")

_END: Any = object()
_BUSY_SECONDS = 0.05


class Values(Protocol):
    """The values that a generator yields. One task asks for all of them, and closes it."""

    async def next(self) -> Any:
        """The next value.

        Raises:
            StopAsyncIteration: There is none.
            BaseException: What the generator raised.
        """

    async def close(self) -> None:
        """Run what is left of the generator: its ``finally`` blocks. An error in them is logged."""


def values_of(pool: Pool, func: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]) -> Values:
    """Begin a generator.

    Args:
        pool: Where plain ones run, item by item.
        func: The generator function.
        args: Its arguments.
        kwargs: The same by name.
    """
    generator = func(*args, **kwargs)
    return AsyncValues(generator) if is_async_generator(func) else PlainValues(pool, generator)


class AsyncValues:
    """Those of an asynchronous generator. It runs in the task that asks, so context variables and timeouts hold."""

    def __init__(self, generator: AsyncGenerator[Any, None]) -> None:
        self._generator = generator

    async def next(self) -> Any:
        """The next value."""
        return await anext(self._generator)

    async def close(self) -> None:
        """Run what is left of the generator."""
        try:
            await self._generator.aclose()
        except Exception:
            _log_cleanup(self._generator)


class PlainValues:
    """Those of a plain generator. It runs in the pool, a thread for each item and one context for all of them."""

    def __init__(self, pool: Pool, generator: Generator[Any, Any, Any]) -> None:
        self._pool = pool
        self._generator = generator
        self._context = contextvars.copy_context()
        self._context.run(serving_loop.set, asyncio.get_running_loop())
        self._step: asyncio.Task[Any] | None = None

    async def next(self) -> Any:
        """The next value."""
        # A task, since a thread cannot be stopped: who is cancelled meanwhile can still wait for its end.
        self._step = asyncio.create_task(self._pool.run(self._context.run, self._advance))
        value = await asyncio.shield(self._step)
        if value is _END:
            raise StopAsyncIteration
        return value

    def _advance(self) -> Any:
        return next(self._generator, _END)

    async def close(self) -> None:
        """Wait for the thread that still runs the generator, and run what is left of it."""
        if self._step is not None and not self._step.done():
            await asyncio.wait({self._step})
            if not self._step.cancelled() and (error := self._step.exception()) is not None:
                logger.error("A generator that was closed has failed. Error id: %s", new_error_id(), exc_info=error)
        while True:
            try:
                return await self._pool.run(self._context.run, self._generator.close)
            except PoolFull:
                await asyncio.sleep(_BUSY_SECONDS)
            except Exception:
                return _log_cleanup(self._generator)


def _log_cleanup(generator: Any) -> None:
    logger.exception("Closing the generator %s failed. Error id: %s", generator.__qualname__, new_error_id())
