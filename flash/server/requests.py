"""The current request as Dash's own code reads it."""

from __future__ import annotations

from typing import Any

from .. import _dash
from ..pool import awaited_or_run


class FlashRequestAdapter(_dash.QuartRequestAdapter):
    """Dash's adapter, whose ``get_json`` is a plain method for the plain code that calls it in threads.

    Dash's MCP server asks whether it is asynchronous: then it runs callbacks on the loop. A plain one makes it work in
    a thread.
    """

    def get_json(self) -> Any:
        """The decoded body in a thread; on the loop an awaitable of it, as with Dash's own adapter."""
        return awaited_or_run(self._read_json())

    async def _read_json(self) -> Any:
        return await self.request.get_json()
