"""Calling functions of the user's, whether they are plain or asynchronous."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from .pool import Pool


def is_async(func: Any) -> bool:
    """Whether calling ``func`` gives an awaitable: an ``async def``, a partial of one, or an object with one."""
    while isinstance(func, functools.partial):
        func = func.func
    if inspect.iscoroutinefunction(func):
        return True
    return not inspect.isroutine(func) and inspect.iscoroutinefunction(getattr(func, "__call__", None))  # noqa: B004


async def call(pool: Pool, func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call ``func`` and return its result: on the loop when it is asynchronous, in the pool when it is not.

    A plain function that returns an awaitable (a decorator around an ``async def``) is awaited too.
    """
    if is_async(func):
        return await func(*args, **kwargs)
    result = await pool.run(func, *args, **kwargs)
    return await result if inspect.isawaitable(result) else result
