"""The components that show how old a source's data is. :class:`flash.data.Freshness` makes them."""

from __future__ import annotations

import typing

from dash.development.base_component import Component


class Freshness(Component):
    """Shows the age of a source's data, whether it is stale, and why the last run failed.

    It follows a hidden store of the page, which the server keeps up to date; its age grows by the browser's timer.

    Keyword arguments:

    - children (a list of or a singular dash component, string or number; optional):
        What stands behind the text: a :class:`RefreshButton`.

    - id (string | dict; optional):
        The ID of this component, used to identify dash components in callbacks.

    - store (string; optional):
        The id of the hidden store that holds the state of the source.

    - state (dict; optional):
        The state in a page that has no such store: ``at`` and ``next`` in milliseconds since 1970, ``staleAfter`` in
        seconds, ``error``, ``errorId``, ``running``.

    - labels (dict with strings as keys and values; optional):
        Texts in place of the English ones.

    - className (string; optional):
        Further CSS classes, beside ``flash-freshness`` and ``flash-freshness--<kind>``.

    - style (dict; optional):
        Inline styles.
    """

    _explicitize_dash_init = True
    _children_props: list[str] = []
    _base_nodes = ["children"]
    _namespace = "flash_components"
    _type = "Freshness"

    def __init__(
        self,
        children: typing.Any = None,
        id: str | dict[str, typing.Any] | None = None,
        store: str | None = None,
        state: dict[str, typing.Any] | None = None,
        labels: dict[str, str] | None = None,
        className: str | None = None,
        style: dict[str, typing.Any] | None = None,
        **kwargs: typing.Any,
    ) -> None:
        self._prop_names = ["children", "id", "className", "labels", "state", "store", "style"]
        self._valid_wildcard_attributes: list[str] = []
        self.available_properties = self._prop_names
        self.available_wildcard_properties: list[str] = []
        _explicit_args = kwargs.pop("_explicit_args")
        _locals = locals()
        _locals.update(kwargs)  # Names that are no properties, for Dash's own message.
        super().__init__(**{name: _locals[name] for name in _explicit_args})


class RefreshButton(Component):
    """Asks the server to run a source now. It shows nothing before the server has said that this tab may.

    Keyword arguments:

    - id (string | dict; optional):
        The ID of this component, used to identify dash components in callbacks.

    - store (string; optional):
        The id of the hidden store that holds the state of the source: while it runs the button is disabled.

    - label (string; default "Refresh"):
        The text of the button.

    - clicks (number; read-only):
        How often it was clicked.

    - allowed (boolean):
        Whether it is shown. The server's answer; a click is asked about anew.
    """

    _explicitize_dash_init = True
    _children_props: list[str] = []
    _base_nodes = ["children"]
    _namespace = "flash_components"
    _type = "RefreshButton"

    def __init__(
        self,
        id: str | dict[str, typing.Any] | None = None,
        store: str | None = None,
        label: str | None = None,
        clicks: int | None = None,
        allowed: bool | None = None,
        **kwargs: typing.Any,
    ) -> None:
        self._prop_names = ["id", "allowed", "clicks", "label", "store"]
        self._valid_wildcard_attributes: list[str] = []
        self.available_properties = self._prop_names
        self.available_wildcard_properties: list[str] = []
        _explicit_args = kwargs.pop("_explicit_args")
        _locals = locals()
        _locals.update(kwargs)  # Names that are no properties, for Dash's own message.
        super().__init__(**{name: _locals[name] for name in _explicit_args})
