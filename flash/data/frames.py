"""Frames of pandas, polars and pyarrow to Arrow IPC and back. A library is not imported for the values of others."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any

from .values import SnapshotValueError

#: The name under which a series without one stands in its table of one column.
_SERIES = "series"
_UNNAMED = b"flash.unnamed"

KINDS = ("pandas", "pandas-series", "polars", "polars-series", "arrow")


def encode(value: Any) -> tuple[str, bytes] | None:
    """Kind and bytes of a frame or series; ``None`` when it is none.

    Raises:
        SnapshotValueError: Arrow cannot hold it as it is.
        ImportError: The extra ``data`` is not installed.
    """
    kind = _kind(type(value))
    if kind is None:
        return None
    arrow = _require("pyarrow")
    return kind, _written(_canonical(_TABLES[kind](arrow, value), arrow), arrow)


def decode(kind: str, data: bytes) -> Any:
    """The frame or series, whose changes reach nobody else."""
    arrow = _require("pyarrow")
    with arrow.ipc.open_stream(arrow.py_buffer(data)) as reader:
        table = reader.read_all()
    # What another has written may name places outside of its bytes.
    table.validate(full=True)
    return _VALUES[kind](table)


def _kind(of: type) -> str | None:
    """The kind of a class, by its name: a library that nobody has imported is not imported for this."""
    for base in of.__mro__:
        kind = _CLASSES.get((base.__module__.partition(".")[0], base.__name__))
        if kind is not None and base is not of:
            raise SnapshotValueError(
                f"A {of.__module__}.{of.__name__} would come back as a {base.__name__}. Return the {base.__name__}."
            )
        if kind is not None:
            return kind
    return None


_CLASSES = {
    ("pandas", "DataFrame"): "pandas",
    ("pandas", "Series"): "pandas-series",
    ("polars", "DataFrame"): "polars",
    ("polars", "Series"): "polars-series",
    ("pyarrow", "Table"): "arrow",
}


def _from_pandas(arrow: Any, frame: Any) -> Any:
    try:
        # Attributes that JSON cannot hold are only warned of.
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return arrow.Table.from_pandas(frame)
    except (arrow.ArrowException, TypeError, ValueError, UserWarning) as error:
        raise _refused(error) from None


def _refused(error: Exception) -> SnapshotValueError:
    return SnapshotValueError(f"The frame cannot be kept in Arrow's format: {' '.join(map(str, error.args))}.")


def _from_series(arrow: Any, series: Any) -> Any:
    table = _from_pandas(arrow, series.to_frame(_SERIES if series.name is None else series.name))
    return table.replace_schema_metadata({**table.schema.metadata, _UNNAMED: b"1"}) if series.name is None else table


def _to_pandas(table: Any) -> Any:
    _require("pandas")
    return table.to_pandas()


def _to_series(table: Any) -> Any:
    series = _to_pandas(table).iloc[:, 0]
    return series.rename(None) if _UNNAMED in table.schema.metadata else series


def _to_polars(table: Any) -> Any:
    return _require("polars").from_arrow(table)


def _canonical(table: Any, arrow: Any) -> Any:
    return table.combine_chunks()


def _written(table: Any, arrow: Any) -> bytes:
    sink = arrow.BufferOutputStream()
    with arrow.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(memoryview(sink.getvalue()))


_TABLES: dict[str, Callable[[Any, Any], Any]] = {
    "pandas": _from_pandas,
    "pandas-series": _from_series,
    "polars": lambda arrow, frame: frame.to_arrow(),
    "polars-series": lambda arrow, series: series.to_frame().to_arrow(),
    "arrow": lambda arrow, table: table,
}
_VALUES: dict[str, Callable[[Any], Any]] = {
    "pandas": _to_pandas,
    "pandas-series": _to_series,
    "polars": _to_polars,
    "polars-series": lambda table: _to_polars(table).to_series(),
    "arrow": lambda table: table,
}


def _require(name: str) -> Any:
    try:
        __import__("pyarrow.ipc" if name == "pyarrow" else name)
    except ImportError as error:
        install = 'pip install "dash-flash[data]"' if name == "pyarrow" else f"pip install {name}"
        raise ImportError(f"A snapshot that holds a frame needs {name}: {install}") from error
    return sys.modules[name]
