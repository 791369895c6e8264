"""Who is at the other end of a link: Flash's client, which is one tab, or Dash's worker, which speaks for several."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from . import protocol
from .clients import TooManyClients
from .connection import Connection
from .hooks import ask_message_hooks
from .link import Link, SocketLink, WorkerLink
from .protocol import CloseCode
from .rate import Rate

if TYPE_CHECKING:
    from .live import Live

logger = logging.getLogger("flash")

#: After so many frames that were refused the link is closed.
_REFUSALS = 10

#: A frame counts as one message more for each so many bytes.
_FRAME_BYTES = 64 * 1024

#: Seconds after the handshake in which a greeting needs no second look at the guards.
_GREETING_SECONDS = 10.0


class Peer:
    """The other end of one link, told apart by its first message.

    Args:
        live: The app's live room.
        link: The link.
        websocket: The socket as Quart shows it to hooks.
    """

    __slots__ = (
        "_connection",
        "_heard_at",
        "_link",
        "_live",
        "_opened_at",
        "_pages",
        "_rate",
        "_refusals",
        "_silence",
        "_websocket",
    )

    def __init__(self, live: Live, link: SocketLink, websocket: Any) -> None:
        self._live = live
        self._link = link
        self._websocket = websocket
        self._rate = Rate(live.settings.rate, live.settings.burst)
        self._refusals = 0
        self._heard_at = self._opened_at = live.loop.time()
        self._silence = live.loop.call_later(live.settings.silence, self._check_silence)
        self._connection: Connection | None = None
        #: The pages of Dash's worker, once it has turned out to be one.
        self._pages: dict[str, Connection] | None = None

    async def receive(self, frame: str | bytes) -> None:
        """Take one text frame of the other end."""
        now = self._heard_at = self._live.loop.time()
        try:
            # Large frames count for several: what costs is their bytes.
            if not self._rate.take(1 + len(frame) // _FRAME_BYTES, now):
                return self._fail(CloseCode.TOO_FAST, "too many messages")
            messages = protocol.decode(frame)
        except protocol.Malformed as error:
            return await self._refuse(CloseCode.MALFORMED, str(error))
        if len(messages) > 1 and not self._rate.take(len(messages) - 1, now):
            return self._fail(CloseCode.TOO_FAST, "too many messages")
        for message in messages:
            rejection = await ask_message_hooks(self._live, self._websocket, [message])
            if rejection is not None:
                self._link.close(*rejection)
            if self._link.closed:
                return
            await self._handle(message)

    async def _handle(self, message: Any) -> None:
        if self._connection is not None:
            await handle(self._connection, message, self._link.send)
            if self._connection.gone:
                self._link.close(CloseCode.DONE)
        elif self._pages is None and isinstance(message, (protocol.Hello, protocol.Resume)):
            if not await self._may_still_enter():
                return
            try:
                self._connection, welcome = greet(self._live, self._link, message)
            except TooManyClients:
                return self._fail(CloseCode.TOO_MANY, "too many clients")
            self._silence.cancel()  # From now on it is asked whether it is there.
            self._connection.attach(self._link, welcome)
        else:
            await self._handle_of_worker(message)

    async def _may_still_enter(self) -> bool:
        """Whether what the guards said of the handshake holds for a greeting that came late."""
        late = self._live.loop.time() - self._opened_at > _GREETING_SECONDS
        still_passes = self._link.handshake.still_passes
        if late and (still_passes is None or not await still_passes()):
            self._fail(CloseCode.SIGNED_OUT, "signed out before the greeting")
        elif self._live.stopping:
            self._link.close(CloseCode.RESTART, "the server ends")
        return not self._link.closed

    async def _handle_of_worker(self, message: Any) -> None:
        if isinstance(message, protocol.Heartbeat):
            await self._link.send(protocol.HEARTBEAT_ACK)
        elif isinstance(message, (protocol.CallbackRequest, protocol.GetPropsResponse)):
            try:
                connection = self._page(message.rendererId)
            except TooManyClients:
                return self._fail(CloseCode.TOO_MANY, "too many clients")
            if isinstance(message, protocol.CallbackRequest):
                connection.requests.take(message)
            else:
                connection.requests.answered(message)
        else:
            await self._refuse(CloseCode.MALFORMED, "This message is not for the first of a connection.")

    def _page(self, renderer_id: str) -> Connection:
        """The connection of one of the worker's pages."""
        if self._pages is None:
            self._pages = {}
        connection = self._pages.get(renderer_id)
        if connection is None or connection.gone:
            if len(self._pages) >= self._live.settings.clients_per_user:
                raise TooManyClients("Too many pages speak over one connection.")
            link = WorkerLink(self._link, renderer_id)
            connection = self._live.arrive(link, renderer_id, None)
            connection.attach(link)
            self._pages[renderer_id] = connection
        return connection

    async def _refuse(self, code: CloseCode, message: str) -> None:
        """Refuse one frame. The connection stays open, unless that has happened often."""
        self._refusals += 1
        if self._refusals >= _REFUSALS:
            return self._fail(code, "too many refused frames")
        logger.warning("A frame of the live connection was refused: %s", message)
        await self._link.send(protocol.refused(code, message))

    def _check_silence(self) -> None:
        left = self._heard_at + self._live.settings.silence - self._live.loop.time()
        if left > 0:
            self._silence = self._live.loop.call_later(left, self._check_silence)
        else:
            self._link.close(CloseCode.GOING_AWAY, "silence")

    def _fail(self, code: CloseCode, reason: str) -> None:
        logger.warning("A live connection was closed with %d: %s.", code, reason)
        self._link.close(code, reason)

    def ended(self, closed_by_page: bool) -> None:
        """The link is closed.

        Args:
            closed_by_page: Whether the page has closed it, and not a fault on the way.
        """
        self._silence.cancel()
        for connection in [self._connection] if self._connection else list((self._pages or {}).values()):
            # Dash's worker cannot resume.
            mine = self._pages is not None or connection.link is self._link
            if mine and (closed_by_page or self._pages is not None):
                connection.leave()
            else:
                connection.detach(self._link)


def greet(live: Live, link: Link, message: Any) -> tuple[Connection, bytes]:
    """The connection of a page that says ``hello`` or ``resume``, and the welcome to answer it with.

    Raises:
        TooManyClients: It is a new client, and there are too many.
    """
    is_new = isinstance(message, protocol.Hello)
    lost = _forsaken(live, link, message) if is_new else _resumable(live, link, message)
    if lost is not None and not is_new and lost.rewind(message.received):
        lost.came_back(link)
        return lost, live.welcome(lost, recovered=True)
    if lost is not None:
        lost.close(CloseCode.DONE)  # First: it must not stay where no other may come in.
    # After a gap nothing is known of what the page holds.
    state = message.state if is_new else None
    connection = live.arrive(link, message.rendererId, message.endId, message.path, state, anew=not is_new)
    if lost is not None:
        connection.requests.inherit(lost.requests)
    return connection, live.welcome(connection, recovered=is_new)


def _forsaken(live: Live, link: Link, message: Any) -> Connection | None:
    """What is kept for a page that says hello again: it has not seen its welcome, and knows nothing of it."""
    client = live.clients.of_renderer(message.rendererId)
    return client._connection if client is not None and client.user == link.handshake.user else None


def _resumable(live: Live, link: Link, message: protocol.Resume) -> Connection | None:
    """The connection that a client names, if it has its key, and a ticket and a handshake of its user."""
    connection = live.returning(message.client, message.key)
    if connection is None or not live.guard.accepts(message.ticket, connection.client.user):
        return None
    return connection if connection.client.user in (None, link.handshake.user) else None


async def handle(connection: Connection, message: Any, reply: Callable[[bytes], Awaitable[None]]) -> None:
    """Take one message of a page that has been welcomed.

    Args:
        connection: The page's connection.
        message: The message.
        reply: Sends a message that is not numbered.
    """
    connection.heard()
    match message:
        case protocol.CallbackRequest():
            # Before the function runs: a page that has not seen this sends the request again.
            await reply(protocol.ack(message.requestId))
            connection.requests.take(message)
        case protocol.GetPropsResponse():
            await reply(protocol.ack(message.requestId))
            connection.requests.answered(message)
        case protocol.Ack():
            connection.acknowledge(message.received)
        case protocol.HeartbeatAck():
            if message.received is not None:
                connection.acknowledge(message.received)
        case protocol.Heartbeat():
            await reply(protocol.HEARTBEAT_ACK)
        case protocol.Ticket():
            if connection.live.guard.accepts(message.ticket, connection.client.user):
                connection.renewed(connection.live.guard.user_of(message.ticket))
            else:
                connection.live.ticket_missing(connection)
        case protocol.Bye():
            connection.leave()
        case _:
            await reply(protocol.refused(CloseCode.MALFORMED, "The page has been welcomed already."))
