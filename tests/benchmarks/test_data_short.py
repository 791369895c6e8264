"""The benchmark of snapshots runs in a tiny form and prints a table that can be true; no time is tested."""

from __future__ import annotations

from .test_short import number, rows_of


def test_snapshots() -> None:
    rows = rows_of("data.py", "--rows", "20000", "--rounds", "1")
    assert [row[0] for row in rows] == ["memory", "SQLite", "Redis"]
    for row in rows:
        assert all(number(cell) >= 0 for cell in row[2:]) and number(row[1]) > 0
