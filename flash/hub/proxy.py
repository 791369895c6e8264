"""Requests to an app in a process of its own: passed on as they are, both ways at once, nothing held back."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Any

from .headers import Headers, content_length, end_to_end
from .host import AppUnreachable, Receive, Scope, Send
from .relay import Relay
from .upstream import Broken, Connection, Upstream

logger = logging.getLogger("flash.hub")

#: Methods that may be sent twice.
_REPEATABLE = frozenset(("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"))

#: The server in front of the hub sends its own.
_OF_SERVER = frozenset((b"date", b"server"))

#: Bytes of a request that every system takes at once: then it is known whether the child has read any of them.
_AT_ONCE = 1 << 16

#: Seconds after which a client that waits for an answer is watched: most answers are there before.
_SOON = 0.02


class Proxy:
    """An ASGI app that asks a child.

    Args:
        bind: Where the child listens: ``"unix:/path"`` or ``"127.0.0.1:8000"``.
        secret: What the child wants to see in ``x-hub-secret``; None for a command.
        prefix: Put before every path, for a command that wants its paths whole.
    """

    def __init__(self, bind: str, secret: str | None, *, prefix: str = "") -> None:
        self._upstream = Upstream(bind, secret, prefix=prefix)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request or a WebSocket.

        Raises:
            AppUnreachable: The child ended, or broke off before its answer began.
        """
        serving = Relay if scope["type"] == "websocket" else Exchange
        await serving(self._upstream, scope, receive, send).serve()

    async def close(self) -> None:
        """Cut off what is under way, and close all connections."""
        self._upstream.close()


class Exchange:
    """One request and its answer."""

    def __init__(self, upstream: Upstream, scope: Scope, receive: Receive, send: Send) -> None:
        self._upstream = upstream
        self._scope = scope
        self._receive = receive
        self._send = send
        self._connection: Connection | None = None
        self._connected = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None
        self._uploading = False
        self._chunked = False
        self._started = False
        self._gone = False
        #: Why the rest of the body could not be read.
        self._refused: Exception | None = None

    async def serve(self) -> None:
        """Ask the child, and pass on what it answers.

        Raises:
            AppUnreachable: There is no answer.
            Exception: What ``receive`` raised: the body is larger than the app takes, for example.
        """
        message = await self._receive()
        if message["type"] == "http.disconnect":
            return
        body = message.get("body", b"")
        length = content_length(self._scope["headers"])
        self._uploading = message.get("more_body", False) and length != len(body)
        try:
            head = self._upstream.head_of(self._scope, self._framing(body, length))
        except ValueError:
            await self._refuse()
            return
        watch = asyncio.get_running_loop().call_later(0 if self._uploading else _SOON, self._watch)
        try:
            await self._ask(head, self._framed(body))
        except Broken as error:
            if self._refused is not None:
                raise self._refused from None
            self._explain(error)
        finally:
            watch.cancel()
            if self._watching is not None:
                self._watching.cancel()

    def _framing(self, body: bytes, length: int | None) -> Headers:
        self._chunked = self._uploading and length is None
        if self._chunked:
            return [(b"transfer-encoding", b"chunked")]
        if length is None and not body:
            return []
        return [(b"content-length", b"%d" % (len(body) if length is None else length))]

    async def _ask(self, head: bytes, body: bytes) -> None:
        repeatable = self._scope["method"] in _REPEATABLE
        fresh = self._uploading or len(body) > _AT_ONCE
        kept = None if fresh else self._upstream.kept(repeatable=repeatable)
        if kept is not None:
            try:
                return await self._over(kept, head, body)
            except Broken as error:
                if self._gone or not error.silent or not (repeatable or error.untouched):
                    raise
        try:
            connection = await self._upstream.connect(lambda: not self._gone)
        except OSError as error:
            raise Broken(f"the app does not accept connections ({error.strerror or error})") from error
        await self._over(connection, head, body)

    async def _over(self, connection: Connection, head: bytes, body: bytes) -> None:
        self._connection = connection
        self._connected.set()
        try:
            if self._gone:
                raise Broken("the client went away")
            connection.begin(self._scope["method"])
            connection.write(head + body)
            connection.is_sent = not self._uploading
            await connection.head()
            await self._pass_on(connection)
        finally:
            self._connection = None
            self._upstream.release(connection)

    async def _pass_on(self, connection: Connection) -> None:
        headers = end_to_end(connection.headers, without=_OF_SERVER)
        self._started = True
        await self._send({"type": "http.response.start", "status": connection.status, "headers": headers})
        ended = False
        while not ended:
            chunk = await connection.chunk()
            ended = connection.has_ended
            await self._send({"type": "http.response.body", "body": chunk, "more_body": not ended})

    def _watch(self) -> None:
        self._watching = asyncio.get_running_loop().create_task(self._read_client())

    async def _read_client(self) -> None:
        """Pass on the rest of the body, then wait for the client to go away."""
        try:
            while (message := await self._receive())["type"] != "http.disconnect":
                if self._uploading:
                    with suppress(Broken):  # An answer may have come all the same.
                        await self._upload(message)
        except Exception as error:
            self._refused = error
        self._gone = True
        if self._connection is not None:
            self._connection.fail("the client went away")

    async def _upload(self, message: dict[str, Any]) -> None:
        await self._connected.wait()
        if self._connection is None or not self._connection.is_open:
            raise Broken("the answer came before the end of the question")
        self._uploading = message.get("more_body", False)
        data = self._framed(message.get("body", b""))
        if self._chunked and not self._uploading:
            data += b"0\r\n\r\n"
        self._connection.write(data)
        self._connection.is_sent = not self._uploading
        await self._connection.drain()

    def _framed(self, data: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(data), data) if self._chunked and data else data

    async def _refuse(self) -> None:
        headers = [(b"content-length", b"0")]
        await self._send({"type": "http.response.start", "status": 400, "headers": headers})
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    def _explain(self, error: Broken) -> None:
        """Say that there is no answer; one that has begun is left without its end, so that the client sees it."""
        if self._gone:
            return
        if not self._started:
            raise AppUnreachable(f"There is no answer: {error}.") from error
        logger.warning("An answer to %s was cut off: %s.", self._scope["path"], error)
