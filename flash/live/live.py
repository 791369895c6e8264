"""The live room of an app: its clients, their arrival and departure, and its end."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from werkzeug.datastructures import MultiDict

from ..server.backend import backend_of
from . import protocol
from .clients import Client, Clients, TooManyClients
from .connection import Connection
from .fallback import Downlinks
from .guard import Guard
from .link import Link, SocketLink, WorkerLink
from .outbox import Ledger
from .presence import Presence
from .protocol import CloseCode
from .published import Published
from .sending import Sending
from .settings import LiveSettings
from .shared import SharedTabs
from .streams import Streams

if TYPE_CHECKING:
    from ..app import Flash

logger = logging.getLogger("flash")

#: Milliseconds over which clients come back when the server has ended.
_RETRY = (500, 3000)

#: So much is kept of the address of a page, in characters.
_PATH = 8192

#: Seconds in which a tab takes what is written to it when the server ends.
_FLUSH_SECONDS = 2.0

#: Seconds for what runs when the server ends without having said so before: its time of grace is over by then.
_LAST_SECONDS = 2.0

#: When too much is kept for all clients, so much of the bound may stay.
_ENOUGH = 0.9


class Live:
    """All that is live in one app.

    Args:
        app: The app.
        settings: Its limits and times.
        identify: The app's own function that says who asks.
    """

    def __init__(self, app: Flash, settings: LiveSettings, identify: Callable[[Any], Any] | None) -> None:
        self.app = app
        self.settings = settings
        self.guard = Guard(app, identify)
        self.clients = Clients()
        self.downlinks = Downlinks(self)
        self.streams = Streams(app)
        #: Names this run of the server process.
        self.epoch = secrets.token_hex(8)
        self.presence = Presence(self)
        self.sending = Sending(self)
        self.shared = SharedTabs(self, app.flash_shared)
        self.published = Published(self)
        #: Whether code has asked for the clients or pushed: from then on pages open a connection.
        self.used = False
        self.stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        #: Every socket that is open, those that have not said hello included.
        self.links: set[SocketLink] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        #: Counts what is kept for all clients.
        self.ledger = Ledger()
        self._watched: asyncio.Event | None = None

    # The loop.

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that serves the connections."""
        if self._loop is None:
            raise RuntimeError("No client has connected yet.")
        return self._loop

    @property
    def has_loop(self) -> bool:
        """Whether a client has connected."""
        return self._loop is not None

    def begin(self) -> None:
        """Learn the loop, from a task that serves a connection, and watch for the end of its server."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self.stopping = loop, False
            # Those of a loop that has ended, as test clients have one each.
            self.clients.clear()
            self.sending = Sending(self)
            self.shared.clear()
        stop = self._stop_event()
        if stop is not None and stop is not self._watched:
            self._watched = stop
            self.spawn(self._await_stop(stop))

    def _stop_event(self) -> asyncio.Event | None:
        """What ends the server. Of several apps on one server, the first is told."""
        first = backend_of(self.app.server)
        return self.app.backend.stop_event or (first.stop_event if first else None)

    @property
    def at_home(self) -> bool:
        """Whether this is the loop's own thread."""
        try:
            return asyncio.get_running_loop() is self._loop
        except RuntimeError:
            return False

    def on_loop(self, func: Callable[..., Any], *args: Any) -> None:
        """Call a function on the loop: now when this is its thread, soon when it is another."""
        if self.at_home:
            func(*args)
        elif self._loop is not None:
            try:
                self._loop.call_soon_threadsafe(func, *args)
            except RuntimeError:
                pass  # The loop is closed, and with it every connection.

    def spawn(self, coroutine: Coroutine[Any, Any, Any], **options: Any) -> asyncio.Task[Any]:
        """Start a task that the room owns: it is cancelled when the room closes."""
        task = asyncio.get_running_loop().create_task(coroutine, **options)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # Arrival.

    def arrive(
        self,
        link: Link,
        renderer_id: str,
        end_id: str | None,
        path: str = "",
        state: str | None = None,
        anew: bool = False,
    ) -> Connection:
        """Take in a new client, and send it what has changed of the shared state.

        Args:
            link: Its link.
            renderer_id: The name that Dash's renderer has given to the page.
            end_id: The page load that the server has signed.
            path: The path and query of the page.
            state: What the page was told of the shared state that its layout holds.
            anew: Whether the page has been here before, and what it holds is of no known state.

        Raises:
            TooManyClients: There are too many, of its user or in all.
        """
        user = link.handshake.user
        if len(self.clients) >= self.settings.clients or (self.clients.of_user(user) >= self.settings.clients_per_user):
            raise TooManyClients("Too many clients are connected.")
        name, key = secrets.token_urlsafe(16), secrets.token_urlsafe(24)
        connection = Connection(self, name, key, renderer_id, self._signed(end_id), link, path[:_PATH])
        self.clients.add(connection.client, connection.end_id)
        self.shared.arrived(connection.client, state, anew)
        self.published.arrived(connection.client)
        self.presence.tell(connection, True)
        return connection

    def returning(self, client_id: str, key: str) -> Connection | None:
        """The connection that a client may resume; None when it is gone or the key is wrong."""
        client = self.clients.get(client_id)
        connection = client._connection if client else None
        if connection is None or not secrets.compare_digest(connection.key.encode(), key.encode()):
            return None
        return connection

    def welcome(self, connection: Connection, recovered: bool) -> bytes:
        """What a client is greeted with."""
        return protocol.welcome(
            protocol.Welcome(
                client=connection.client.id,
                key=connection.key,
                recovered=recovered,
                epoch=self.epoch,
                heartbeat=self.settings.heartbeat,
                renew=self.settings.renew,
                limit=self.settings.post_bytes,
            )
        )

    def departed(self, connection: Connection) -> None:
        """A client is gone."""
        self.clients.remove(connection.client, connection.end_id)
        self.presence.tell(connection, False)
        self.shared.departed(connection.client)
        self.app.flash_shared.asks.forget(connection.client.id)

    def _signed(self, end_id: str | None) -> str | None:
        """The page load behind a token of the page, if this server has signed it."""
        return self.app.verified_end_id(end_id)

    # What is kept.

    def make_room(self) -> None:
        """Drop what is kept for clients until it is well within its bound.

        Those who are away longest lose their resume first, then those who read slowly are closed, the slowest first.
        At last nothing is kept that was sent: a client that loses its link then cannot resume.
        """
        enough = _ENOUGH * self.settings.all_waiting_bytes
        connections = [client._connection for client in self.clients if client._connection is not None]
        away = sorted((each for each in connections if each.away), key=lambda each: each.away_since)
        slow = sorted((each for each in connections if not each.away), key=lambda each: -each.outbox.waiting_bytes)
        for connection in [*away, *slow]:
            if self.ledger.bytes <= enough:
                return
            connection.lose_resume()
        for connection in slow:
            connection.outbox.forget_sent()

    # Who is asking.

    def client_of_request(self, context: Any) -> Client | None:
        """The tab that has sent an HTTP request, or None when that is not known.

        The script of the page sends the tab's id and key. Without it the token names the tab that the server gave to
        the page. That stands in addresses and logs: who asks must be the tab's user too.

        Args:
            context: The callback's context, with the query and headers of the request.
        """
        if not len(self.clients):
            return None
        headers = context.headers
        if client_id := headers.get("Flash-Client"):
            connection = self.returning(client_id, headers.get("Flash-Key", ""))
            return None if connection is None else connection.client
        end_id = self._signed(context.args.get("endId"))
        return self.clients.of_page(end_id, headers.get("Flash-Renderer")) if end_id else None

    @staticmethod
    def query_of(path: str) -> MultiDict[str, str]:
        """The query of a page's address."""
        if "?" not in path:
            return MultiDict()
        return MultiDict(parse_qsl(urlsplit(path).query, keep_blank_values=True))

    def ticket_missing(self, connection: Connection) -> None:
        """A client has not proved in time that it may stay connected. For Dash's worker the guards are asked."""
        if isinstance(connection.link, WorkerLink):
            self.spawn(self._ask_again(connection, connection.link))
        else:
            connection.close(CloseCode.SIGNED_OUT, "no fresh ticket")

    async def _ask_again(self, connection: Connection, link: WorkerLink) -> None:
        still_passes = link.handshake.still_passes
        if still_passes is not None and await still_passes():
            connection.renewed()
        else:
            connection.close(CloseCode.SIGNED_OUT, "signed out")

    def disconnect(self, clients: list[Client], user: str | None = None) -> None:
        """Close connections for good: their pages show that they are signed out. From any thread.

        Args:
            clients: Whose connections.
            user: Whose sockets, those that have not greeted yet included.
        """
        self.on_loop(self._disconnect, clients, user)

    def _disconnect(self, clients: list[Client], user: str | None) -> None:
        for client in clients:
            if client._connection is not None:
                client._connection.close(CloseCode.SIGNED_OUT, "signed out")
        for link in list(self.links) if user is not None else []:
            if link.handshake.user == user:
                link.close(CloseCode.SIGNED_OUT, "signed out")

    # The end.

    async def _await_stop(self, stop: asyncio.Event) -> None:
        await stop.wait()
        await self.shut_down()

    async def shut_down(self, within: float | None = None) -> None:
        """Say when to come back, let what runs be answered, and close the connections.

        Args:
            within: Seconds after which nothing is waited for any more; None leaves that to the server.
        """
        if self.stopping:
            return
        self.stopping = True
        connections = [client._connection for client in self.clients if client._connection is not None]
        # First of all: what ``running`` names is to be set before the connections are closed.
        streams = self.spawn(self.streams.close())
        ending = [self.spawn(self._end(connection, streams)) for connection in connections]
        if ending:
            await asyncio.wait(ending, timeout=within)
        for connection in connections:
            connection.close(CloseCode.RESTART)
        for link in list(self.links):
            link.close(CloseCode.RESTART)
        self.downlinks.close()

    async def _end(self, connection: Connection, streams: asyncio.Task[None]) -> None:
        connection.say(protocol.bye(random.randint(*_RETRY), "The server ends."))
        connection.requests.cancel_endless()
        await connection.requests.finish()
        await asyncio.wait({streams})
        try:
            async with asyncio.timeout(_FLUSH_SECONDS):
                await connection.flushed()
        except TimeoutError:
            pass  # The tab does not read; what it misses is lost with the server.
        connection.close(CloseCode.RESTART)

    async def close(self) -> None:
        """End all that the room has started. The clients are told if they have not been."""
        if self._loop is asyncio.get_running_loop():
            await self.shut_down(_LAST_SECONDS)
            await self.streams.close()
            for client in self.clients:
                if client._connection is not None:
                    client._connection.leave()
        own = asyncio.current_task()
        telling = self.presence.running
        for task in self._tasks - telling - {own}:
            task.cancel()
        if waiting := telling - {own}:
            _, endless = await asyncio.wait(waiting, timeout=5)
            for task in endless:
                task.cancel()
        self.stopping = False  # A test client starts an app again that was closed before.
