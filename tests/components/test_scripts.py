"""The logic of the components' scripts, under Node."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent / "client"


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
@pytest.mark.parametrize("tests", sorted(TESTS.glob("*.test.js")), ids=lambda file: file.name.removesuffix(".test.js"))
def test_under_node(tests: Path) -> None:
    """One file of tests, each for one script."""
    run = subprocess.run(["node", "--test", str(tests)], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stdout + run.stderr


def test_only_who_asks_for_them_gets_them() -> None:
    program = (
        "import flash, sys; app = flash.Flash('app'); app.layout = flash.html.Div();"
        "assert 'flash.components' not in sys.modules and not hasattr(flash, '_js_dist');"
        "from flash import components; assert flash._js_dist and components.Lazy"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, timeout=60)
