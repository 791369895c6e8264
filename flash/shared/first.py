"""The first run of shared callbacks: the server's own, once for all tabs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import orjson
from dash import MATCH

from .entries import Initial, Value
from .graph import SharedCallback
from .places import Match, Place, expanded, match_of, matches
from .state import Channel

if TYPE_CHECKING:
    from .shared import Shared

#: A callback, with what MATCH stands for.
FirstRun = tuple[str, list[tuple[str, Any]]]


class FirstRuns:
    """Finds the callbacks that can run for the first time: all their inputs are known, and none of their outputs.

    Args:
        shared: The room.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._noted: set[tuple[Channel, ...]] = set()

    def note(self, channels: tuple[Channel, ...]) -> None:
        """A tree has left for tabs of some channels, with components that were not seen before. In any thread."""
        if channels not in self._noted:
            self._noted.add(channels)
            self._shared.on_loop(self._look_for, channels)

    def _look_for(self, channels: tuple[Channel, ...]) -> None:
        self._noted.discard(channels)
        self._shared.state.complete(self._shared.defaults.get)
        self.look(channels)

    def look(self, channels: Iterable[Channel]) -> None:
        """Have those callbacks run that can. On the loop."""
        begun = self._shared.state.begun
        for channel in channels:
            runs = [each for each in self._possible(channel) if (run_name(*each), channel) not in begun]
            if runs:
                self._shared.append(Initial(channel, runs, self._defaults(runs)))

    def _possible(self, channel: Channel) -> Iterable[FirstRun]:
        shared = self._shared
        components = shared.values.components()
        for callback in shared.graph.callbacks.values():
            if callback.service.initial_call != "server" or not callback.declaration.has_output:
                continue
            if not shared.channels.belongs(callback.channel, channel):
                continue
            for match in _instances(callback, components):
                inputs = list(_places(callback.inputs, match, components))
                outputs = _places(callback.outputs, match, components)
                # With ALL there may be none yet: then it is too early.
                if (
                    inputs
                    and all(shared.values.is_known(channel, place) for place in inputs)
                    and not any(shared.state.get(channel, place) for place in outputs)
                ):
                    yield callback.id, list(match)

    def _defaults(self, runs: Iterable[FirstRun]) -> list[Value]:
        """What the trees have said of the properties of some callbacks, for the process that runs them."""
        found = {}
        components = self._shared.values.components()
        for callback_id, match in runs:
            callback = self._shared.graph.callbacks[callback_id]
            dependencies = (*callback.outputs, *callback.inputs, *callback.states)
            for place in _places(dependencies, tuple(match), components):
                if (json := self._shared.defaults.get(place)) is not None:
                    found[place] = json
        return [Value(*place, json) for place, json in found.items()]


def run_name(callback_id: str, match: Iterable[Any]) -> str:
    """The name under which the state remembers that a callback has run for the first time."""
    return f"{callback_id}|{orjson.dumps(list(match)).decode()}"


def _places(dependencies: Iterable[Any], match: Match, components: Iterable[str]) -> Iterable[Place]:
    for dependency in dependencies:
        found = expanded(dependency, match, components)
        for component in [found] if isinstance(found, str) else found:
            yield component, dependency.component_property


def _instances(callback: SharedCallback, components: Iterable[str]) -> Iterable[Match]:
    """The instances of a callback that the known components make."""
    pattern = next((each for each in (*callback.outputs, *callback.inputs) if _has_match(each)), None)
    if pattern is None:
        return [()]
    return dict.fromkeys(match_of(pattern, each) for each in components if matches(pattern, each))


def _has_match(dependency: Any) -> bool:
    return isinstance(dependency.component_id, dict) and MATCH in dependency.component_id.values()
