"""The component that shows the state of the live connection."""

from __future__ import annotations

import typing

from dash.development.base_component import Component

_used = False


def uses_live() -> bool:
    """Whether a :class:`LiveStatus` has been made in this process.

    All Flash apps of the process then open a live connection in the pages that they serve from then on, since a
    component does not know the app whose layout it will be in.
    """
    return _used


class LiveStatus(Component):
    """Shows the state of the page's live connection, and lets callbacks listen to it.

    Making one has the apps of the process open a live connection in their pages (:func:`uses_live`). An app that
    makes its first one while it answers a request, in a page or a callback, says ``Flash(live=True)``.

    Keyword arguments:

    - id (string | dict; optional):
        The ID of this component, used to identify dash components in callbacks.

    - status (string; read-only):
        "connecting", "connected", "reconnecting", "offline", "signed-out" or "closed"; "none" in a page without a live
        connection.

    - recovered (boolean):
        False from the time that messages were lost, so that callbacks can fetch anew what they show. A callback that
        has done so sets it to True.

    - transport (string; read-only):
        How messages come: "websocket", "stream" or "poll"; None while there is no connection.

    - client (string; read-only):
        The id that the server knows this tab by: ``ctx.client.id``.

    - since (number; read-only):
        When the status has changed, in milliseconds since 1970.

    - show (boolean; default True):
        Whether it shows anything. Callbacks can listen to it either way.

    - labels (dict with strings as keys and values; optional):
        Texts by status, in place of the English ones.

    - className (string; optional):
        Further CSS classes, beside ``flash-live-status`` and ``flash-live-status--<status>``.

    - style (dict; optional):
        Inline styles.

    Example:
        >>> from flash import Input, Output, callback
        >>> from flash.components import LiveStatus
        >>> status = LiveStatus(id="status")
        >>> @callback(Output("sales", "figure"), Output("status", "recovered"), Input("status", "recovered"))
        ... async def refresh(recovered):
        ...     return await sales_figure(), True
    """

    _explicitize_dash_init = True
    _children_props: list[str] = []
    _base_nodes = ["children"]
    _namespace = "flash_components"
    _type = "LiveStatus"

    def __init__(
        self,
        id: str | dict[str, typing.Any] | None = None,
        status: str | None = None,
        recovered: bool | None = None,
        transport: str | None = None,
        client: str | None = None,
        since: float | None = None,
        show: bool | None = None,
        labels: dict[str, str] | None = None,
        className: str | None = None,
        style: dict[str, typing.Any] | None = None,
        **kwargs: typing.Any,
    ) -> None:
        global _used
        _used = True
        self._prop_names = [
            "id",
            "className",
            "client",
            "labels",
            "recovered",
            "show",
            "since",
            "status",
            "style",
            "transport",
        ]
        self._valid_wildcard_attributes: list[str] = []
        self.available_properties = self._prop_names
        self.available_wildcard_properties: list[str] = []
        _explicit_args = kwargs.pop("_explicit_args")
        _locals = locals()
        _locals.update(kwargs)  # Names that are no properties, for Dash's own message.
        super().__init__(**{name: _locals[name] for name in _explicit_args})
