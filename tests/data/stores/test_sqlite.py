"""What may be wrong with a file: a sentence says so, and what was kept stays."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from flash.data.stores import SnapshotStoreError, SqliteSnapshots, sqlite

from ...apps import run
from .records import opened, record

ROOT = Path(__file__).parents[3]


def test_the_file_is_its_users_alone(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(SqliteSnapshots(tmp_path / "data.db")) as store:
            await store.put("orders", record(1), 1)
            assert {stat.S_IMODE(os.stat(tmp_path / file).st_mode) for file in os.listdir(tmp_path)} == {0o600}

    run(main)


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"date,total\n" * 1000, "is no file of SQLite"), (b"SQLite format 3\0" + b"\xff" * 8000, "is no file of SQLite")],
)
def test_a_file_of_something_else_is_left_alone(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "data.db"
    path.write_bytes(content)

    async def main() -> None:
        with pytest.raises(SnapshotStoreError, match=said):
            await SqliteSnapshots(path).start()

    run(main)
    assert path.read_bytes() == content


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "data.db"

    async def main() -> None:
        async with opened(SqliteSnapshots(path)) as store:
            await store.put("orders", record(1, 1 << 20), 1)
        content = bytearray(path.read_bytes())
        content[4096:] = b"\xff" * (len(content) - 4096)
        path.write_bytes(content)
        with pytest.raises(SnapshotStoreError, match="is damaged. Stop the app, move the file away"):
            async with opened(SqliteSnapshots(path)) as store:
                await store.newest("orders")

    run(main)


def test_a_folder_that_is_not_there_is_made_for_its_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "data.db"

    async def main() -> None:
        async with opened(SqliteSnapshots(path)) as store:
            await store.put("orders", record(1), 1)
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700

    run(main)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    async def main() -> None:
        with pytest.raises(SnapshotStoreError, match="cannot be used: "):
            await SqliteSnapshots(tmp_path / "file" / "missing" / "data.db").start()

    run(main)


@pytest.mark.skipif(os.geteuid() == 0, reason="The superuser may write everywhere.")
def test_a_folder_that_is_read_only(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)

    async def main() -> None:
        with pytest.raises(SnapshotStoreError, match="cannot be used: Permission denied"):
            await SqliteSnapshots(tmp_path / "data.db").start()

    run(main)
    tmp_path.chmod(0o700)


def test_another_process_holds_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "PATIENCE", 0.1)
    path = tmp_path / "data.db"

    async def main() -> None:
        async with opened(SqliteSnapshots(path)) as store:
            await store.put("orders", record(1), 2)
            other = sqlite3.connect(path)
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(SnapshotStoreError, match="was in use by another process"):
                await store.put("orders", record(2), 2)
            assert await store.newest("orders") == record(1)
            other.close()
            await store.put("orders", record(2), 2)
            assert await store.newest("orders") == record(2)

    run(main)


FULL = """
import asyncio, resource, sys
from flash.data.stores import SnapshotStoreError, SqliteSnapshots
from tests.data.stores.records import opened, record

async def main():
    async with opened(SqliteSnapshots(sys.argv[1])) as store:
        await store.put("orders", record(1), 2)
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
        try:
            await store.put("orders", record(2, 8 << 20), 2)
        except SnapshotStoreError as error:
            print(error)
        assert await store.history("orders", 5) == [record(1)]
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        await store.put("orders", record(2, 8 << 20), 2)
        assert await store.newest("orders") == record(2, 8 << 20)

asyncio.run(main())
"""


def test_a_file_that_cannot_grow_keeps_what_it_has(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FULL, str(tmp_path / "data.db")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "could not be read or written: its disk is full, over its quota or failing" in done.stdout
