"""Dash on its FastAPI backend."""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

from dash import Dash, Input, Output, callback, dcc, html, page_container, register_page
from fastapi import FastAPI, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import PlainTextResponse, StreamingResponse

from flash.hub.inside import visitor

NAME = "dash-fastapi"

app = Dash(__name__, backend="fastapi", use_pages=True, pages_folder="", websocket_callbacks=True)
server: FastAPI = app.server

register_page("home", path="/", title="Home of dash-fastapi", layout=html.P(f"{NAME} home"))
register_page("deep", path="/deep/link", title="Deep in dash-fastapi", layout=html.P(f"{NAME} deep"))

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
async def stream(count: int | None = None) -> StreamingResponse:
    return StreamingResponse(events(count), media_type="text/event-stream")


@server.post("/upload", response_class=PlainTextResponse)
async def upload(request: Request) -> str:
    size = 0
    async for piece in request.stream():
        size += len(piece)
    return str(size)


@server.get("/who")
async def who(request: Request) -> dict[str, Any]:
    asked = visitor()
    remote = request.client.host if request.client else None
    return {
        "user": asked.name,
        "roles": sorted(asked.roles),
        "header": request.headers.get("X-Hub-User"),
        "remote": remote,
    }


@server.get("/where")
async def where(request: Request) -> dict[str, Any]:
    url = request.url_for("where")
    return {"url": url.path, "root": str(request.base_url), "headers": sorted(request.headers.keys())}


@server.websocket("/ws")
async def ws(websocket: WebSocket) -> None:
    await websocket.accept()
    try:
        while True:
            await websocket.send_text(await websocket.receive_text())
    except WebSocketDisconnect:
        pass
