"""The benchmark of tabs on a source runs in a tiny form: how fast it is, is not tested, but what is asked and run."""

from __future__ import annotations

import pytest

from .test_short import number, rows_of


@pytest.mark.parametrize("program", ["hypercorn", "uvicorn"])
def test_tabs_on_a_source(program: str) -> None:
    options = ("--program", program, "--tabs", "5", "--browser-tabs", "0", "--idle", "1", "--versions", "2")
    rows = rows_of("data_tabs.py", *options)
    assert [row[0] for row in rows] == ["HTTP", "live connection"]
    for _, requests, callbacks, _, *times, runs, asked in rows:
        assert (requests, callbacks, runs, asked) == ("0", "0", "1", "5")
        assert all(number(cell) > 0 for cell in times)
