"""What all tests share: those that need a browser are marked, so that ``-m "not browser"`` leaves them out."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator

import pytest

from .storage.servers import RedisServer

BROWSER_FIXTURES = {"browser", "dash_br", "dash_duo", "dash_duo_mp", "flash_br", "flash_duo", "flash_duo_mp"}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "browser: the test drives a real browser")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if BROWSER_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("browser")


@pytest.fixture(autouse=True)
def sources_of_one_test() -> Iterator[None]:
    """Sources are declared in a registry of the process, and every app that is served runs them."""
    yield
    declare = sys.modules.get("flash.data.declare")
    if declare is not None:
        declare._sources.clear()
        declare._store.clear()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis of the tests' own, which is there when a test asks for it."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.kill()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """A url whose keys no other test uses."""
    return f"{redis_server.url}?key_prefix={secrets.token_hex(8)}"
