"""Waiting for messages ends when it is told to, whatever the library that reads makes of a cancellation."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from flash.storage.reading import ReadingSubscription

from ..apps import run


class Stubborn(ReadingSubscription):
    """Takes each cancellation for a timeout of its own, and reads on for a while."""

    reads = 0

    def _fetch(self, after: int, timeout: float) -> list[tuple[int, Any]]:
        return []

    async def _read(self, after: int) -> list[tuple[int, Any]]:
        self.reads += 1
        end = time.monotonic() + 3
        while time.monotonic() < end:
            try:
                await asyncio.sleep(end - time.monotonic())
            except asyncio.CancelledError:
                continue
        return []


def test_a_cancelled_reader_does_not_wait_for_what_will_not_end() -> None:
    async def main() -> None:
        news = Stubborn("news", 0)
        begin = time.monotonic()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(news.apoll(), 0.1)
        assert time.monotonic() < begin + 2.5

    run(main)


def test_closing_ends_a_reader_that_will_not_be_cancelled() -> None:
    async def main() -> None:
        news = Stubborn("news", 0)
        waiting = asyncio.create_task(news.apoll())
        await asyncio.sleep(0.05)
        news.close()
        assert await asyncio.wait_for(waiting, 10) == []
        assert news.reads == 1

    run(main)
