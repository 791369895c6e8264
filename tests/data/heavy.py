"""Sources that run in processes of their own: these import them by name."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

from flash._dash_scopes import Scope
from flash.data import SourceError, source

#: What the functions do is read from a file, since nothing else crosses from a test.
PLACE = "FLASH_TEST_HEAVY"

with Scope("heavy").entered():

    @source(every="1d")
    def numbers() -> list[int]:
        """What `doubled` is made of."""
        return [1, 2, 3]

    @source(every="1d", process=True, retry=0, on_start=False)
    def heavy() -> Any:
        """As the file says."""
        return _act(Path(os.environ[PLACE]).read_text())

    @source(every="1d", process=True, retry=0, timeout=5.0, on_start=False)
    def limited() -> Any:
        """As the file says, for five seconds at most."""
        return _act(Path(os.environ[PLACE]).read_text())

    @source(every="1d", process=True, retry=0, on_start=False)
    async def asynchronous() -> int:
        """Awaited in its process."""
        await asyncio.sleep(0)
        return os.getpid()

    @source(after=numbers, process=True, retry=0)
    def doubled(given: list[int]) -> list[int]:
        """Made of another source."""
        return [2 * each for each in given]

    @source(every="1d", process=True, retry=0, overlap="parallel", timeout=8.0, on_start=False)
    def beside() -> Any:
        """Several at once."""
        return _act(Path(os.environ[PLACE]).read_text())


def _act(what: str) -> Any:
    if what == "exit":
        os._exit(3)
    if what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "sleep":
        Path(os.environ[PLACE] + ".sleeps").write_text(str(os.getpid()))
        time.sleep(3600)
    if what == "wait":
        while Path(os.environ[PLACE]).read_text() == "wait":
            time.sleep(0.01)
    if what == "told":
        raise SourceError("The shop is closed.")
    if what == "error":
        raise ValueError("the password is hunter2")
    if what == "system exit":
        raise SystemExit(1)
    if what == "unkept":
        return object()
    return os.getpid()
