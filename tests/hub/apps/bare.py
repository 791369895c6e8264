"""An app that starts quickly and does what a test asks of it. Plain ASGI."""

import asyncio
import os
import time
from typing import Any

held: list[bytearray] = []


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await talk(receive, send)
    elif scope["type"] == "http":
        await answer(scope["path"].strip("/"), send)


async def answer(wish: str, send: Any) -> None:
    text = str(os.getpid())
    if wish == "exit":
        os._exit(3)
    if wish == "block":
        block_until_released()
    elif wish == "slow":
        await asyncio.sleep(0.5)
    elif wish == "hold":
        held.append(bytearray(os.urandom(1 << 20) * 300))
    elif wish == "env":
        text = os.environ.get("GREETING", "")
    elif wish == "stream":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        while True:
            await send({"type": "http.response.body", "body": b"data: tick\n\n", "more_body": True})
            await asyncio.sleep(0.05)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": text.encode()})


def block_until_released() -> None:
    while not os.path.exists(os.environ["RELEASE"]):
        time.sleep(0.01)


async def talk(receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})
