"""What the tests share."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Import an app by its path below ``apps/``; it keeps its data in a folder of this test."""
    monkeypatch.setenv("FLASH_INSTANCE_PATH", str(tmp_path / "instance"))
    before = set(sys.modules)

    def load(path: str) -> ModuleType:
        file = ROOT / "apps" / path
        monkeypatch.syspath_prepend(str(file.parent))
        spec = importlib.util.spec_from_file_location(file.stem, file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    yield load
    # Each test gets modules of its own, and apps may have some of the same name.
    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").is_relative_to(ROOT / "apps"):
            del sys.modules[name]
