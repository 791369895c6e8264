"""``ctx.websocket``: what a callback says to its page while it runs, with the methods of Dash's."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any

from .. import _dash

if TYPE_CHECKING:
    from .connection import Connection


class LiveCallback(_dash.DashWebsocketCallback):
    """The page of a callback that runs over the live connection.

    Args:
        connection: The tab's connection.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def is_shutdown(self) -> bool:
        """Whether the page is gone. A link that is lost may come back, and counts as there."""
        return self._connection.gone

    def set_prop_sync(self, component_id: str, prop_name: str, value: Any) -> None:
        """Set a property in the page. From any thread; it never waits."""
        self._connection.set_props(component_id, {prop_name: value})

    async def set_prop(self, component_id: str, prop_name: str, value: Any) -> None:
        """Set a property in the page."""
        self.set_prop_sync(component_id, prop_name, value)

    async def get_prop(self, component_id: str, prop_name: str, timeout: float = 30.0) -> Any:  # noqa: ASYNC109
        """The current value of a property in the page.

        Args:
            component_id: The id; a dict id as JSON with sorted keys.
            prop_name: The property.
            timeout: Seconds to wait for the page.

        Raises:
            TimeoutError: The page did not answer in time.
            WebsocketDisconnected: The page is gone.
        """
        asked = self._connection.requests.ask(uuid.uuid4().hex, component_id, prop_name, timeout)
        loop = self._connection.live.loop
        if asyncio.get_running_loop() is loop:
            return await asked
        # A plain callback runs this on a loop of its own, in its thread.
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(asked, loop))
