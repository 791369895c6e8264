"""Children that do exactly what a test says, and who asks them through a proxy.

Example:
    >>> async with child(answering(b"HTTP/1.1 204 No Content\\r\\n\\r\\n")) as script, asking(script) as ask:
    ...     assert (await ask("GET", "/")).status == 204
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from hypercorn.asyncio import serve as serve_hypercorn
from hypercorn.config import Config

from flash.hub.proxy import Proxy

from ..live.asgi import eventually
from ..server.run_programs import free_port

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter


class Script:
    """A child whose connections are served by a function of the test.

    Attributes:
        bind: Where it listens.
        connections: How many there were.
        heads: The heads of the requests that were read by :meth:`head`.
        ended: Set when a peer has gone away, as :meth:`gone` saw it.
    """

    def __init__(self, bind: str) -> None:
        self.bind = bind
        self.connections = 0
        self.heads: list[bytes] = []

    async def head(self, reader: Reader) -> bytes:
        """Read the head of a request."""
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        return head

    @property
    def lines(self) -> list[bytes]:
        """The lines of the last head."""
        return self.heads[-1][:-4].split(b"\r\n")


Handler = Callable[[Script, Reader, Writer], Awaitable[None]]


@asynccontextmanager
async def child(handler: Handler, *, tcp: bool = False, backlog: int = 100) -> AsyncIterator[Script]:
    """A child on a socket of its own; connections end with the block."""
    folder = tempfile.mkdtemp()
    script = Script(f"127.0.0.1:{free_port()}" if tcp else f"unix:{folder}/s")
    tasks = set()

    async def serve(reader: Reader, writer: Writer) -> None:
        script.connections += 1
        tasks.add(asyncio.current_task())
        try:
            await handler(script, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    if tcp:
        host, port = script.bind.split(":")
        server = await asyncio.start_server(serve, host, int(port), backlog=backlog)
    else:
        server = await asyncio.start_unix_server(serve, script.bind[5:], backlog=backlog)
    try:
        yield script
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        shutil.rmtree(folder)


def answering(*answers: bytes, then: str = "close") -> Handler:
    """Answers each request without a body by the next of these bytes; the last one counts for all others.

    Args:
        answers: What is sent.
        then: ``"keep"`` to wait for the next request, ``"close"`` to close the connection.
    """

    async def handler(script: Script, reader: Reader, writer: Writer) -> None:
        while True:
            await script.head(reader)
            writer.write(answers[min(len(script.heads), len(answers)) - 1])
            await writer.drain()
            if then == "close":
                return

    return handler


class Answer:
    """An exchange with a proxy, as its server sees it."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.news = asyncio.Event()

    @property
    def status(self) -> int:
        """The status of the answer; 0 while there is none."""
        return self.messages[0]["status"] if self.messages else 0

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """Its headers."""
        return list(self.messages[0]["headers"])

    @property
    def body(self) -> bytes:
        """What has come of its body."""
        return b"".join(message["body"] for message in self.messages[1:])

    @property
    def is_whole(self) -> bool:
        """Whether its end has come."""
        return len(self.messages) > 1 and not self.messages[-1]["more_body"]

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait until something holds."""
        await eventually(condition)


class Asking:
    """Asks a proxy as a server does."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy

    async def __call__(self, method: str, path: str, **options: Any) -> Answer:
        """Ask, and wait for the end."""
        answer, task = self.begin(method, path, **options)
        await task
        return answer

    def begin(
        self,
        method: str,
        path: str,
        *,
        headers: list[tuple[bytes, bytes]] | None = None,
        body: bytes | list[bytes] | Callable[[], Awaitable[Any]] = b"",
        gone: asyncio.Event | None = None,
        may_send: asyncio.Event | None = None,
    ) -> tuple[Answer, asyncio.Task[None]]:
        """Ask, and do not wait.

        Args:
            method: The method.
            path: With its query, as it is to be sent.
            headers: Of the request.
            body: Whole, in pieces, or a function that is ``receive``.
            gone: Set when the client goes away.
            may_send: The client reads only while it is set.
        """
        answer = Answer()
        raw, _, query = path.encode("latin-1").partition(b"?")
        scope = {
            "type": "http",
            "method": method,
            "path": raw.decode("latin-1"),
            "raw_path": raw,
            "query_string": query,
            "headers": [(b"host", b"site.test")] if headers is None else headers,
            "extensions": {},
        }
        pieces = [body] if isinstance(body, bytes) else list(body) if isinstance(body, list) else []

        async def receive() -> Any:
            if pieces:
                piece = pieces.pop(0)
                return {"type": "http.request", "body": piece, "more_body": bool(pieces)}
            await (gone or asyncio.Event()).wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if may_send is not None:
                await may_send.wait()
            answer.messages.append(message)

        asked = self.proxy(scope, body if callable(body) else receive, send)
        return answer, asyncio.create_task(asked)  # type: ignore[arg-type]


@asynccontextmanager
async def asking(script: Script, secret: str | None = None, **options: Any) -> AsyncIterator[Asking]:
    """A proxy for a child."""
    proxy = Proxy(script.bind, secret, **options)
    try:
        yield Asking(proxy)
    finally:
        await proxy.close()


@asynccontextmanager
async def on_server(program: str, app: Any, bind: str | None = None) -> AsyncIterator[str]:
    """An ASGI app served in this loop, by Hypercorn or Uvicorn; where it listens, as ``bind`` of a proxy."""
    bind = bind or f"127.0.0.1:{free_port()}"
    if program == "hypercorn":
        config, stop = Config(), asyncio.Event()
        config.bind = [bind]
        config.accesslog = config.errorlog = logging.getLogger("tests.hypercorn")
        serving = asyncio.create_task(serve_hypercorn(app, config, shutdown_trigger=stop.wait))
        end = stop.set
    else:
        server = uvicorn.Server(
            uvicorn.Config(app, port=int(bind.split(":")[1]), log_config=None, ws="websockets-sansio", lifespan="off")
        )
        serving = asyncio.create_task(server._serve())  # `serve` would take the signals of the process.
        end = lambda: setattr(server, "should_exit", True)  # noqa: E731
    try:
        await eventually(lambda: _accepts(bind))
        yield bind
    finally:
        end()
        await serving


async def _accepts(bind: str) -> bool:
    host, port = bind.split(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    writer.close()
    return True
