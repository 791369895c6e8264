"""The benchmark of the live dashboard runs in a tiny form and prints a table that can be true; no time is tested."""

from __future__ import annotations

from .test_short import number, rows_of


def test_the_live_dashboard() -> None:
    rows = rows_of("live_dashboard.py", "--browsers", "3", "--seconds", "5")
    assert [row[0] for row in rows] == ["nothing new", "new data", "charts asked for anew"]
    for _, requests, median, most, longest in rows:
        assert number(requests) > 0 and 0 < number(median) <= number(most) <= number(longest)
