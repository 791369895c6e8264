"""The component that loads its content when it scrolls into view."""

from __future__ import annotations

import re
import typing

from dash.development.base_component import Component

from ..exceptions import ConfigurationError

_MARGIN = re.compile(r"-?\d+(\.\d+)?(px|%)( -?\d+(\.\d+)?(px|%)){0,3}")


class Lazy(Component):
    """Loads its content by a callback when it scrolls into view, and shows a skeleton meanwhile.

    The component sets ``visible`` to True once, when it comes near the part of the page that is seen. The callback
    that listens gives the ``children``; :func:`flash.components.lazy` declares it.

    Keyword arguments:

    - children (a list of or a singular dash component, string or number; optional):
        The content. While there is none the skeleton stands in its place.

    - id (string | dict; optional):
        The ID of this component, used to identify dash components in callbacks.

    - visible (boolean; read-only):
        True from the time that the component has come near the seen part of the page.

    - height (number | string; optional):
        The height that is kept for the content, so that the page does not jump when it comes: pixels, or a CSS length.
        Higher content makes it higher.

    - margin (number | string; default "200px"):
        How near is near enough: pixels, or a CSS margin in px or %.

    - placeholder (a list of or a singular dash component, string or number; optional):
        What to show in place of the skeleton.

    - label (string; default "Loading ..."):
        What a screen reader is told while the content loads.

    - className (string; optional):
        Further CSS classes, beside ``flash-lazy``.

    - style (dict; optional):
        Inline styles.

    Raises:
        ConfigurationError: ``margin`` has another form.

    Example:
        >>> from flash import components, dcc
        >>> layout = components.Lazy(id="sales", height=300)
        >>> @components.lazy("sales")
        ... async def sales():
        ...     return dcc.Graph(figure=await sales_figure())
    """

    _explicitize_dash_init = True
    _children_props: list[str] = ["placeholder"]
    _base_nodes = ["placeholder", "children"]
    _namespace = "flash_components"
    _type = "Lazy"

    def __init__(
        self,
        children: typing.Any = None,
        id: str | dict[str, typing.Any] | None = None,
        visible: bool | None = None,
        height: float | str | None = None,
        margin: float | str | None = None,
        placeholder: typing.Any = None,
        label: str | None = None,
        className: str | None = None,
        style: dict[str, typing.Any] | None = None,
        **kwargs: typing.Any,
    ) -> None:
        if isinstance(margin, str) and not _MARGIN.fullmatch(margin):
            raise ConfigurationError(
                f"margin must be a number of pixels, or lengths in px or % like '200px' or '10% 0px', not {margin!r}."
            )
        self._prop_names = [
            "children",
            "id",
            "className",
            "height",
            "label",
            "margin",
            "placeholder",
            "style",
            "visible",
        ]
        self._valid_wildcard_attributes: list[str] = []
        self.available_properties = self._prop_names
        self.available_wildcard_properties: list[str] = []
        _explicit_args = kwargs.pop("_explicit_args")
        _locals = locals()
        _locals.update(kwargs)  # Names that are no properties, for Dash's own message.
        super().__init__(**{name: _locals[name] for name in _explicit_args if name != "children"}, **_given(children))


def _given(children: typing.Any) -> dict[str, typing.Any]:
    """None stands for no content yet, as when it is left out."""
    return {} if children is None else {"children": children}
