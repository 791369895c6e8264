"""The snippets in docs/testing.md are files, and run."""

from __future__ import annotations

import re
from pathlib import Path

from .running import run_pytest

DOCS = Path(__file__).parents[2] / "docs"
SNIPPETS = {path.name: path.read_text() for path in (DOCS / "snippets").glob("testing_*.py")}
SHOWN = re.compile(r"<!-- snippets/(\S+) -->\n```python\n(.*?)```", re.DOTALL)


def test_every_snippet_is_shown_as_it_is() -> None:
    assert dict(SHOWN.findall((DOCS / "testing.md").read_text())) == SNIPPETS


def test_the_snippets_run() -> None:
    ran = run_pytest("--headless", *sorted(SNIPPETS), folder=DOCS / "snippets")
    assert ran.returncode == 0, ran.stdout + ran.stderr
