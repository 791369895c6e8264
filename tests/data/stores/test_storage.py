"""What is special about snapshots in a shared storage."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from flash.data.stores import SnapshotStoreError, StorageSnapshots
from flash.storage import MemoryStorage, RedisStorage, SharedStorageError

from ...apps import run
from ...storage.servers import RedisServer
from .records import opened, record


class Interrupted(MemoryStorage):
    """Does something else before a value with some text in its key is read or kept, once."""

    def __init__(self) -> None:
        super().__init__()
        self.before: tuple[str, Any] | None = None
        self.sizes: list[int] = []

    async def _interrupt(self, what: str) -> None:
        if self.before is not None and self.before[0] in what:
            (_, meanwhile), self.before = self.before, None
            await meanwhile()

    async def aget(self, key: str, default: Any = None) -> Any:
        await self._interrupt(f"get {key}")
        return await super().aget(key, default)

    async def aset(self, key: str, value: Any, ttl: float | None = None) -> None:
        await self._interrupt(f"set {key}")
        await super().aset(key, value, ttl)
        self.sizes.append(len(str(await super().aget(key))))


def test_a_reader_whose_snapshot_is_dropped_meanwhile_reads_the_next() -> None:
    async def main() -> None:
        storage = Interrupted()
        store = StorageSnapshots(storage)
        await store.put("orders", record(1, 3 << 20), 1)
        storage.before = "get data:part:", lambda: store.put("orders", record(2, 3 << 20), 1)
        assert await store.newest("orders") == record(2, 3 << 20)
        storage.before = "get data:part:", lambda: store.put("orders", record(3, 3 << 20), 1)
        assert await store.get("orders", 2) is None
        storage.before = "get data:part:", lambda: store.put("orders", record(4, 3 << 20), 1)
        assert await store.history("orders", 5) == [record(4, 3 << 20)]

    run(main)


def test_a_writer_that_another_has_overtaken_keeps_nothing() -> None:
    async def main() -> None:
        storage = Interrupted()
        store, other = StorageSnapshots(storage), StorageSnapshots(storage)
        storage.before = "set data:part:", lambda: other.put("orders", record(1, 8), 3)
        with pytest.raises(SnapshotStoreError, match="another process has begun to write one"):
            await store.put("orders", record(1), 3)
        assert await other.history("orders", 5) == [record(1, 8)]
        await store.put("orders", record(2), 3)
        assert await other.history("orders", 5) == [record(2), record(1, 8)]

    run(main)


def test_what_the_storage_has_lost_is_skipped_and_told(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        storage = MemoryStorage()
        store = StorageSnapshots(storage)
        await store.put("orders", record(1), 3)
        await store.put("orders", record(2), 3)
        newest, _ = await storage.aget("data:snapshots:orders")
        await storage.adelete(f"data:part:{newest['id']}:0")
        assert await store.newest("orders") == record(1)
        await store.put("orders", record(3), 3)
        assert await store.newest("orders") == record(3)

    with caplog.at_level(logging.WARNING):
        run(main)
    assert "The storage has lost the snapshot 2 of 'orders'." in caplog.text


def test_no_value_is_large() -> None:
    async def main() -> None:
        storage = Interrupted()
        await StorageSnapshots(storage).put("orders", record(1, 10 << 20), 3)
        assert max(storage.sizes) < 1.5e6

    run(main)


def test_an_outage_is_told_as_the_storage_tells_it(redis_server: RedisServer, redis_url: str) -> None:
    async def main() -> None:
        async with opened(StorageSnapshots(RedisStorage(redis_url), owned=True)) as store:
            await store.put("orders", record(1), 3)
            await asyncio.to_thread(redis_server.kill)
            try:
                for call in (store.put("orders", record(2), 3), store.newest("orders"), store.state("orders")):
                    with pytest.raises(SharedStorageError):
                        await call
            finally:
                await asyncio.to_thread(redis_server.start)
            await store.put("orders", record(2), 3)
            assert await store.newest("orders") == record(2)

    run(main)


@pytest.mark.parametrize(("owned", "answers"), [(True, False), (False, True)])
def test_only_a_storage_of_its_own_is_closed(owned: bool, answers: bool) -> None:
    async def main() -> None:
        storage = MemoryStorage()
        async with opened(StorageSnapshots(storage, owned=owned)):
            pass
        if answers:
            assert await storage.aget("key") is None
        else:
            with pytest.raises(SharedStorageError, match="closed"):
                await storage.aget("key")

    run(main)
