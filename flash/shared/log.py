"""The log of shared changes: one order for all of them. Here that of a single process."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

from .entries import AnyEntry


class Log(Protocol):
    """Brings entries into one order, the same in every process.

    Attributes:
        leads: Whether this process runs the callbacks.
        available: Whether entries can be added now.
    """

    @property
    def leads(self) -> bool: ...

    @property
    def available(self) -> bool: ...

    def append(self, entry: AnyEntry) -> None:
        """Add an entry. It is folded in its turn, here and in every other process."""

    async def start(self) -> None:
        """Begin to fold what there is, and what comes."""

    async def resign(self) -> None:
        """Begin no more runs here. Those that run go on, and what they give still counts."""

    async def close(self) -> None:
        """End it."""


class LocalLog:
    """The log of an app of one process: an entry is folded when it is appended.

    Args:
        fold: Takes each entry into the state.
    """

    leads = True
    available = True

    def __init__(self, fold: Callable[[AnyEntry], None]) -> None:
        self._fold = fold
        self._waiting: deque[AnyEntry] = deque()
        self._folding = False

    def append(self, entry: AnyEntry) -> None:
        """Fold an entry, behind the one that is being folded."""
        self._waiting.append(entry)
        if self._folding:
            return
        self._folding = True
        try:
            while self._waiting:
                self._fold(self._waiting.popleft())
        finally:
            self._folding = False

    async def start(self) -> None:
        """Nothing is to be read."""

    async def resign(self) -> None:
        """There is nobody else who could run them."""

    async def close(self) -> None:
        """Nothing is to be ended."""
