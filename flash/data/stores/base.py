"""Where the snapshots of sources are kept."""

from __future__ import annotations

import abc
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from ...exceptions import ConfigurationError, FlashError


class SnapshotStoreError(FlashError):
    """A store could not do what it was asked: its disk is full, its file is damaged or held by another.

    What was kept before is still kept. Where a store uses the app's storage, an outage of that is a
    :class:`flash.storage.SharedStorageError`.
    """


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
    data: bytes = field(repr=False)
    digest: str
    derived: dict[str, int] = field(default_factory=dict)


class SnapshotStore(abc.ABC):
    """Keeps the last snapshots of each source, and a little state. On a loop; it never blocks it.

    One process at a time writes the snapshots of a source; any number read them meanwhile.

    Attributes:
        shared_between_processes: Whether all processes of an app see the same.
    """

    shared_between_processes: bool

    @abc.abstractmethod
    async def start(self) -> None:
        """Make ready, also after :meth:`close`. May be called again.

        Raises:
            SnapshotStoreError: The store cannot be used.
        """

    @abc.abstractmethod
    async def close(self) -> None:
        """Let go of files and connections. May be called again."""

    @abc.abstractmethod
    async def put(self, source: str, record: Record, keep: int) -> None:
        """Keep a snapshot, whole or not at all for every reader, and drop all but the last ``keep``.

        One of the same version is replaced.

        Raises:
            SnapshotStoreError: It was not kept. What was kept before still is.
        """

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


class _Versioned(Protocol):
    @property
    def version(self) -> int: ...


V = TypeVar("V", bound=_Versioned)


def kept_of(new: V, kept: Iterable[V], keep: int) -> tuple[V, ...]:
    """What is kept when a new snapshot comes: the ``keep`` highest versions, the newest first.

    Raises:
        ConfigurationError: Not even one would be kept.
    """
    checked_keep(keep)
    each = {other.version: other for other in kept} | {new.version: new}
    return tuple(sorted(each.values(), key=lambda one: one.version, reverse=True)[:keep])


def checked_keep(keep: int) -> int:
    """``keep``, or a :class:`~flash.exceptions.ConfigurationError` when not even the newest would be kept."""
    if keep < 1:
        raise ConfigurationError(f"keep={keep} would keep no snapshot at all: write 1 or more.")
    return keep
