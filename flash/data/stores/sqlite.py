"""Snapshots in a file of SQLite, for the processes of one machine."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import orjson

from ...background.forks import gate
from ...pool import Pool
from .base import Record, SnapshotStore, SnapshotStoreError, checked_keep

T = TypeVar("T")

#: How long a writer waits while another process writes, in seconds.
PATIENCE = 10.0

_TABLES = """
CREATE TABLE IF NOT EXISTS flash_snapshots (
    source TEXT NOT NULL,
    version INTEGER NOT NULL,
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    digest TEXT NOT NULL,
    derived TEXT NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (source, version)
);
CREATE TABLE IF NOT EXISTS flash_states (
    source TEXT PRIMARY KEY,
    state TEXT NOT NULL
);
"""
_COLUMNS = "version, at, kind, data, digest, derived"


class SqliteSnapshots(SnapshotStore):
    """Keeps snapshots in a file, for all processes of this machine that name it. They outlive all of them.

    One thread uses the file, so that the loop never waits for a disk. A snapshot is written in one transaction: who
    reads meanwhile, in whatever process, finds all of the old ones; so does who comes after a writer that was killed.

    Args:
        path: The file; it is made when the store is started, and its folder too. Not on a network drive.

    Example:
        >>> store = SqliteSnapshots("data.db")
    """

    shared_between_processes = True

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._thread = Pool(1, "flash-snapshots")
        self._connection: tuple[int, tuple[int, int] | None, sqlite3.Connection] | None = None

    def __repr__(self) -> str:
        return f"<SqliteSnapshots {self._path}>"

    async def start(self) -> None:
        """Open the file, and make it if it is missing."""
        await self._run(lambda connection: None)

    async def close(self) -> None:
        """Close the file."""
        await self._thread.run(self._close)
        self._thread.close()

    async def put(self, source: str, record: Record, keep: int) -> None:
        """Keep a snapshot, and drop all but the last ``keep``."""
        checked_keep(keep)
        await self._run(_put, source, record, keep)

    async def newest(self, source: str) -> Record | None:
        """The snapshot with the highest version."""
        return next(iter(await self.history(source, 1)), None)

    async def get(self, source: str, version: int) -> Record | None:
        """The snapshot with a version, if it is still kept."""
        found = await self._run(_records, "source = ? AND version = ?", source, version)
        return next(iter(found), None)

    async def history(self, source: str, most: int) -> list[Record]:
        """The last snapshots, the newest first."""
        return await self._run(_records, "source = ? ORDER BY version DESC LIMIT ?", source, max(0, most))

    async def state(self, source: str) -> dict[str, Any] | None:
        """What was last set by :meth:`set_state`."""
        return await self._run(_state, source)

    async def set_state(self, source: str, state: dict[str, Any]) -> None:
        """Keep what JSON can hold."""
        await self._run(_set_state, source, orjson.dumps(state).decode())

    async def _run(self, func: Callable[..., T], *args: Any) -> T:
        return await self._thread.run(self._in_transaction, func, *args)

    def _in_transaction(self, func: Callable[..., T], *args: Any) -> T:
        # No fork meanwhile: it would copy SQLite's locks (flash.background.forks).
        with gate.operation(), self._errors_told():
            connection = self._opened()
            with connection:
                return func(connection, *args)

    def _opened(self) -> sqlite3.Connection:
        """The connection of this process. A file that was removed is made anew, as other processes would."""
        if self._connection is not None:
            process, identity, connection = self._connection
            if process == os.getpid() and identity == _identity(self._path):
                return connection
            if process != os.getpid():
                # Closed by a process that was forked, it would take the locks of the other away.
                _inherited.append(connection)
                self._connection = None
            self._close()
        connection = _connect(self._path)
        self._connection = os.getpid(), _identity(self._path), connection
        return connection

    def _close(self) -> None:
        if self._connection is not None:
            with gate.operation():
                self._connection[2].close()
            self._connection = None

    @contextmanager
    def _errors_told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise SnapshotStoreError(f"{self._path} {_reason(error)}") from error


# Each is run in a transaction. ----------------------------------------------------------------------------------------


def _put(connection: sqlite3.Connection, source: str, record: Record, keep: int) -> None:
    derived = orjson.dumps(record.derived).decode()
    connection.execute(
        f"INSERT OR REPLACE INTO flash_snapshots (source, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (source, record.version, record.at, record.kind, record.data, record.digest, derived),
    )
    connection.execute(
        "DELETE FROM flash_snapshots WHERE source = ? AND version NOT IN "
        "(SELECT version FROM flash_snapshots WHERE source = ? ORDER BY version DESC LIMIT ?)",
        (source, source, keep),
    )


def _records(connection: sqlite3.Connection, which: str, *values: Any) -> list[Record]:
    with closing(connection.execute(f"SELECT {_COLUMNS} FROM flash_snapshots WHERE {which}", values)) as rows:
        return [
            Record(version, at, kind, data, digest, orjson.loads(derived))
            for version, at, kind, data, digest, derived in rows
        ]


def _state(connection: sqlite3.Connection, source: str) -> dict[str, Any] | None:
    with closing(connection.execute("SELECT state FROM flash_states WHERE source = ?", (source,))) as rows:
        row = rows.fetchone()
    return None if row is None else orjson.loads(row[0])


def _set_state(connection: sqlite3.Connection, source: str, state: str) -> None:
    connection.execute("INSERT OR REPLACE INTO flash_states (source, state) VALUES (?, ?)", (source, state))


# The file. ------------------------------------------------------------------------------------------------------------

#: Connections that a process has from the one that it was forked from: kept, since Python would close them.
_inherited: list[sqlite3.Connection] = []


def _connect(path: Path) -> sqlite3.Connection:
    if not path.exists():
        # Data are nobody else's; SQLite's other files have the same permissions.
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
    # One thread at a time: the pool may end its idle one and start another.
    connection = sqlite3.connect(path, timeout=PATIENCE, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(_TABLES)
    except BaseException:
        connection.close()
        raise
    return connection


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


_REASONS = {
    sqlite3.SQLITE_BUSY: f"was in use by another process for more than {PATIENCE:g} s.",
    sqlite3.SQLITE_READONLY: "cannot be written: the file or its folder is read-only for this user.",
    sqlite3.SQLITE_CORRUPT: "is damaged. Stop the app, move the file away, and start it: its sources run anew.",
    sqlite3.SQLITE_NOTADB: "is no file of SQLite. Name another file, or move this one away.",
    sqlite3.SQLITE_IOERR: "could not be read or written: its disk is full, over its quota or failing.",
    sqlite3.SQLITE_FULL: "could not grow: the disk is full.",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: is its folder there, and may this user write in it?",
    sqlite3.SQLITE_TOOBIG: "cannot hold a snapshot of more than 1 GB. Return less, or keep it in files of your own.",
}


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"cannot be used: {error.strerror}."
    # The rest of the number tells what SQLite was doing.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return _REASONS.get(code, f"could not be used: {error}.")
