"""The stores that the suite runs on."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import dash
import pytest

from flash.data.stores import MemorySnapshots, SnapshotStore, SqliteSnapshots, StorageSnapshots
from flash.storage import DashStorage, MemoryStorage, RedisStorage

KINDS = ["memory", "sqlite", "redis", "memory storage", "dash storage"]


@pytest.fixture(params=KINDS)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], SnapshotStore]]:
    """Makes a store of each kind, empty at first; what it is called for again has the same content."""
    if request.param == "memory":
        kept = MemorySnapshots()
        yield lambda: kept
    elif request.param == "sqlite":
        yield lambda: SqliteSnapshots(tmp_path / "data.db")
    elif request.param == "redis":
        url = request.getfixturevalue("redis_url")
        yield lambda: StorageSnapshots(RedisStorage(url), owned=True)
    elif request.param == "memory storage":
        memory = MemoryStorage()
        yield lambda: StorageSnapshots(memory)
    else:
        if not hasattr(dash, "LocalSharedStorage"):
            pytest.skip("Dash 4.4 has no shared storage.")
        local = dash.LocalSharedStorage(namespace=secrets.token_hex(8), buffer_size=5000)
        yield lambda: StorageSnapshots(DashStorage(local), owned=True)
        local.close()
