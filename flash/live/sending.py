"""The way of a push to the tabs: from any thread, in one order, in slices that leave the loop its turn."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Any

from .clients import Client
from .connection import Connection
from .inbox import Inbox
from .outbox import Update
from .push import updates_of

if TYPE_CHECKING:
    from .live import Live

logger = logging.getLogger("flash")

#: Seconds for which pushes of threads are delivered before the loop has its turn.
_TAKING_SECONDS = 0.005

#: Tabs that are written to before the loop has its turn.
_FLUSHED_TOGETHER = 100


class Sending:
    """Sends to the tabs of an app.

    Args:
        live: The app's live room.
    """

    def __init__(self, live: Live) -> None:
        self._live = live
        self.inbox = Inbox()
        #: Who waits until the inbox has come so far.
        self._waiters: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._due: list[Connection] = []

    def push(self, mods: Any, client: Client | None = None) -> None:
        """Send properties to one client, or to all. From any thread; it never waits."""
        self._live.used = True
        updates = updates_of(mods)
        if client is None:
            self.send(None, updates)
        elif client._connection is not None:
            self.send(client._connection, updates)

    def send(self, connection: Connection | None, updates: list[Update]) -> None:
        """Send updates to one tab, or to all, behind all that was sent before, by whichever thread."""
        if self._live.at_home and not self.inbox:
            for update in updates:
                self._deliver(connection, update)
        elif self.inbox.put(connection, updates):
            self._live.on_loop(self._soon)

    def _soon(self) -> None:
        self._live.loop.call_soon(self._take)

    def _take(self) -> None:
        """Deliver what waits, for a while; then the loop has its turn."""
        until = self._live.loop.time() + _TAKING_SECONDS
        while (entry := self.inbox.take()) is not None:
            self._deliver(entry.connection, entry.update)
            while self._waiters and self._waiters[0][0] <= self.inbox.taken:
                _, waiter = self._waiters.popleft()
                if not waiter.done():
                    waiter.set_result(None)
            if self._live.loop.time() > until and self.inbox:
                self._live.loop.call_soon(self._take)
                return

    async def settled(self) -> None:
        """Wait until what waits now has been delivered: an answer goes behind what its callback pushed in a thread."""
        if self.inbox:
            waiter = self._live.loop.create_future()
            self._waiters.append((self.inbox.added, waiter))
            await waiter

    def _deliver(self, connection: Connection | None, update: Update) -> None:
        if connection is not None:
            connection.push(update)
            return
        for client in self._live.clients:
            if client._connection is not None:
                client._connection.push(update)

    def flush_soon(self, connection: Connection) -> None:
        """Have a connection send what waits, in the loop's next turn: by then more may wait, and goes with it."""
        self._due.append(connection)
        if len(self._due) == 1:
            self._live.loop.call_soon(self._flush)

    def _flush(self) -> None:
        now, self._due = self._due[:_FLUSHED_TOGETHER], self._due[_FLUSHED_TOGETHER:]
        if self._due:
            self._live.loop.call_soon(self._flush)
        for connection in now:
            try:
                connection.flush()
            except Exception:
                logger.exception("Sending to the client %s failed.", connection.client.id)
