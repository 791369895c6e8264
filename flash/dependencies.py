"""Dash's dependencies, and an :class:`Output` that can carry a value."""

from __future__ import annotations

from typing import Any

import dash.dependencies as _dash_dependencies

# ``from flash import dependencies`` replaces ``from dash import dependencies``.
from dash.dependencies import *  # noqa: F403

_NOTHING: Any = object()


class Output(_dash_dependencies.Output):  # type: ignore[no-redef]
    """An output of a callback, or a value that a callback gives to any property.

    In a declaration it is Dash's: the third argument is ``allow_duplicate``. Returned by a callback it sets the
    property to its third argument, and the declared outputs stay as they are; so do several of them in a tuple or list.
    From dash_devices.

    Args:
        component_id: The id, a dict for a component with a pattern-matching id, or the component itself.
        component_property: The property.
        third: In a declaration whether other callbacks may have the same output. In what a callback returns the value.
        **options: As :class:`dash.Output` takes them: ``allow_duplicate`` ...

    Attributes:
        value: What the third argument was; only when there was one.

    Example:
        >>> @callback(Output("content", "children"), Input("login", "n_clicks"), State("password", "value"))
        ... def login(clicks, password):
        ...     if password == "secret":
        ...         return "Welcome"
        ...     return Output("message", "children", "Wrong password."), Output("password", "value", "")
    """

    value: Any

    def __init__(self, component_id: Any, component_property: str, third: Any = _NOTHING, **options: Any) -> None:
        if isinstance(third, bool):
            options.setdefault("allow_duplicate", third)
        super().__init__(component_id, component_property, **options)
        if third is not _NOTHING:
            self.value = third

    @property
    def carries_value(self) -> bool:
        """Whether it has a value that only what is returned can have: one that is not True or False."""
        return "value" in vars(self) and not isinstance(self.value, bool)
