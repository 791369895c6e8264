"""The storages that the suite runs on."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator

import dash
import pytest

from flash.storage import DashStorage, MemoryStorage, RedisStorage, Storage

from .servers import RedisServer

KINDS = ["memory", "redis", "dash"]


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.kill()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """A url whose keys no other test uses."""
    return f"{redis_server.url}?key_prefix={secrets.token_hex(8)}"


@pytest.fixture(params=KINDS)
def make(request: pytest.FixtureRequest) -> Iterator[Callable[[], Storage]]:
    """Makes a storage of each kind, empty at first; what it is called for again has the same content."""
    made: list[Storage] = []
    if request.param == "memory":
        memory = MemoryStorage()
        yield lambda: memory
    elif request.param == "redis":
        url = request.getfixturevalue("redis_url")
        yield lambda: made.append(RedisStorage(url)) or made[-1]
    else:
        if not hasattr(dash, "LocalSharedStorage"):
            pytest.skip("Dash 4.4 has no shared storage.")
        local = dash.LocalSharedStorage(namespace=secrets.token_hex(8), buffer_size=5000)
        yield lambda: made.append(DashStorage(local)) or made[-1]
        local.close()
    for storage in made:
        storage.close()


@pytest.fixture
def storage(make: Callable[[], Storage]) -> Storage:
    return make()
