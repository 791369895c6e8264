"""Stores of several processes: one writes, others read, and the writer is killed in the midst of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flash.data.stores import SnapshotStore, SqliteSnapshots, store_of
from flash.storage import MemoryStorage, RedisStorage

from ...apps import run
from ...storage.servers import wait_until
from .records import KEEP, assert_whole, opened, record

ROOT = Path(__file__).parents[3]
SIZE = 8 << 20


@pytest.fixture(params=["sqlite", "redis"])
def name(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The text that names a store which other processes can use."""
    return f"sqlite:///{tmp_path}/data.db" if request.param == "sqlite" else request.getfixturevalue("redis_url")


def named(name: str) -> SnapshotStore:
    return store_of(name, MemoryStorage())


@contextlib.contextmanager
def writer(name: str, first: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.data.stores.records", name, str(first), str(SIZE)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def next_version(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


def test_what_one_process_writes_others_read_whole(name: str) -> None:
    async def main() -> None:
        with writer(name, 1) as process:
            assert await asyncio.to_thread(next_version, process) == 1
            async with opened(named(name)) as store:
                newest = 0
                while newest < 8:
                    found = await store.newest("orders")
                    assert found is not None and found.version >= newest
                    assert_whole(found)
                    newest = found.version
                    await asyncio.to_thread(next_version, process)

    run(main)


def test_a_writer_that_is_killed_has_written_whole_snapshots_or_nothing(name: str) -> None:
    async def main() -> None:
        first = 1
        for attempt in range(5):
            with writer(name, first) as process:
                last = await asyncio.to_thread(next_version, process)
                # Not all at the same place of what it does.
                await asyncio.sleep(attempt * 0.007)
                process.kill()
                await asyncio.to_thread(process.wait)
            async with opened(named(name)) as store:
                found = await store.history("orders", 10)
                assert found[0].version >= last
                for each in found:
                    assert_whole(each)
                first = found[0].version + 1

    run(main)


def test_a_writer_is_killed_while_it_writes_to_redis(redis_url: str) -> None:
    """It is seen to have written parts of a snapshot that stands in no list yet; the next writer forgets them."""
    storage = RedisStorage(redis_url)

    def parts() -> set[str]:
        client = storage._connections.plain().commands
        return {key.decode() for key in client.scan_iter(f"{storage._prefix}:value:data:part:*", count=10_000)}

    async def main() -> None:
        async with opened(named(redis_url)) as store:
            await store.put("orders", record(1), KEEP)
            kept = parts()
            with writer(redis_url, 2) as process:
                await asyncio.to_thread(wait_until, lambda: len(parts()) > len(kept) + 2, "part of the next snapshot")
                process.kill()
                await asyncio.to_thread(process.wait)
            found = await store.history("orders", 10)
            assert found[-1] == record(1)
            await store.put("orders", record(10), 1)
            assert await store.history("orders", 10) == [record(10)]
            assert len(parts()) == 1

    run(main)
    storage.close()


def test_many_processes_make_the_file_at_once(tmp_path: Path) -> None:
    name = f"sqlite:///{tmp_path}/data.db"
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(writer(name, 1)) for _ in range(4)]
        assert [next_version(process) for process in writers] == [1] * 4


def test_a_file_that_is_removed_is_made_anew_for_all(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "data.db"
        async with opened(SqliteSnapshots(path)) as store:
            await store.put("orders", record(1), KEEP)
            for file in os.listdir(tmp_path):
                os.unlink(tmp_path / file)
            async with opened(SqliteSnapshots(path)) as another:
                await another.put("orders", record(2), KEEP)
                assert await store.history("orders", 10) == [record(2)]

    run(main)
