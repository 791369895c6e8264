"""The browser's end of the live connection, tested under Node."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

TESTS = Path(__file__).parent / "client"
CLIENT = Path(__file__).parents[2] / "flash" / "live" / "client"


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
@pytest.mark.parametrize("tests", sorted(TESTS.glob("*.test.js")), ids=lambda file: file.name.removesuffix(".test.js"))
def test_under_node(tests: Path) -> None:
    """One file of tests, each for one concern of the client."""
    run = subprocess.run(["node", "--test", str(tests)], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stdout + run.stderr


def test_scripts_are_classic_and_in_order() -> None:
    """Each script is a function of its own, and its name says its place."""
    scripts = sorted(CLIENT.iterdir())
    assert [int(script.name[:2]) for script in scripts] == list(range(1, len(scripts) + 1))
    for script in scripts:
        text = script.read_text()
        assert text.startswith('(function () {\n    "use strict";\n'), script.name
        assert text.endswith("})();\n"), script.name
