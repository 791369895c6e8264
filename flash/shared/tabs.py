"""What the room of shared state asks of those who know the browser tabs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from .entries import Asker, Pushed
from .places import Place
from .state import Channel, Held

if TYPE_CHECKING:
    from ..live.clients import Client


class Tabs(Protocol):
    """What the room knows of the browser tabs."""

    def set(self, channel: Channel, place: Place, held: Held, update: bytes, origin: str | None) -> None:
        """Send a new value to the tabs of a channel, but not to the one that has made it."""

    def placed(self, client_id: str, place: Place, number: int, version: int) -> None:
        """Tell a tab which version its change has got; 0: none, it was refused."""

    def refresh(self, client: Client, values: dict[Place, Held]) -> None:
        """Send values to one tab."""

    def refresh_all(self) -> None:
        """Send all values to all tabs."""

    def push(self, pushed: Pushed) -> None:
        """Set properties that are not shared."""

    def moved(self, client_id: str) -> None:
        """Send a tab the values of the channels that it belongs to now."""

    def clients(self) -> Iterable[Client]:
        """The tabs that are connected to this process."""

    def stranger(self, asker: Asker | None) -> Client:
        """What stands for a tab of another process, or for nobody."""

    async def settled(self) -> None:
        """Wait until what threads have pushed is on its way."""
