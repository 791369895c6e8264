"""Telling an app who has arrived and who is gone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .. import _dash
from ..calls import call
from ..exceptions import PoolFull, new_error_id
from ..pool import serving_loop
from .clients import Client
from .connection import Connection

if TYPE_CHECKING:
    from .live import Live

logger = logging.getLogger("flash")

#: Seconds that the connect handlers of an arrival may take once the client is gone.
_ARRIVAL_SECONDS = 30.0

#: Seconds after which a handler is called again that found the pool full.
_BUSY_SECONDS = 0.05


class Presence:
    """The connect handlers of an app: each is called once for an arrival, and once when the client is gone.

    Args:
        live: The app's live room.
    """

    def __init__(self, live: Live) -> None:
        self._live = live
        self.handlers: list[Callable[[Client, bool], Any]] = []
        self._telling: dict[str, asyncio.Task[None]] = {}

    @property
    def running(self) -> set[asyncio.Task[Any]]:
        """The tasks that call handlers."""
        return set(self._telling.values())

    def tell(self, connection: Connection, arrived: bool) -> None:
        """Run the handlers for a client: after those of its arrival, when it leaves."""
        if not self.handlers:
            return
        client = connection.client
        before = self._telling.get(client.id)
        context = connection.handshake.context.copy()
        task = self._live.spawn(self._run(connection, arrived, before), context=context)
        self._telling[client.id] = task
        if not arrived:
            task.add_done_callback(lambda _: self._telling.pop(client.id, None))

    async def _run(self, connection: Connection, arrived: bool, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            _, endless = await asyncio.wait({before}, timeout=_ARRIVAL_SECONDS)
            for task in endless:
                task.cancel()
        _dash.current_app.set(self._live.app)
        serving_loop.set(asyncio.get_running_loop())
        for handler in list(self.handlers):
            try:
                mods = await self._call(handler, connection.client, arrived)
                if mods is not None and arrived:
                    self._live.sending.push(mods, connection.client)
            except Exception:
                logger.exception("A connect handler failed. Error id: %s", new_error_id())
        self._live.shared.look_again(connection.client)

    async def _call(self, handler: Callable[[Client, bool], Any], client: Client, arrived: bool) -> Any:
        while True:
            try:
                return await call(self._live.app.flash_pool, handler, client, arrived)
            except PoolFull:
                await asyncio.sleep(_BUSY_SECONDS)  # It has not run: it is called once, and not never.
