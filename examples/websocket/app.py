"""WebSockets of the app's own beside Flash's live connection: two routes of Quart's, and two components that listen.

What belongs to all pages goes by ``app.push_mods``, without a route and without a component.
"""

from __future__ import annotations

import asyncio
import random

from dash_extensions import WebSocket
from quart import websocket

from flash import Flash, Input, Output, components, dcc, html

app = Flash(__name__, title="WebSocket")


@app.server.websocket("/numbers")
async def send_numbers() -> None:
    """Runs once for each open page, and is cancelled when the page goes away."""
    while True:
        await websocket.send_json([random.randint(200, 1000) for _ in range(6)])
        await asyncio.sleep(1)


@app.server.websocket("/echo")
async def echo() -> None:
    """Says backwards what it is told."""
    while True:
        await websocket.send((await websocket.receive())[::-1])


@app.callback_connect
async def count(client, connect):
    app.push_mods({"tabs": {"children": len(app.clients)}})


app.layout = html.Main(
    [
        html.H1("Six numbers a second"),
        html.P(["Pages open: ", html.B(id="tabs")]),
        WebSocket(id="numbers"),
        dcc.Graph(id="graph", config={"displayModeBar": False}),
        html.H2("Say something"),
        components.WebSocket(id="echo", url=app.get_relative_path("/echo")),
        html.Div([dcc.Input(id="text", debounce=True), html.Output(id="answer", htmlFor="text")], className="echo"),
    ]
)

# dash-extensions' component needs a whole address: made in the browser, it is right on every host, and over TLS.
app.clientside_callback(
    f"""() => location.origin.replace(/^http/, "ws") + "{app.get_relative_path("/numbers")}" """,
    Output("numbers", "url"),
    Input("numbers", "id"),
)
app.clientside_callback(
    """(message) => message
        ? {
            data: [{y: JSON.parse(message.data), type: "bar", marker: {color: "#4c7dff"}}],
            layout: {
                yaxis: {range: [0, 1000], gridcolor: "rgb(136 145 165 / 25%)"}, font: {color: "#8891a5"},
                margin: {l: 40, r: 8, t: 8, b: 24}, paper_bgcolor: "transparent", plot_bgcolor: "transparent",
            },
        }
        : dash_clientside.no_update""",
    Output("graph", "figure"),
    Input("numbers", "message"),
)


# Flash's own takes an address of this server, comes back when it is lost, and shows callbacks every message.
@app.callback(Output("echo", "send"), Input("text", "value"), prevent_initial_call=True)
async def say(text):
    return text


@app.callback(Output("answer", "children"), Input("echo", "message"), prevent_initial_call=True)
async def hear(message):
    return message["data"]


if __name__ == "__main__":
    app.run()
