"""Snapshots in any shared storage: Redis, or one of Dash's."""

from __future__ import annotations

import asyncio
import base64
import logging
import secrets
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from ...pool import Pool
from ...storage import MemoryStorage, Storage
from .base import Record, SnapshotStore, SnapshotStoreError, kept_of

logger = logging.getLogger(__name__)

#: The most bytes of a snapshot that one value of the storage holds. In its JSON they are a third more.
PART = 1 << 20
#: How often a reader begins anew, because what it read has been dropped meanwhile.
TRIES = 20


class StorageSnapshots(SnapshotStore):
    """Keeps snapshots in a :class:`flash.storage.Storage`, for all processes that share it.

    A snapshot is written in parts, under names that nobody knows yet; then one value, the list of what is kept, is
    replaced. So a reader finds the old list or the new one, and a writer that dies in between has changed nothing.

    Outages are raised as :class:`flash.storage.SharedStorageError`.

    Args:
        storage: The storage.
        owned: Whether it is started and closed with the store; else that is left to others.

    Example:
        >>> store = StorageSnapshots(RedisStorage("redis://localhost:6379/0"), owned=True)
    """

    def __init__(self, storage: Storage, *, owned: bool = False) -> None:
        self._storage = storage
        self._owned = owned
        # Not asyncio's threads: when a program ends, those are gone before what it runs is closed.
        self._threads = Pool(2, "flash-snapshots")
        self.shared_between_processes = not isinstance(storage, MemoryStorage)

    async def start(self) -> None:
        """Start the storage, if it is the store's own."""
        if self._owned:
            await asyncio.to_thread(self._storage.start)

    async def close(self) -> None:
        """Close the storage, if it is the store's own."""
        self._threads.close()
        if self._owned:
            await self._storage.aclose()

    async def put(self, source: str, record: Record, keep: int) -> None:
        """Keep a snapshot, and drop all but the last ``keep``."""
        known, entry = await self._listed(source), _Entry.of(record)
        listed = kept_of(entry, known, keep)
        leaving = [[each.id, each.parts] for each in (*known, entry) if each not in listed]
        # What would be left over if this process were killed; and what another has left so.
        unsure = [[entry.id, entry.parts], *leaving]
        await self._drop(await self._storage.aget(_unsure_key(source), []), known)
        await self._storage.aset(_unsure_key(source), unsure)
        await self._write(entry, record.data)
        if await self._storage.aget(_unsure_key(source)) != unsure:
            await self._drop(unsure, known)
            raise SnapshotStoreError(
                f"The snapshot {record.version} of {source!r} was not kept: another process has begun to write one."
            )
        await self._storage.aset(_list_key(source), [asdict(each) for each in listed])
        await self._drop(leaving, listed)
        await self._storage.adelete(_unsure_key(source))

    async def newest(self, source: str) -> Record | None:
        """The snapshot with the highest version."""
        return next(iter(await self.history(source, 1)), None)

    async def get(self, source: str, version: int) -> Record | None:
        """The snapshot with a version, if it is still kept."""
        found = await self._read(source, lambda entry: entry.version == version, 1)
        return next(iter(found), None)

    async def history(self, source: str, most: int) -> list[Record]:
        """The last snapshots, the newest first."""
        return await self._read(source, lambda entry: True, most)

    async def state(self, source: str) -> dict[str, Any] | None:
        """What was last set by :meth:`set_state`."""
        state: dict[str, Any] | None = await self._storage.aget(_state_key(source))
        return state

    async def set_state(self, source: str, state: dict[str, Any]) -> None:
        """Keep what JSON can hold."""
        await self._storage.aset(_state_key(source), state)

    async def _listed(self, source: str) -> list[_Entry]:
        return [_Entry(**each) for each in await self._storage.aget(_list_key(source), [])]

    async def _read(self, source: str, is_wanted: Callable[[_Entry], bool], most: int) -> list[Record]:
        """Some snapshots of the list as it was at one moment: who finds one dropped meanwhile reads the list anew."""
        for _ in range(TRIES):
            listed = await self._listed(source)
            found = await self._unless_changed(source, listed, list(filter(is_wanted, listed)), most)
            if found is not None:
                return found
        raise SnapshotStoreError(f"{source!r} is written faster than it can be read. Keep more of it (keep=).")

    async def _unless_changed(
        self, source: str, listed: list[_Entry], wanted: list[_Entry], most: int
    ) -> list[Record] | None:
        found: list[Record] = []
        for entry in wanted:
            if len(found) >= most:
                break
            record = await self._record(entry)
            if record is not None:
                found.append(record)
            elif await self._listed(source) != listed:
                return None
            else:
                logger.warning("The storage has lost the snapshot %s of %r.", entry.version, source)
        return found

    async def _record(self, entry: _Entry) -> Record | None:
        parts: list[bytes] = []
        for number in range(entry.parts):
            text = await self._storage.aget(_part_key(entry.id, number))
            if text is None:
                return None
            # A thread for each: a storage in memory gives the loop no turn in between.
            parts.append(await self._threads.run(base64.b64decode, text))
        data = await self._threads.run(b"".join, parts)
        return Record(entry.version, entry.at, entry.kind, data, entry.digest, entry.derived)

    async def _write(self, entry: _Entry, data: bytes) -> None:
        for number in range(entry.parts):
            part = data[number * PART : (number + 1) * PART]
            await self._storage.aset(_part_key(entry.id, number), await self._threads.run(_as_json, part))

    async def _drop(self, written: list[Any], listed: Iterable[_Entry]) -> None:
        """Forget the parts of what is in no list."""
        needed = {entry.id for entry in listed}
        for name, parts in written:
            for number in range(0 if name in needed else parts):
                await self._storage.adelete(_part_key(name, number))


@dataclass(frozen=True, slots=True)
class _Entry:
    """A snapshot in the list: all but its data, which stand in parts under an id of their own."""

    version: int
    at: float
    kind: str
    digest: str
    derived: dict[str, int]
    id: str
    parts: int

    @staticmethod
    def of(record: Record) -> _Entry:
        parts = max(1, -(-len(record.data) // PART))
        return _Entry(
            record.version, record.at, record.kind, record.digest, record.derived, secrets.token_hex(8), parts
        )


def _list_key(source: str) -> str:
    return f"data:snapshots:{source}"


def _unsure_key(source: str) -> str:
    return f"data:unsure:{source}"


def _state_key(source: str) -> str:
    return f"data:state:{source}"


def _part_key(name: str, number: int) -> str:
    return f"data:part:{name}:{number}"


def _as_json(part: bytes) -> orjson.Fragment:
    """A text of JSON, made in a thread: the storage then has nothing left to encode."""
    return orjson.Fragment(b'"' + base64.b64encode(part) + b'"')
