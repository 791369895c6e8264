"""The storages that the suite runs on."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator

import dash
import pytest

from flash.storage import DashStorage, MemoryStorage, RedisStorage, Storage

KINDS = ["memory", "redis", "dash"]


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
