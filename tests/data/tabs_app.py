"""An app with one source that runs when it is told to, and what its open pages ask for, in a process of its own.

What a test wants of it comes as requests to ``/do``: an expression that is evaluated beside the app, and awaited if it
can be. The value is answered as JSON.
"""

from __future__ import annotations

import inspect
import itertools
import json
from collections import Counter
from typing import Any

from quart import request

from flash import Flash, Input, Output, dcc, html
from flash.data import LiveInput, Snapshot, source

app = Flash(__name__, live={"heartbeat": 1.0, "answer": 2.0})
app.layout = html.Div([dcc.Input(id="in", value="all"), html.Div(id="out"), html.Div(id="live")])

#: What came from browsers: requests by their path, frames by their type.
seen: Counter[str] = Counter()
#: The versions for which the functions ran.
runs: list[str] = []

_numbers = itertools.count(1)


class Counted:
    """The ASGI app, and the requests and frames that come to it."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"] != "/do":
            seen[scope["path"]] += 1
        await self.inner(scope, self._counting(receive) if scope["type"] == "websocket" else receive, send)

    def _counting(self, receive: Any) -> Any:
        async def counted() -> Any:
            event = await receive()
            if event["type"] == "websocket.receive":
                frame = json.loads(event.get("text") or event["bytes"])
                for message in frame if isinstance(frame, list) else [frame]:
                    seen[message["type"]] += 1
            return event

        return counted


app.server.asgi_app = Counted(app.server.asgi_app)  # type: ignore[method-assign]


@source(every="365d")
async def readings() -> dict[str, int]:
    """Something new whenever it is run."""
    return {"number": next(_numbers)}


@app.callback(Output("out", "children"), LiveInput(readings), Input("in", "value"))
def over_http(snapshot: Snapshot, value: str) -> str:
    runs.append(f"http {snapshot.version}")
    return f"{value} {snapshot.value['number']}"


@app.callback(Output("live", "children"), LiveInput(readings), Input("in", "value"), websocket=True)
async def over_live(snapshot: Snapshot, value: str) -> str:
    runs.append(f"live {snapshot.version}")
    return f"{value} {snapshot.value['number']}"


async def next_version() -> int:
    """Run the source; its new version."""
    return (await readings.refresh()).version


def asked() -> dict[str, int]:
    """What came, but for what the live connection says of itself."""
    return {name: count for name, count in seen.items() if name not in ("ack", "heartbeat", "heartbeat_ack")}


@app.server.post("/do")
async def do() -> Any:
    """Evaluate an expression. For tests only, as this whole file."""
    value = eval(await request.get_data(as_text=True), globals())
    return json.dumps(await value if inspect.isawaitable(value) else value)


if __name__ == "__main__":
    app.run()
