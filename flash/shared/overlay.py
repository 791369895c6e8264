"""Laying shared values over every component tree that leaves the server."""

from __future__ import annotations

from typing import Any

import orjson

from .. import _dash
from ..encoding import dumps
from ..patches import patched
from .defaults import Defaults
from .places import Place
from .state import Channel, Held, State


class Overlay:
    """Writes components as one tab, or all tabs, shall see them: what :func:`flash.encoding.dumps` asks.

    Args:
        state: The shared values.
        defaults: Learns what the tree says without them.
        channels: Whose values: None for all tabs', and the names of the channels that the tab belongs to.
    """

    def __init__(self, state: State, defaults: Defaults, channels: tuple[Channel, ...]) -> None:
        self._state = state
        self._defaults = defaults
        self._channels = channels
        self._new: dict[Place, bytes] = {}

    def finish(self) -> None:
        """The tree has been written: what is new in it can be learned."""
        if self._new:
            self._defaults.note(self._new, self._channels)
            self._new = {}

    def __call__(self, component: Any) -> dict[str, Any]:
        """One level of a component, with the shared values."""
        level = _dash.component_json(component)
        component_id = getattr(component, "id", None)
        if component_id is not None:
            self._lay(_dash.stringify_id(component_id), level["props"])
        return level

    def _lay(self, component: str, props: dict[str, Any]) -> None:
        self._new |= self._defaults.new_in(component, props)
        for prop, held in self._state.of_component(self._channels, component).items():
            props[prop] = self._value(held, props.get(prop))

    def _value(self, held: Held, own: Any) -> Any:
        if held.is_patch:
            try:
                return patched(orjson.loads(dumps(own)), held.value)
            except (TypeError, LookupError, ArithmeticError):
                return own
        return orjson.Fragment(self.json(held) if held.holds_components else held.json)

    def json(self, held: Held) -> bytes:
        """The JSON of a held value, the trees inside it laid over too."""
        return orjson.dumps(self._relaid(held.value)) if held.holds_components else held.json

    def _relaid(self, node: Any) -> Any:
        """A copy of a tree in its JSON form, with the shared values of now."""
        if isinstance(node, list):
            return [self._relaid(each) for each in node]
        if not isinstance(node, dict):
            return node
        node = {name: self._relaid(each) for name, each in node.items()}
        props = node.get("props")
        if "namespace" in node and isinstance(props, dict) and (component_id := props.get("id")) is not None:
            self._lay(_dash.stringify_id(component_id), props)
        return node
