"""The way without WebSockets: server-sent events or long polling down, POSTs up."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any

from quart import Response, request

from ..exceptions import RequestRefused
from . import protocol
from .clients import TooManyClients
from .connection import Connection
from .downlink import Downlink, StreamLink
from .hooks import ask_hooks, ask_message_hooks
from .link import Handshake
from .origin import allowed_origin
from .peer import greet, handle
from .protocol import CloseCode
from .rate import Rate

if TYPE_CHECKING:
    from .live import Live

logger = logging.getLogger("flash")

#: Seconds for which a poll is held open when there is nothing to say.
POLL_SECONDS = 25.0

_STREAM_NAME = re.compile(r"[0-9a-f]{32}")


class Downlinks:
    """What the browsers listen to that cannot use WebSockets, and the routes for it.

    Args:
        live: The app's live room.
    """

    def __init__(self, live: Live) -> None:
        self._live = live
        self._downlinks: dict[str, Downlink] = {}

    def close(self) -> None:
        """End every stream."""
        for downlink in list(self._downlinks.values()):
            downlink.close()

    async def _named(self) -> Downlink:
        """The downlink that the request names, made if it is new.

        Raises:
            RequestRefused: It has no proper name, there are too many, or another user has opened it.
        """
        name = request.args.get("stream", "")
        if not _STREAM_NAME.fullmatch(name):
            raise RequestRefused(400, "The stream must be named by 32 hexadecimal digits.")
        user = await self._live.guard.user()
        downlink = self._downlinks.get(name)
        if downlink is None:
            downlink = self._downlinks[name] = self._new(name, user)
        if downlink.user != user:
            raise RequestRefused(409, "Another user has opened this stream. Open one with another name.")
        return downlink

    def _new(self, name: str, user: str | None) -> Downlink:
        settings = self._live.settings
        if len(self._downlinks) >= settings.clients:
            raise RequestRefused(429, "Too many clients are connected.")
        return Downlink(user, Rate(settings.rate, settings.burst), partial(self._downlinks.pop, name))

    # Down.

    async def serve_stream(self) -> Response:
        """The view of the server-sent events."""
        self._live.begin()
        downlink = await self._named()
        response = Response(self._events(downlink), content_type="text/event-stream")
        # For proxies, nginx among them, that would gather or change it.
        response.headers.update({"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"})
        response.timeout = None
        return response

    async def _events(self, downlink: Downlink) -> AsyncIterator[bytes]:
        try:
            with downlink.listening():
                yield b"event: open\ndata: {}\n\n"
                while not downlink.closed:
                    if entries := await downlink.next(POLL_SECONDS):
                        yield b"".join([b"data: %b\n\n" % entry for entry in entries])
                    else:
                        yield b": still here\n\n"
        finally:
            downlink.lost()

    async def serve_poll(self) -> Response:
        """The view of long polling."""
        self._live.begin()
        downlink = await self._named()
        try:
            with downlink.listening():
                entries = await downlink.next(POLL_SECONDS)
        except asyncio.CancelledError:
            downlink.lost()
            raise
        body = b"[%b]" % b",".join(entries)
        return Response(body, content_type="application/json", headers={"Cache-Control": "no-store"})

    # Up.

    async def serve_send(self) -> Response:
        """The view that takes a tab's messages."""
        self._live.begin()
        self._check_origin()
        messages = await self._messages()
        if isinstance(messages[0], (protocol.Hello, protocol.Resume)):
            await self._ask_hooks(None, messages)
            connection, first = await self._greet(messages.pop(0))
            replies = [first]
        else:
            connection = self._connection()
            await self._ask_hooks(connection, messages)
            replies = []
        # The stream of a page that is closed may end before its last message comes.
        if connection.away and not replies and not isinstance(messages[0], protocol.Bye):
            raise RequestRefused(409, "The link of this client is lost. Send resume first.")
        return Response(self._answer(connection, messages, replies), content_type="application/json")

    def _check_origin(self) -> None:
        headers = request.headers
        allowed = self._live.app.allowed_origins
        if not allowed_origin(headers.get("Origin"), headers.get("Host"), request.scheme, allowed):
            raise RequestRefused(403, "Pages of another origin may not connect.")
        if self._live.stopping:
            raise RequestRefused(503, "The server ends.")

    async def _messages(self) -> list[Any]:
        if not request.is_json:
            raise RequestRefused(415, "The Content-Type must be application/json.")
        try:
            messages = protocol.decode(await request.get_data(as_text=False))
        except protocol.Malformed as error:
            raise RequestRefused(400, str(error)) from None
        if not messages:
            raise RequestRefused(400, "There is no message.")
        return messages

    def _connection(self) -> Connection:
        client_id, key = request.args.get("client", ""), request.headers.get("Flash-Key", "")
        connection = self._live.returning(client_id, key)
        if connection is None:
            raise RequestRefused(409, "There is no such client. Send hello or resume first.")
        return connection

    async def _ask_hooks(self, connection: Connection | None, messages: list[Any]) -> None:
        """Show the messages to Dash's hooks, as those of a WebSocket."""
        rejection = await ask_message_hooks(self._live, request, messages)
        if rejection is not None:
            if connection is not None:
                connection.close(*rejection)
            raise RequestRefused(403, "The message was refused.")

    def _take_over(self, message: protocol.Resume, downlink: Downlink) -> None:
        """Forget the old link of a tab that resumes on the stream to which it listens: it is not another one's."""
        connection = self._live.returning(message.client, message.key)
        old = connection.link if connection is not None else None
        if isinstance(old, StreamLink) and old.downlink is downlink:
            old.lost()

    async def _open_downlink(self) -> Downlink:
        """The downlink to which a tab that arrives will listen, once the browser does."""
        downlink = await self._named()
        if not downlink.may_arrive():
            raise RequestRefused(429, "Too many tabs have come to this stream at once.")
        try:
            await downlink.opened()
        except TimeoutError:
            raise RequestRefused(409, "Nobody listens to the stream. Open it first.") from None
        return downlink

    async def _greet(self, message: Any) -> tuple[Connection, bytes]:
        if await ask_hooks(self._live, "websocket_connect", request) is not None:
            raise RequestRefused(403, "The connection was refused.")
        downlink = await self._open_downlink()
        if greeted := downlink.greeted_by(message):
            return greeted  # The network has brought it twice. What the tab has missed is under way, and comes once.
        handshake = Handshake(
            cookies=dict(request.cookies),
            headers=dict(request.headers),
            address=request.remote_addr,
            user=downlink.user,
            context=copy_context(),
        )
        if isinstance(message, protocol.Resume):
            self._take_over(message, downlink)
        if len(downlink) >= self._live.settings.clients_per_user:
            raise RequestRefused(429, "Too many tabs listen to this stream.")
        link = StreamLink(downlink, handshake)
        try:
            connection, welcome = greet(self._live, link, message)
        except TooManyClients as error:
            downlink.discard(link)
            raise RequestRefused(429, str(error)) from None
        link.connection, link.greeting, link.welcome = connection, message, welcome
        connection.attach(link)
        return connection, welcome

    async def _answer(self, connection: Connection, messages: list[Any], replies: list[bytes]) -> AsyncIterator[bytes]:
        """The acknowledgements, and then what was asked for: a page that has not seen them asks again."""
        link = connection.link
        requests: list[protocol.CallbackRequest] = []

        async def reply(frame: bytes) -> None:
            replies.append(frame)

        for message in messages:
            if not self._allow(connection):
                connection.close(CloseCode.TOO_FAST, "too many messages")
                break
            if isinstance(message, protocol.CallbackRequest):
                replies.append(protocol.ack(message.requestId))
                requests.append(message)
            else:
                await handle(connection, message, reply)
            if connection.gone:
                break
        if connection.gone and link is not None:
            link.close(CloseCode.DONE)
        yield b"[%b]" % b",".join(replies)
        if not connection.gone:
            connection.heard()
            for asked in requests:
                connection.requests.take(asked)

    def _allow(self, connection: Connection) -> bool:
        settings = self._live.settings
        if connection.post_rate is None:
            connection.post_rate = Rate(settings.rate, settings.burst)
        return connection.post_rate.take(1, self._live.loop.time())
