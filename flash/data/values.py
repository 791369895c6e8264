"""What is said of a value that a snapshot cannot hold."""

from __future__ import annotations

from typing import Any

from ..exceptions import FlashError


class SnapshotValueError(FlashError, TypeError):
    """A source's function returned what cannot be kept, or what was kept cannot be read."""


_INSTEAD = {
    "datetime": "its text, as value.isoformat(), or a column of a frame",
    "date": "its text, as value.isoformat(), or a column of a frame",
    "time": "its text, as value.isoformat(), or a column of a frame",
    "timedelta": "value.total_seconds(), or a column of a frame",
    "Timestamp": "its text, as value.isoformat(), or a column of a frame",
    "Timedelta": "value.total_seconds(), or a column of a frame",
    "datetime64": "str(value), or an array of them",
    "timedelta64": "its seconds, or an array of them",
    "Decimal": "str(value) or float(value)",
    "set": "sorted(value)",
    "frozenset": "sorted(value)",
    "generator": "list(value)",
    "LazyFrame": "value.collect()",
    "Figure": "the data, and make the figure in a callback",
}


def refused(value: Any, where: str) -> SnapshotValueError:
    """The error for a value of a type that cannot be kept, with what to return instead."""
    kind = type(value)
    instead = _INSTEAD.get(kind.__name__, "what JSON can hold, a frame, an array or bytes")
    if hasattr(kind, "__dataclass_fields__"):
        instead = "dataclasses.asdict(value)"
    return SnapshotValueError(
        f"{where} is a {kind.__module__}.{kind.__name__}, which cannot be kept as it is. Return {instead}."
    )
