"""Calling functions of the user's, whether they are plain or asynchronous."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from .functions import is_async
from .pool import Pool, run_on_loop, serving_loop


async def call(pool: Pool, func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call ``func`` and return its result: on the loop when it is asynchronous, in the pool when it is not.

    A plain function that returns an awaitable (a decorator around an ``async def``) is awaited too.
    """
    if is_async(func):
        return await func(*args, **kwargs)
    result = await pool.run(func, *args, **kwargs)
    return await result if inspect.isawaitable(result) else result


def call_here(func: Callable[..., Any], /, *args: Any) -> Any:
    """Call ``func`` in this thread; what is asynchronous is waited for, on the serving loop if there is one.

    For plain code that is already in a thread: another visit to its own, full pool would never end.
    """
    result = func(*args)
    if not inspect.isawaitable(result):
        return result
    return asyncio.run(_awaited(result)) if serving_loop.get(None) is None else run_on_loop(_awaited(result))


async def _awaited(value: Any) -> Any:
    return await value
