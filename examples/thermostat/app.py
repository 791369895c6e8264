"""One thermostat for all tabs: whoever turns it turns it for everybody, and a timer in a thread draws the temperature.

After example2 and example2a of dash_devices.
"""

from __future__ import annotations

import threading
from collections import deque

from flash import ClientsideFunction, Flash, Input, Output, ctx, dcc, html

LOWEST, HIGHEST = 50, 90
SECONDS = 0.5
FULL = 10

app = Flash(__name__, title="Thermostat", update_title=None)


class Thermostat:
    """The device. Its timer runs while a tab is open, in a thread, as the driver of a device would."""

    def __init__(self) -> None:
        self.target = 70
        self.history = deque([self.target] * 20, maxlen=20)
        self.readings = 0
        self._settled = self.target
        self._ended: threading.Event | None = None

    def start(self) -> None:
        if self._ended is None:
            self._ended = threading.Event()
            # Each timer has an end of its own, so that there never are two, however fast tabs close and open.
            threading.Thread(target=self._tick, args=(self._ended,), daemon=True).start()

    def stop(self) -> None:
        if self._ended is not None:
            self._ended.set()
            self._ended = None

    def _tick(self, ended: threading.Event) -> None:
        while not ended.is_set():
            self.history.append(self.target)
            self.readings += 1
            app.push_mods(self.shown())
            if self._settled == self.target:
                # Two who turn it at the same time see the last word, once they have let go.
                app.push_mods({"target": {"data": self.target}})
            self._settled = self.target
            ended.wait(SECONDS)

    def shown(self) -> dict:
        return {
            "graph": {"figure": figure(self.history)},
            "progress": {"value": str(self.readings % (FULL + 1))},
            "readings": {"children": f"{self.readings} readings"},
        }


thermostat = Thermostat()


@app.callback_connect
async def first_or_last(client, connect):
    if not app.clients:
        thermostat.stop()
        print(f"Nobody looks: {thermostat.readings} readings.", flush=True)
    elif connect:
        thermostat.start()
        # What may have changed since the layout was served.
        return {"target": {"data": thermostat.target}, "celsius": {"children": celsius()}}


# No output: it is there for what it does. With None it never runs at load.
@app.callback(None, Input("turned", "data"), websocket=True)
async def turn(target):
    """Somebody turned it by hand: the others see it, while it is still being dragged."""
    thermostat.target = min(max(int(target), LOWEST), HIGHEST)
    for client in app.clients:
        if client is not ctx.client:
            app.push_mods({"target": {"data": thermostat.target}}, client)
    app.push_mods({"celsius": {"children": celsius()}})


# In the browser, in every tab whose slider moves, by hand or by a push. assets/thermostat.js tells one from the other.
app.clientside_callback(
    ClientsideFunction("thermostat", "show"),
    Output("slider", "value"),
    Input("target", "data"),
    prevent_initial_call=True,
)
app.clientside_callback(
    ClientsideFunction("thermostat", "turn"),
    Output("turned", "data"),
    Input("slider", "value"),
    prevent_initial_call=True,
)
app.clientside_callback("(value) => `${value} °F`", Output("fahrenheit", "children"), Input("slider", "value"))


def celsius() -> str:
    return f"{(thermostat.target - 32) / 1.8:.1f} °C"


def figure(temperatures: deque) -> dict:
    line = {"y": list(temperatures), "mode": "lines", "line": {"color": "#e0653a", "width": 3, "shape": "spline"}}
    return {
        "data": [{**line, "hovertemplate": "%{y} °F<extra></extra>"}],
        "layout": {
            "margin": {"l": 32, "r": 8, "t": 8, "b": 8},
            "paper_bgcolor": "transparent",
            "plot_bgcolor": "transparent",
            "font": {"color": "#8891a5"},
            "xaxis": {"showgrid": False, "showticklabels": False, "zeroline": False},
            "yaxis": {"gridcolor": "rgb(136 145 165 / 25%)", "range": [LOWEST - 1, HIGHEST + 1]},
        },
    }


def layout() -> html.Main:
    """Called for each page, so that who comes late finds the device as it is."""
    shown = thermostat.shown()
    marks = {degrees: f"{degrees}°" for degrees in range(LOWEST, HIGHEST + 1, 10)}
    how = {"marks": marks, "updatemode": "drag", "allow_direct_input": False}
    return html.Main(
        [
            html.H1("Thermostat"),
            html.P([html.Strong(id="fahrenheit"), html.Span(celsius(), id="celsius")], className="temperature"),
            dcc.Slider(LOWEST, HIGHEST, 1, value=thermostat.target, id="slider", **how),
            html.Div(dcc.Graph(id="graph", **shown["graph"], config={"displayModeBar": False}), className="graph"),
            html.P(
                [
                    html.Progress(id="progress", max=str(FULL), **shown["progress"]),
                    html.Span(id="readings", **shown["readings"]),
                ]
            ),
            dcc.Store(id="target"),
            dcc.Store(id="turned"),
        ]
    )


app.layout = layout

if __name__ == "__main__":
    app.run()
