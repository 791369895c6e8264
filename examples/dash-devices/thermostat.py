"""The thermostat of example2 and example2a, and its panel."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from flash import dcc, html

LOWEST, HIGHEST = 50, 90
SECONDS = 0.5
CYCLE = 10


class Thermostat:
    """A device that brings a room to a temperature. While it is on, its driver measures twice a second, in a thread.

    Args:
        on_reading: Called from that thread with the last temperatures, and with how many there have been.
    """

    def __init__(self, on_reading: Callable[[list[float], int], None]) -> None:
        self.target = 70
        self.temperatures = deque([70.0] * 20, maxlen=20)
        self.count = 0
        self._on_reading = on_reading
        self._off: threading.Event | None = None

    def switch_on(self) -> None:
        if self._off is None:
            # Each thread has a switch of its own, so that there never are two, however fast tabs close and open.
            self._off = threading.Event()
            threading.Thread(target=self._measure, args=(self._off,), daemon=True).start()

    def switch_off(self) -> None:
        if self._off is not None:
            self._off.set()
            self._off = None

    def _measure(self, off: threading.Event) -> None:
        while not off.is_set():
            now = self.temperatures[-1]
            self.temperatures.append(round(now + (self.target - now) / 2, 1))
            self.count += 1
            self._on_reading(list(self.temperatures), self.count)
            off.wait(SECONDS)


def panel(temperatures: list[float], count: int) -> html.Main:
    """A thermostat's panel: the slider that sets it, its last temperatures, and where it is in its cycle."""
    marks = {degrees: f"{degrees}°" for degrees in range(LOWEST, HIGHEST + 1, 10)}
    slider = {"id": "slider", "updatemode": "drag", "allow_direct_input": False, "marks": marks}
    return html.Main(
        [
            html.H1("Thermostat"),
            html.Output(id="target", className="large"),
            dcc.Slider(LOWEST, HIGHEST, 1, value=70, **slider),
            html.Section(dcc.Graph(id="graph", figure=figure(temperatures), config={"displayModeBar": False})),
            html.Label(["Cycle", html.Progress(id="progress", max=str(CYCLE), value=cycle(count))]),
        ]
    )


def cycle(count: int) -> str:
    """How far the device is in its cycle of measurements."""
    return str(count % (CYCLE + 1))


def figure(temperatures: list[float]) -> dict:
    """The temperatures as a line, the newest at its end."""
    line = {"color": "#e0653a", "width": 3, "shape": "spline"}
    axis = {"gridcolor": "rgb(136 145 165 / 25%)", "zeroline": False}
    return {
        "data": [{"y": temperatures, "mode": "lines", "line": line, "hovertemplate": "%{y} °F<extra></extra>"}],
        "layout": {
            "margin": {"l": 32, "r": 8, "t": 8, "b": 8},
            "paper_bgcolor": "transparent",
            "plot_bgcolor": "transparent",
            "font": {"color": "#8891a5"},
            "xaxis": {**axis, "showgrid": False, "showticklabels": False},
            "yaxis": {**axis, "range": [LOWEST - 1, HIGHEST + 1]},
        },
    }
