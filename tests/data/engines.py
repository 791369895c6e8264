"""Sources and engines for tests: declared apart from each other, started and closed, and leaving nothing behind."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import psutil

from flash._dash_scopes import Scope
from flash.data import Source, source
from flash.data.engine import Engine
from flash.data.stores import MemorySnapshots
from flash.storage import MemoryStorage


def declared(func: Callable[..., Any], **arguments: Any) -> Source:
    """A source that is in no registry of the process."""
    if not {"every", "cron", "at", "days", "after"} & set(arguments):
        arguments["every"] = "1d"
    with Scope("test").entered():
        return source(**arguments)(func)


@asynccontextmanager
async def running(*sources: Source, **options: Any) -> AsyncIterator[Engine]:
    """A started engine; at its end nothing of it may be left."""
    options = {"storage": MemoryStorage(), "store": MemorySnapshots(), "name": secrets.token_hex(4), **options}
    tasks = asyncio.all_tasks()
    engine = Engine(sources, **options)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.close()
        await nothing_left(tasks)


async def nothing_left(tasks: set[asyncio.Task[Any]]) -> None:
    """No task but those, no idle thread of an engine, no process."""
    await until(lambda: not {each for each in asyncio.all_tasks() - tasks if not each.done()}, "end of the tasks", 2)
    await until(lambda: not [each for each in children() if each.is_running()], "end of the processes", 5)


def children() -> list[psutil.Process]:
    """The processes that sources have started; Python's own tracker of resources stays as long as this one."""
    found = []
    for each in psutil.Process().children(recursive=True):
        try:
            line = " ".join(each.cmdline())
        except psutil.Error:
            continue
        if "spawn_main" in line:
            found.append(each)
    return found


def threads(prefix: str) -> list[threading.Thread]:
    """The living threads of a name."""
    return [each for each in threading.enumerate() if each.name.startswith(prefix)]


async def until(condition: Callable[[], Any], what: str, seconds: float = 10) -> None:
    """Wait for a condition."""
    end = asyncio.get_running_loop().time() + seconds
    while not condition():
        assert asyncio.get_running_loop().time() < end, f"no {what}"
        await asyncio.sleep(0.005)


def run(main: Callable[[], Awaitable[Any]], seconds: float = 60) -> Any:
    """Run an asynchronous test."""

    async def within() -> Any:
        async with asyncio.timeout(seconds):
            return await main()

    return asyncio.run(within())


class Readings:
    """A function that counts its calls and gives what a test sets.

    Args:
        values: Given one after the other, the last one for ever; an exception is raised.
    """

    def __init__(self, *values: Any) -> None:
        self._values = list(values)
        self.calls = 0

    def next(self) -> Any:
        self.calls += 1
        value = self._values.pop(0) if len(self._values) > 1 else self._values[0]
        if isinstance(value, BaseException):
            raise value
        return value
