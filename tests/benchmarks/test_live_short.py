"""The live benchmarks run in a tiny form and print tables that can be true. What the figures are is not tested."""

from __future__ import annotations

import pytest

from .test_short import number, rows_of

PROGRAMS = ["hypercorn", "uvicorn"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_push(program: str) -> None:
    ((served, *figures),) = rows_of("live_push.py", "--programs", program, "--tabs", "5", "--pairs", "2")
    assert served == program
    flash, bare, ratio, _, flash_cpu, bare_cpu, _ = figures
    assert all(number(cell) > 0 for cell in (flash, bare, ratio, flash_cpu, bare_cpu))


def test_push_compressed() -> None:
    ((_, *figures),) = rows_of("live_push.py", "--programs", "hypercorn", "--tabs", "3", "--pairs", "1", "--deflate")
    assert number(figures[0]) > 0


@pytest.mark.parametrize("program", PROGRAMS)
def test_roundtrip(program: str) -> None:
    rows = rows_of("live_roundtrip.py", "--programs", program, "--rounds", "1", "--requests", "20", "--tabs", "2")
    assert [row[0] for row in rows] == [f"async, {program}, 2 at once", f"plain, {program}, 2 at once"]
    for row in rows:
        assert all(number(cell) > 0 for cell in (*row[1:5], row[6]))


def test_memory() -> None:
    rows = rows_of("live_memory.py", "--programs", "hypercorn", "--tabs", "200", "--rounds", "1")
    assert [row[0] for row in rows] == ["hypercorn, compressed", "hypercorn, not compressed"]
    for row in rows:
        # Of so few tabs the difference says nothing; that a compressed one takes more is sure.
        assert number(row[1]) > 0 and number(row[2]) > 0
    assert number(rows[0][2]) > number(rows[1][2])


def test_stalled() -> None:
    ((_, *figures),) = rows_of(
        "live_stalled.py", "--programs", "hypercorn", "--tabs", "5", "--pairs", "1", "--pushes", "3"
    )
    cpu, stalled, ratio, _, p99, p99_stalled, waiting = figures
    assert all(number(cell) > 0 for cell in (cpu, stalled, ratio))
    assert waiting == "0"
