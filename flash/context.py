"""What a callback is told of who asks: the same on every transport."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import _dash

if TYPE_CHECKING:
    from .live.clients import Client


@dataclass(slots=True)
class Requester:
    """Who asks for a callback, over the live connection.

    Attributes:
        client: The tab.
        cookies: Of the handshake, or of the request that stands for it.
        headers: The same.
        args: The query of the page's address.
        path: The page's path and query.
        remote: The address of the browser, as the server sees it.
        origin: The page's origin.
        websocket: What ``ctx.websocket`` is.
        changes: The page's numbers of its changes of shared properties, by ``id.property``.
        elsewhere: The shared callbacks that listen to them too and that the page cannot ask for.
    """

    client: Client
    cookies: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    args: Mapping[str, str] = field(default_factory=dict)
    path: str = ""
    remote: str | None = None
    origin: str | None = None
    websocket: Any = None
    changes: dict[str, int] | None = None
    elsewhere: Sequence[str] = ()


class CallbackContext(_dash.CallbackContext):
    """``ctx``: Dash's, and the tab that asks."""

    @property
    def client(self) -> Client:
        """The browser tab that has triggered the callback. Never None.

        Over the live connection it is one of ``app.clients``. Over HTTP too, when the page has a live connection;
        otherwise it is a client of this one request, whose ``live`` is False.

        Raises:
            MissingCallbackContextException: No callback is running.

        Example:
            >>> @callback(Output("who", "children"), Input("ask", "n_clicks"))
            ... def who(clicks):
            ...     return ctx.client.user or ctx.client.address
        """
        client: Client = _dash.context_field("client")
        return client


ctx = callback_context = CallbackContext()
