"""A text that comes word by word, by the SSE component of dash-extensions and a route of Quart's that streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from dash_extensions import SSE
from dash_extensions.streaming import sse_message, sse_options
from quart import Response, make_response, request

from flash import Flash, Input, Output, State, callback, dcc, html

PAUSE = 0.15
TEXT = "Each of these words is sent on its own, as soon as the server has it."

app = Flash(__name__, title="Server-sent events")
app.layout = html.Main(
    [
        html.H1("Word by word"),
        dcc.Textarea(id="text", value=TEXT, rows=3, style={"width": "100%"}),
        html.Button("Send", id="send"),
        html.P(id="echo"),
        html.P(id="state", role="status"),
        SSE(id="stream", concat=True),
    ],
    style={"fontFamily": "system-ui", "maxWidth": "36rem", "margin": "3rem auto", "padding": "0 1rem"},
)


@app.server.post("/words")
async def send_words() -> Response:
    text = (await request.get_data()).decode()
    response = await make_response(stream(text), {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    # Quart ends a response after a minute; a stream may last longer.
    response.timeout = None
    return response


async def stream(text: str) -> AsyncIterator[bytes]:
    """One event for each word, and the one that tells the component that there are no more."""
    for word in text.split():
        yield sse_message(f"{word} ").encode()
        await asyncio.sleep(PAUSE)
    yield sse_message().encode()


@callback(
    Output("stream", "url"),
    Output("stream", "options"),
    Input("send", "n_clicks"),
    State("text", "value"),
    prevent_initial_call=True,
)
async def start(_: int, text: str) -> tuple[str, dict]:
    return app.get_relative_path("/words"), sse_options(text)


app.clientside_callback("(value) => value", Output("echo", "children"), Input("stream", "value"))
app.clientside_callback(
    """(done, value) => done ? "Done." : value ? "Streaming ..." : "" """,
    Output("state", "children"),
    Input("stream", "done"),
    Input("stream", "value"),
)

if __name__ == "__main__":
    app.run()
