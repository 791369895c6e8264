"""The server's end of one tab: it sends, keeps order, and outlives the links that the tab loses."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any

from ..exceptions import new_error_id
from . import protocol
from .clients import Client
from .eager import begin
from .heartbeat import Heartbeat
from .link import Link, LinkLost, WorkerLink
from .outbox import Message, Outbox, join
from .protocol import CloseCode
from .rate import Rate
from .requests import Requests
from .room import Room

if TYPE_CHECKING:
    from .live import Live

logger = logging.getLogger("flash")

#: Messages that wait are sent together up to this size.
_BATCH_BYTES = 64 * 1024

#: Whoever makes messages one after the other waits while more than this waits to be sent.
_ROOM_BYTES = 64 * 1024
_ROOM_MESSAGES = 100

#: So many times as much as may wait behind a message may wait at once, before the first is sent.
_BURST = 8

#: Frames above this size are announced, so that the page does not take the link for dead while one arrives.
_LARGE_BYTES = 512 * 1024


class State(Enum):
    """Where a client is."""

    HERE = "here"
    AWAY = "away"
    GONE = "gone"


class Connection:
    """One tab's connection, from its arrival until the client is gone.

        here ──link lost──▶ away ──resume window over, or too much waits──▶ gone
          ▲                  │                                                ▲
          └────resumed───────┘          here ──closed, or the page said bye───┘

    All methods but :meth:`set_props` are called on the loop.

    Args:
        live: The app's live room.
        client_id: The name of its client.
        key: The secret with which the client may resume.
        renderer_id: The name that Dash's renderer has given to the page.
        end_id: The page load that the server has signed.
        link: The first link.
        path: The path and query of the page.
    """

    __slots__ = (
        "__weakref__",
        "_control",
        "_departures",
        "_due",
        "_gone_timer",
        "_heartbeat",
        "_link",
        "_loop",
        "_room",
        "_sending",
        "_ticket_timer",
        "_writer",
        "away_since",
        "client",
        "end_id",
        "handshake",
        "key",
        "live",
        "outbox",
        "post_rate",
        "renderer_id",
        "requests",
        "state",
    )

    def __init__(
        self, live: Live, client_id: str, key: str, renderer_id: str, end_id: str | None, link: Link, path: str = ""
    ) -> None:
        handshake = self.handshake = link.handshake
        self.live = live
        self.key = key
        self.renderer_id = renderer_id
        self.end_id = end_id
        self.client = Client(
            client_id,
            address=handshake.address,
            headers=handshake.headers,
            cookies=handshake.cookies,
            user=handshake.user,
            path=path,
            connection=self,
        )
        settings = live.settings
        self.outbox = Outbox(settings.resume_messages, settings.resume_bytes, live.ledger)
        self.requests = Requests(self)
        self.state = State.AWAY
        #: When its link was lost, in the loop's seconds; 0 before.
        self.away_since = 0.0
        #: Bounds the messages that come by POST; made with the first.
        self.post_rate: Rate | None = None
        self._loop = asyncio.get_running_loop()
        self._link: Link | None = None
        self._control: list[bytes] = []
        self._writer: asyncio.Task[None] | None = None
        self._sending = False
        self._due = False
        self._room = Room(self._has_room)
        self._departures: list[Callable[[], None]] = []
        self._heartbeat = Heartbeat(settings, self._beat, self._unanswered)
        self._ticket_timer: asyncio.TimerHandle | None = None
        self._gone_timer: asyncio.TimerHandle | None = None

    # What others ask.

    @property
    def away(self) -> bool:
        """Whether its link is lost and it may come back."""
        return self.state is State.AWAY

    @property
    def gone(self) -> bool:
        """Whether it has left for good."""
        return self.state is State.GONE

    @property
    def link(self) -> Link | None:
        """The link of a client that is here."""
        return self._link

    # Links.

    def attach(self, link: Link, welcome: bytes | None = None) -> None:
        """Take a link into use: the client is here. What waits is sent, after the welcome.

        Raises:
            RuntimeError: The client is gone.
        """
        if self.gone:
            raise RuntimeError("A connection that is gone takes no link; the page must say hello again.")
        if self._link is not None:
            self._drop_link(CloseCode.REPLACED)
        self._link = link
        self.handshake = link.handshake
        self.state = State.HERE
        self._cancel_timers()
        # Dash's worker asks by itself whether the link is alive.
        if not isinstance(link, WorkerLink):
            self._heartbeat.start()
        self._await_ticket()
        if welcome is not None:
            self._control.append(welcome)
        self._wake()

    def came_back(self, link: Link) -> None:
        """Learn from the handshake of a new link what may have changed since the last."""
        handshake = link.handshake
        client = self.client
        client.address, client.headers, client.cookies = (
            handshake.address,
            dict(handshake.headers),
            dict(handshake.cookies),
        )
        self._identified(handshake.user)

    def _identified(self, user: str | None) -> None:
        if self.client.user is None and user is not None:
            self.live.clients.identified(self.client, user)

    def rewind(self, received: int) -> bool:
        """Let wait again what the page has not received. False when something of it is gone."""
        if self._link is not None:
            # The page has noticed before the server that the old link is dead.
            link = self._link
            self.detach(link)
            link.close(CloseCode.REPLACED)
        return self.outbox.rewind(received)

    def detach(self, link: Link) -> None:
        """The link is lost. The client is away, if it was its link."""
        if self._link is not link or self.gone:
            return
        self._release_link()
        self.state = State.AWAY
        self.away_since = self._loop.time()
        self.outbox.pause()
        self._gone_timer = self._loop.call_later(self.live.settings.resume_seconds, self.leave)

    def leave(self) -> None:
        """The client is gone: nothing more is sent, and what it has running is cancelled."""
        if self.gone:
            return
        if self._link is not None:
            self._release_link()
        self.state = State.GONE
        self._cancel_timers()
        self.outbox.lose()
        self.requests.cancel()
        self._room.let_in()
        departures, self._departures = self._departures, []
        for departure in departures:
            try:
                departure()
            except Exception:
                logger.exception("What was to happen when a client is gone failed. Error id: %s", new_error_id())
        self.live.departed(self)

    def close(self, code: int, reason: str = "") -> None:
        """Close the link for a reason that the page is told. With DONE or SIGNED_OUT the client is gone."""
        if self._link is not None:
            self._link.close(code, reason)
            if not self.gone:
                self.detach(self._link)
        if code in (CloseCode.DONE, CloseCode.SIGNED_OUT):
            self.leave()

    def _drop_link(self, code: CloseCode) -> None:
        assert self._link is not None
        link = self._link
        self._release_link()
        link.close(code)

    def _release_link(self) -> None:
        self._link = None
        self._control.clear()
        self._sending = False
        self._cancel_timers()
        if self._writer is not None and self._writer is not asyncio.current_task():
            self._writer.cancel()
        self._writer = None

    def _cancel_timers(self) -> None:
        self._heartbeat.stop()
        for timer in (self._ticket_timer, self._gone_timer):
            if timer is not None:
                timer.cancel()
        self._ticket_timer = self._gone_timer = None

    # Sending.

    def push(self, message: Message) -> None:
        """Send a numbered message, behind those that wait."""
        if self.gone or self.outbox.lost:
            return
        self.outbox.put(message)
        if self.state is State.AWAY:
            if not self._arrives and self.outbox.over:
                self._give_up()
        elif len(self.outbox) > 1 and self.outbox.waiting_bytes > self._most_waiting:
            logger.warning("The client %s reads too slowly: %d bytes wait.", self.client.id, self.outbox.waiting_bytes)
            self.close(CloseCode.SLOW)
        else:
            self._wake()
        if self.live.ledger.bytes > self.live.settings.all_waiting_bytes:
            self.live.make_room()

    @property
    def _arrives(self) -> bool:
        """Whether it has just arrived: it gets its link in the same turn, and all that there is for it."""
        return self.away and not self.away_since

    @property
    def _most_waiting(self) -> int:
        """How many bytes may wait. More while nothing is being sent: the page has had no chance to read."""
        return self.live.settings.waiting_bytes * (1 if self._sending else _BURST)

    def say(self, frame: bytes) -> None:
        """Send a message that is not numbered, ahead of those that wait; nothing while the client is away.

        Dash's worker does not know such messages, and gets none.
        """
        if self._link is not None and not isinstance(self._link, WorkerLink):
            self._control.append(frame)
            self._wake()

    def set_props(self, component_id: str | dict[str, Any], props: dict[str, Any]) -> None:
        """Send new values of properties. From any thread."""
        self.live.sending.send(self, [self.live.sending.update(component_id, props, self.client)])

    def show_error(self, text: str) -> None:
        """Tell the page of an error that no request waits for; it shows it while debugging."""
        self.live.on_loop(self.say, protocol.refused(0, text))

    def _wake(self) -> None:
        if not self._due and self._writer is None and self._link is not None and (self._control or self.outbox):
            self._due = True
            self.live.sending.flush_soon(self)

    def flush(self) -> None:
        """Send what waits, unless that is being done."""
        self._due = False
        if self._writer is None and self._link is not None:
            self._writer = begin(self._write(self._link), self._loop)

    async def _write(self, link: Link) -> None:
        """Send until nothing waits. There is one such task at most, and none while nothing waits."""
        try:
            while link is self._link and (frame := self._next(link)) is not None:
                self._sending = True
                self._heartbeat.sends(len(frame))
                if len(frame) > _LARGE_BYTES and not isinstance(link, WorkerLink):
                    await link.send(protocol.large(len(frame)))
                await link.send(frame)
                self._room.let_in()
        except LinkLost:
            self.detach(link)
        finally:
            if link is self._link:
                self._sending = False
                self._writer = None

    def _next(self, link: Link) -> bytes | None:
        if self._control:
            return self._control.pop(0)
        if not self.outbox:
            return None
        # A worker's messages are addressed one by one.
        messages = self.outbox.take(0 if isinstance(link, WorkerLink) else _BATCH_BYTES)
        if isinstance(link, WorkerLink):
            self.outbox.acknowledge(self.outbox.sent)
        return join(messages)

    async def flushed(self) -> None:
        """Wait until all that waits has been handed to the link, if it has one."""
        while not self.gone and (self._due or self._writer is not None):
            await (asyncio.wait({self._writer}) if self._writer is not None else asyncio.sleep(0))

    def _give_up(self) -> None:
        """Drop what waits for a client that is away; it begins anew when it comes back."""
        self.outbox.lose()
        self._room.let_in()

    def lose_resume(self) -> None:
        """Drop what is kept for a client, which is away or reads too slowly: all clients together keep too much."""
        if self._sending and self.outbox:
            self.close(CloseCode.SLOW)
        if self.away and not self._arrives and not self.outbox.lost:
            self._give_up()

    # Room.

    async def room(self) -> None:
        """Wait until little waits to be sent. At once when the client is gone."""
        await self._room.wait()

    def _has_room(self) -> bool:
        settings, outbox = self.live.settings, self.outbox
        # One that is lost waits until it is gone: nobody will see what is made for it.
        return self.gone or (
            not outbox.lost
            and outbox.waiting_bytes < min(_ROOM_BYTES, settings.resume_bytes)
            and len(outbox) < min(_ROOM_MESSAGES, settings.resume_messages)
        )

    # Hearing.

    def heard(self) -> None:
        """Something has come from the client."""
        self._heartbeat.heard()

    def acknowledge(self, received: int) -> None:
        """The client has so many numbered messages."""
        self.outbox.acknowledge(received)

    def _beat(self) -> None:
        self.say(protocol.HEARTBEAT)

    def _unanswered(self) -> None:
        link = self._link
        if link is not None:
            link.close(CloseCode.GOING_AWAY, "no answer")
            self.detach(link)

    # Tickets.

    def renewed(self, user: str | None = None) -> None:
        """The client has proved again that it may be connected, and who it is if it was unknown."""
        self._identified(user)
        if self._link is not None:
            self._await_ticket()

    def _await_ticket(self) -> None:
        if self._ticket_timer is not None:
            self._ticket_timer.cancel()
        # Half as much again: pages that are hidden run their timers late.
        self._ticket_timer = self._loop.call_later(1.5 * self.live.settings.renew, self._no_ticket)

    def _no_ticket(self) -> None:
        self.live.ticket_missing(self)

    # Departure.

    def on_departure(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have a function called when the client is gone. Returns one that takes it back."""
        self._departures.append(callback)

        def take_back() -> None:
            if callback in self._departures:
                self._departures.remove(callback)

        return take_back
