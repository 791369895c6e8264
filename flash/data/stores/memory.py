"""Snapshots in the memory of one process."""

from __future__ import annotations

from typing import Any

import orjson

from .base import Record, SnapshotStore, kept_of


class MemorySnapshots(SnapshotStore):
    """Keeps snapshots in this process, for its threads and loops. They end with the process.

    Example:
        >>> store = MemorySnapshots()
        >>> await store.put("orders", record, keep=3)
    """

    shared_between_processes = False

    def __init__(self) -> None:
        # A source's snapshots are replaced as a whole, so that no thread sees half of them.
        self._kept: dict[str, tuple[Record, ...]] = {}
        self._states: dict[str, bytes] = {}

    async def start(self) -> None:
        """Nothing to make ready."""

    async def close(self) -> None:
        """Nothing to let go of: what is kept stays, for :meth:`start`."""

    async def put(self, source: str, record: Record, keep: int) -> None:
        """Keep a snapshot, and drop all but the last ``keep``."""
        self._kept[source] = kept_of(record, self._kept.get(source, ()), keep)

    async def newest(self, source: str) -> Record | None:
        """The snapshot with the highest version."""
        return next(iter(self._kept.get(source, ())), None)

    async def get(self, source: str, version: int) -> Record | None:
        """The snapshot with a version, if it is still kept."""
        return next((record for record in self._kept.get(source, ()) if record.version == version), None)

    async def history(self, source: str, most: int) -> list[Record]:
        """The last snapshots, the newest first."""
        return list(self._kept.get(source, ())[: max(0, most)])

    async def state(self, source: str) -> dict[str, Any] | None:
        """What was last set by :meth:`set_state`."""
        state = self._states.get(source)
        return None if state is None else orjson.loads(state)

    async def set_state(self, source: str, state: dict[str, Any]) -> None:
        """Keep what JSON can hold."""
        self._states[source] = orjson.dumps(state)
