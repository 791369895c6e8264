"""Who has signed in, and until when: kept by the hub, so that signing out ends it for good."""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from ..state import State

#: A user who signs in once more than so often loses the session that was not used for longest.
FOR_ONE_USER = 50

TABLE = """
CREATE TABLE IF NOT EXISTS sessions (
    key TEXT PRIMARY KEY,
    user TEXT NOT NULL,
    token TEXT NOT NULL,
    previous TEXT,
    begun REAL NOT NULL,
    seen REAL NOT NULL,
    turned REAL NOT NULL,
    confirmed REAL,
    data TEXT NOT NULL
)
"""


@dataclass(slots=True)
class Session:
    """One browser that somebody has signed in with.

    Attributes:
        key: Names it, and lets nobody in.
        user: Who signed in.
        token: The hash of what the browser's cookie holds.
        previous: The hash of what it held before.
        begun: When it began, in seconds since 1970.
        seen: When its browser was heard of last.
        turned: When the token was made.
        confirmed: When the browser first showed the newest token; None: not yet.
        data: What the way of signing in keeps of it.
        saved: Up to when it has been written.
    """

    key: str
    user: str
    token: str
    previous: str | None
    begun: float
    seen: float
    turned: float
    confirmed: float | None = None
    data: dict[str, Any] = field(default_factory=dict)
    saved: float = 0.0


class Sessions:
    """The sessions of one hub, in memory; what changes is written to its state.

    Args:
        state: The hub's; it must have :data:`TABLE`.
        idle: Seconds without a request after which a session ends.
        absolute: Seconds after which it ends in any case.
        turn: Seconds after which its browser is given another token.
        overlap: Seconds for which requests with the old token are under way once the new one has arrived.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        state: State,
        *,
        idle: float,
        absolute: float,
        turn: float = 900.0,
        overlap: float = 30.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.absolute = absolute
        self._state = state
        self._idle = idle
        self._turn = turn
        self._overlap = overlap
        self._clock = clock
        self._by_token: dict[str, Session] = {}
        self._by_key: dict[str, Session] = {}

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._by_key.values()))

    async def load(self) -> None:
        """Read what an earlier hub has kept."""
        for session in await self._state.run(_all):
            self._keep(session)

    def find(self, token: str) -> Session | None:
        """The session of a token, if it has not ended."""
        hashed = hash_of_token(token)
        session = self._by_token.get(hashed)
        if session is None:
            return None
        now = self._clock()
        if not self._lives(session, now):
            return None
        if hashed == session.token:
            session.confirmed = session.confirmed or now
        elif session.confirmed is not None and now > session.confirmed + self._overlap:
            return None
        session.seen = now
        return session

    async def begin(self, user: str, data: dict[str, Any]) -> tuple[Session, str, list[Session]]:
        """Begin a session.

        Args:
            user: Who has signed in.
            data: What is to be kept of it; fit for JSON.

        Returns:
            The session, the token for its browser, and those that had to end for it.
        """
        token, now = new_token(), self._clock()
        session = Session(secrets.token_hex(16), user, hash_of_token(token), None, now, now, now, None, data, now)
        others = sorted((each for each in self if each.user == user), key=lambda each: each.seen, reverse=True)
        too_many = others[FOR_ONE_USER - 1 :]
        await self.end(*too_many)
        self._keep(session)
        await self._state.run(_save, [_row(session)])
        return session, token, too_many

    async def end(self, *ended: Session) -> None:
        """End sessions: their tokens are worth nothing from now on, nor after a restart."""
        for session in ended:
            self._by_key.pop(session.key, None)
            self._by_token.pop(session.token, None)
            if session.previous is not None:
                self._by_token.pop(session.previous, None)
        if ended:
            await self._state.run(_delete, [session.key for session in ended])

    def turned(self, session: Session) -> str | None:
        """Another token for a session, when it is time for one. It is written by the next :meth:`flush`.

        The old one stays good until the new one has arrived, for an answer may be lost, and for a moment longer. If it
        does not arrive, it is made again.
        """
        now = self._clock()
        lost = session.confirmed is None and session.previous is not None and now > session.turned + self._overlap
        due = session.confirmed is not None and now > session.turned + self._turn
        if not (due or lost):
            return None
        token = new_token()
        if lost:
            self._by_token.pop(session.token, None)
        else:
            if session.previous is not None:
                self._by_token.pop(session.previous, None)
            session.previous = session.token
        session.token, session.turned, session.confirmed = hash_of_token(token), now, None
        session.saved = 0.0
        self._keep(session)
        return token

    def over(self) -> list[Session]:
        """The sessions whose time is over, and that nobody has ended."""
        now = self._clock()
        return [session for session in self if not self._lives(session, now)]

    async def flush(self) -> None:
        """Write what has changed."""
        changed = [session for session in self if session.seen > session.saved]
        for session in changed:
            session.saved = session.seen
        if changed:
            await self._state.run(_update, [_row(session) for session in changed])

    def _lives(self, session: Session, now: float) -> bool:
        return now < session.begun + self.absolute and now < session.seen + self._idle

    def _keep(self, session: Session) -> None:
        self._by_key[session.key] = session
        self._by_token[session.token] = session
        if session.previous is not None:
            self._by_token[session.previous] = session


def new_token() -> str:
    """256 random bits."""
    return secrets.token_urlsafe(32)


def hash_of_token(token: str) -> str:
    """What is kept of a token. It is random, so that a plain hash hides it."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


# To be run by State.run. ----------------------------------------------------------------------------------------------


def _row(session: Session) -> tuple[Any, ...]:
    return (
        session.key,
        session.user,
        session.token,
        session.previous,
        session.begun,
        session.seen,
        session.turned,
        session.confirmed,
        json.dumps(session.data),
    )


def _all(connection: sqlite3.Connection) -> list[Session]:
    columns = "key, user, token, previous, begun, seen, turned, confirmed, data"
    with closing(connection.execute(f"SELECT {columns} FROM sessions")) as rows:
        return [Session(**{**dict(row), "data": json.loads(row["data"]), "saved": row["seen"]}) for row in rows]


def _save(connection: sqlite3.Connection, rows: list[tuple[Any, ...]]) -> None:
    connection.executemany("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)


def _update(connection: sqlite3.Connection, rows: list[tuple[Any, ...]]) -> None:
    """Write sessions that have not been ended meanwhile."""
    changed = "token = ?3, previous = ?4, seen = ?6, turned = ?7, confirmed = ?8, data = ?9"
    connection.executemany(f"UPDATE sessions SET {changed} WHERE key = ?1", rows)


def _delete(connection: sqlite3.Connection, keys: list[str]) -> None:
    connection.executemany("DELETE FROM sessions WHERE key = ?", [(key,) for key in keys])
