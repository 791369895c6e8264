"""The notes, in SQLite, reached without blocking."""

from __future__ import annotations

import os
from dataclasses import dataclass

import aiosqlite

TABLE = """
create table if not exists notes (
    number integer primary key,
    title text not null,
    body text not null,
    written text not null default current_timestamp
)
"""


@dataclass(frozen=True)
class Note:
    """One row."""

    number: int
    title: str
    body: str
    written: str


class Notes:
    """All notes of one file. It is opened and closed by the loop that serves the app."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._connection: aiosqlite.Connection | None = None

    async def open(self) -> None:
        self._connection = await aiosqlite.connect(self.path)
        await self._connection.execute(TABLE)
        await self._connection.commit()

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()

    @property
    def connection(self) -> aiosqlite.Connection:
        if self._connection is None:
            raise RuntimeError("The database is not open. It is opened when the server starts.")
        return self._connection

    async def add(self, title: str, body: str) -> None:
        await self.connection.execute("insert into notes (title, body) values (?, ?)", (title, body))
        await self.connection.commit()

    async def all(self) -> list[Note]:
        rows = await self.connection.execute_fetchall(
            "select number, title, body, written from notes order by number desc"
        )
        return [Note(*row) for row in rows]

    async def find(self, number: str) -> Note | None:
        async with self.connection.execute(
            "select number, title, body, written from notes where number = ?", (number,)
        ) as cursor:
            row = await cursor.fetchone()
        return Note(*row) if row else None

    async def count(self) -> int:
        async with self.connection.execute("select count(*) from notes") as cursor:
            return (await cursor.fetchone())[0]


notes = Notes(os.environ.get("NOTES_DATABASE", "notes.db"))
