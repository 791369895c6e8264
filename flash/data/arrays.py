"""Numpy's arrays to bytes and back, in numpy's own file format. Numpy is not imported for other values."""

from __future__ import annotations

import io
import sys
from typing import Any

from .values import SnapshotValueError

KIND = "numpy"


def encode(value: Any) -> tuple[str, bytes] | None:
    """Kind and bytes of an array; ``None`` when it is none.

    Raises:
        SnapshotValueError: It holds Python objects.
    """
    numpy = sys.modules.get("numpy")
    if numpy is None or type(value) is not numpy.ndarray:
        return None
    if value.dtype.hasobject:
        raise SnapshotValueError(
            "The array holds Python objects (dtype object), which cannot be kept. Give it a dtype, as by "
            "value.astype(float) or value.astype(str)."
        )
    file = io.BytesIO()
    numpy.lib.format.write_array(file, value, allow_pickle=False)
    return KIND, file.getvalue()


def decode(data: bytes) -> Any:
    """The array. Its bytes are numbers, never objects."""
    import numpy

    return numpy.lib.format.read_array(io.BytesIO(data), allow_pickle=False)


def plain(value: Any) -> Any:
    """Python's number, text or truth value for one of numpy's; ``None`` for all others."""
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.bool_ | numpy.integer | numpy.floating | numpy.str_):
        return value.item()
    return None
