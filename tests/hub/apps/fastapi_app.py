"""A FastAPI app with a lifespan."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import PlainTextResponse, StreamingResponse

from flash.hub.inside import visitor

started: list[str] = []


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    started.append("started")
    yield
    print("fastapi stopped", flush=True)


app = server = FastAPI(lifespan=lifespan)


@app.get("/", response_class=PlainTextResponse)
async def index() -> str:
    return f"fastapi index {started}"


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
