"""Tells what it was told of a request; sets the cookies and follows the redirects that it is asked for."""

import asyncio
import json
from urllib.parse import parse_qsl


async def app(scope, receive, send):
    if scope["type"] == "websocket":
        await receive()
        headers = [(name.encode(), value.encode()) for name, value in parse_qsl(scope["query_string"].decode())]
        await send({"type": "websocket.accept", "headers": headers})
        while (await receive())["type"] != "websocket.disconnect":
            pass
    elif scope["type"] == "http":
        while (await receive()).get("more_body"):
            pass
        path, asked = scope["path"], parse_qsl(scope["query_string"].decode())
        if path == "/answer":  # /answer?set-cookie=a=1 answers with such headers.
            headers = [(name.encode(), value.encode("latin-1")) for name, value in asked]
            await answer(send, 302 if dict(asked).get("location") else 200, headers, b"{}")
        elif path == "/stream":
            await stream(send, **dict(asked))
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


async def stream(send, kind="text/event-stream", after="0"):
    await asyncio.sleep(float(after))
    headers = [(b"content-type", kind.encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    while True:
        await send({"type": "http.response.body", "body": b"data: on\n\n", "more_body": True})
        await asyncio.sleep(0.05)
