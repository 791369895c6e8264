"""The way without WebSockets: server-sent events or long polling down, POSTs up."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque
from collections.abc import AsyncIterator
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import orjson
from quart import Response, request

from ..exceptions import RequestRefused
from . import protocol
from .clients import TooManyClients
from .connection import Connection
from .link import Handshake, LinkLost
from .origin import allowed_origin
from .peer import greet, handle
from .protocol import CloseCode
from .rate import Rate
from .serve import run_hooks, run_message_hooks

if TYPE_CHECKING:
    from .live import Live

logger = logging.getLogger("flash")

#: So much waits for a browser's stream before its tabs' senders wait themselves.
_WAITING_BYTES = 64 * 1024

#: Seconds for which a poll is held open when there is nothing to say.
POLL_SECONDS = 25.0

#: Seconds in which the next poll must come, and in which a tab waits for its stream to open.
_PATIENCE = 10.0

_STREAM_NAME = re.compile(r"[0-9a-f]{32}")


class Downlink:
    """What one browser listens to, for all its tabs.

    Args:
        downlinks: Where it is kept.
        name: The name that the browser has chosen.
    """

    def __init__(self, downlinks: Downlinks, name: str) -> None:
        self._downlinks = downlinks
        self._name = name
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._links: set[StreamLink] = set()
        self._timer: asyncio.TimerHandle | None = None
        self.open = asyncio.Event()
        self.closed = False

    async def put(self, client_id: str, frame: bytes) -> None:
        """Let a frame wait for the browser; waits itself while much waits already.

        Raises:
            LinkLost: The browser does not listen any more.
        """
        await self._room.wait()
        if self.closed:
            raise LinkLost()
        messages = frame if frame.startswith(b"[") else b"[%b]" % frame
        self._append(b'{"client":%b,"messages":%b}' % (orjson.dumps(client_id), messages))

    def _append(self, entry: bytes) -> None:
        self._waiting.append(entry)
        self._bytes += len(entry)
        if self._bytes >= _WAITING_BYTES:
            self._room.clear()
        self._changed.set()

    def say_closed(self, client_id: str, code: int) -> None:
        """Tell a tab that the server has closed its link."""
        self._append(b'{"client":%b,"messages":[],"close":%d}' % (orjson.dumps(client_id), code))

    def add(self, link: StreamLink) -> None:
        """Let a tab listen."""
        self._links.add(link)

    def discard(self, link: StreamLink) -> None:
        """A tab listens no more."""
        self._links.discard(link)

    async def next(self, seconds: float) -> list[bytes]:
        """All that waits, or what comes within so many seconds; empty when nothing does, or at the end."""
        if not self._waiting and not self.closed:
            try:
                async with asyncio.timeout(seconds):
                    await self._changed.wait()
            except TimeoutError:
                return []
        self._changed.clear()
        taken = list(self._waiting)
        self._waiting.clear()
        self._bytes = 0
        self._room.set()
        return taken

    def listening(self) -> None:
        """The browser listens."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.open.set()

    def pausing(self) -> None:
        """A poll has been answered; the next must come soon."""
        self._timer = asyncio.get_running_loop().call_later(_PATIENCE, self.close)

    def close(self) -> None:
        """The browser listens no more: its tabs are away."""
        if self.closed:
            return
        self.closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._changed.set()
        self._room.set()
        self._downlinks.forget(self._name, self)
        for link in list(self._links):
            link.lost()


class StreamLink:
    """The link of one tab, over its browser's downlink.

    Args:
        downlink: What the browser listens to.
        handshake: What is known of the browser from the tab's first POST.
    """

    def __init__(self, downlink: Downlink, handshake: Handshake) -> None:
        self.downlink = downlink
        self.handshake = handshake
        self.connection: Connection | None = None
        downlink.add(self)

    async def send(self, frame: bytes) -> None:
        """Send one frame."""
        if self.connection is None:
            raise LinkLost()
        await self.downlink.put(self.connection.client.id, frame)

    def close(self, code: int, reason: str = "") -> None:
        """Close the link; the page is told with which code."""
        if self.connection is not None and not self.downlink.closed:
            self.downlink.say_closed(self.connection.client.id, code)
        self.downlink.discard(self)

    def lost(self) -> None:
        """The browser listens no more."""
        self.downlink.discard(self)
        if self.connection is not None:
            self.connection.detach(self)


class Downlinks:
    """What the browsers listen to that cannot use WebSockets, and the routes for it.

    Args:
        live: The app's live room.
    """

    def __init__(self, live: Live) -> None:
        self._live = live
        self._downlinks: dict[str, Downlink] = {}

    def forget(self, name: str, downlink: Downlink) -> None:
        """Let one go that is closed."""
        if self._downlinks.get(name) is downlink:
            del self._downlinks[name]

    def close(self) -> None:
        """End every stream."""
        for downlink in list(self._downlinks.values()):
            downlink.close()

    def _named(self) -> Downlink:
        """The downlink that the request names, made if it is new."""
        name = request.args.get("stream", "")
        if not _STREAM_NAME.fullmatch(name):
            raise RequestRefused(400, "The stream must be named by 32 hexadecimal digits.")
        if name not in self._downlinks:
            if len(self._downlinks) >= self._live.settings.clients:
                raise RequestRefused(429, "Too many clients are connected.")
            downlink = self._downlinks[name] = Downlink(self, name)
            downlink.pausing()
        return self._downlinks[name]

    # Down.

    async def serve_stream(self) -> Response:
        """The view of the server-sent events."""
        self._live.begin()
        downlink = self._named()
        response = Response(self._events(downlink), content_type="text/event-stream")
        # For proxies, nginx among them, that would gather or change it.
        response.headers.update({"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"})
        response.timeout = None
        return response

    async def _events(self, downlink: Downlink) -> AsyncIterator[bytes]:
        downlink.listening()
        try:
            yield b"event: open\ndata: {}\n\n"
            while not downlink.closed:
                if entries := await downlink.next(POLL_SECONDS):
                    yield b"".join([b"data: %b\n\n" % entry for entry in entries])
                else:
                    yield b": still here\n\n"
        finally:
            downlink.close()

    async def serve_poll(self) -> Response:
        """The view of long polling."""
        self._live.begin()
        downlink = self._named()
        downlink.listening()
        try:
            entries = await downlink.next(POLL_SECONDS)
        except asyncio.CancelledError:
            downlink.close()
            raise
        downlink.pausing()
        body = b"[%b]" % b",".join(entries)
        return Response(body, content_type="application/json", headers={"Cache-Control": "no-store"})

    # Up.

    async def serve_send(self) -> Response:
        """The view that takes a tab's messages."""
        self._live.begin()
        self._check_origin()
        messages = await self._messages()
        if isinstance(messages[0], (protocol.Hello, protocol.Resume)):
            await self._ask_hooks(None)
            connection, first = await self._greet(messages.pop(0))
            replies = [first]
        else:
            connection = self._connection()
            await self._ask_hooks(connection)
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

    async def _ask_hooks(self, connection: Connection | None) -> None:
        """Show the messages to Dash's hooks, as those of a WebSocket."""
        if not self._live.app.hook_view.get_hooks("websocket_message"):
            return
        rejection = await run_message_hooks(self._live, request, await request.get_data(as_text=False))
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

    async def _greet(self, message: Any) -> tuple[Connection, bytes]:
        if await run_hooks(self._live, "websocket_connect", request) is not None:
            raise RequestRefused(403, "The connection was refused.")
        downlink = self._named()
        try:
            async with asyncio.timeout(_PATIENCE):
                await downlink.open.wait()
        except TimeoutError:
            raise RequestRefused(409, "Nobody listens to the stream. Open it first.") from None
        handshake = Handshake(
            cookies=dict(request.cookies),
            headers=dict(request.headers),
            address=request.remote_addr,
            user=await self._live.guard.user(),
            context=copy_context(),
        )
        link = StreamLink(downlink, handshake)
        if isinstance(message, protocol.Resume):
            self._take_over(message, downlink)
        try:
            connection, welcome = greet(self._live, link, message)
        except TooManyClients as error:
            downlink.discard(link)
            raise RequestRefused(429, str(error)) from None
        link.connection = connection
        connection.attach(link)
        return connection, welcome

    async def _answer(self, connection: Connection, messages: list[Any], replies: list[bytes]) -> AsyncIterator[bytes]:
        """The acknowledgements, and then what was asked for: a page that has not seen them asks again."""
        for message in messages:
            if not self._allow(connection):
                connection.close(CloseCode.TOO_FAST, "too many messages")
                break
            if isinstance(message, protocol.CallbackRequest):
                replies.append(protocol.ack(message.requestId))
        others: list[bytes] = []

        async def reply(frame: bytes) -> None:
            others.append(frame)

        requests = [message for message in messages if isinstance(message, protocol.CallbackRequest)]
        for message in messages:
            if not isinstance(message, protocol.CallbackRequest):
                await handle(connection, message, reply)
        yield b"[%b]" % b",".join(replies + others)
        connection.heard()
        for message in requests:
            connection.requests.take(message)

    def _allow(self, connection: Connection) -> bool:
        settings = self._live.settings
        if connection.post_rate is None:
            connection.post_rate = Rate(settings.rate, settings.burst)
        return connection.post_rate.take(1, self._live.loop.time())
