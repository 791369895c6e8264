"""How often a client may speak."""

from __future__ import annotations


class Rate:
    """How many messages a peer may still send: it fills again with time.

    Args:
        per_second: Messages per second, on average.
        burst: How many may come at once.
    """

    __slots__ = ("_at", "_burst", "_left", "_per_second")

    def __init__(self, per_second: float, burst: int) -> None:
        self._per_second = per_second
        self._burst = float(burst)
        self._left = float(burst)
        self._at = 0.0

    def take(self, count: int, now: float) -> bool:
        """Whether ``count`` messages may pass at the time ``now``, in seconds."""
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
        self._at = now
        self._left -= count
        return self._left >= 0
