"""The current request as Dash's own code reads it."""

from __future__ import annotations

from typing import Any

from .. import _dash
from ..pool import run_on_loop


class FlashRequestAdapter(_dash.QuartRequestAdapter):
    """Dash's adapter, whose ``get_json`` is a plain method for the plain code that calls it in threads.

    Dash's MCP server awaits an asynchronous ``get_json`` on the loop and then runs callbacks there as well; a plain
    one makes it work in a thread.
    """

    def get_json(self) -> Any:
        """The decoded body. Called in a thread; waits for the loop."""
        return run_on_loop(self._read_json())

    async def _read_json(self) -> Any:
        return await self.request.get_json()
