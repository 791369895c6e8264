"""What it takes to make the bytes of an answer: ``flash.encoding.dumps`` against Dash's ``to_json``.

Dash encodes with orjson where that is installed, as it is beside Flash, and with the standard library where it is not;
both are shown. Its text is turned into bytes, as its server does. Times are CPU time; the three take turns.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy
import plotly.graph_objects as go
import plotly.io as pio
from dash import dcc, html
from dash._utils import to_json
from report import print_heading, print_table

from flash.encoding import dumps


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--scale", type=float, default=1.0, help="makes the large values smaller or larger")
    return parser.parse_args()


def main() -> None:
    options = parse()
    print_heading("Encoding", ["dash-flash", "dash", "plotly", "orjson", "numpy"])
    rows = []
    for name, value in values(options.scale).items():
        answer = {"multi": True, "response": {"out": {"children": value}}}
        check_equal(answer)
        flash, with_orjson, without = measure(answer, options.rounds)
        rows.append(
            [
                name,
                f"{len(dumps(answer)) / 1000:,.1f}",
                *(f"{duration * 1e3:,.3f}" for duration in (flash, with_orjson, without)),
                f"**{with_orjson / flash:.1f}**",
                f"{without / flash:.1f}",
            ]
        )
    columns = ["answer", "size, kB", "Flash, ms", "Dash, ms", "Dash without orjson, ms", "Dash / Flash"]
    print_table([*columns, "without orjson / Flash"], rows)


def values(scale: float) -> dict[str, Any]:
    """What callbacks return, by a name that says what it is."""
    count, points, rows = int(1000 * scale), int(100_000 * scale), int(5000 * scale)
    x = numpy.linspace(0.0, 100.0, points)
    return {
        "a text": "value 1",
        f"a tree of {count:,} components": tree(count),
        f"a figure of {points:,} points, NumPy": go.Figure(go.Scattergl(x=x, y=numpy.sin(x))),
        f"a figure of {points:,} points, lists": go.Figure(go.Scattergl(x=x.tolist(), y=numpy.sin(x).tolist())),
        f"a grid of {rows:,} rows, 8 columns": [row_of_grid(number) for number in range(rows)],
    }


def tree(count: int) -> html.Div:
    """Cards of ten components each, as dashboards have them."""
    return html.Div([card(number) for number in range((count - 1) // 10)], className="cards")


def card(number: int) -> html.Div:
    return html.Div(
        [
            html.H3(f"Card {number}", className="title"),
            html.P([html.Span("value "), html.B(number * 1.5)]),
            dcc.Dropdown(["a", "b", "c"], "a", id={"type": "choice", "index": number}),
            html.Ul([html.Li(f"item {each}") for each in range(3)], style={"margin": 0, "color": "#333"}),
        ],
        className="card",
        id=f"card-{number}",
    )


def row_of_grid(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "country": f"country {number % 142}",
        "continent": "Europe",
        "year": 1952 + number % 56,
        "lifeExp": 40 + number % 41 / 7,
        "pop": 8_000_000 + number,
        "gdpPercap": 1000.5 + number,
        "active": number % 2 == 0,
    }


def encode_as_dash(answer: Any) -> bytes:
    text: str = to_json(answer)
    return text.encode()


def check_equal(answer: Any) -> None:
    """Both must mean the same, or the comparison means nothing."""
    if json.loads(dumps(answer)) != json.loads(encode_as_dash(answer)):
        raise SystemExit("Flash and Dash encode this answer differently.")


def measure(answer: Any, rounds: int) -> tuple[float, ...]:
    """Median CPU seconds of one encoding: Flash, Dash with orjson, Dash without."""
    ways: list[tuple[str, Callable[[Any], bytes]]] = [
        ("orjson", dumps),
        ("orjson", encode_as_dash),
        ("json", encode_as_dash),
    ]
    times: list[list[float]] = [[] for _ in ways]
    repeats = [1] * len(ways)
    for _ in range(rounds + 1):
        for which, (engine, encode) in enumerate(ways):
            pio.json.config.default_engine = engine
            duration = cpu_time(encode, answer, repeats[which])
            times[which].append(duration)
            repeats[which] = max(1, int(0.02 / duration))
    pio.json.config.default_engine = "auto"
    return tuple(statistics.median(each[1:]) for each in times)  # The first round warms up.


def cpu_time(encode: Callable[[Any], bytes], answer: Any, repeats: int) -> float:
    started = time.process_time()
    for _ in range(repeats):
        encode(answer)
    return max(time.process_time() - started, 1e-9) / repeats


if __name__ == "__main__":
    main()
