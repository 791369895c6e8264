"""A figure that grows by itself: one task measures the wind and sends each new point to all open tabs.

The task begins with the first tab and ends with the last. Only the new point travels, as a ``Patch``.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections import deque
from datetime import datetime

from flash import Flash, Input, Patch, dcc, html

POINTS = 120
SECONDS = 0.25
CALM, GUST = 6.0, 9.0

app = Flash(__name__, title="Live figure", update_title=None)


class Wind:
    """A weather station on a windy hill; its numbers are made up. All of it runs on the loop."""

    def __init__(self) -> None:
        self.times: deque[str] = deque(maxlen=POINTS)
        self.speeds: deque[float] = deque(maxlen=POINTS)
        self._gust = 0.0
        self._task: asyncio.Task | None = None

    def start(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._measure())

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def blow(self) -> None:
        self._gust += GUST

    async def _measure(self) -> None:
        while True:
            speed = CALM + 2 * math.sin(time.monotonic() / 3) + random.gauss(0, 0.4) + self._gust
            self._gust *= 0.8
            app.push_mods(self._add(datetime.now().isoformat(), round(max(speed, 0), 2)))
            await asyncio.sleep(SECONDS)

    def _add(self, at: str, speed: float) -> dict:
        """Keep a point, and say how the tabs get it: the new one at the end, the oldest away once there are enough."""
        figure = Patch()
        line = figure["data"][0]
        if len(self.times) == POINTS:
            del line["x"][0], line["y"][0]
        line["x"].append(at)
        line["y"].append(speed)
        self.times.append(at)
        self.speeds.append(speed)
        return {"figure": {"figure": figure}, "speed": {"children": f"{speed:.1f}"}}


wind = Wind()


@app.callback_connect
async def follow(client, connect):
    """Measure while somebody looks; a new tab begins with the whole line."""
    if not app.clients:
        wind.stop()
        return None
    wind.start()
    app.push_mods({"tabs": {"children": len(app.clients)}})
    return {"figure": {"figure": figure()}} if connect else None


@app.callback(Input("blow", "n_clicks"), websocket=True, prevent_initial_call=True)
async def blow(clicks):
    wind.blow()


def figure() -> dict:
    grid = {"gridcolor": "rgb(136 145 165 / 25%)", "zeroline": False}
    return {
        "data": [
            {
                "x": list(wind.times),
                "y": list(wind.speeds),
                "type": "scatter",
                "mode": "lines",
                "line": {"color": "#4c7dff", "width": 2.5, "shape": "spline"},
                "fill": "tozeroy",
                "fillcolor": "rgb(76 125 255 / 15%)",
                "hovertemplate": "%{y} m/s<extra></extra>",
            }
        ],
        "layout": {
            "margin": {"l": 32, "r": 8, "t": 8, "b": 32},
            "paper_bgcolor": "transparent",
            "plot_bgcolor": "transparent",
            "font": {"color": "#8891a5"},
            "xaxis": {"showgrid": False, "tickformat": "%H:%M:%S", "nticks": 5},
            "yaxis": {**grid, "range": [0, 25]},
        },
    }


def layout() -> html.Main:
    """Called for each page: the first paint shows what was measured so far."""
    numbers = [
        html.P([html.Strong("–", id="speed"), " m/s"]),
        html.P([html.Strong("–", id="tabs"), " tabs open"]),
        html.Button("Blow!", id="blow"),
    ]
    graph = dcc.Graph(id="figure", figure=figure(), config={"displayModeBar": False, "responsive": True})
    sheet = html.Div(graph, className="figure", role="img", **{"aria-label": "The speed of the wind over time"})
    return html.Main([html.H1("Wind on the hill"), html.Div(numbers, className="numbers"), sheet])


app.layout = layout

if __name__ == "__main__":
    app.run()
