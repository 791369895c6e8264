"""Requests that no tab has sent: for the runs that the server itself begins."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from .defaults import Defaults
from .graph import SharedCallback
from .places import Match, Place, expanded, id_in, match_of, matches, place_of
from .state import Channel, State

#: So many values of States that are not shared are remembered.
_MOST = 10_000


class Values:
    """What is known of the values of places: shared, sent with an earlier request, or part of a tree.

    Args:
        state: The shared values.
        defaults: Those of the trees.
    """

    def __init__(self, state: State, defaults: Defaults) -> None:
        self._state = state
        self._defaults = defaults
        self._sent: dict[tuple[Channel, Place], Any] = {}

    def is_known(self, channel: Channel, place: Place) -> bool:
        """Whether a place has a value, shared or in a tree."""
        return self._state.seen(channel, place) is not None or self._defaults.get(place) is not None

    def __call__(self, channel: Channel, place: Place) -> Any:
        """The value of a place, None when nothing is known of it."""
        held = self._state.seen(channel, place)
        if held is not None and not held.is_patch:
            return held.value
        if (channel, place) in self._sent:
            return self._sent[channel, place]
        default = self._defaults.get(place)
        return None if default is None else orjson.loads(default)

    def fill(self, channel: Channel, body: dict[str, Any], own: frozenset[Place]) -> bool:
        """Put the shared values of now into a tab's request, and remember what it says of the others.

        Args:
            channel: The group of tabs.
            body: The request.
            own: What the tab has changed by it: that stays, though it may have been changed since.

        Returns:
            Whether anything was put in.
        """
        filled = False
        for entry in _entries(body):
            place = place_of(entry["id"], entry["property"])
            if place in own:
                continue
            held = self._state.seen(channel, place) or self._state.reset(channel, place)
            if held is None or held.is_patch:
                self._remember(channel, place, entry.get("value"))
            elif "value" not in entry or held.value != entry["value"]:
                entry["value"] = held.value
                filled = True
        return filled

    def _remember(self, channel: Channel, place: Place, value: Any) -> None:
        self._sent[channel, place] = value
        if len(self._sent) > _MOST:
            del self._sent[next(iter(self._sent))]

    def components(self) -> set[str]:
        """The components that are known."""
        return {*self._state.components(), *self._defaults.components}


def body_of(
    callback: SharedCallback, match: Match, channel: Channel, values: Values, changed: Iterable[Place]
) -> dict[str, Any]:
    """The request for a run that the server begins, as Dash's renderer would send it.

    Args:
        callback: What is to run.
        match: Which instance of it.
        channel: For which group of tabs.
        values: What its Inputs and States are.
        changed: What has set it off.
    """
    components = values.components() if callback.has_patterns else ()

    def entry(component: str, prop: str) -> dict[str, Any]:
        return {"id": id_in(component), "property": prop}

    def named(dependency: Any) -> Any:
        found, prop = expanded(dependency, match, components), dependency.component_property
        return entry(found, prop) if isinstance(found, str) else [entry(each, prop) for each in found]

    outputs = [named(output) for output in callback.outputs]
    body = {
        "output": callback.id,
        "outputs": outputs if callback.declaration.multi else next(iter(outputs), []),
        "inputs": [named(each) for each in callback.inputs],
        "state": [named(each) for each in callback.states],
        "changedPropIds": [f"{component}.{prop}" for component, prop in changed],
    }
    for each in _entries(body):
        each["value"] = values(channel, place_of(each["id"], each["property"]))
    return body


def match_in(callback: SharedCallback, body: dict[str, Any]) -> Match:
    """What MATCH stands for in a tab's request."""
    if not callback.has_patterns:
        return ()
    declared = [*callback.outputs, *callback.inputs]
    outputs = body["outputs"] if callback.declaration.multi else [body["outputs"]]
    for dependency, sent in zip(declared, [*(outputs if callback.outputs else []), *body["inputs"]], strict=False):
        if isinstance(dependency.component_id, dict):
            first = sent[0] if isinstance(sent, list) and sent else sent
            component = place_of(first["id"], "")[0] if first else ""
            if matches(dependency, component) and (match := match_of(dependency, component)):
                return match
    return ()


def inputs_in(body: dict[str, Any]) -> dict[Place, Any]:
    """The values of a request's inputs, by place."""
    return {place_of(entry["id"], entry["property"]): entry.get("value") for entry in _entries({**body, "state": []})}


def _entries(body: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """The entries of inputs and states, those that patterns have matched one by one."""
    for entry in [*body["inputs"], *body["state"]]:
        yield from entry if isinstance(entry, list) else [entry]
