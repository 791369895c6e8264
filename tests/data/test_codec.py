"""A source's value comes back as it was, from equal bytes in every process, or is refused with a sentence."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import json
import subprocess
import sys
from collections import Counter, OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from flash.data.codec import SnapshotValueError, decode, encode

ROOT = Path(__file__).parents[2]
PRAGUE = pd.DatetimeIndex(["2026-03-28", "2026-03-29", "2026-10-25"], tz="Europe/Prague")


def again(value: Any) -> Any:
    encoded = encode(value)
    return decode(encoded.kind, encoded.data)


FRAMES = {
    "numbers": pd.DataFrame({"a": [1, 2], "b": [0.5, None], "c": np.array([1, 2], dtype="uint8")}),
    "one column": pd.DataFrame({"a": [1.0, 2.0]}),
    "texts": pd.DataFrame({"a": ["x", None], "b": ["", "Grüße"]}),
    "times": pd.DataFrame({"a": PRAGUE, "b": PRAGUE.tz_localize(None), "c": PRAGUE - PRAGUE[0]}, index=PRAGUE),
    "categories": pd.DataFrame({"a": pd.Categorical(["x", None], categories=["z", "x"], ordered=True)}),
    "nullable": pd.DataFrame({"a": pd.array([1, None], "Int64"), "b": pd.array([True, None], "boolean")}),
    "arrow": pd.DataFrame({"a": pd.array([1, None], "int64[pyarrow]")}),
    "periods": pd.DataFrame({"a": pd.period_range("2026-01", periods=2, freq="M"), "b": pd.interval_range(0, 2)}),
    "days": pd.DataFrame({"a": [dt.date(2026, 1, 1), None], "b": [decimal.Decimal("1.20"), None], "c": [b"x", None]}),
    "levels": pd.DataFrame({"a": [1, 2]}, index=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["k", None])),
    "columns": pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", 1), ("a", 2)])),
    "years": pd.DataFrame([[1, 2]], columns=pd.Index([2025, 2026], name="year")),
    "range": pd.DataFrame({"a": [1, 2]}, index=pd.RangeIndex(4, 8, 2, name="q")),
    "empty": pd.DataFrame(),
    "no rows": pd.DataFrame({"a": pd.Series([], dtype="datetime64[ns]")}),
}


@pytest.mark.parametrize("name", FRAMES)
def test_frames_of_pandas(name: str) -> None:
    assert encode(FRAMES[name]).kind == "pandas"
    pd.testing.assert_frame_equal(again(FRAMES[name]), FRAMES[name], check_freq=False)


@pytest.mark.parametrize("name", ["a", None, 3])
def test_series(name: Any) -> None:
    series = pd.Series([1.5, 2.5], index=["x", "y"], name=name)
    pd.testing.assert_series_equal(again(series), series)


def test_tables_of_arrow() -> None:
    table = pa.table({"a": [1, None], "b": [["x"], []], "c": [{"d": 1}, None]})
    assert again(table).equals(table)


def test_polars() -> None:
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(
        {
            "a": [1, None],
            "b": polars.Series(["u", "v"], dtype=polars.Categorical),
            "c": polars.Series(["u", "v"], dtype=polars.Enum(["v", "u"])),
            "d": [dt.datetime(2026, 1, 1, tzinfo=dt.UTC), None],
            "e": [[1], [2, None]],
        }
    )
    assert again(frame).equals(frame) and again(frame).schema == frame.schema
    assert again(frame["a"]).equals(frame["a"]) and again(frame["a"]).name == "a"
    with pytest.raises(SnapshotValueError, match="The column 'o' holds Python objects"):
        encode(polars.DataFrame({"o": [object()]}))
    with pytest.raises(SnapshotValueError, match=r"Return value.collect\(\)"):
        encode(frame.lazy())


@pytest.mark.parametrize(
    "array",
    [np.arange(6.0).reshape(2, 3), np.array(["2026-01-01", "NaT"], dtype="datetime64[D]"), np.array("x"), np.array([])],
    ids=str,
)
def test_arrays(array: Any) -> None:
    found = again(array)
    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype


VALUES: list[Any] = [
    {"a": [1, 2.5, "x", None, True, {"b": []}]},
    [],
    {},
    0,
    False,
    "",
    "text",
    b"",
    b"\x00\xff",
    {"a": b"x", "b": [b"", {"c": b"y"}], "d": 1},
    {"parts": [[["a"], "json", 4]], "$part": 1},
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_what_json_holds_and_bytes(value: Any) -> None:
    found = again(value)
    assert found == value and type(found) is type(value)


def test_values_that_come_back_as_simpler_ones() -> None:
    class Color(enum.Enum):
        RED = "red"

    assert again((1, (2,))) == [1, [2]]
    assert again(float("nan")) is None
    assert again([np.float64(1.5), np.int64(2), np.bool_(True), np.str_("x")]) == [1.5, 2, True, "x"]
    assert again({"a": Counter("aa"), "b": OrderedDict(x=1), "c": Color.RED}) == {
        "a": {"a": 2},
        "b": {"x": 1},
        "c": "red",
    }
    assert again(bytearray(b"x")) == b"x"


def test_frames_inside_of_dictionaries_and_lists() -> None:
    frame = FRAMES["times"]
    value = {"all": frame, "by day": [frame.iloc[:1], {"note": "x", "sum": np.float64(2)}], "raw": b"y"}
    assert encode(value).kind == "parts"
    found = again(value)
    pd.testing.assert_frame_equal(found["all"], frame, check_freq=False)
    pd.testing.assert_frame_equal(found["by day"][0], frame.iloc[:1], check_freq=False)
    assert list(found) == list(value) and found["by day"][1] == {"note": "x", "sum": 2.0} and found["raw"] == b"y"


@dataclass
class Point:
    x: int


class OwnFrame(pd.DataFrame):
    pass


REFUSED: list[tuple[Any, str]] = [
    (None, "The function returned None, which is no data: was a return forgotten"),
    (dt.datetime(2026, 1, 1), r"value is a datetime.datetime, .* Return its text, as value.isoformat\(\)"),
    ({"rows": [{"at": dt.date(2026, 1, 1)}]}, r"value\['rows'\]\[0\]\['at'\] is a datetime.date"),
    ({"total": decimal.Decimal(1)}, r"value\['total'\] is a decimal.Decimal.* Return str\(value\) or float\(value\)"),
    ({1, 2}, r"Return sorted\(value\)"),
    ((n for n in [1]), r"Return list\(value\)"),
    (Point(1), r"Return dataclasses.asdict\(value\)"),
    (object(), "value is a builtins.object, which cannot be kept as it is. Return what JSON can hold"),
    (
        {"a": {2026: 1}},
        r"The dictionary at value\['a'\] has the key 2026, a int, and only texts can be kept. Write str",
    ),
    (2**70, "value cannot be kept"),
    ("\ud800", "value cannot be kept"),
    (np.array([object()]), "dtype object"),
    (np.datetime64("2026-01-01"), r"Return str\(value\)"),
    (pd.DataFrame({"good": [1, 2], "bad": pd.Series(["x", 1], dtype=object)}), "column bad"),
    (pd.DataFrame({"bad": [object()]}), "column bad"),
    (pd.DataFrame({"bad": [1j]}), "column bad"),
    ({"a": [pd.DataFrame({"bad": [object()]})]}, r"At value\['a'\]\[0\]: The frame .* column bad"),
    (pd.DataFrame([[1, 2]], columns=["a", "a"]), "Duplicate column names found"),
    (pd.DataFrame([[1, 2]], columns=["a", 1]), "column names are of several types"),
    (pd.DataFrame([[1]], columns=pd.CategoricalIndex(["a"])), "cannot be kept in Arrow's format"),
    (OwnFrame({"a": [1]}), "OwnFrame would come back as a DataFrame. Return the DataFrame"),
]


@pytest.mark.parametrize(("value", "said"), REFUSED, ids=[said[:40] for _, said in REFUSED])
def test_what_cannot_be_kept_is_refused(value: Any, said: str) -> None:
    with pytest.raises(SnapshotValueError, match=said):
        encode(value)


def test_attributes_that_cannot_be_kept() -> None:
    frame = pd.DataFrame({"a": [1]})
    frame.attrs = {"unit": "EUR"}
    assert again(frame).attrs == {"unit": "EUR"}
    frame.attrs = {"unit": object()}
    with pytest.raises(SnapshotValueError, match="The frame's attrs cannot be kept"):
        encode(frame)


# Each has a value of its own. -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name, frame in FRAMES.items() if len(frame) > 1])
def test_changing_a_frame_changes_no_other(name: str) -> None:
    encoded = encode(FRAMES[name])
    mine, other = (decode(encoded.kind, encoded.data) for _ in range(2))
    mine.iloc[0, 0] = mine.iloc[1, 0]
    mine["new" if mine.columns.nlevels == 1 else ("new", 0)] = 1
    pd.testing.assert_frame_equal(other, FRAMES[name], check_freq=False)
    assert encode(decode(encoded.kind, encoded.data)).digest == encoded.digest


def test_changing_arrays_and_dictionaries_changes_no_other() -> None:
    encoded = encode({"rows": [1], "array": np.array([1.0]), "frame": pd.DataFrame({"a": [1.0, 2.0]})})
    mine, other = (decode(encoded.kind, encoded.data) for _ in range(2))
    mine["rows"].append(2)
    mine["array"][0] = 7
    mine["frame"].loc[:, "a"] *= 2
    assert other["rows"] == [1] and other["array"][0] == 1 and other["frame"]["a"].tolist() == [1.0, 2.0]


# Equal values, equal bytes. -------------------------------------------------------------------------------------------


def test_equal_values_have_one_digest_in_all_processes() -> None:
    code = (
        "import pandas; from flash.data.codec import encode; from tests.data.test_codec import FRAMES, VALUES; "
        "import json; print(json.dumps([encode(value).digest for value in [*FRAMES.values(), *VALUES]]))"
    )
    done = [
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    here = [encode(value).digest for value in [*FRAMES.values(), *VALUES]]
    assert json.loads(done[0].stdout) == json.loads(done[1].stdout) == here
    assert len(set(here)) == len(here)


def test_what_stands_under_nothing_does_not_count() -> None:
    """Values that are null, or beyond the end, may hold anything: they come from how a table was made."""
    validity = pa.py_buffer(bytes([0b11110101]))
    made = pa.Array.from_buffers(pa.int64(), 4, [validity, pa.array([1, 99, 3, 77]).buffers()[1]])
    pairs = [
        (made, pa.array([1, None, 3, None])),
        (pa.array([True] * 3 + [False]).slice(1, 2), pa.array([True] * 2)),
        (pa.array([True] * 3 + [False]).slice(0, 3), pa.array([True] * 3)),
        (pa.array(["a", "b", "c"]).slice(1, 1), pa.array(["b"])),
        (pa.array([1, None, 3, 4, None]).slice(2, 2), pa.array([3, 4])),
        (pa.ListArray.from_arrays(pa.array([0, 2, 4]), made), pa.array([[1, None], [3, None]])),
        (pa.chunked_array([["a"], ["b", None]]), pa.array(["a", "b", None])),
    ]
    for one, other in pairs:
        assert encode(pa.table({"a": one})).digest == encode(pa.table({"a": other})).digest, other


def test_any_change_changes_the_digest() -> None:
    values = [
        {"a": 1},
        {"a": 1.0},
        {"a": 2},
        [1],
        b"[1]",
        "[1]",
        pd.DataFrame({"a": [1]}),
        pd.DataFrame({"a": [1]}, index=[1]),
        pd.DataFrame({"b": [1]}),
        pd.DataFrame({"a": [1.0]}),
        pd.Series([1], name="a"),
    ]
    assert len({encode(value).digest for value in values}) == len(values)


# What others have written. --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["json", "pandas", "pandas-series", "arrow", "numpy", "parts"])
@pytest.mark.parametrize("data", [b"", b"\x80\x04N.", b"\xff" * 100, b"\x93NUMPY\x01\x00\xff\xff{"])
def test_damaged_bytes(kind: str, data: bytes) -> None:
    with pytest.raises(
        SnapshotValueError, match=f"A snapshot of the kind {kind!r} cannot be read: its bytes are damaged"
    ):
        decode(kind, data)


def test_an_unknown_kind() -> None:
    with pytest.raises(SnapshotValueError, match="has the kind 'pickle', which this version of Flash does not know"):
        decode("pickle", b"\x80\x04N.")


def test_places_outside_of_the_bytes_are_found() -> None:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, pa.schema({"a": pa.string()})) as writer:
        writer.write_batch(pa.record_batch([pa.array(["x" * 5, "y" * 7])], names=["a"]))
    data = sink.getvalue().to_pybytes()
    good = np.array([0, 5, 12], dtype="int32").tobytes()
    assert data.count(good) == 1
    with pytest.raises(SnapshotValueError, match="damaged"):
        decode("arrow", data.replace(good, np.array([0, 5, 1_000_000], dtype="int32").tobytes()))


def test_nothing_is_unpickled() -> None:
    """Each format that could hold a pickle is given one that would leave a trace."""
    code = """
import io, pickle, sys
import numpy, pyarrow as pa
from flash.data.codec import SnapshotValueError, decode

class Trace:
    def __reduce__(self):
        return (print, ("executed",))

file = io.BytesIO()
numpy.save(file, numpy.array([Trace()]), allow_pickle=True)
field = pa.field("a", pa.int64(), metadata={
    "ARROW:extension:name": "arrow.py_extension_type", "ARROW:extension:metadata": pickle.dumps(Trace())})
schema = pa.schema([field], metadata={"pandas": pickle.dumps(Trace())})
sink = pa.BufferOutputStream()
with pa.ipc.new_stream(sink, schema) as writer:
    writer.write_batch(pa.record_batch([pa.array([1])], schema=schema))
for kind, data in [("numpy", file.getvalue()), *((kind, sink.getvalue().to_pybytes()) for kind in ("arrow", "pandas"))]:
    try:
        decode(kind, data)
    except SnapshotValueError:
        pass
print("done")
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "done\n", done.stderr


def test_libraries_are_imported_for_their_own_values_only() -> None:
    code = (
        "import sys; from flash.data.codec import decode, encode; e = encode([1, b'x']); decode(e.kind, e.data); "
        "print([name for name in ('numpy', 'pandas', 'polars', 'pyarrow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    before = "import sys, flash; print([n for n in ('numpy', 'pandas', 'polars', 'pyarrow') if n in sys.modules])"
    flash = subprocess.run([sys.executable, "-c", before], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == flash.stdout


def test_without_pyarrow_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = encode(FRAMES["numbers"])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.compute", None)
    for call in (lambda: encode(FRAMES["numbers"]), lambda: decode(encoded.kind, encoded.data)):
        with pytest.raises(ImportError, match=r'needs pyarrow: pip install "dash-flash\[data\]"'):
            call()
