"""docs/storage.md names everything that a storage can do."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from flash import storage
from flash.storage import MemoryStorage, RedisStorage, Storage, Subscription

PAGE = (Path(__file__).parents[2] / "docs" / "storage.md").read_text()


@pytest.mark.parametrize("kind", [Storage, Subscription])
def test_every_method_is_described(kind: type) -> None:
    for name, value in vars(kind).items():
        if not name.startswith("_"):
            assert inspect.getdoc(value), name
            assert f"`{name}`" in PAGE or f"`{name}(" in PAGE, name


@pytest.mark.parametrize("kind", [Storage, MemoryStorage, RedisStorage])
def test_every_method_has_a_docstring(kind: type) -> None:
    assert not [name for name, value in vars(kind).items() if not name.startswith("_") and not inspect.getdoc(value)]


def test_every_error_is_described() -> None:
    for name in ("SharedStorageError", "SharedStorageGap"):
        assert issubclass(getattr(storage, name), Exception) and f"`{name}`" in PAGE
