"""Which storage an app has: what it was given, or what the environment says."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import unquote, urlsplit

import dash

from ..exceptions import ConfigurationError
from .base import Storage
from .dash import DashStorage, is_dash_storage
from .memory import MemoryStorage
from .redis import RedisStorage

#: Read in this order when an app names no storage.
VARIABLES = ("FLASH_REDIS_URL", "DASH_SHARED_STORAGE")
_WRITE = (
    "Write a url as redis://localhost:6379/0 (or rediss://), a flash.storage.Storage, or an object of Dash 4.5's "
    "BaseSharedStorage."
)


def storage_of(value: object = None) -> Storage:
    """The storage that an argument or the environment names. Nothing is connected or started.

    Args:
        value: ``None`` for the environment's: ``FLASH_REDIS_URL``, else ``DASH_SHARED_STORAGE``, else memory; a text as
            these variables have it; a storage of Flash's or of Dash's, or its class.

    Raises:
        ConfigurationError: It names no storage. A url is not repeated, since it may hold a password.
        ImportError: The extra ``redis`` is not installed.

    Example:
        >>> storage_of("redis://localhost:6379/0?key_prefix=shop")
        <RedisStorage prefix='shop'>
    """
    if value is None:
        variable = next((name for name in VARIABLES if os.environ.get(name, "").strip()), None)
        return MemoryStorage() if variable is None else _named(os.environ[variable].strip(), variable)
    if isinstance(value, str):
        return _named(value.strip(), "The text")
    if isinstance(value, type) and (issubclass(value, Storage) or is_dash_storage(value)):
        value = value()
    if isinstance(value, Storage):
        return value
    if is_dash_storage(type(value)):
        return DashStorage(value)
    raise ConfigurationError(f"A storage cannot be made of a {type(value).__name__}. {_WRITE}")


def _named(text: str, where: str) -> Storage:
    if text.lower() in ("local", "none"):
        return MemoryStorage()
    scheme = text.partition("://")[0].lower() if "://" in text else ""
    if scheme in ("redis", "rediss", "unix"):
        return RedisStorage(text)
    if scheme == "diskcache":
        return DashStorage(_on_disk(text, where))
    raise ConfigurationError(f"{where} names no storage that Flash knows. {_WRITE}")


def _on_disk(text: str, where: str) -> Any:
    kind = getattr(dash, "DiskcacheSharedStorage", None)
    path = urlsplit(text).path
    if kind is None or not path.startswith("/"):
        raise ConfigurationError(
            f"{where} names files, which needs Dash 4.5 and an absolute path, as in diskcache:///var/app. {_WRITE}"
        )
    return kind(directory=unquote(path))
