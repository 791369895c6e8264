"""The way of a push to the tabs: from any thread, in one order, in slices that leave the loop its turn."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from .. import _dash
from ..shared.entries import Pushed, Value
from .clients import Client
from .connection import Connection
from .inbox import Action, Inbox
from .outbox import Update, update_of
from .push import pairs_of

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
        for component_id, props in pairs_of(mods):
            if client is None:
                self._push_to_all(component_id, props)
            elif client._connection is not None:
                client._connection.set_props(component_id, props)

    def _push_to_all(self, component_id: Any, props: dict[str, Any]) -> None:
        """Send properties to all tabs. Those that are shared are a change of the state, in its order."""
        shared = self._live.app.flash_shared
        component = _dash.stringify_id(component_id)
        if names := shared.places_pushed(component, props):
            values = {name: shared.encode(props[name]) for name in names}
            self.run(lambda: shared.push(component, values))
            props = {name: value for name, value in props.items() if name not in names}
        if not props:
            return
        update = self.update(component_id, props)
        if update.brings_components and shared.graph.channel_functions:
            # The trees show to each tab what its own channels share.
            for client in self._live.clients:
                client.set_props(component_id, props)
        else:
            self._send_to_all(update)

    def _send_to_all(self, update: Update) -> None:
        """Send an update to all tabs, those that are connected to other processes of the app too."""
        shared = self._live.app.flash_shared
        if shared.reaches_others:
            values = [Value(update.component, name, json) for name, json in update.values.items()]
            self.run(lambda: shared.append(Pushed(values, state=update.state)))
        else:
            self.send(None, [update])

    def update(self, component_id: Any, props: dict[str, Any], client: Client | None = None) -> Update:
        """The message that sets properties in one tab, or in all."""
        app = self._live.app
        return update_of(component_id, props, partial(app.encode, client=client), app.flash_shared.version)

    def run(self, action: Callable[[], None]) -> None:
        """Call a function on the loop, behind all that was sent before, by whichever thread."""
        if not self._live.has_loop:
            self._live.app.flash_shared.on_loop(action)  # No tab has come, so nothing was sent.
        elif self._live.at_home and not self.inbox:
            action()
        elif self.inbox.put_action(action):
            self._live.on_loop(self._soon)

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
            if isinstance(entry, Action):
                entry.run()
            else:
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
