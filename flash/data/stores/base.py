"""Where the snapshots of sources are kept."""

from __future__ import annotations

import abc
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Record:
    """One snapshot as it is kept.

    Attributes:
        version: Counts the changes of the data, from 1.
        at: When it was read, in seconds since 1970.
        kind: How ``data`` is encoded: see :mod:`flash.data.codec`.
        data: The encoded value.
        digest: Tells whether data have changed.
        derived: The versions of the sources that it was made of, by name.
    """

    version: int
    at: float
    kind: str
    data: bytes
    digest: str
    derived: dict[str, int] = field(default_factory=dict)


class SnapshotStore(abc.ABC):
    """Keeps the last snapshots of each source, and a little state. On a loop; it never blocks it.

    Attributes:
        shared_between_processes: Whether all processes of an app see the same.
    """

    shared_between_processes: bool

    @abc.abstractmethod
    async def start(self) -> None:
        """Make ready, also after :meth:`close`."""

    @abc.abstractmethod
    async def close(self) -> None:
        """Let go of files and connections. May be called again."""

    @abc.abstractmethod
    async def put(self, source: str, record: Record, keep: int) -> None:
        """Keep a snapshot, whole or not at all for every reader, and drop all but the last ``keep``."""

    @abc.abstractmethod
    async def newest(self, source: str) -> Record | None:
        """The snapshot with the highest version."""

    @abc.abstractmethod
    async def get(self, source: str, version: int) -> Record | None:
        """The snapshot with a version, if it is still kept."""

    @abc.abstractmethod
    async def history(self, source: str, most: int) -> list[Record]:
        """The last snapshots, the newest first."""

    @abc.abstractmethod
    async def state(self, source: str) -> dict[str, Any] | None:
        """What was last set by :meth:`set_state`."""

    @abc.abstractmethod
    async def set_state(self, source: str, state: dict[str, Any]) -> None:
        """Keep what JSON can hold: how the source fares."""
