"""A tab that is connected to another process, as the callback sees it that runs for it here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import _dash
from ..shared.entries import Asker, Pushed, Value
from ..shared.shared import Shared
from .clients import Client


class Stranger(Client):
    """``ctx.client`` of a shared callback whose tab is connected to another process.

    It has the tab's id, address, user and page; no cookies, no headers, and none of the fields that the app has set on
    it there. What is set in it is sent to it.

    Args:
        shared: The room, by whose log it is reached.
        asker: The tab.
    """

    def __init__(self, shared: Shared, asker: Asker) -> None:
        told = asker.who or {}
        super().__init__(asker.client, address=told.get("address"), user=told.get("user"), path=told.get("path", ""))
        for name in ("host", "origin", "user_agent", "connect_time"):
            setattr(self, name, told.get(name, getattr(self, name)))
        self._shared = shared

    @property
    def live(self) -> bool:
        """Whether it has a live connection: it had one when it asked."""
        return True

    @property
    def gone(self) -> bool:
        """Whether it has left. That is known in its own process only."""
        return False

    def set_props(self, component_id: str | dict[str, Any], props: Mapping[str, Any]) -> None:
        """Set properties of a component in this tab. From any thread; it never waits."""
        component = _dash.stringify_id(component_id)
        values = [Value(component, prop, self._shared.encode(value)) for prop, value in props.items()]
        self._shared.on_loop(self._shared.append, Pushed(values, self.id))
