"""The values with which the components of shared places leave the server."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from ..encoding import dumps
from .graph import Graph
from .places import Place, id_in, matches
from .state import Channel

logger = logging.getLogger("flash")

#: Components with dict ids are made without end in some apps; so many places are remembered.
_MOST = 100_000


class Defaults:
    """Learns from every tree that leaves which components there are, and the values that the tree gives them.

    Args:
        noted: Called, in the encoding thread, when a tree with new places has left.
    """

    def __init__(self, noted: Callable[[tuple[Channel, ...]], None]) -> None:
        self._noted = noted
        self._graph = Graph()
        self._values: dict[Place, bytes] = {}
        self._components: dict[str, None] = {}
        self._warned: set[Place] = set()
        self._props_of_pattern: dict[str, frozenset[str]] = {}

    def follow(self, graph: Graph) -> None:
        """Learn which places there are."""
        self._graph = graph
        self._props_of_pattern = {}

    def get(self, place: Place) -> bytes | None:
        """The JSON of the value that a tree has given to a place; None when none was seen."""
        return self._values.get(place)

    def put(self, place: Place, json: bytes) -> None:
        """Learn a value from another process."""
        self._values.setdefault(place, json)
        self._components[place[0]] = None

    def by_component(self) -> dict[str, dict[str, bytes]]:
        """The JSON of all values that are known, by component and property."""
        found: dict[str, dict[str, bytes]] = {}
        for (component, prop), json in list(self._values.items()):
            found.setdefault(component, {})[prop] = json
        return found

    @property
    def components(self) -> Iterable[str]:
        """The components that were seen."""
        return list(self._components)

    def new_in(self, component: str, props: dict[str, Any]) -> dict[Place, bytes]:
        """The places of a component that were not seen before, with their values.

        Args:
            component: Its id, as text.
            props: Its properties.
        """
        new = {}
        for prop in self._wanted(component):
            place = component, prop
            if place not in self._values:
                new[place] = dumps(props.get(prop))
            if props.get("persistence"):
                self._warn(place, props)
        return new

    def note(self, new: dict[Place, bytes], channels: tuple[Channel, ...]) -> None:
        """Learn the new places of a tree that leaves the server: of the whole tree, so that ``ALL`` is all.

        Args:
            new: The places.
            channels: Those of the tab that gets the tree.
        """
        if len(self._values) < _MOST:
            for place, json in new.items():
                self.put(place, json)
            self._noted(channels)

    def _wanted(self, component: str) -> frozenset[str]:
        """The properties of a component that shared callbacks name."""
        if not component.startswith("{"):
            return self._graph.properties.get(component, frozenset())
        found = self._props_of_pattern.get(component)
        if found is None:
            found = frozenset(each.component_property for each in self._graph.patterns if matches(each, component))
            if len(self._props_of_pattern) < _MOST:
                self._props_of_pattern[component] = found
        return found

    def _warn(self, place: Place, props: dict[str, Any]) -> None:
        component, prop = place
        persisted = props.get("persisted_props", ["value"])
        if place in self._warned or prop not in persisted:
            return
        self._warned.add(place)
        logger.warning(
            "%s.%s is shared by all browsers, and persistence=%r makes each browser remember a value of its own, which "
            "it will show in place of the shared one. Take persistence from the component with the id %r.",
            component,
            prop,
            props["persistence"],
            id_in(component),
        )
