"""A WebSocket between a browser and an app in a process of its own."""

from __future__ import annotations

import asyncio
import base64
import secrets
from contextlib import suppress
from typing import Any

from wsproto.connection import Connection as Frames
from wsproto.connection import ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Message, Ping, TextMessage
from wsproto.utilities import LocalProtocolError, RemoteProtocolError, generate_accept_token

from .headers import Headers, end_to_end
from .host import AppUnreachable, Receive, Scope, Send
from .upstream import Broken, Connection, Upstream

#: Bytes of one message of an app.
_LARGEST = 1 << 26

_NORMAL, _GOING_AWAY, _NO_STATUS, _ABNORMAL, _TOO_BIG, _RESTART = 1000, 1001, 1005, 1006, 1009, 1012

#: Headers of an answer that are not for the browser.
_OF_HANDSHAKE = frozenset(
    (b"date", b"server", b"sec-websocket-accept", b"sec-websocket-extensions", b"sec-websocket-protocol")
)


class Relay:
    """One WebSocket: the handshake, then messages both ways until either side ends it.

    An app that breaks off ends it with code 1012, so that clients come back. Messages are compressed between the
    browser and the hub only.

    Args:
        upstream: The way to the app.
        scope: Of the WebSocket, as its three companions.
    """

    def __init__(self, upstream: Upstream, scope: Scope, receive: Receive, send: Send) -> None:
        self._upstream = upstream
        self._scope = scope
        self._receive = receive
        self._send = send
        self._frames = Frames(ConnectionType.CLIENT)
        self._connection: Connection | None = None
        self._is_open = False
        self._gone = False

    async def serve(self) -> None:
        """Open it at the app, and relay what comes.

        Raises:
            AppUnreachable: The app did not answer the handshake.
        """
        await self._receive()
        key = base64.b64encode(secrets.token_bytes(16))
        try:
            head = self._upstream.head_of(self._scope, self._upgrade(key))
        except ValueError:
            await self._send({"type": "websocket.close", "code": _NORMAL})
            return
        reading = asyncio.create_task(self._from_browser())
        try:
            connection = await self._connect()
            await self._shake_hands(connection, head, key)
            if self._is_open:
                await self._to_browser(connection)
        except Broken as error:
            if not self._gone:
                raise AppUnreachable(f"There is no answer to a handshake: {error}.") from error
        finally:
            reading.cancel()
            if self._connection is not None:
                self._connection.close()

    async def _connect(self) -> Connection:
        try:
            self._connection = await self._upstream.connect(lambda: not self._gone)
        except OSError as error:
            raise Broken(f"the app does not accept connections ({error.strerror or error})") from error
        if self._gone:
            raise Broken("the browser went away before the app could be asked")
        return self._connection

    async def _shake_hands(self, connection: Connection, head: bytes, key: bytes) -> None:
        connection.begin("GET")
        connection.write(head)
        await connection.head()
        if connection.status != 101:
            await self._refuse(connection)
            return
        told = dict(connection.headers)
        if told.get(b"sec-websocket-accept") != generate_accept_token(key):
            raise Broken("the app's answer does not fit its question")
        subprotocol = told.get(b"sec-websocket-protocol", b"").decode("latin-1")
        self._is_open = True
        await self._send(
            {
                "type": "websocket.accept",
                "subprotocol": subprotocol if subprotocol in self._scope.get("subprotocols", ()) else None,
                "headers": end_to_end(connection.headers, without=_OF_HANDSHAKE),
            }
        )

    def _upgrade(self, key: bytes) -> Headers:
        headers = [
            (b"connection", b"Upgrade"),
            (b"upgrade", b"websocket"),
            (b"sec-websocket-key", key),
            (b"sec-websocket-version", b"13"),
        ]
        if wanted := self._scope.get("subprotocols"):
            headers.append((b"sec-websocket-protocol", ", ".join(wanted).encode("latin-1")))
        return headers

    async def _refuse(self, connection: Connection) -> None:
        """Pass on the answer of an app that does not want the WebSocket, where the server can."""
        if "websocket.http.response" not in (self._scope.get("extensions") or {}):
            await self._send({"type": "websocket.close", "code": _NORMAL})
            return
        headers = end_to_end(connection.headers, without=_OF_HANDSHAKE)
        await self._send({"type": "websocket.http.response.start", "status": connection.status, "headers": headers})
        more = True
        while more:
            chunk = await connection.chunk()
            more = not connection.has_ended
            await self._send({"type": "websocket.http.response.body", "body": chunk, "more_body": more})

    async def _from_browser(self) -> None:
        while (message := await self._receive())["type"] == "websocket.receive":
            if (text := message.get("text")) is not None:
                self._write(TextMessage(data=text))
            else:
                self._write(BytesMessage(data=message["bytes"]))
            if self._connection is not None:
                await self._connection.drain()
        self._gone = True
        code = message.get("code", _NO_STATUS)
        if self._is_open:
            told = _GOING_AWAY if code in (_NO_STATUS, _ABNORMAL) else code
            self._write(CloseConnection(code=told, reason=message.get("reason") or None))
        if self._connection is not None:
            self._connection.close()

    def _write(self, event: Any) -> None:
        with suppress(LocalProtocolError):  # The app has closed it already.
            data = self._frames.send(event)
            if self._connection is not None:
                self._connection.write(data)

    async def _to_browser(self, connection: Connection) -> None:
        try:
            code, reason = await self._relay(connection)
        except (Broken, RemoteProtocolError):
            code, reason = _RESTART, ""
        if not self._gone:
            await self._send({"type": "websocket.close", "code": code, "reason": reason})

    async def _relay(self, connection: Connection) -> tuple[int, str]:
        """Pass messages on until the app closes; its code and reason."""
        parts: list[Any] = []
        size = 0
        while True:
            self._frames.receive_data(await connection.chunk())
            for event in self._frames.events():
                if isinstance(event, Message):
                    parts.append(event.data)
                    size += len(event.data)
                    if size > _LARGEST:
                        self._write(CloseConnection(code=_TOO_BIG))
                        return _TOO_BIG, ""
                    if event.message_finished:
                        await self._send(_message(parts))
                        parts, size = [], 0
                elif isinstance(event, Ping):
                    self._write(event.response())
                elif isinstance(event, CloseConnection):
                    self._write(event.response())
                    return (_NORMAL if event.code == _NO_STATUS else int(event.code)), event.reason or ""


def _message(parts: list[Any]) -> dict[str, Any]:
    if isinstance(parts[0], str):
        return {"type": "websocket.send", "text": "".join(parts)}
    return {"type": "websocket.send", "bytes": b"".join(parts)}
