"""Frames of pandas, polars and pyarrow to Arrow IPC and back. A library is not imported for the values of others."""

from __future__ import annotations

import contextlib
import importlib
import json
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
    _check_attributes(frame)
    try:
        if frame.columns.nlevels == 1 and frame.columns.inferred_type.startswith("mixed"):
            raise TypeError("its column names are of several types: write frame.columns = frame.columns.map(str)")
        table = arrow.Table.from_pandas(frame)
        _check_labels(frame, table)
    except (arrow.ArrowException, TypeError, ValueError, NotImplementedError) as error:
        # Arrow's text names the column.
        reason = " ".join(str(each).rstrip(".") + "." for each in error.args)
        raise SnapshotValueError(f"The frame cannot be kept in Arrow's format: {reason}") from None
    return table


def _check_attributes(frame: Any) -> None:
    try:
        json.dumps(frame.attrs)
    except (TypeError, ValueError) as error:
        raise SnapshotValueError(f"The frame's attrs cannot be kept: {error}. Write frame.attrs = {{}}.") from None


def _check_labels(frame: Any, table: Any) -> None:
    """What Arrow's format of pandas has no place for is known by reading no rows at all."""
    columns = table.slice(0, 0).to_pandas().columns
    if not columns.equals(frame.columns) or columns.names != frame.columns.names:
        raise TypeError("its labels would come back as others: write frame.columns = frame.columns.map(str)")


def _from_series(arrow: Any, series: Any) -> Any:
    table = _from_pandas(arrow, series.to_frame(_SERIES if series.name is None else series.name))
    return table.replace_schema_metadata({**table.schema.metadata, _UNNAMED: b"1"}) if series.name is None else table


def _to_pandas(table: Any) -> Any:
    _require("pandas")
    return table.to_pandas()


def _to_series(table: Any) -> Any:
    series = _to_pandas(table).iloc[:, 0]
    return series.rename(None) if _UNNAMED in table.schema.metadata else series


def _from_polars(arrow: Any, frame: Any) -> Any:
    objects = [name for name, of in frame.schema.items() if of == _require("polars").Object]
    if objects:
        raise SnapshotValueError(
            f"The column {objects[0]!r} holds Python objects, which cannot be kept. Cast it to another type."
        )
    return frame.to_arrow()


def _to_polars(table: Any) -> Any:
    # A column of polars' objects is a column of addresses in the memory of the process that made it.
    if b"POLARS_EXTENSION_TYPE" in bytes(memoryview(table.schema.serialize())):
        raise ValueError("It holds objects of polars.")
    return _require("polars").from_arrow(table)


def _canonical(table: Any, arrow: Any) -> Any:
    """The table in one piece, and zeros where nothing is: equal tables have equal bytes, whatever they were made of."""
    table = table.combine_chunks()
    rows = arrow.compute.indices_nonzero(arrow.repeat(True, table.num_rows))
    for place, field in enumerate(table.schema):
        column = table.column(place)
        if column.null_count or not _is_all_values(field.type, arrow):
            wanted = arrow.compute.if_else(column.is_valid(), rows, None)
            # Arrow cannot take rows of each of its types; what is left as it is may seem to have changed.
            with contextlib.suppress(arrow.ArrowNotImplementedError):
                table = table.set_column(place, field, column.take(wanted))
    return table.combine_chunks()


def _is_all_values(of: Any, arrow: Any) -> bool:
    """Whether a column of a type is values of one size side by side, and nothing else that may differ."""
    return bool(arrow.types.is_primitive(of) and not arrow.types.is_boolean(of))


def _written(table: Any, arrow: Any) -> bytes:
    sink = arrow.BufferOutputStream()
    with arrow.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(memoryview(sink.getvalue()))


_TABLES: dict[str, Callable[[Any, Any], Any]] = {
    "pandas": _from_pandas,
    "pandas-series": _from_series,
    "polars": _from_polars,
    "polars-series": lambda arrow, series: _from_polars(arrow, series.to_frame()),
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
        if name == "pyarrow":
            importlib.import_module("pyarrow.compute")
        return importlib.import_module(name)
    except ImportError as error:
        install = 'pip install "dash-flash[data]"' if name == "pyarrow" else f"pip install {name}"
        raise ImportError(f"A snapshot that holds a frame needs {name}: {install}") from error
