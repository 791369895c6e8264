"""The server of the benchmark of live data: one source, and one callback that takes it.

``BENCHMARK_KIND`` names the way of the callback: ``data-http``, or ``data-live`` for the live connection. What comes
from browsers is counted where it enters the app, before anything of Flash has seen it.
"""

from __future__ import annotations

import itertools
import json
import os
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from dash import dcc, html

from flash import Flash, Input, Output
from flash.data import LiveInput, Snapshot, source

KINDS = ("data-http", "data-live")

#: No limit on how fast a tab may send.
SETTINGS = {"enabled": True, "rate": 1e9, "burst": 1_000_000}

#: The characters of what the callback gives: a small figure.
SIZE = 20_000

#: What the benchmark itself asks for; not counted.
CONTROL = ("/read", "/seen")

_numbers = itertools.count(1)

Message = dict[str, Any]


class Counted:
    """An ASGI app, and what comes to it: requests, and frames by their type."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self.app = app
        self.seen: Counter[str] = Counter()

    async def __call__(self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Any) -> None:
        if scope["type"] == "http" and scope["path"] not in CONTROL:
            self.seen["request"] += 1
            self.seen[f"request {scope['path']}"] += 1

        async def counted() -> Message:
            event = await receive()
            if event["type"] == "websocket.receive":
                self._count(event.get("text") or event["bytes"])
            return event

        await self.app(scope, counted if scope["type"] == "websocket" else receive, send)

    def _count(self, frame: str | bytes) -> None:
        messages = json.loads(frame)
        for message in messages if isinstance(messages, list) else [messages]:
            self.seen[message["type"]] += 1


@source(every="365d")
async def readings() -> dict[str, int]:
    """Gives something new whenever it is run."""
    return {"number": next(_numbers)}


def build(kind: str) -> Any:
    """The ASGI app of a kind."""
    app = Flash("data_apps", assets_folder="no-assets", live=SETTINGS)
    app.layout = html.Div([dcc.Input(id="in", value="all"), html.Div(id="out")])
    counted = Counted(app.server.asgi_app)
    app.server.asgi_app = counted  # type: ignore[method-assign]

    @app.callback(Output("out", "children"), LiveInput(readings), Input("in", "value"), websocket=kind == "data-live")
    async def draw(snapshot: Snapshot, value: str) -> str:
        counted.seen["run"] += 1
        return f"{value} {snapshot.value['number']} ".ljust(SIZE, "x")

    @app.server.route("/read")
    async def read() -> dict[str, str | None]:
        """Run the source."""
        return {"version": (await readings.refresh()).tag}

    @app.server.route("/seen")
    async def seen() -> dict[str, int]:
        """What came, since the server has started."""
        return dict(counted.seen)

    return app.server


if os.environ.get("BENCHMARK_KIND") in KINDS:
    server = build(os.environ["BENCHMARK_KIND"])
