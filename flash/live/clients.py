"""The clients of an app: one for each browser tab that is here or away."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

from ..exceptions import FlashError

if TYPE_CHECKING:
    from .connection import Connection


class Client:
    """One browser tab, from its arrival until it is gone. It survives reconnects; a reload is a new client.

    Fields of the app's own may be set on it: ``client.place = "kitchen"``.

    Attributes:
        id: Its name, which no other client has had: 22 characters.
        connect_time: When it arrived, in seconds since 1970.
        address: The address of its browser, as the server sees it; None when unknown.
        host: The ``Host`` that its page was asked for.
        origin: The origin of its page.
        user: Who it is, as ``Flash(identify=...)`` says; None when unknown.
        user_agent: What its browser calls itself.
        authentication: For the app's own use; None until the app sets it.
        cookies: Of the connection's handshake, by name.
        headers: Of the connection's handshake, by name as the browser sent it, capitalised.
        path: The path and query of its page.
        live: Whether it has a live connection, here or away; False for the client of one HTTP request.

    Example:
        >>> for client in app.clients:
        ...     print(client.address, client.user, "away" if client.away else "here")
    """

    def __init__(
        self,
        client_id: str,
        *,
        address: str | None = None,
        headers: dict[str, str] | None = None,
        cookies: dict[str, str] | None = None,
        user: str | None = None,
        path: str = "",
        connection: Connection | None = None,
    ) -> None:
        self.id = client_id
        self.connect_time = time.time()
        self.address = address
        self.headers = headers or {}
        self.cookies = cookies or {}
        self.host = self.headers.get("Host")
        self.origin = self.headers.get("Origin")
        self.user_agent = self.headers.get("User-Agent")
        self.user = user
        self.path = path
        self.authentication: Any = None
        self._connection = connection

    @property
    def live(self) -> bool:
        """Whether it has, or had, a live connection."""
        return self._connection is not None

    @property
    def away(self) -> bool:
        """Whether its link is lost while it may still come back."""
        return self._connection is not None and self._connection.away

    @property
    def gone(self) -> bool:
        """Whether it has left for good. A client of one HTTP request counts as gone: nothing can be sent to it."""
        return self._connection is None or self._connection.gone

    @property
    def renderer_id(self) -> str:
        """The name that Dash's renderer has given to the page."""
        return self._connection.renderer_id if self._connection else ""

    def set_props(self, component_id: str | dict[str, Any], props: dict[str, Any]) -> None:
        """Set properties of a component in this tab. From any thread; it never waits.

        Args:
            component_id: The id; a dict for a component with a pattern-matching id.
            props: The values by property: components, figures, ``Patch`` and all that a callback may return.
        """
        if self._connection is not None and not self._connection.gone:
            self._connection.set_props(component_id, props)

    async def room(self) -> None:
        """Wait until little waits to be sent to this tab. At once when it is gone."""
        if self._connection is not None:
            await self._connection.room()

    def on_departure(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have a function called on the loop when the client is gone.

        Returns:
            A function that takes it back.
        """
        if self._connection is None or self._connection.gone:
            return _nothing
        return self._connection.on_departure(callback)

    def show_error(self, text: str) -> None:
        """Show an error in the page's log while debugging, as a failing callback does."""
        if self._connection is not None:
            self._connection.show_error(text)

    def __repr__(self) -> str:
        state = "away" if self.away else "gone" if self.gone else "here"
        return f"<Client {self.id} {self.user or self.address} {state}>"


def _nothing() -> None:
    pass


class TooManyClients(FlashError):
    """No more clients are accepted, of a user or in all."""


class Clients(Sequence[Client]):
    """The clients that are here or away, in the order of their arrival: ``app.clients``.

    Reading it is safe in every thread: each look is at a copy.
    """

    def __init__(self) -> None:
        self._clients: dict[str, Client] = {}
        self._of_page: dict[str, list[Client]] = defaultdict(list)
        self._of_renderer: dict[str, Client] = {}
        self._of_user: dict[str, int] = defaultdict(int)

    @overload
    def __getitem__(self, index: int) -> Client: ...
    @overload
    def __getitem__(self, index: slice) -> list[Client]: ...
    def __getitem__(self, index: int | slice) -> Client | list[Client]:
        return self._snapshot()[index]

    def __iter__(self) -> Iterator[Client]:
        return iter(self._snapshot())

    def __len__(self) -> int:
        return len(self._clients)

    def __contains__(self, client: object) -> bool:
        return isinstance(client, Client) and self._clients.get(client.id) is client

    def _snapshot(self) -> list[Client]:
        # One call into C, which no other thread can interrupt.
        return list(self._clients.values())

    def get(self, client_id: str) -> Client | None:
        """The client with an id, or None when it is gone."""
        return self._clients.get(client_id)

    def of_page(self, end_id: str | None, renderer_id: str | None = None) -> Client | None:
        """The client whose page has an ``end_id``. A tab that was duplicated shares it: then the renderer decides."""
        found = self._of_page.get(end_id or "", [])
        if len(found) == 1 and renderer_id in (None, "", found[0].renderer_id):
            return found[0]
        return next((client for client in found if renderer_id and client.renderer_id == renderer_id), None)

    def of_renderer(self, renderer_id: str) -> Client | None:
        """The client whose page has chosen this name, by which no other page knows it."""
        return self._of_renderer.get(renderer_id)

    def add(self, client: Client, end_id: str | None) -> None:
        """Take a client in that has arrived."""
        self._clients[client.id] = client
        if client.renderer_id:
            self._of_renderer[client.renderer_id] = client
        if end_id:
            self._of_page[end_id].append(client)
        self.count_user(client.user, 1)

    def remove(self, client: Client, end_id: str | None) -> None:
        """Let a client go that is gone."""
        if self._clients.pop(client.id, None) is None:
            return
        if self._of_renderer.get(client.renderer_id) is client:
            del self._of_renderer[client.renderer_id]
        if end_id:
            self._of_page[end_id].remove(client)
            if not self._of_page[end_id]:
                del self._of_page[end_id]
        self.count_user(client.user, -1)

    def clear(self) -> None:
        """Forget all of them."""
        self._clients.clear()
        self._of_page.clear()
        self._of_renderer.clear()
        self._of_user.clear()

    def count_user(self, user: str | None, change: int) -> None:
        """Keep the number of a user's clients."""
        if user is None:
            return
        self._of_user[user] += change
        if self._of_user[user] <= 0:
            del self._of_user[user]

    def identified(self, client: Client, user: str) -> None:
        """A client that was unknown has signed in."""
        client.user = user
        self.count_user(user, 1)

    def of_user(self, user: str | None) -> int:
        """How many clients a user has; 0 for one that is not known."""
        return 0 if user is None else self._of_user.get(user, 0)
