"""Streams that are dropped leave nothing behind: the short form of ``scripts/soak-live``."""

from __future__ import annotations

import asyncio

from .soak import KINDS, soak


def test_streams_that_are_opened_and_dropped_leave_no_task_thread_or_file() -> None:
    work = asyncio.run(asyncio.wait_for(soak(1, 400), 150))
    assert work.streams >= 400
    assert {*KINDS, "leave", "close", "cut", "cut and resume"} <= work.ways.keys()
