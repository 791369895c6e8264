"""Snapshots in any shared storage: Redis, or one of Dash's."""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from ...storage import MemoryStorage, Storage
from .base import Record, SnapshotStore, SnapshotStoreError, kept_of

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
        self.shared_between_processes = not isinstance(storage, MemoryStorage)

    async def start(self) -> None:
        """Start the storage, if it is the store's own."""
        if self._owned:
            await asyncio.to_thread(self._storage.start)

    async def close(self) -> None:
        """Close the storage, if it is the store's own."""
        if self._owned:
            await self._storage.aclose()

    async def put(self, source: str, record: Record, keep: int) -> None:
        """Keep a snapshot, and drop all but the last ``keep``."""
        known = await self._listed(source)
        entry = _Entry.of(record)
        listed = kept_of(entry, known, keep)
        await self._drop(await self._storage.aget(_writing_key(source)))
        await self._storage.aset(_writing_key(source), [entry.id, entry.parts])
        await self._write(entry, record.data)
        if await self._storage.aget(_writing_key(source)) != [entry.id, entry.parts]:
            raise SnapshotStoreError(
                f"The snapshot {record.version} of {source!r} was not kept: another process has begun to write one."
            )
        await self._storage.aset(_list_key(source), [asdict(each) for each in listed])
        await self._storage.adelete(_writing_key(source))
        for old in known:
            if old not in listed:
                await self._drop([old.id, old.parts])

    async def newest(self, source: str) -> Record | None:
        """The snapshot with the highest version."""
        return next(iter(await self._read(source, lambda listed: listed[:1])), None)

    async def get(self, source: str, version: int) -> Record | None:
        """The snapshot with a version, if it is still kept."""
        found = await self._read(source, lambda listed: [each for each in listed if each.version == version])
        return next(iter(found), None)

    async def history(self, source: str, most: int) -> list[Record]:
        """The last snapshots, the newest first."""
        return await self._read(source, lambda listed: listed[: max(0, most)])

    async def state(self, source: str) -> dict[str, Any] | None:
        """What was last set by :meth:`set_state`."""
        state: dict[str, Any] | None = await self._storage.aget(_state_key(source))
        return state

    async def set_state(self, source: str, state: dict[str, Any]) -> None:
        """Keep what JSON can hold."""
        await self._storage.aset(_state_key(source), state)

    async def _listed(self, source: str) -> list[_Entry]:
        return [_Entry(**each) for each in await self._storage.aget(_list_key(source), [])]

    async def _read(self, source: str, chosen: Callable[[list[_Entry]], list[_Entry]]) -> list[Record]:
        """The chosen snapshots of the list, all of one moment: who finds one dropped meanwhile reads the list anew."""
        for _ in range(TRIES):
            entries = chosen(await self._listed(source))
            found = [await self._record(entry) for entry in entries]
            whole = [record for record in found if record is not None]
            if len(whole) == len(found):
                break
        return whole

    async def _record(self, entry: _Entry) -> Record | None:
        parts = [await self._storage.aget(_part_key(entry.id, number)) for number in range(entry.parts)]
        if any(part is None for part in parts):
            return None
        data = await asyncio.to_thread(_joined, parts)
        return Record(entry.version, entry.at, entry.kind, data, entry.digest, entry.derived)

    async def _write(self, entry: _Entry, data: bytes) -> None:
        for number in range(entry.parts):
            part = data[number * PART : (number + 1) * PART]
            await self._storage.aset(_part_key(entry.id, number), await asyncio.to_thread(_as_json, part))

    async def _drop(self, written: list[Any] | None) -> None:
        name, parts = written or ("", 0)
        for number in range(parts):
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


def _writing_key(source: str) -> str:
    return f"data:writing:{source}"


def _state_key(source: str) -> str:
    return f"data:state:{source}"


def _part_key(name: str, number: int) -> str:
    return f"data:part:{name}:{number}"


def _as_json(part: bytes) -> orjson.Fragment:
    """A text of JSON, made in a thread: the storage then has nothing left to encode."""
    return orjson.Fragment(b'"' + base64.b64encode(part) + b'"')


def _joined(parts: list[str]) -> bytes:
    return b"".join(base64.b64decode(part) for part in parts)
