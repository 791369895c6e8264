"""The component that holds a socket of the app's own."""

from __future__ import annotations

import typing

from dash.development.base_component import Component


class WebSocket(Component):
    """Opens, keeps and closes a WebSocket of the app's own, beside Flash's live connection.

    Named after dash-extensions' component, whose ``url``, ``send``, ``message``, ``state`` and ``error`` mean the same
    here. Different: the socket is opened again when it is lost, addresses may be relative, and every message is shown
    to callbacks, also when several come at once.

    Keyword arguments:

    - id (string | dict; optional):
        The ID of this component, used to identify dash components in callbacks.

    - url (string; optional):
        The address: relative to the page ("/prices"; ws or wss as the page is http or https) or absolute
        ("wss://example.org/prices"). Without one the socket is closed.

    - protocols (list of strings; optional):
        The subprotocols to ask for.

    - reconnect (boolean; default True):
        Whether the socket is opened again when it is lost: after 0.5 s, then after ever longer times up to 30 s, by
        chance a little shorter, and at once when the page is shown or the network returns.

    - send (boolean | number | string | dict | list; optional):
        What to send; sent whenever it changes. A string is sent as it is, anything else as JSON. While the socket is
        not open up to 100 messages wait; further ones are refused, which `error` says.

    - message (dict; read-only):
        The last message, a dict with the keys: ``data`` (string), ``origin``, ``isTrusted``, ``timeStamp`` (of the
        event) and ``n`` (how many there were, which tells equal ones apart). Every message is set here, one after the
        other, in the order in which they came.

    - state (dict; read-only):
        A dict with the keys: ``readyState`` (0 connecting, 1 open, 2 closing, 3 closed), ``url``, ``isTrusted`` and
        ``timeStamp``; of an open socket ``protocol`` too; of a closed one ``code``, ``reason`` and ``wasClean``.

    - error (dict; read-only):
        What went wrong last, a dict with the keys: ``message``, ``isTrusted``, ``timeStamp`` and ``n``.

    Example:
        >>> from flash import Input, Output, callback, html
        >>> from flash.components import WebSocket
        >>> layout = html.Div([WebSocket(id="prices", url=app.get_relative_path("/prices")), html.Output(id="price")])
        >>> @callback(Output("price", "children"), Input("prices", "message"), prevent_initial_call=True)
        ... def show(message):
        ...     return message["data"]
    """

    _explicitize_dash_init = True
    _children_props: list[str] = []
    _base_nodes = ["children"]
    _namespace = "flash_components"
    _type = "WebSocket"

    def __init__(
        self,
        id: str | dict[str, typing.Any] | None = None,
        url: str | None = None,
        protocols: typing.Sequence[str] | None = None,
        reconnect: bool | None = None,
        send: typing.Any = None,
        message: dict[str, typing.Any] | None = None,
        state: dict[str, typing.Any] | None = None,
        error: dict[str, typing.Any] | None = None,
        **kwargs: typing.Any,
    ) -> None:
        self._prop_names = ["id", "error", "message", "protocols", "reconnect", "send", "state", "url"]
        self._valid_wildcard_attributes: list[str] = []
        self.available_properties = self._prop_names
        self.available_wildcard_properties: list[str] = []
        _explicit_args = kwargs.pop("_explicit_args")
        _locals = locals()
        _locals.update(kwargs)  # Names that are no properties, for Dash's own message.
        super().__init__(**{name: _locals[name] for name in _explicit_args})
