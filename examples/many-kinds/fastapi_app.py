"""A plain FastAPI app: an address of its own for documentation, a stream, and a WebSocket."""

import asyncio
from collections.abc import AsyncIterator

from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from fastapi.responses import RedirectResponse, StreamingResponse

app = FastAPI(title="Words")


@app.get("/", include_in_schema=False)
async def to_documentation() -> RedirectResponse:
    return RedirectResponse("docs")


@app.get("/length/{word}")
async def length(word: str) -> dict[str, int]:
    return {word: len(word)}


@app.get("/count/{last}")
async def count(last: int) -> StreamingResponse:
    """One number every tenth of a second."""

    async def numbers() -> AsyncIterator[str]:
        for number in range(1, last + 1):
            yield f"{number}\n"
            await asyncio.sleep(0.1)

    return StreamingResponse(numbers(), media_type="text/plain")


@app.websocket("/echo")
async def echo(socket: WebSocket) -> None:
    await socket.accept()
    try:
        while True:
            await socket.send_text((await socket.receive_text())[::-1])
    except WebSocketDisconnect:
        pass


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, port=8000)
