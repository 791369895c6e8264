"""Dash on its Quart backend."""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

from dash import Dash, Input, Output, callback, dcc, html, page_container, register_page
from quart import Quart, Response, request, url_for, websocket

from flash.hub.inside import visitor

NAME = "dash-quart"

app = Dash(__name__, backend="quart", use_pages=True, pages_folder="", websocket_callbacks=True)
server: Quart = app.server
server.config["MAX_CONTENT_LENGTH"] = 64 * 1024 * 1024

register_page("home", path="/", title="Home of dash-quart", layout=html.P(f"{NAME} home"))
register_page("deep", path="/deep/link", title="Deep in dash-quart", layout=html.P(f"{NAME} deep"))

app.layout = html.Div(
    [
        dcc.Input(id="in"),
        dcc.Textarea(id="text"),
        html.Div(id="out"),
        html.Div(id="big"),
        html.Button(id="exit"),
        html.Div(id="gone"),
        page_container,
    ]
)


@callback(Output("out", "children"), Input("in", "value"))
def show(value: Any) -> str:
    return f"{NAME}: {value}"


@callback(Output("big", "children"), Input("text", "value"))
def echo(text: str | None) -> str | None:
    return text


@callback(Output("gone", "children"), Input("exit", "n_clicks"), prevent_initial_call=True)
def leave(clicks: int) -> None:
    os._exit(3)


async def events(count: int | None) -> AsyncIterator[str]:
    number = 0
    while count is None or number < count:
        number += 1
        yield f"data: {number}\n\n"
        await asyncio.sleep(0.05)


@server.get("/stream")
async def stream() -> Response:
    response = Response(events(request.args.get("count", type=int)), mimetype="text/event-stream")
    response.timeout = None
    return response


@server.post("/upload")
async def upload() -> str:
    size = 0
    async for piece in request.body:
        size += len(piece)
    return str(size)


@server.get("/who")
async def who() -> dict[str, Any]:
    asked = visitor()
    header = request.headers.get("X-Hub-User")
    return {"user": asked.name, "roles": sorted(asked.roles), "header": header, "remote": request.remote_addr}


@server.get("/where")
async def where() -> dict[str, Any]:
    return {"url": url_for("where"), "root": request.root_url, "headers": sorted(request.headers.keys())}


@server.websocket("/ws")
async def ws() -> None:
    while True:
        await websocket.send(await websocket.receive())
