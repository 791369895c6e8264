"""A server of its own, as other frameworks bring one: it takes its port and its path from the command line. aiohttp."""

import argparse

from aiohttp import WSMsgType, web


async def page(request: web.Request) -> web.Response:
    headers = {name.lower(): value for name, value in request.headers.items()}
    return web.json_response({"target": request.raw_path, "headers": headers})


async def stream(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(protocols=["framework"])
    await socket.prepare(request)
    await socket.send_json({"target": request.raw_path})
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await socket.send_bytes(message.data)
    return socket


async def health(request: web.Request) -> web.Response:
    return web.Response(text="ok")


async def nowhere(request: web.Request) -> web.Response:
    return web.Response(status=404, text=f"nothing at {request.raw_path}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--base", default="")
    given = parser.parse_args()
    app = web.Application()
    app.router.add_get(given.base + "/page/{name}", page)
    app.router.add_get(given.base + "/_stream", stream)
    app.router.add_get(given.base + "/health", health)
    app.router.add_get("/{rest:.*}", nowhere)
    web.run_app(app, host=given.address, port=given.port, print=None)
