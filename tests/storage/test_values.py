"""Values: what is kept comes back, until its time is over."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest

from flash.exceptions import ConfigurationError
from flash.storage import MemoryStorage, SharedStorageError, Storage

from ..apps import run
from .servers import wait_until

VALUES: list[Any] = [
    None,
    True,
    0,
    -(2**53),
    2**63 - 1,
    0.1,
    1e300,
    -0.0,
    "",
    "Grüße, 世界 🌍 \x00 \u2028",
    [],
    {},
    [1, [2, [3, {"four": [None, {"five": "6"}]}]]],
    {"": {"a.b": 1, "ключ": "значение"}},
    "x" * 1_000_000,
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:20].encode("ascii", "replace").decode())
def test_a_value_comes_back_as_it_was(storage: Storage, value: Any) -> None:
    async def main() -> None:
        storage.set("plain", value)
        await storage.aset("async", value)
        for key in ("plain", "async"):
            for found in (storage.get(key, "missing"), await storage.aget(key, "missing")):
                assert found == value and type(found) is type(value)
        await storage.aclose()

    run(main)


def test_what_json_writes_otherwise_comes_back_as_json_has_it(storage: Storage) -> None:
    storage.set("key", {"tuple": (1, 2), "nan": float("nan"), "encoded": orjson.Fragment(b'{"a":1}')})
    assert storage.get("key") == {"tuple": [1, 2], "nan": None, "encoded": {"a": 1}}


@pytest.mark.parametrize("value", [object(), {1: "number"}, b"bytes", {"set"}, "\ud800"])
def test_what_json_cannot_hold_is_refused(storage: Storage, value: Any) -> None:
    with pytest.raises(TypeError, match="what JSON can hold"):
        storage.set("key", value)
    with pytest.raises(TypeError, match="what JSON can hold"):
        storage.publish("topic", value)
    assert storage.get("key", "missing") == "missing"


def test_what_is_changed_after_it_was_kept_changes_nothing(storage: Storage) -> None:
    value = {"list": [1]}
    storage.set("key", value)
    value["list"].append(2)
    storage.get("key")["list"].append(3)
    assert storage.get("key") == {"list": [1]}


def test_a_key_that_is_not_there_has_the_default(storage: Storage) -> None:
    async def main() -> None:
        assert storage.get("key") is None
        assert storage.get("key", 5) == 5
        assert await storage.aget("key", 5) == 5
        storage.set("key", 1)
        storage.delete("key")
        await storage.adelete("key")
        assert await storage.aget("key", 5) == 5
        await storage.aclose()

    run(main)


def test_a_value_expires(storage: Storage) -> None:
    async def main() -> None:
        begin = time.monotonic()
        storage.set("plain", 1, ttl=0.3)
        await storage.aset("async", 1, ttl=0.3)
        await storage.aset_many({"many": 1}, ttl=0.3)
        await storage.aset_many({"kept": 1}, ttl=0.3)
        storage.set("kept", 2)
        wait_until(lambda: storage.get("plain") is None, "expiry")
        assert time.monotonic() > begin + 0.29
        wait_until(lambda: storage.get("async") is None and storage.get("many") is None, "expiry")
        assert await storage.aget_many(["plain", "async", "many", "kept"]) == {"kept": 2}
        await storage.aclose()

    run(main)


def test_several_values_are_kept_and_read_in_one_go(storage: Storage) -> None:
    async def main() -> None:
        await storage.aset_many({"a": 1, "b": None, "c": {"d": [2]}})
        assert await storage.aget_many(["c", "x", "a", "b"]) == {"a": 1, "b": None, "c": {"d": [2]}}
        await storage.aset_many({})
        assert await storage.aget_many([]) == {}
        await storage.aclose()

    run(main)


@pytest.mark.parametrize("ttl", [0, -1, float("nan"), float("inf")])
def test_a_lifetime_that_is_none_is_refused(storage: Storage, ttl: float) -> None:
    with pytest.raises(ConfigurationError, match="seconds above 0"):
        storage.set("key", 1, ttl=ttl)
    with pytest.raises(ConfigurationError, match="at least 10 seconds"):
        storage.publish("topic", 1, ttl=ttl)
    with pytest.raises(ConfigurationError, match="seconds above 0"):
        storage.acquire("lease", "me", ttl)


def test_expired_values_leave_the_memory() -> None:
    storage = MemoryStorage()
    for number in range(100):
        storage.set(str(number), number, ttl=0.001)

    def only_one_is_left() -> bool:
        storage.set("last", 1)
        return len(storage._values) == 1

    wait_until(only_one_is_left, "forgetting")


@pytest.mark.parametrize("make", ["memory", "redis"], indirect=True)
def test_a_closed_storage_says_so_and_can_be_started_again(storage: Storage) -> None:
    storage.set("key", 1)
    storage.close()
    storage.close()
    with pytest.raises(SharedStorageError, match="has been closed"):
        storage.get("key")
    storage.start()
    assert storage.get("key") == 1
