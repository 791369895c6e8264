"""Snapshots of which a test can tell whether they are whole, and a process that writes them.

``python -m tests.data.stores.records STORE FIRST SIZE`` writes one after the other to a store until it is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import sys
from collections.abc import AsyncIterator

from flash.data.stores import Record, SnapshotStore, store_of
from flash.storage import MemoryStorage

KEEP = 3


def record(version: int, size: int = 100) -> Record:
    data = version.to_bytes(4) * (size // 4)
    return Record(version, 1000.0 + version, "bytes", data, hashlib.sha256(data).hexdigest(), {"other": version})


def assert_whole(found: Record) -> None:
    assert found == record(found.version, len(found.data))


@contextlib.asynccontextmanager
async def opened(store: SnapshotStore) -> AsyncIterator[SnapshotStore]:
    await store.start()
    try:
        yield store
    finally:
        await store.close()


async def write(name: str, first: int, size: int) -> None:
    async with opened(store_of(name, MemoryStorage())) as store:
        version = first
        while True:
            await store.put("orders", record(version, size), KEEP)
            print(version, flush=True)
            version += 1


if __name__ == "__main__":
    asyncio.run(write(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
