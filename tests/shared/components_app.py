"""An app in which all tabs share a component of each kind that people change."""

from __future__ import annotations

import json
from typing import Any

from flash import Flash, Input, Output, dcc, html

OPTIONS = ["one", "two", "three"]
STEPS = {"allow_direct_input": False, "marks": None}

#: Each component with the properties that are shared.
SHARED: dict[Any, tuple[str, ...]] = {
    dcc.Slider(0, 10, 1, value=1, id="slider", updatemode="drag", **STEPS): ("value", "drag_value"),
    dcc.RangeSlider(0, 10, 1, value=[1, 3], id="range", **STEPS): ("value", "drag_value"),
    dcc.Slider(0, 1, 0.1, value=0.3, id="fine", updatemode="drag", **STEPS): ("drag_value",),
    dcc.Input(value="", id="text"): ("value",),
    dcc.Input(value=1, type="number", id="number"): ("value",),
    dcc.Textarea(value="", id="area"): ("value",),
    dcc.Dropdown(OPTIONS, "one", id="dropdown"): ("value",),
    dcc.Dropdown(OPTIONS, ["one"], multi=True, id="several"): ("value",),
    dcc.Checklist(OPTIONS, [], id="checklist"): ("value",),
    dcc.RadioItems(OPTIONS, "one", id="radio"): ("value",),
    dcc.DatePickerSingle("2026-01-31", id="date"): ("date",),
    dcc.Tabs([dcc.Tab(label=each, value=each) for each in OPTIONS], value="one", id="tabs"): ("value",),
    dcc.Store(id="store", data={"b": [1, 2.5], "a": None}): ("data",),
    dcc.Graph(id="graph", figure={"data": [{"y": [1, 2]}]}, style={"height": 200}): ("figure",),
    html.Button("Count", id="button", n_clicks=0): ("n_clicks",),
}

app = Flash(__name__)
app.layout = html.Div([html.Div([each, html.Output(id=f"{each.id}-output")]) for each in SHARED])


def declare(name: str, *props: str) -> None:
    """Share a component's properties: its output shows them as JSON."""

    @app.callback_shared(Output(f"{name}-output", "children"), *(Input(name, prop) for prop in props))
    def show(*values: Any) -> str:
        return json.dumps(values)


for component, props in SHARED.items():
    declare(component.id, *props)
