"""The app of the browser scenarios, served in a process of its own so that it can be killed.

What a test wants of it comes as requests to ``/do``: code that runs beside the app, whose value is answered as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

from quart import Response, request

from flash import Flash, Input, Output, Patch, State, ctx, dcc, html, set_props

SETTINGS: dict[str, Any] = {"heartbeat": 1.0, "answer": 0.5, **json.loads(os.environ.get("LIVE", "{}"))}

app = Flash(
    __name__, live=SETTINGS, suppress_callback_exceptions=True, identify=lambda asked: asked.cookies.get("user")
)
app.server.secret_key = "the same in every run"
runs: list[str] = []
arrivals: list[tuple[str, bool]] = []


def serve_layout() -> Any:
    return html.Div(
        [
            html.Button("Click", id="click", n_clicks=0),
            html.Div(id="clicked"),
            html.Button("Slow", id="slow", n_clicks=0),
            html.Div(id="slowed"),
            html.Div([], id="events"),
            html.Div("-", id="pushed"),
            html.Div(id="tree"),
            html.Div(id="of-tree"),
            html.Div(id="greeted"),
            html.Button("Mount", id="mount", n_clicks=0),
            html.Div(id="mounted"),
            dcc.Store(id="large"),
            html.Button("Send", id="send", n_clicks=0),
            html.Div(id="sent"),
            html.Button("Again", id="again", n_clicks=0),
            html.Div(id="repeated"),
            html.Button("Ask", id="ask", n_clicks=0),
            html.Div(id="asked"),
            html.Div(id="persistent"),
        ]
    )


app.layout = serve_layout


@app.callback(Output("clicked", "children"), Input("click", "n_clicks"), websocket=True)
async def click(clicks: int) -> str:
    runs.append(f"click {clicks}")
    return f"clicked {clicks}"


@app.callback(Output("slowed", "children"), Input("slow", "n_clicks"), websocket=True, prevent_initial_call=True)
async def slow(clicks: int) -> str:
    runs.append(f"slow {clicks}")
    await asyncio.sleep(float(os.environ.get("SLOW", "2")))
    return f"slow {clicks}"


@app.callback(Output("of-tree", "children"), Input("inner", "n_clicks"))
def inner(clicks: int | None) -> str:
    return f"inner {clicks} by {'a tab' if ctx.client.live else 'nobody'}"


@app.callback(Output("mounted", "children"), Input("mount", "n_clicks"), prevent_initial_call=True)
def mount(clicks: int) -> Any:
    return html.Div("empty", id="late")


@app.callback(
    Output("sent", "children"),
    Input("send", "n_clicks"),
    State("large", "data"),
    websocket=True,
    prevent_initial_call=True,
)
async def send(clicks: int, data: str) -> str:
    return f"{len(data)} characters"


@app.callback(
    Output("repeated", "children"), Input("again", "n_clicks"), websocket=True, retry=True, prevent_initial_call=True
)
async def again(clicks: int) -> str:
    runs.append(f"again {clicks}")
    if os.environ.get("HANG"):
        await asyncio.sleep(60)
    return f"again {clicks}"


@app.callback(Output("asked", "children"), Input("ask", "n_clicks"), prevent_initial_call=True)
def ask(clicks: int) -> str:
    return f"{ctx.client.id} over {'a socket' if ctx.websocket else 'HTTP'}"


@app.callback(websocket=True, persistent=True)
async def persist() -> None:
    runs.append("persistent")
    set_props("persistent", {"children": f"run {runs.count('persistent')}"})
    await asyncio.Event().wait()


@app.callback_connect
async def greet(client: Any, connect: bool) -> Any:
    arrivals.append((client.id, connect))
    return {"greeted": {"children": f"hello {sum(here for _, here in arrivals)}"}} if connect else None


@app.server.before_request
async def guard() -> Any:
    if request.path.startswith(("/do", "/_dash-component-suites", "/_flash/live-")):
        return None
    return Response(status=401) if request.cookies.get("user") == "nobody" else None


@app.server.after_request
async def secure(response: Any) -> Any:
    if os.environ.get("CSP"):
        hashes = " ".join(app.csp_hashes())
        response.headers["Content-Security-Policy"] = (
            f"default-src 'self'; script-src 'self' {hashes}; style-src 'self'; style-src-attr 'unsafe-inline'"
        )
    return response


@app.server.post("/do")
async def do() -> Any:
    """Run an expression with the app at hand. For tests only, as this whole file."""
    names = {
        "app": app,
        "Patch": Patch,
        "html": html,
        "clients": app.clients,
        "runs": runs,
        "arrivals": arrivals,
        "append": append,
    }
    return json.dumps(eval(await request.get_data(as_text=True), names))


def append(number: int) -> None:
    """Add an event to every tab's list, by a Patch."""
    patch = Patch()
    patch.append(html.Span(f"{number} "))
    app.push_mods({"events": {"children": patch}})


if __name__ == "__main__":
    app.run(port=int(os.environ["PORT"]), graceful_timeout=3)
