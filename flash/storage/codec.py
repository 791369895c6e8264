"""Values and messages to JSON and back. Nothing is pickled."""

from __future__ import annotations

from typing import Any

import orjson

_OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS


def encode(value: Any) -> bytes:
    """A value's JSON.

    Raises:
        TypeError: JSON cannot hold it.
    """
    try:
        return orjson.dumps(value, option=_OPTIONS)
    except orjson.JSONEncodeError as error:
        raise TypeError(
            f"A storage keeps what JSON can hold (dict with str keys, list, str, int, float, bool, None): {error}."
        ) from None


def decode(data: bytes) -> Any:
    """The value of a JSON that :func:`encode` made."""
    return orjson.loads(data)
