"""The app of the browser scenarios of LiveInput, served in a process of its own.

What a test wants of it comes as requests to ``/do``: code whose value is answered as JSON.
"""

from __future__ import annotations

import itertools
import json
import os
from typing import Any

from quart import Response, request

from flash import Flash, Input, Output, ctx, dcc, html
from flash.data import LiveInput, source

numbers = itertools.count(int(os.environ.get("FIRST", "1")))
runs: list[str] = []
asked: list[list[str]] = []


@source(every="1d", name="orders")
async def orders() -> Any:
    return {"n": next(numbers)}


app = Flash(__name__)
app.server.secret_key = "the same in every run"
app.layout = html.Div(
    [
        dcc.Dropdown(["north", "south"], "north", id="region", clearable=False),
        dcc.Loading(html.Div(id="shown"), id="loading"),
        html.Div(id="of-each"),
        html.Div(id="of-all"),
    ]
)


@app.callback(Output("shown", "children"), LiveInput(orders), Input("region", "value"))
async def show(snapshot: Any, region: str) -> str:
    runs.append(f"{region} {snapshot.version}")
    return f"{region} {snapshot.value['n']} v{snapshot.version}"


@app.callback(Output("of-each", "children"), LiveInput(orders))
def of_each(snapshot: Any) -> str:
    asked.append([each["prop_id"] for each in ctx.triggered])
    return f"v{snapshot.version} live {ctx.client.live}"


@app.callback_shared(Output("of-all", "children"), LiveInput(orders))
async def of_all(snapshot: Any) -> str:
    return f"all v{snapshot.version}"


@app.server.post("/do")
async def do() -> Response:
    value = eval(await request.get_data(as_text=True))
    if hasattr(value, "__await__"):
        value = await value
    return Response(json.dumps(value, default=str), content_type="application/json")


if __name__ == "__main__":
    app.run(port=int(os.environ["PORT"]))
