"""What an app that is live can do: its clients, pushing, and what its pages get."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dash import Input, dcc
from dash.exceptions import PreventUpdate
from quart import has_request_context, request

from .. import _dash
from ..callbacks import declaration_of
from ..context import Requester
from ..shared.app import SharedApp
from .clients import Client, Clients
from .script import CARRIER, script_element, script_name, serve_script

if TYPE_CHECKING:
    from ..startup import Setup
    from .live import Live


class LiveApp(SharedApp):
    """The part of :class:`flash.Flash` that is about the live connection."""

    flash_live: Live
    flash_setup: Setup

    _carrier_declared = False
    #: How many callbacks were declared when it was last looked which of them are persistent, and those.
    _persistent: tuple[int, frozenset[str]] | None = None

    # For users.

    @property
    def clients(self) -> Clients:
        """The browser tabs that are here or away, as a sequence of :class:`flash.live.clients.Client`.

        From dash_devices. An app that asks for it opens a live connection in its pages from then on; to open it in
        pages that were loaded earlier too, use ``Flash(live=True)``.
        """
        self.flash_live.used = True
        return self.flash_live.clients

    def push_mods(self, mods: Any, client: Client | None = None) -> None:
        """Set properties in one tab, or in all of them. From any thread, task or callback; it never waits.

        From dash_devices. Callbacks that listen to the properties fire in each tab that gets them.

        Args:
            mods: ``{id: {property: value}}``, an ``Output(id, property, value)``, ``{"id", "property", "value"}`` or
                a list of these. Ids may be dicts in all forms but the first. Values are all that a callback may
                return: component trees, figures, ``Patch`` ...
            client: The tab; None for all.

        Raises:
            TypeError: ``mods`` has another form, or a value has no JSON form.

        Example:
            >>> app.push_mods({"temperature": {"children": "21.5 °C"}})
        """
        self.flash_live.sending.push(mods, client)

    def callback_connect(self, handler: Callable[[Client, bool], Any]) -> Callable[[Client, bool], Any]:
        """Have a function called when a tab arrives and when it is gone, once each.

        From dash_devices. Handlers are called in the order of their declaration, with the client and True or False.
        What they return at an arrival is pushed to that client, as :meth:`push_mods` takes it.

        Args:
            handler: A plain or asynchronous function.

        Example:
            >>> @app.callback_connect
            ... def present(client, connect):
            ...     app.push_mods({"count": {"children": len(app.clients)}})
        """
        self.flash_live.presence.handlers.append(handler)
        return handler

    def disconnect(self, user: str | None = None, client: Client | None = None) -> None:
        """Close the connections of a user, or of one tab, for good. Their pages show that they are signed out.

        Call it where a user signs out, or loses a right. From any thread; it takes effect within a second.

        Args:
            user: Whose tabs, as ``identify`` names the user.
            client: One tab.

        Raises:
            TypeError: Neither or both are given.
        """
        if (user is None) == (client is None):
            raise TypeError("disconnect takes a user or a client: disconnect(user='ann') or disconnect(client=client).")
        clients = [client] if client is not None else [each for each in self.flash_live.clients if each.user == user]
        self.flash_live.disconnect(clients, user)

    # For pages.

    def opens_connection(self) -> bool:
        """Whether pages open a live connection: the app uses it, or ``live=True`` says so."""
        live = self.flash_live
        if live.settings.enabled is not None:
            return live.settings.enabled
        components = sys.modules.get("flash.components")  # Importing it would put its scripts into every page.
        if components is not None and components.uses_live():
            return True
        declared = [*self.callback_map.values(), *([] if self.flash_setup.done else _dash.global_declarations())]
        return bool(
            live.used
            or live.presence.handlers
            or self.all_callbacks_live
            or any(entry.get("websocket") for entry in declared)
        )

    def live_path(self, name: str) -> str:
        """The path of ``socket`` or of a page below ``_flash``, as routes see it."""
        prefix: str = self.config.routes_pathname_prefix
        return f"{prefix}_dash-ws-callback" if name == "socket" else f"{prefix}_flash/{name}"

    def first_scripts(self) -> str:
        """The script of the live connection, which must stand before Dash's renderer."""
        return script_element(self) if self.opens_connection() else ""

    def hidden_components(self) -> list[Any]:
        """The stores of what is published, and the one behind the callback that carries trees into the page."""
        if not self.opens_connection():
            return []
        return [dcc.Store(id=CARRIER), *self.flash_live.published.components()]

    def declare_carrier(self) -> None:
        """Declare the callback that carries component trees; the page's script answers it and the server never does."""
        if self._carrier_declared or not self.opens_connection():
            return
        self._carrier_declared = True

        @self.callback(Input(CARRIER, "data"), websocket=True, persistent=True, prevent_initial_call=False, hidden=True)
        async def carry(data: Any) -> None:
            raise PreventUpdate

    def repeatable_callbacks(self) -> list[str]:
        """The ids of the callbacks that were declared with ``retry=True``."""
        stored = ((name, entry.get("callback")) for name, entry in self.callback_map.items())
        return [name for name, callback in stored if callback is not None and declaration_of(callback).retry]

    def is_persistent(self, callback_id: Any) -> bool:
        """Whether a callback was declared with ``persistent=True``."""
        declared = self.callback_list
        if self._persistent is None or self._persistent[0] != len(declared):
            names = frozenset(each["output"] for each in declared if each.get("persistent"))
            self._persistent = len(declared), names
        return isinstance(callback_id, str) and callback_id in self._persistent[1]

    def callback_context(self, body: dict[str, Any], requester: Requester | None = None) -> Any:
        """The context that ``ctx`` shows for a request with this body, over HTTP or over the live connection."""
        if requester is not None:
            context = self.live_context(body, requester)
            context.client = requester.client
        else:
            context = super().callback_context(body)
            context.client = self.flash_live.client_of_request(context) or _passing(context)
        return context

    async def identify_requester(self, context: Any) -> None:
        """Say in a callback's context who its client is. Over the live connection that is known from its handshake."""
        if context.get("identified"):
            return
        context.identified = True
        if context.get("client") is None:  # Asked for by Dash's MCP server.
            context.client = _passing(context)
        over_http = context.get("dash_websocket") is None and has_request_context()
        if over_http and self.flash_live.guard.knows_users:
            self._hold_against(context, await self.flash_live.guard.user())

    async def client_of_page(self) -> Client:
        """Who asks for a layout: a client of this one request, before its page has a live connection."""
        address = urlsplit(request.headers.get("Referer", ""))
        client = Client(
            secrets.token_urlsafe(16),
            address=request.remote_addr,
            headers=dict(request.headers.items()),
            cookies=dict(request.cookies.items()),
            path=address._replace(scheme="", netloc="").geturl(),
        )
        if self.flash_live.guard.knows_users:
            client.user = await self.flash_live.guard.user()
        return client

    def _hold_against(self, context: Any, user: str | None) -> None:
        """Let an HTTP request of a user speak for a tab only if the tab is the user's, or that of nobody yet."""
        client: Client = context.client
        # Only with the tab's key: what names a tab otherwise stands in addresses and logs.
        by_key = "Flash-Client" in context.headers
        if by_key and client.live and not client.gone and client.user is None and user is not None:
            self.flash_live.clients.identified(client, user)
        if client.live and client.user != user:
            client = context.client = _passing(context)
        if not client.live:
            client.user = user

    def add_live_routes(self) -> None:
        """Serve what the live connection needs beside the WebSocket."""
        self.add_route("_flash/live", self.flash_live.guard.serve_ticket)
        self.add_route("_flash/live/stream", self.flash_live.downlinks.serve_stream)
        self.add_route("_flash/live/poll", self.flash_live.downlinks.serve_poll)
        self.add_route("_flash/live/send", self.flash_live.downlinks.serve_send, ("POST",))
        self.add_route(f"_flash/{script_name()}", serve_script)


def _passing(context: Any) -> Client:
    """A client of one request, whose page is not known to have a live connection."""
    return Client(
        secrets.token_urlsafe(16),
        address=context.get("remote"),
        headers=context.get("headers"),
        cookies=context.get("cookies"),
    )
