"""Numbers that the server sends whenever it likes: dash-extensions' WebSocket component and a route of Quart's."""

from __future__ import annotations

import asyncio
import random

from dash_extensions import WebSocket
from quart import websocket

from flash import Flash, Input, Output, clientside_callback, dcc, html

app = Flash(__name__, title="WebSocket")
app.layout = html.Main(
    [html.H1("Six numbers a second"), WebSocket(id="socket"), dcc.Graph(id="graph")],
    style={"fontFamily": "system-ui", "maxWidth": "48rem", "margin": "3rem auto", "padding": "0 1rem"},
)


@app.server.websocket("/numbers")
async def send_numbers() -> None:
    """Runs once for each open page, and is cancelled when the page goes away."""
    while True:
        await websocket.send_json([random.randint(200, 1000) for _ in range(6)])
        await asyncio.sleep(1)


# The address is made in the browser, so that it is right on every host and port, and over TLS.
clientside_callback(
    """() => location.origin.replace(/^http/, "ws") + "/numbers" """,
    Output("socket", "url"),
    Input("socket", "id"),
)
clientside_callback(
    """(message) => message
        ? {data: [{y: JSON.parse(message.data), type: "bar"}], layout: {yaxis: {range: [0, 1000]}}}
        : dash_clientside.no_update""",
    Output("graph", "figure"),
    Input("socket", "message"),
)

if __name__ == "__main__":
    app.run()
