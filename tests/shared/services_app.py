"""An app whose callbacks have services of every kind, for devices that can do one thing at a time."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from flash import Flash, Input, Output, Service, ctx, dcc, html

CAMERA = replace(Service.SHARED, serialized="camera")
LATEST = replace(Service.SHARED_MOST_RECENT, initial_call="none")
STEPS = {"updatemode": "drag", "allow_direct_input": False, "marks": None}

#: What a device was busy with, from when to when.
spans: list[tuple[str, float, float]] = []
#: Until it is set, ``slow`` does not come to an end.
done = threading.Event()

app = Flash(__name__, server_service=os.environ.get("SERVICE"))
app.layout = html.Div(
    [
        dcc.RadioItems(["left", "right"], "left", id="device"),
        html.Output(id="chosen"),
        html.Button("Measure", id="measure"),
        html.Output(id="measured"),
        *(dcc.Slider(0, 10, 1, value=0, id=name, **STEPS) for name in ("zoom", "focus", "slow")),
        *(html.Output(id=f"{name}-output") for name in ("zoom", "focus", "slow")),
        dcc.Input(value="", id="note", debounce=True),
        html.Output(id="note-output"),
        dcc.Input(value="", id="own"),
        html.Output(id="own-output"),
    ]
)


@contextmanager
def busy(name: str) -> Iterator[None]:
    """Take as long as a device does."""
    began = time.monotonic()
    time.sleep(0.1)
    yield
    spans.append((name, began, time.monotonic()))


@app.callback(Output("chosen", "children"), Input("device", "value"), service=Service.S2)
def choose(device: str) -> str:
    ctx.client.device = device
    with busy("choose"):
        return device


@app.callback(
    Output("measured", "children"), Input("measure", "n_clicks"), service=Service.S2, prevent_initial_call=True
)
def measure(clicks: int) -> str:
    with busy("measure"):
        return f"{ctx.client.device} {clicks}"


@app.callback_shared(Output("zoom-output", "children"), Input("zoom", "value"), service=CAMERA)
def zoom(value: int) -> int:
    with busy("camera"):
        return value


@app.callback_shared(Output("focus-output", "children"), Input("focus", "value"), service=CAMERA)
def focus(value: int) -> int:
    with busy("camera"):
        return value


@app.callback_shared(Output("slow-output", "children"), Input("slow", "value"), service=LATEST)
def slow(value: int) -> int:
    done.wait()
    return value


@app.callback_shared(Output("note-output", "children"), Input("note", "value"))
def note(value: str) -> str:
    return value


@app.callback(Output("own-output", "children"), Input("own", "value"))
def own(value: str) -> str:
    return value
