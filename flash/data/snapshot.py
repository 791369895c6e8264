"""What a source has given: snapshots, and how it fares."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .clock import Clock
from .codec import decode
from .stores.base import Record

_CLOCK = Clock()


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the last run of a source gave nothing.

    Attributes:
        reason: A sentence that users may see.
        id: Stands beside the traceback in the log.
        at: When it failed.
    """

    reason: str
    id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Status:
    """How a source fares, as this process knows it.

    Attributes:
        version: Of its newest snapshot; 0 before the first.
        at: When that was read, or confirmed to be unchanged; None before the first.
        checked: When it was last tried; None when it never was.
        error: Why the last try failed; None when it did not.
        running: Whether it runs now.
        next: When it runs next; None when nothing says so, as for what follows another source.
        stale_after: After how many seconds its snapshot is stale; None: never.
    """

    version: int = 0
    at: datetime | None = None
    checked: datetime | None = None
    error: Failure | None = None
    running: bool = False
    next: datetime | None = None
    stale_after: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """One version of a source's data, whole. False before there is any.

    Each snapshot has a value of its own: who changes it changes nothing for others.

    Attributes:
        source: The name of the source.
        version: Counts the changes of the data, from 1; 0 for the empty snapshot.
        at: When it was read, or confirmed to be unchanged; None for the empty snapshot.
        error: Why the last run after it failed; None when it did not.
        stale_after: After how many seconds it is stale; None: never.

    Example:
        >>> snapshot = orders.get()
        >>> if snapshot:
        ...     print(snapshot.version, snapshot.age, len(snapshot.value))
    """

    source: str
    version: int = 0
    at: datetime | None = None
    error: Failure | None = None
    stale_after: float | None = None
    _record: Record | None = None
    _decoded: list[Any] = field(default_factory=list, repr=False)
    _clock: Clock = field(default=_CLOCK, repr=False)

    @property
    def value(self) -> Any:
        """The data: what the source's function returned. None for the empty snapshot."""
        if self._record is None:
            return None
        if not self._decoded:
            self._decoded.append(decode(self._record.kind, self._record.data))
        return self._decoded[0]

    @property
    def tag(self) -> str | None:
        """Names this version and its data: ``"7.5feceb66"``. Pages hold it. None for the empty snapshot.

        A server that was started again may count its versions anew; equal tags mean equal data nevertheless.
        """
        return None if self._record is None else f"{self.version}.{self._record.digest[:8]}"

    @property
    def size(self) -> int:
        """The bytes that it takes in a store."""
        return len(self._record.data) if self._record is not None else 0

    @property
    def age(self) -> float | None:
        """Seconds since it was read, or confirmed to be unchanged; None for the empty snapshot."""
        return None if self.at is None else max(0.0, (self._clock.now() - self.at).total_seconds())

    @property
    def stale(self) -> bool:
        """Whether it is older than the source's ``max_stale``, or was never read."""
        age = self.age
        return age is None or (self.stale_after is not None and age > self.stale_after)

    def __bool__(self) -> bool:
        return self.version > 0
