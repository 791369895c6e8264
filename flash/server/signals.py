"""Ending by signal: the first one asks to end gracefully, a later one asks to end now."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]

#: Ctrl+C reaches every process of a terminal, and one that supervises passes it on: soon after one another, both are
#: one request. In seconds.
ONE_REQUEST = 1.0


@contextmanager
def ending_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call ``stop`` for Ctrl+C and SIGTERM while the block runs; outside the main thread, do nothing.

    ``stop`` is called again for a second signal that comes at least one second later. A third one raises
    :class:`KeyboardInterrupt`, which ends code that blocks the event loop. Afterwards the signals mean what they
    meant before.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked: list[float] = []

    def handle(number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if asked and now - asked[-1] < ONE_REQUEST:
            return
        asked.append(now)
        if len(asked) > 2:
            raise KeyboardInterrupt
        stop()

    previous: dict[int, Any] = {number: signal.signal(number, handle) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in previous.items():
            # None stands for a handler that was not installed by Python, which cannot be put back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
