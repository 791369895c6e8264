"""The app that the benchmarks of the hub serve, alone or by a hub in both ways; ``BENCHMARK_KIND`` says which."""

from __future__ import annotations

import os
import tempfile
import time
from typing import Any

from dash import Input, Output, dcc, html

from flash import Flash

KINDS = ("alone", "hub")

#: Components in the answer of the callback ``many``.
MANY = 200


def create_app() -> Flash:
    """An app with a trivial callback, one with many components, and two that do harm."""
    app = Flash(__name__)
    names = ("async", "many", "block", "crash")
    app.layout = html.Div([dcc.Input(id="in"), *(html.Div(id=name) for name in names)])

    @app.callback(Output("async", "children"), Input("in", "value"))
    async def answer(value: Any) -> str:
        return f"value {value}"

    @app.callback(Output("many", "children"), Input("in", "value"))
    async def many(value: Any) -> list[Any]:
        return [
            html.Div(
                [
                    html.Span(f"Row {number}", className="label"),
                    html.Button("Go", id={"type": "go", "row": number}, n_clicks=0),
                    html.A("Open", href=f"/rows/{number}", style={"color": "teal"}),
                ],
                className="row",
            )
            for number in range(MANY // 4)
        ]

    @app.callback(Output("block", "children"), Input("in", "value"))
    async def block(value: Any) -> str:
        time.sleep(1)  # noqa: ASYNC251 - that is its harm.
        return "blocked"

    @app.callback(Output("crash", "children"), Input("in", "value"))
    async def crash(value: Any) -> str:
        os._exit(1)

    return app


def create_hub() -> Any:
    """A hub with the app in a process of its own, inline, and once more for harm."""
    from flash.hub.hub import Hub

    hub = Hub(home=os.environ.get("BENCHMARK_HOME") or tempfile.mkdtemp(prefix="hub-benchmark-"))
    hub.local_control = True  # The benchmark switches apps, and nobody signs in.
    target = f"{__file__}:create_app"
    hub.mount(target, "/child", isolation="process", env={"BENCHMARK_KIND": ""})
    hub.mount(target, "/inline", isolation="inline")
    hub.mount(target, "/harm", isolation="process", env={"BENCHMARK_KIND": ""})
    return hub


if os.environ.get("BENCHMARK_KIND") in KINDS:
    server = create_hub() if os.environ["BENCHMARK_KIND"] == "hub" else create_app().server
