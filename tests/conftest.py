"""What all tests share: those that need a browser are marked, so that ``-m "not browser"`` leaves them out."""

from __future__ import annotations

import pytest

BROWSER_FIXTURES = {"browser", "dash_br", "dash_duo", "dash_duo_mp", "flash_br", "flash_duo", "flash_duo_mp"}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "browser: the test drives a real browser")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if BROWSER_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("browser")
