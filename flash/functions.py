"""Telling asynchronous functions from plain ones."""

from __future__ import annotations

import functools
import inspect
from typing import Any


def is_async(func: Any) -> bool:
    """Whether calling ``func`` gives an awaitable: an ``async def``, a partial of one, or an object with one."""
    while isinstance(func, functools.partial):
        func = func.func
    if inspect.iscoroutinefunction(func):
        return True
    return not inspect.isroutine(func) and inspect.iscoroutinefunction(getattr(func, "__call__", None))  # noqa: B004
