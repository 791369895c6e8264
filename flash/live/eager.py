"""Running a coroutine at once, and making a task of it only when it has to wait.

A frame is mostly written without waiting. A task for each tab would cost more than the rest of a push. Python 3.12 has
this as ``asyncio.Task(..., eager_start=True)``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from types import coroutine
from typing import Any


def begin(work: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop) -> asyncio.Task[None] | None:
    """Run a coroutine until it waits.

    Args:
        work: The coroutine. What it does before it waits must not ask for its task.
        loop: The running loop.

    Returns:
        The task that goes on with it; None when it has ended.
    """
    try:
        awaited = work.send(None)
    except StopIteration:
        return None
    return loop.create_task(_rest(work, awaited))


async def _rest(work: Coroutine[Any, Any, None], awaited: Any) -> None:
    await _steps(work, awaited)


@coroutine
def _steps(work: Coroutine[Any, Any, None], awaited: Any) -> Generator[Any, Any, None]:
    while True:
        try:
            try:
                value = yield awaited
            except BaseException as error:
                awaited = work.throw(error)
            else:
                awaited = work.send(value)
        except StopIteration:
            return
