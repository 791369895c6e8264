"""Components in real pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from flash.components import live_status


@pytest.fixture(autouse=True)
def forget_live_status(monkeypatch: pytest.MonkeyPatch) -> None:
    """A LiveStatus makes all apps of the process live: only those of the test that has made it."""
    monkeypatch.setattr(live_status, "_used", False)


@pytest.fixture
def clean_duo(flash_duo: Any) -> Iterator[Any]:
    """``flash_duo`` whose console must hold no error at the end."""
    yield flash_duo
    assert flash_duo.get_logs() == []
