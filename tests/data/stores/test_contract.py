"""What every store does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from flash.data.stores import MemorySnapshots, SnapshotStore
from flash.exceptions import ConfigurationError

from ...apps import run
from .records import assert_whole, opened, record

Make = Callable[[], SnapshotStore]


def with_store(make: Make, what: Callable[[SnapshotStore], Awaitable[None]]) -> None:
    async def main() -> None:
        async with opened(make()) as store:
            await what(store)

    run(main)


def test_an_empty_store_has_nothing(make: Make) -> None:
    async def what(store: SnapshotStore) -> None:
        assert await store.newest("orders") is None
        assert await store.get("orders", 1) is None
        assert await store.history("orders", 10) == []
        assert await store.state("orders") is None

    with_store(make, what)


def test_a_snapshot_comes_back_as_it_was(make: Make) -> None:
    async def what(store: SnapshotStore) -> None:
        await store.put("orders", record(1), 3)
        assert await store.newest("orders") == await store.get("orders", 1) == record(1)
        assert await store.newest("others") is None

    with_store(make, what)


@pytest.mark.parametrize("size", [0, 4, (1 << 20) - 4, 1 << 20, (1 << 20) + 4, 5 << 20])
def test_sizes_around_those_of_parts(make: Make, size: int) -> None:
    async def what(store: SnapshotStore) -> None:
        await store.put("orders", record(1, size), 3)
        assert await store.newest("orders") == record(1, size)

    with_store(make, what)


def test_only_the_last_are_kept_the_newest_first(make: Make) -> None:
    async def what(store: SnapshotStore) -> None:
        for version in (1, 2, 4, 3, 5):
            await store.put("orders", record(version), 3)
        assert await store.history("orders", 10) == [record(5), record(4), record(3)]
        assert await store.history("orders", 2) == [record(5), record(4)]
        assert await store.history("orders", 0) == []
        assert await store.get("orders", 2) is None
        await store.put("orders", record(6), 1)
        assert await store.history("orders", 10) == [record(6)]

    with_store(make, what)


def test_an_old_version_does_not_take_the_place_of_newer_ones(make: Make) -> None:
    async def what(store: SnapshotStore) -> None:
        for version in (5, 6, 2):
            await store.put("orders", record(version), 2)
        assert await store.history("orders", 10) == [record(6), record(5)]

    with_store(make, what)


def test_the_same_version_is_replaced(make: Make) -> None:
    async def what(store: SnapshotStore) -> None:
        await store.put("orders", record(1, 3 << 20), 2)
        await store.put("orders", record(1, 8), 2)
        assert await store.history("orders", 10) == [record(1, 8)]

    with_store(make, what)


def test_names_are_any_text(make: Make) -> None:
    names = ["a", "a:b", "a:b:1", "Grüße 🌍", "' OR 1=1 --", "*", "snapshots:a"]

    async def what(store: SnapshotStore) -> None:
        for version, name in enumerate(names, 1):
            await store.put(name, record(version), 1)
            await store.set_state(name, {"name": name})
        for version, name in enumerate(names, 1):
            assert await store.history(name, 5) == [record(version)]
            assert await store.state(name) == {"name": name}

    with_store(make, what)


def test_a_state_is_replaced(make: Make) -> None:
    async def what(store: SnapshotStore) -> None:
        await store.set_state("orders", {"tick": "2026-11-21T09:00:00+00:00", "error": None, "many": [1, 2.5]})
        await store.set_state("orders", {"tick": "2026-11-21T10:00:00+00:00"})
        state = await store.state("orders")
        assert state == {"tick": "2026-11-21T10:00:00+00:00"}
        state["tick"] = "changed"
        assert await store.state("orders") == {"tick": "2026-11-21T10:00:00+00:00"}

    with_store(make, what)


def test_all_is_there_again_after_a_close(make: Make) -> None:
    async def main() -> None:
        async with opened(make()) as store:
            await store.put("orders", record(1), 3)
            await store.set_state("orders", {"tick": "now"})
        await store.close()
        async with opened(store):
            assert await store.newest("orders") == record(1)
        async with opened(make()) as another:
            await another.start()
            assert await another.newest("orders") == record(1)
            assert await another.state("orders") == {"tick": "now"}

    run(main)


def test_keeping_nothing_is_refused(make: Make) -> None:
    async def what(store: SnapshotStore) -> None:
        with pytest.raises(ConfigurationError, match="keep=0 would keep no snapshot at all: write 1 or more"):
            await store.put("orders", record(1), 0)

    with_store(make, what)


def test_readers_see_whole_snapshots_while_others_are_written(make: Make) -> None:
    async def main() -> None:
        async with opened(make()) as writer, opened(make()) as reader:
            await writer.put("orders", record(1, 3 << 20), 2)
            seen = [0]
            has_read = asyncio.Condition()

            async def read() -> None:
                while seen[-1] < 20:
                    found = await reader.newest("orders")
                    assert found is not None
                    assert_whole(found)
                    for each in await reader.history("orders", 5):
                        assert_whole(each)
                    async with has_read:
                        seen.append(max(found.version, seen[-1]))
                        has_read.notify_all()
                    await asyncio.sleep(0)

            async def write() -> None:
                for version in range(2, 21):
                    await writer.put("orders", record(version, 3 << 20), 2)
                    async with has_read:
                        # What is read meanwhile is dropped by the next.
                        await has_read.wait_for(lambda: seen[-1] >= version - 1)  # noqa: B023

            await asyncio.gather(read(), read(), write())
            assert await reader.newest("orders") == record(20, 3 << 20)

    run(main)


def test_a_cancelled_writer_leaves_a_whole_store(make: Make) -> None:
    async def what(store: SnapshotStore) -> None:
        await store.put("orders", record(1, 4 << 20), 2)
        for turns in range(12):
            task = asyncio.create_task(store.put("orders", record(2 + turns, 4 << 20), 2))
            for _ in range(turns * 3):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait({task})
            found = await store.history("orders", 5)
            assert found
            for each in found:
                assert_whole(each)
        await store.put("orders", record(100), 2)
        assert await store.newest("orders") == record(100)

    with_store(make, what)


def test_a_large_snapshot_does_not_block_the_loop(make: Make) -> None:
    """Other tasks of the loop get their turn all the time. How long they wait is measured by benchmarks/data.py."""
    turns = 0

    async def watch() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def what(store: SnapshotStore) -> None:
        large = record(1, 50_000_000)
        watching = asyncio.create_task(watch())
        for work in (store.put("orders", large, 1), store.newest("orders")):
            before = turns
            found = await work
            # In memory nothing is done that takes time.
            assert isinstance(store, MemorySnapshots) or turns - before > 50
        watching.cancel()
        assert found == large

    with_store(make, what)
