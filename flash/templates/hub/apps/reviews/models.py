"""The reviews, in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

PRODUCTS = ("Anchor", "Compass", "Lantern", "Rope")
LONGEST = 2000

TABLE = """
CREATE TABLE IF NOT EXISTS reviews (
    number INTEGER PRIMARY KEY,
    product TEXT NOT NULL,
    mark INTEGER NOT NULL CHECK (mark BETWEEN 1 AND 5),
    author TEXT NOT NULL,
    text TEXT NOT NULL,
    written TEXT NOT NULL DEFAULT current_timestamp
)
"""


@dataclass(frozen=True)
class Review:
    """One row."""

    number: int
    product: str
    mark: int
    author: str
    text: str
    written: str


class Reviews:
    """All reviews of one file. Each call opens the file for itself, so any thread may make it.

    Args:
        path: The file; made if it is missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._connection() as connection:
            connection.execute(TABLE)

    def add(self, product: str, mark: int, author: str, text: str) -> None:
        """Keep a review.

        Raises:
            ValueError: It cannot be one. The sentence is for its author.
        """
        if product not in PRODUCTS:
            raise ValueError("Choose one of the products.")
        if mark not in range(1, 6):
            raise ValueError("Give a mark from 1 to 5.")
        if not text.strip() or len(text) > LONGEST:
            raise ValueError(f"Write something, of at most {LONGEST} characters.")
        with self._connection() as connection:
            connection.execute(
                "INSERT INTO reviews (product, mark, author, text) VALUES (?, ?, ?, ?)",
                (product, mark, author.strip()[:80] or "Somebody", text.strip()),
            )

    def latest(self, count: int = 50) -> list[Review]:
        """The newest reviews, the newest first."""
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT number, product, mark, author, text, written FROM reviews ORDER BY number DESC LIMIT ?",
                (count,),
            ).fetchall()
        return [Review(*row) for row in rows]

    def marks(self, products: list[str]) -> dict[str, list[int]]:
        """How often each product got each mark, from 1 to 5."""
        counts = {product: [0] * 5 for product in products}
        with self._connection() as connection:
            for product, mark, count in connection.execute(
                "SELECT product, mark, COUNT(*) FROM reviews GROUP BY product, mark"
            ):
                if product in counts:
                    counts[product][mark - 1] = count
        return counts

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            yield connection
