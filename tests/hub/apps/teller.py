"""Tells what it was told of a request; sets the cookies and follows the redirects that it is asked for."""

import asyncio
import json
from urllib.parse import parse_qsl


async def app(scope, receive, send):
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
    elif scope["type"] == "http":
        path, asked = scope["path"], parse_qsl(scope["query_string"].decode())
        if path == "/answer":  # /answer?set-cookie=a=1 answers with such headers.
            headers = [(name.encode(), value.encode("latin-1")) for name, value in asked]
            await answer(send, 302 if dict(asked).get("location") else 200, headers, b"{}")
        elif path == "/stream":
            await stream(send)
        else:
            await answer(send, 200, [(b"content-type", b"application/json")], told(scope))


def told(scope):
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    known = (scope.get("extensions") or {}).get("flash.hub") or {}
    seen = {"path": scope["path"], "client": scope["client"], "headers": dict(headers), "pairs": headers}
    return json.dumps({**known, **seen}).encode()


async def answer(send, status, headers, body):
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def stream(send):
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    while True:
        await send({"type": "http.response.body", "body": b"data: on\n\n", "more_body": True})
        await asyncio.sleep(0.05)
