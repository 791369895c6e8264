"""A source's value to bytes and back, the same in every process. Nothing is pickled, in either direction.

    encode(value)       what a source's function returned -> Encoded
    decode(kind, data)  -> a value of the caller's own

What comes back is what was given: a frame with its index and types, an array, bytes, what JSON can hold, and
dictionaries and lists of all these. What would come back as something else is refused; docs/data-stores.md has the
whole list.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from . import arrays, frames
from .values import SnapshotValueError, refused

__all__ = ["Encoded", "SnapshotValueError", "decode", "encode"]

# What orjson would turn into text comes back as text: a datetime is refused, so that its reader is not surprised.
_OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
_PARTS_LENGTH = 8


@dataclass(frozen=True, slots=True)
class Encoded:
    """A value as it is kept.

    Attributes:
        kind: How ``data`` is to be read: ``json``, ``bytes``, ``numpy``, ``pandas``, ``arrow``, ``parts`` and so on.
        data: The bytes.
        digest: The same for equal values in all processes, and another when anything has changed.
    """

    kind: str
    data: bytes
    digest: str


def encode(value: Any) -> Encoded:
    """The bytes of a value. It may take long for large ones: call it in a thread.

    Args:
        value: A pandas or polars frame or series, a ``pyarrow.Table``, a numpy array, bytes, what JSON can hold, or a
            dictionary or list of such.

    Raises:
        SnapshotValueError: It cannot be kept as it is. The text says what, where, and what to return instead.
        ImportError: It is a frame, and the extra ``data`` is not installed.

    Example:
        >>> encode({"total": 3}).kind
        'json'
    """
    if value is None:
        raise SnapshotValueError(
            "The function returned None, which is no data: was a return forgotten? Return an empty list or dict for "
            "no rows, and raise flash.data.SourceError when there is nothing to show."
        )
    kind, data = _encode(value)
    return Encoded(kind, data, hashlib.sha256(kind.encode() + b"\0" + data).hexdigest())


def decode(kind: str, data: bytes) -> Any:
    """The value of what :func:`encode` made: an object of the caller's own, except bytes, which nobody can change.

    It may take long for large values: call it in a thread. Bytes that somebody else has written run no code.

    Raises:
        SnapshotValueError: The bytes are none of :func:`encode`'s, or of a newer Flash.
        ImportError: What the value is made of (pyarrow, pandas, polars, numpy) is not installed here.
    """
    try:
        if kind == "bytes":
            return data
        if kind == "json":
            return orjson.loads(data)
        if kind == "parts":
            return _joined(data)
        if kind == arrays.KIND:
            return arrays.decode(data)
        if kind in frames.KINDS:
            return frames.decode(kind, data)
    except (ImportError, SnapshotValueError):
        raise
    except Exception as error:
        raise SnapshotValueError(
            f"A snapshot of the kind {kind!r} cannot be read: its bytes are damaged ({type(error).__name__})."
        ) from error
    raise SnapshotValueError(f"A snapshot has the kind {kind!r}, which this version of Flash does not know.")


def _encode(value: Any) -> tuple[str, bytes]:
    part = _as_part(value)
    if part is not None:
        return part
    try:
        return "json", orjson.dumps(value, option=_OPTIONS)
    except TypeError:
        return _divided(value)


def _as_part(value: Any) -> tuple[str, bytes] | None:
    """Kind and bytes of what JSON cannot hold but a snapshot can."""
    if isinstance(value, bytes | bytearray | memoryview):
        return "bytes", bytes(value)
    return arrays.encode(value) or frames.encode(value)


# Parts: what JSON can hold, with null where each part belongs, and the parts after it. A part's place is its way from
# the outermost dictionary or list.


def _divided(value: Any) -> tuple[str, bytes]:
    parts: list[tuple[list[str | int], str, bytes]] = []
    shape = _shape(value, [], parts)
    try:
        if not parts:
            return "json", orjson.dumps(shape, option=_OPTIONS)
        head = orjson.dumps(
            [shape, [[way, kind, len(data)] for way, kind, data in parts]],
            option=_OPTIONS,
        )
    except TypeError as error:
        raise SnapshotValueError(f"The value cannot be kept: {error}.") from None
    return "parts", b"".join([len(head).to_bytes(_PARTS_LENGTH), head, *(data for _, _, data in parts)])


def _shape(value: Any, way: list[str | int], parts: list[tuple[list[str | int], str, bytes]]) -> Any:
    """The value without its parts, which are added to ``parts``."""
    if (plain := arrays.plain(value)) is not None:
        return plain
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, dict):
        return {_key(key, way): _shape(each, [*way, key], parts) for key, each in value.items()}
    if type(value) in (list, tuple):
        return [_shape(each, [*way, place], parts) for place, each in enumerate(value)]
    try:
        part = _as_part(value)
    except SnapshotValueError as error:
        raise SnapshotValueError(f"At {_written(way)}: {error}") from None
    if part is None:
        raise refused(value, _written(way))
    parts.append((way, *part))
    return None


def _key(key: Any, way: list[str | int]) -> str:
    if isinstance(key, str):
        return key
    raise SnapshotValueError(
        f"The dictionary at {_written(way)} has the key {key!r}, a {type(key).__name__}, and only texts can be kept. "
        "Write str(key)."
    )


def _written(way: list[str | int]) -> str:
    return "value" + "".join(f"[{step!r}]" for step in way)


def _joined(data: bytes) -> Any:
    start = _PARTS_LENGTH + int.from_bytes(data[:_PARTS_LENGTH])
    shape, parts = orjson.loads(data[_PARTS_LENGTH:start])
    for way, kind, value in _values(parts, memoryview(data)[start:]):
        holder = shape
        for step in way[:-1]:
            holder = holder[step]
        holder[way[-1]] = decode(kind, value)
    return shape


def _values(parts: list[Any], data: memoryview) -> Iterator[tuple[list[str | int], str, bytes]]:
    start = 0
    for way, kind, length in parts:
        yield way, kind, bytes(data[start : start + length])
        start += length
    if start != len(data):
        raise ValueError("The parts have other lengths.")
