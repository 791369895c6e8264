"""Published values: what hidden stores hold in every page, kept up to date by the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from dash import dcc

from ..encoding import dumps
from .clients import Client
from .outbox import Update

if TYPE_CHECKING:
    from .live import Live


class Published:
    """The published values of an app.

    A page gets them with its layout, and what has changed since when its tab arrives; a tab that is here or away gets
    each change, of many the newest.

    Args:
        live: The app's live room.
    """

    def __init__(self, live: Live) -> None:
        self._live = live
        self._updates: dict[str, Update] = {}
        self._kept: dict[str, bytes] = {}

    def put(self, store: str, value: Any, version: int) -> None:
        """Publish a value, to the tabs of this process. On the loop that serves the app, or before there is one.

        Args:
            store: The id of the hidden store that holds it as its ``data``.
            value: What JSON can hold.
            version: Greater than that of the value before, and than 0. A page takes none that is older.
        """
        data = dumps(value)
        if (known := self._updates.get(store)) is not None and known.values["data"] == data:
            return  # Set again, it would have the callbacks of every page run again.
        update = self._updates[store] = Update(store, {"data": data}, versions={"data": version})
        if self._live.has_loop:
            self._live.sending.send(None, [update])

    def keep(self, store: str, value: Any) -> None:
        """Have a layout hold a value from now on, which tabs get by another way.

        Args:
            store: The id of its hidden store.
            value: What JSON can hold.
        """
        self._updates.pop(store, None)
        self._kept[store] = dumps(value)

    def components(self) -> list[Any]:
        """The stores, for a layout."""
        published = {store: update.values["data"] for store, update in self._updates.items()}
        return [dcc.Store(id=store, data=orjson.loads(value)) for store, value in (self._kept | published).items()]

    def arrived(self, client: Client) -> None:
        """Send a tab all values. Its page shows those that are not the ones of its layout."""
        if client._connection is not None:
            for update in self._updates.values():
                client._connection.push(update)
