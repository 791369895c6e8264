"""What a hub remembers, in SQLite: which apps are on, and the processes that run them."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from ..background.forks import gate
from ..pool import Pool

P = ParamSpec("P")
T = TypeVar("T")

_TABLES = """
CREATE TABLE IF NOT EXISTS apps (
    name TEXT PRIMARY KEY,
    desired TEXT NOT NULL,
    process TEXT,
    added TEXT,
    changed REAL NOT NULL
)
"""


class State:
    """One SQLite file, used by one thread.

    Args:
        path: The file; made when the state is opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = Pool(1, "flash-hub-state")
        self._connection: sqlite3.Connection | None = None
        self._tables = [_TABLES]

    def ensure(self, table: str) -> None:
        """Have a table made when the state is opened: ``CREATE TABLE IF NOT EXISTS ...``."""
        self._tables.append(table)

    async def open(self) -> None:
        """Open the file and make what is missing in it."""
        await self._thread.run(self._open)

    async def run(
        self, func: Callable[Concatenate[sqlite3.Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call ``func(connection, ...)`` in the state's thread, in a transaction of its own, and return its result."""
        return await self._thread.run(lambda: self._in_transaction(func, *args, **kwargs))

    async def close(self) -> None:
        """Close the file. Nothing can be run afterwards."""
        await self._thread.run(self._close)
        self._thread.close()

    def _open(self) -> None:
        # The pool may end its idle thread and start another: one at a time, which is all that SQLite needs.
        # A fork in the midst of SQLite would leave a background job with its locks: see flash.background.forks.
        with gate.operation():
            connection = sqlite3.connect(self._path, check_same_thread=False)
            self._path.chmod(0o600)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.row_factory = sqlite3.Row
            with connection:
                for table in self._tables:
                    connection.execute(table)
            self._connection = connection

    def _in_transaction(
        self, func: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        assert self._connection is not None, "The hub's state is not open: has its lifespan been run?"
        with gate.operation(), self._connection:  # No fork meanwhile, as in _open.
            return func(self._connection, *args, **kwargs)

    def _close(self) -> None:
        if self._connection is not None:
            with gate.operation():
                self._connection.close()
            self._connection = None


# What is kept about apps; each to be run by State.run. ----------------------------------------------------------------


def remembered(connection: sqlite3.Connection) -> dict[str, dict[str, Any]]:
    """All apps that the hub has ever seen, by name: ``desired``, ``process`` (None or a dict), ``added``."""
    with closing(connection.execute("SELECT name, desired, process, added FROM apps")) as rows:
        return {
            row["name"]: {
                "desired": row["desired"],
                "process": json.loads(row["process"]) if row["process"] else None,
                "added": json.loads(row["added"]) if row["added"] else None,
            }
            for row in rows
        }


def remember_desired(connection: sqlite3.Connection, name: str, desired: str) -> None:
    """Keep whether an app is to be on."""
    connection.execute(
        "INSERT INTO apps (name, desired, changed) VALUES (?, ?, ?) "
        "ON CONFLICT (name) DO UPDATE SET desired = excluded.desired, changed = excluded.changed",
        (name, desired, time.time()),
    )


def remember_process(connection: sqlite3.Connection, name: str, process: dict[str, Any] | None) -> None:
    """Keep what a later hub needs to find an app's process again; None: there is none."""
    connection.execute(
        "UPDATE apps SET process = ?, changed = ? WHERE name = ?",
        (None if process is None else json.dumps(process), time.time(), name),
    )


def remember_added(connection: sqlite3.Connection, name: str, declaration: str) -> None:
    """Keep the declaration (JSON) of an app that was added at run time."""
    connection.execute("UPDATE apps SET added = ? WHERE name = ?", (declaration, name))


def remember_removed(connection: sqlite3.Connection, name: str) -> None:
    """Keep that an app is going: a hub that is killed meanwhile does not have it again."""
    connection.execute("UPDATE apps SET added = NULL, desired = 'off' WHERE name = ?", (name,))


def forget(connection: sqlite3.Connection, name: str) -> None:
    """Forget an app that was removed."""
    connection.execute("DELETE FROM apps WHERE name = ?", (name,))
