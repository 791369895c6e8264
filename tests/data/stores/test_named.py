"""Which store a text, the environment and the app's storage name."""

from __future__ import annotations

from pathlib import Path

import pytest

from flash.data.stores import MemorySnapshots, SnapshotStore, SqliteSnapshots, StorageSnapshots, store_of
from flash.exceptions import ConfigurationError
from flash.storage import MemoryStorage, RedisStorage, Storage

from ...apps import run
from .records import opened

REDIS = "redis://:secret@localhost:1/0"


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLASH_DATA_STORE", raising=False)


@pytest.mark.parametrize(
    ("text", "kind", "shared"),
    [
        ("memory", MemorySnapshots, False),
        (" Memory ", MemorySnapshots, False),
        ("sqlite:///data.db", SqliteSnapshots, True),
        (REDIS, StorageSnapshots, True),
        ("rediss://localhost/0", StorageSnapshots, True),
    ],
)
def test_texts_and_the_environment(
    text: str, kind: type[SnapshotStore], shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_of(text, MemoryStorage())
    assert type(store) is kind and store.shared_between_processes is shared
    monkeypatch.setenv("FLASH_DATA_STORE", text)
    assert type(store_of(None, MemoryStorage())) is kind
    assert type(store_of("memory", RedisStorage(REDIS))) is MemorySnapshots


@pytest.mark.parametrize(
    ("storage", "kind", "shared"),
    [(MemoryStorage(), MemorySnapshots, False), (RedisStorage(REDIS), StorageSnapshots, True)],
)
def test_the_storage_of_the_app(storage: Storage, kind: type[SnapshotStore], shared: bool) -> None:
    store = store_of(None, storage)
    assert type(store) is kind and store.shared_between_processes is shared


def test_a_store_is_taken_as_it_is() -> None:
    store = MemorySnapshots()
    assert store_of(store, RedisStorage(REDIS)) is store


def test_paths_are_those_of_sqlalchemy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async def main() -> None:
        for text in ("sqlite:///relative.db", f"sqlite:///{tmp_path}/absolute.db"):
            async with opened(store_of(text, MemoryStorage())):
                pass

    run(main)
    assert (tmp_path / "relative.db").exists() and (tmp_path / "absolute.db").exists()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("postgres://user:secret@host/db", 'The text names no store that Flash knows. Write "memory", a file as'),
        ("secret", "names no store"),
        ("redis:/secret", "names no store"),
        ("redis://:secret@host:port#", "The url of Redis is refused"),
        ("sqlite://", "names SQLite, but no file"),
        ("sqlite:///", "names SQLite, but no file"),
        ("sqlite://secret.db", "names SQLite, but no file"),
        ("sqlite:///:memory:", "names SQLite, but no file"),
        ("sqlite:///secret/", "names SQLite, but no file"),
        (3, "Snapshots cannot be kept in a int"),
        (MemorySnapshots, "Snapshots cannot be kept in a class"),
    ],
)
def test_what_names_no_store_is_refused_and_not_repeated(value: object, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as told:
        store_of(value, MemoryStorage())  # type: ignore[arg-type]
    assert "secret" not in str(told.value)


def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLASH_DATA_STORE", "postgres://user:secret@host/db")
    with pytest.raises(ConfigurationError, match="^FLASH_DATA_STORE names no store") as told:
        store_of(None, MemoryStorage())
    assert "secret" not in str(told.value)
