"""A plain FastAPI app: a page, a stream, a WebSocket, and FastAPI's own documentation."""

import asyncio
from collections.abc import AsyncIterator

from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from fastapi.responses import HTMLResponse, StreamingResponse

PAGE = """<!doctype html>
<html lang="en">
<title>Words</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<style>body { font-family: system-ui; max-width: 36rem; margin: 3rem auto; padding: 0 1rem }</style>
<h1>Words</h1>
<p><input id="word" value="stressed" aria-label="A word"> backwards is <output id="backwards"></output>.</p>
<p><a href="count/20">Twenty numbers, one by one</a>, <a href="docs">documentation</a></p>
<script>
  const word = document.getElementById("word");
  const socket = new WebSocket(new URL("echo", location).href.replace(/^http/, "ws"));
  socket.onopen = word.oninput = () => socket.send(word.value);
  socket.onmessage = event => { document.getElementById("backwards").value = event.data; };
</script>
"""

app = FastAPI(title="Words")


@app.get("/", response_class=HTMLResponse, include_in_schema=False)
async def home() -> str:
    return PAGE


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
