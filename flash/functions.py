"""Telling asynchronous functions from plain ones, and generators from both."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any


def is_async(func: Any) -> bool:
    """Whether calling ``func`` gives an awaitable: an ``async def``, a partial of one, or an object with one."""
    while isinstance(func, functools.partial):
        func = func.func
    if inspect.iscoroutinefunction(func):
        return True
    return not inspect.isroutine(func) and inspect.iscoroutinefunction(getattr(func, "__call__", None))  # noqa: B004


def is_generator(func: Any) -> bool:
    """Whether calling ``func`` gives a generator, plain or asynchronous."""
    return is_async_generator(func) or _is_made_by(func, inspect.isgeneratorfunction)


def is_async_generator(func: Any) -> bool:
    """Whether calling ``func`` gives an asynchronous generator."""
    return _is_made_by(func, inspect.isasyncgenfunction)


def _is_made_by(func: Any, test: Callable[[Any], bool]) -> bool:
    while isinstance(func, functools.partial):
        func = func.func
    return test(func) or (not inspect.isroutine(func) and test(getattr(func, "__call__", None)))  # noqa: B004
