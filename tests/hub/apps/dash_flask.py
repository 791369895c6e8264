"""Dash on Flask."""

import os
import time
from collections.abc import Iterator
from typing import Any

from dash import Dash, Input, Output, callback, dcc, html, page_container, register_page
from flask import Flask, Response, request, url_for

from flash.hub.inside import visitor

NAME = "dash-flask"

app = Dash(__name__, use_pages=True, pages_folder="")
server: Flask = app.server

register_page("home", path="/", title="Home of dash-flask", layout=html.P(f"{NAME} home"))
register_page("deep", path="/deep/link", title="Deep in dash-flask", layout=html.P(f"{NAME} deep"))

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


def events(count: int | None) -> Iterator[str]:
    number = 0
    while count is None or number < count:
        number += 1
        yield f"data: {number}\n\n"
        time.sleep(0.05)


@server.get("/stream")
def stream() -> Response:
    return Response(events(request.args.get("count", type=int)), mimetype="text/event-stream")


@server.post("/upload")
def upload() -> str:
    return str(len(request.get_data()))


@server.get("/who")
def who() -> dict[str, Any]:
    asked = visitor()
    header = request.headers.get("X-Hub-User")
    return {"user": asked.name, "roles": sorted(asked.roles), "header": header, "remote": request.remote_addr}


@server.get("/where")
def where() -> dict[str, Any]:
    return {"url": url_for("where"), "root": request.root_url, "headers": sorted(request.headers.keys())}
