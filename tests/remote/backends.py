"""Backends on real sockets, in the loop of the test."""

from __future__ import annotations

import asyncio
import logging
import types
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import orjson
import uvicorn
from hypercorn.asyncio import serve as serve_hypercorn
from hypercorn.config import Config

from flash.remote import Remote

from ..server.run_programs import free_port


@asynccontextmanager
async def backend_of(app: Any) -> AsyncIterator[str]:
    """Serve an ASGI app with Uvicorn; gives its address."""
    server = uvicorn.Server(uvicorn.Config(app, port=free_port(), log_config=None, lifespan="off"))
    serving = asyncio.create_task(server._serve())  # `serve` would take the signals of the process.
    try:
        while not server.started:
            assert not serving.done()
            await asyncio.sleep(0.005)
        yield f"http://127.0.0.1:{server.config.port}"
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def backend_on_hypercorn(app: Any) -> AsyncIterator[str]:
    """The same with Hypercorn."""
    config, stop, address = Config(), asyncio.Event(), f"127.0.0.1:{free_port()}"
    config.bind = [address]
    config.accesslog = config.errorlog = logging.getLogger("tests.hypercorn")
    serving = asyncio.create_task(serve_hypercorn(app, config, shutdown_trigger=stop.wait))
    try:
        while True:
            try:
                _, writer = await asyncio.open_connection(*address.split(":"))
                break
            except OSError:
                assert not serving.done()
                await asyncio.sleep(0.005)
        writer.close()
        yield f"http://{address}"
    finally:
        stop.set()
        await serving


SERVERS = {"uvicorn": backend_of, "hypercorn": backend_on_hypercorn}


def module_of(code: str, name: str) -> types.ModuleType:
    """The module that a program is, with a name of its own."""
    module = types.ModuleType(name)
    exec(compile(code, name, "exec"), vars(module))
    return module


def answering(handler: Callable[[httpx2.Request], httpx2.Response], **options: Any) -> Remote:
    """A backend that a function is, without a network."""
    return Remote("http://backend/base", transport=httpx2.MockTransport(handler), **options)


def echoing(**options: Any) -> Remote:
    """A backend that answers with the path and the fields that it was sent."""
    return answering(
        lambda request: httpx2.Response(
            200, json={"path": request.url.raw_path.decode(), **orjson.loads(request.content)}
        ),
        **options,
    )


#: Steps of a ``Scripted`` backend besides the bytes of an answer.
DROP_UNREAD = "the connection is closed before anything is read"
DROP = "the request is read, and the connection closed"
HANG = "the request is read, and nothing answered"


class Scripted:
    """A backend that does with each request what its script says, and keeps what it has read.

    Attributes:
        heads: The heads of the requests, as texts in lower case.
        bodies: Their bodies.
        unread: How many connections were closed unread.
    """

    def __init__(self, *script: Any) -> None:
        self.script = list(script)
        self.heads: list[str] = []
        self.bodies: list[bytes] = []
        self.unread = 0
        self.address = ""

    @asynccontextmanager
    async def served(self) -> AsyncIterator[Scripted]:
        """Serve it."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            step = self.script.pop(0)
            if step is DROP_UNREAD:
                self.unread += 1
                return
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.partition("content-length: ")[2].partition("\r")[0])
            self.heads.append(head)
            self.bodies.append(await reader.readexactly(length))
            if step is HANG:
                await reader.read()
            elif step is not DROP:
                for part in step if isinstance(step, list) else [step]:
                    writer.write(part)
                    await writer.drain()
        finally:
            writer.close()

    def header(self, name: str) -> list[str]:
        """What the requests have said in a header."""
        return [head.partition(f"\r\n{name}: ")[2].partition("\r")[0] for head in self.heads]


def response(status: str, body: bytes = b"{}", **headers: Any) -> bytes:
    """The bytes of an answer after which the connection is closed."""
    headers = {"content_type": "application/json", "content_length": len(body), "connection": "close"} | headers
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items() if value is not None]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode() + body


async def called(remote: Remote, fields: Any = None, name: str = "", **options: Any) -> list[Any]:
    """All that a call says."""
    return [each async for each in remote.call(name, fields or {}, call_id="c" * 32, **options)]
