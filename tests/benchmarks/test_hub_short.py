"""The hub's benchmark runs in a tiny form and prints tables that can be true. What the times are is not tested."""

from __future__ import annotations

from .test_short import number, rows_of


def test_cost() -> None:
    rows = rows_of("hub.py", "--rounds", "1", "--requests", "10", "--connections", "2")
    assert [row[0] for row in rows] == [
        "Trivial callback, median ms",
        "Trivial callback, server CPU in µs",
        "200 components, answers a second",
    ]
    for row in rows:
        assert all(number(cell) > 0 for cell in (*row[1:4], *row[5:]))


def test_harm() -> None:
    rows = rows_of("hub.py", "--part", "harm", "--seconds", "1", "--rate", "20")
    assert len(rows) == 4
    for title, requests, failed, *figures in rows:
        assert (number(requests), number(failed)) == (20, 0), title
        assert all(number(cell) > 0 for cell in figures)
