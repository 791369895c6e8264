"""A plain Quart app."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from quart import Quart, Response, request, url_for, websocket

from flash.hub.inside import visitor

app = server = Quart(__name__)
app.config["MAX_CONTENT_LENGTH"] = 64 * 1024 * 1024


@app.get("/")
async def index() -> str:
    return "quart index"


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
