"""A plain Flask app."""

import time
from collections.abc import Iterator
from typing import Any

from flask import Flask, Response, request, url_for

from flash.hub.inside import visitor

app = server = Flask(__name__)


@app.get("/")
def index() -> str:
    return "flask index"


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
