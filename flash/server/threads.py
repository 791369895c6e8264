"""Where a Quart server runs its plain functions: guards, views, and what is called after a request."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from quart import Quart
from quart.utils import run_sync_iterable

from ..pool import Pool

_DONE = "flash_threads"


def run_plain_functions_in(pool: Pool, server: Quart) -> None:
    """Make a server run its plain functions in ``pool``, and keep the context variables that they set.

    Quart runs them in asyncio's executor, which has a few threads for the whole process, loses their context
    variables, and never answers when one raises StopIteration. With several apps on a server, the first one's pool.
    """
    if _DONE in server.extensions:
        return
    server.extensions[_DONE] = True

    def sync_to_async(func: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
        @functools.wraps(func)
        async def run(*args: Any, **kwargs: Any) -> Any:
            result = await pool.run_in_place(func, *args, **kwargs)
            # A plain generator is a streamed body.
            return run_sync_iterable(result) if inspect.isgenerator(result) else result

        return run

    server.sync_to_async = sync_to_async  # type: ignore[method-assign]
