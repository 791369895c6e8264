"""Lengths of time as users write them: ``90``, ``"90s"``, ``"5m"``, ``"2h"``, ``"1d"``, ``timedelta(minutes=5)``."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import TypeAlias

from ..exceptions import ConfigurationError

#: Seconds as a number, a number and its unit as a text, or a timedelta.
Duration: TypeAlias = float | str | timedelta

_UNITS = {"day": 86_400.0, "hour": 3600.0, "minute": 60.0, "second": 1.0}
_WRITTEN = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*([smhd]?)", re.ASCII)


def seconds_of(value: Duration, what: str = "A duration") -> float:
    """How many seconds a duration has.

    Args:
        value: Seconds (``90``, ``"90"``), or a number with ``s``, ``m``, ``h`` or ``d`` behind it (``"90s"``,
            ``"1.5h"``), or a timedelta.
        what: What the duration is, for the error's text: ``"every="``.

    Raises:
        ConfigurationError: It is none, or not longer than nothing.

    Example:
        >>> seconds_of("5m")
        300.0
    """
    seconds = _seconds(value)
    if seconds is None:
        raise ConfigurationError(
            f"{what} cannot be {value!r}: write a number of seconds, or a number with s, m, h or d behind it, "
            "as in 90, '90s', '5m', '2h' or '1d'."
        )
    if not 0 < seconds < math.inf:
        raise ConfigurationError(f"{what} cannot be {value!r}: write a duration that is longer than nothing.")
    return seconds


def _seconds(value: object) -> float | None:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, str):
        written = _WRITTEN.fullmatch(value.strip().lower())
        return written and float(written[1]) * _unit(written[2])
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _unit(letter: str) -> float:
    return next(seconds for name, seconds in _UNITS.items() if name[0] == (letter or "s"))


def duration_text(seconds: float) -> str:
    """A duration in words, in the largest unit that needs no fraction: ``"5 minutes"``, ``"90 seconds"``."""
    name, unit = next(((name, unit) for name, unit in _UNITS.items() if seconds % unit == 0), ("second", 1.0))
    count = seconds / unit
    return f"{count:g} {name}" if count == 1 else f"{count:.15g} {name}s"
