"""Every benchmark runs in a tiny form and prints a table that can be true. What the figures are is not tested."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def rows_of(*command: str) -> list[list[str]]:
    """Run a benchmark; the cells of its table without the heading."""
    script, *options = command
    path = os.pathsep.join([str(BENCHMARKS.parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / script), *options],
        capture_output=True,
        text=True,
        timeout=180,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
    assert re.search(rf"^`python benchmarks/{script}.*`, \d{{4}}-\d\d-\d\d\. \d+ CPUs", done.stdout, re.MULTILINE)
    assert re.search(r"^Python 3\.\d+\.\d+, dash-flash \d", done.stdout, re.MULTILINE)
    table = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if line.startswith("|")]
    return table[2:]


def number(cell: str) -> float:
    return float(cell.strip("*").replace(",", ""))


def test_fairness() -> None:
    ((served, together, beside_plain, control, ratio, *_),) = rows_of(
        "fairness.py", "--kinds", "flash", "--pairs", "1", "--bursts", "1", "--burst-size", "5"
    )
    assert served == "Flash, hypercorn"
    assert 1 <= number(together) <= 5
    assert number(beside_plain) > 0 and number(control) > 0 and number(ratio) > 0


@pytest.mark.parametrize("program", ["hypercorn", "uvicorn"])
def test_callback_cpu(program: str) -> None:
    rows = rows_of("callback_cpu.py", "--programs", program, "--pairs", "1", "--requests", "20", "--connections", "2")
    assert [row[0] for row in rows] == [f"async, {program}, 2 at once", f"plain, {program}, 2 at once"]
    for row in rows:
        assert all(number(cell) > 0 for cell in row[1:4])


def test_encoding() -> None:
    rows = rows_of("encoding.py", "--rounds", "1", "--scale", "0.02")
    assert len(rows) == 5
    for row in rows:
        assert all(number(cell) >= 0 for cell in row[1:])


def test_bundles() -> None:
    rows = rows_of("bundles.py", "--visits", "2")
    sizes = {row[0]: number(row[1]) for row in rows}
    assert 0 < sizes["Flash"] < sizes['Dash(backend="quart")']
