"""Noticing that the other end of a link is not there any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .settings import LiveSettings

#: Bytes a second that a link carries at least: a heartbeat comes behind what is being sent, and waits as long.
_SLOWEST = 128 * 1024


class Heartbeat:
    """Asks the page of a link, again and again, whether it is there.

    Args:
        settings: How often, and how long it may take to answer.
        beat: Sends a heartbeat.
        dead: Called when there is no answer.
    """

    __slots__ = ("_beat", "_beat_at", "_busy_until", "_dead", "_heard_at", "_loop", "_settings", "_timer")

    def __init__(self, settings: LiveSettings, beat: Callable[[], None], dead: Callable[[], None]) -> None:
        self._settings = settings
        self._beat = beat
        self._dead = dead
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._heard_at = self._beat_at = self._busy_until = 0.0

    def start(self) -> None:
        """Begin, for a new link."""
        self.stop()
        self._heard_at = self._loop.time()
        self._busy_until = 0.0
        self._timer = self._loop.call_later(self._settings.heartbeat, self._ask)

    def stop(self) -> None:
        """Ask no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def heard(self) -> None:
        """Something has come from the page."""
        self._heard_at = self._loop.time()

    def sends(self, size: int) -> None:
        """So many bytes are being sent, and what comes after them has to wait."""
        self._busy_until = max(self._busy_until, self._loop.time() + size / _SLOWEST)

    def _ask(self) -> None:
        self._beat_at = self._loop.time()
        self._beat()
        self._timer = self._loop.call_later(self._settings.answer, self._check)

    def _check(self) -> None:
        settings = self._settings
        busy = self._busy_until - self._loop.time()
        if self._heard_at >= self._beat_at:
            self._timer = self._loop.call_later(max(settings.heartbeat - settings.answer, 0), self._ask)
        elif busy > 0:
            self._timer = self._loop.call_later(busy + settings.answer, self._check)
        else:
            self._timer = None
            self._dead()
