"""Which store an app's snapshots have: what it was given, what the environment says, or the app's storage."""

from __future__ import annotations

import os
from pathlib import Path

from ...exceptions import ConfigurationError
from ...storage import MemoryStorage, RedisStorage, Storage
from .base import SnapshotStore
from .memory import MemorySnapshots
from .sqlite import SqliteSnapshots
from .storage import StorageSnapshots

#: Read when an app names no store.
VARIABLE = "FLASH_DATA_STORE"
_WRITE = (
    'Write "memory", a file as "sqlite:///data.db" (four slashes if its path is absolute: "sqlite:////srv/data.db"), a '
    'Redis as "redis://localhost:6379/0" (or rediss://), or a flash.data.stores.SnapshotStore.'
)


def store_of(value: str | SnapshotStore | None, storage: Storage) -> SnapshotStore:
    """The store that an argument, the environment or the app's storage names. Nothing is opened.

    Args:
        value: A text as above, a store, or ``None`` for what ``FLASH_DATA_STORE`` says, else for the app's storage:
            memory where that is in memory.
        storage: The app's storage.

    Raises:
        ConfigurationError: It names no store. A url is not repeated, since it may hold a password.
        ImportError: The extra ``redis`` is not installed.

    Example:
        >>> store_of("sqlite:///data.db", storage)
        <SqliteSnapshots data.db>
    """
    if isinstance(value, SnapshotStore):
        return value
    if isinstance(value, str):
        return _named(value.strip(), "The text")
    if value is not None:
        what = "class" if isinstance(value, type) else type(value).__name__
        raise ConfigurationError(f"Snapshots cannot be kept in a {what}. {_WRITE}")
    text = os.environ.get(VARIABLE, "").strip()
    if text:
        return _named(text, VARIABLE)
    return MemorySnapshots() if isinstance(storage, MemoryStorage) else StorageSnapshots(storage)


def _named(text: str, where: str) -> SnapshotStore:
    scheme, _, rest = text.partition("://")
    if text.lower() == "memory":
        return MemorySnapshots()
    if scheme.lower() == "sqlite":
        return SqliteSnapshots(_path(rest, where))
    if scheme.lower() in ("redis", "rediss", "unix"):
        return StorageSnapshots(RedisStorage(text), owned=True)
    raise ConfigurationError(f"{where} names no store that Flash knows. {_WRITE}")


def _path(rest: str, where: str) -> Path:
    """The file of a url, as SQLAlchemy reads it."""
    path = rest.removeprefix("/")
    if path == rest or path in ("", "/", ":memory:") or path.endswith("/"):
        raise ConfigurationError(f"{where} names SQLite, but no file. {_WRITE}")
    return Path(path)
