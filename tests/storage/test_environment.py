"""Which storage an app gets."""

from __future__ import annotations

import subprocess
import sys
import traceback
from pathlib import Path

import dash
import pytest

from flash.exceptions import ConfigurationError
from flash.storage import DashStorage, MemoryStorage, RedisStorage, storage_of

SECRET = "hunter2"


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLASH_REDIS_URL", raising=False)
    monkeypatch.delenv("DASH_SHARED_STORAGE", raising=False)


def test_memory_is_the_default() -> None:
    assert isinstance(storage_of(), MemoryStorage)


@pytest.mark.parametrize("value", ["", "local", "none", " Local "])
def test_dashs_words_for_one_process(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("DASH_SHARED_STORAGE", value)
    assert isinstance(storage_of(), MemoryStorage)


@pytest.mark.parametrize("url", ["redis://h", "rediss://u:p@h:6380/2", "unix:///run/redis.sock", "REDIS://h"])
def test_a_url_is_redis(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    assert isinstance(storage_of(url), RedisStorage)
    monkeypatch.setenv("DASH_SHARED_STORAGE", f" {url}?key_prefix=dash ")
    assert repr(storage_of()) == "<RedisStorage prefix='dash'>"
    monkeypatch.setenv("FLASH_REDIS_URL", url)
    assert repr(storage_of()) == "<RedisStorage prefix='flash'>"
    assert isinstance(storage_of("local"), MemoryStorage)


def test_a_prefix_that_is_given_comes_before_the_urls() -> None:
    assert repr(RedisStorage("redis://h?key_prefix=url", prefix="given")) == "<RedisStorage prefix='given'>"


def test_a_storage_is_taken_as_it_is() -> None:
    storage = MemoryStorage()
    assert storage_of(storage) is storage
    assert isinstance(storage_of(MemoryStorage), MemoryStorage)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "nonsense",
        f"redos://:{SECRET}@host",
        f"redis://:{SECRET}@host:port/0",
        f"redis://:{SECRET}@[host/0",
        f"redis://:{SECRET}/x@host/0",
        f"redis://:12#{SECRET}@host/0",
        f"redis://:{SECRET}@host?key_prefix=",
        f"redis://:{SECRET}@host?socket_timeout={SECRET}",
        f"diskcache://{SECRET}",
        f"cluster://:{SECRET}@host",
    ],
)
def test_a_text_that_names_none_is_refused_without_being_shown(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    with pytest.raises(ConfigurationError, match="redis://") as refused:
        storage_of(value)
    assert SECRET not in "".join(traceback.format_exception_only(refused.value))
    assert refused.value.__suppress_context__ or refused.value.__context__ is None
    if value:
        monkeypatch.setenv("FLASH_REDIS_URL", value)
        with pytest.raises(ConfigurationError) as refused:
            storage_of()
        assert SECRET not in str(refused.value)


@pytest.mark.parametrize("value", [5, object(), {"url": SECRET}, int])
def test_something_else_is_refused(value: object) -> None:
    with pytest.raises(ConfigurationError, match="A storage cannot be made of a") as refused:
        storage_of(value)
    assert SECRET not in str(refused.value)


@pytest.mark.skipif(not hasattr(dash, "BaseSharedStorage"), reason="Dash 4.4 has no shared storage.")
def test_a_storage_of_dashs_is_accepted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert isinstance(storage_of(dash.LocalSharedStorage(namespace="accepted")), DashStorage)
    assert isinstance(storage_of(dash.LocalSharedStorage), DashStorage)
    monkeypatch.setenv("DASH_SHARED_STORAGE", f"diskcache://{tmp_path}")
    storage = storage_of()
    assert isinstance(storage, DashStorage)
    storage.set("key", [1])
    assert storage_of(f"diskcache://{tmp_path}").get("key") == [1]


def test_without_redis_py_the_error_names_the_extra() -> None:
    code = (
        "import sys\n"
        "sys.modules['redis'] = None\n"
        "from flash.storage import storage_of\n"
        "storage_of()\n"
        "try:\n"
        "    storage_of('redis://host')\n"
        "except ImportError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 'pip install "dash-flash[redis]"' in done.stdout
