"""Flash's JSON means the same as Dash's."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import uuid
from collections import OrderedDict, namedtuple
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from dash._utils import to_json

from flash import Patch, dcc, html, no_update
from flash.encoding import dumps, is_light


class Color(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: int
    y: float


Pair = namedtuple("Pair", "left right")


def patched() -> Patch:
    patch = Patch()
    patch["a"]["b"] = html.Div("x")
    patch["list"].extend([1, 2])
    del patch["gone"]
    return patch


def nested(depth: int) -> Any:
    tree: Any = "leaf"
    for _ in range(depth):
        tree = html.Div(tree)
    return tree


FRAME = pd.DataFrame(
    {
        "when": pd.date_range("2026-01-01", periods=3, tz="UTC"),
        "naive": pd.date_range("2026-01-01", periods=3),
        "number": [1.5, float("nan"), float("inf")],
        "text": ["a", None, "<b>"],
        "kind": pd.Categorical(["x", "y", "x"]),
    }
)

VALUES: dict[str, Any] = {
    "scalars": [None, True, False, 0, -1, 2**53, 1.5, "text", "", "\u2028 ü </script>"],
    "not numbers": [float("nan"), float("inf"), float("-inf"), np.nan, np.float32("nan")],
    "numpy scalars": [np.int8(3), np.int64(3), np.uint16(3), np.float32(0.5), np.float64(0.1), np.bool_(True)],
    "numpy text and dates": [np.str_("x"), np.datetime64("2026-01-02"), np.datetime64("2026-01-02T03:04:05")],
    "arrays": [np.arange(3), np.array([[1.5, np.nan]]), np.array([True]), np.arange(6).reshape(2, 3).T],
    "object arrays": [np.array(["a", None, 1], dtype=object), np.array(["a", "bc"])],
    "date arrays": [
        np.array(["2026-01-02"], dtype="datetime64[D]"),
        np.array(["2026-01-02T03"], dtype="datetime64[s]"),
    ],
    "half arrays": np.array([1.5, 2.5], dtype=np.float16),
    "masked": np.ma.masked,
    "dates": [
        datetime.date(2026, 1, 2),
        datetime.datetime(2026, 1, 2, 3, 4, 5, 6),
        datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC),
        datetime.time(1, 2, 3),
        pd.Timestamp("2026-01-02 03:04:05"),
        pd.Timestamp("2026-01-02", tz="Europe/Prague"),
        pd.NaT,
        pd.NA,
    ],
    "columns": [FRAME[name] for name in FRAME],
    "index": [pd.DatetimeIndex(FRAME["when"]), pd.RangeIndex(3), pd.Index(["a", "b"])],
    "decimals": [decimal.Decimal("1.25"), decimal.Decimal("0.1")],
    "keys": {1: "a", 2.5: "b", None: "c", False: "d", "e": "f"},
    "classes": [Color.RED, Point(1, 2.5), Pair(1, [2]), uuid.UUID(int=5), OrderedDict(a=1)],
    "tuples": ((1, 2), [(html.Div(),)]),
    "components": html.Div(
        [html.Span("a", style={"color": "red"}), dcc.Markdown("*b*"), None, 3], id={"i": 1, "k": "x"}
    ),
    "wildcards": html.Div(**{"data-a": 1, "aria-label": "x"}),
    "figure": go.Figure(go.Scatter(x=np.arange(5), y=np.random.default_rng(1).random(5)), layout_title="t"),
    "graph": dcc.Graph(figure=go.Figure(go.Bar(x=FRAME["text"], y=FRAME["number"]))),
    "patch": patched(),
    "no update": [no_update],
    "empty": [{}, [], (), html.Div()],
    "deep": nested(120),
}


@pytest.mark.parametrize("name", VALUES)
def test_the_same_json_as_dashs(name: str) -> None:
    # Beside a component: Dash writes the dates of arrays in another form when nothing else needs its cleaning.
    assert json.loads(dumps([VALUES[name], html.Div()])) == json.loads(to_json([VALUES[name], html.Div()]))


@pytest.mark.parametrize("value", [object(), {1, 2}, [lambda: None], b"bytes", html.Div(object())])
def test_what_dash_cannot_encode_is_refused_too(value: Any) -> None:
    with pytest.raises(TypeError):
        to_json(value)
    with pytest.raises(TypeError):
        dumps(value)


def test_what_orjson_cannot_encode_but_json_can() -> None:
    tree: Any = "leaf"
    for _ in range(90):
        tree = html.Div([tree])
    assert dumps(tree).count(b"Div") == 90
    assert json.loads(dumps(["\ud800", 2**70])) == ["\ud800", 2**70]


def test_an_image() -> None:
    image = pytest.importorskip("PIL.Image")
    picture = image.new("RGB", (2, 2))
    assert dumps(picture) == to_json(picture).replace("\\u002f", "/").encode()


def test_light_values_are_told_from_heavy_ones() -> None:
    appended, extended = Patch(), Patch()
    appended.append("word")
    extended.extend(list(range(100)))
    assert is_light(appended) and not is_light(extended)
    for light in (None, "text", 3, [1, 2], html.Div([html.B("a")] * 9), no_update, {"a": [1.5]}, (1, "x")):
        assert is_light(light)
    for heavy in ("x" * 10_000, list(range(100)), [["x"] * 40] * 40, go.Figure(), FRAME, np.arange(3)):
        assert not is_light(heavy)
