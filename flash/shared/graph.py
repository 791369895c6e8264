"""Which shared callbacks listen to which places, and in which order they run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, combinations, pairwise
from typing import Any

from dash import State

from ..callbacks import Declaration, declaration_of
from ..exceptions import ConfigurationError
from ..services import Service
from .places import WILDCARDS, Place, id_in, matches, may_meet

#: Names the group of tabs that share: gets the client, returns a name, or None for all.
ChannelFunction = Callable[[Any], Any]

_CHANNEL = "__flash_channel__"


@dataclass(frozen=True)
class SharedCallback:
    """One shared callback.

    Attributes:
        id: Dash's id of it.
        declaration: What it is.
        outputs: Its Outputs.
        inputs: Its Inputs.
        states: Its States.
        channel: The function that names the group of tabs; None when all tabs share.
    """

    id: str
    declaration: Declaration
    outputs: tuple[Any, ...]
    inputs: tuple[Any, ...]
    states: tuple[Any, ...]
    channel: ChannelFunction | None

    @property
    def service(self) -> Service:
        """How it runs."""
        return self.declaration.service

    @cached_property
    def has_patterns(self) -> bool:
        """Whether it names components by dict ids."""
        return any(isinstance(each.component_id, dict) for each in (*self.outputs, *self.inputs, *self.states))

    @cached_property
    def name(self) -> str:
        """The function's name, for messages."""
        return getattr(self.declaration.func, "__qualname__", repr(self.declaration.func))

    def listens_to(self, place: Place) -> Any:
        """The Input that a place belongs to; None when it is none of its."""
        component, prop = place
        for wanted in self.inputs:
            if wanted.component_property == prop and matches(wanted, component):
                return wanted
        return None


def keep_channel(stored: Callable[..., Any], channel: ChannelFunction | None) -> None:
    """Keep with a callable that Dash stores which tabs share its callback."""
    setattr(stored, _CHANNEL, channel)


class Graph:
    """The shared callbacks of an app.

    Args:
        callbacks: All of them, in the order of their declaration.

    Raises:
        ConfigurationError: They form a cycle, or one place belongs to two channels.
    """

    def __init__(self, callbacks: Iterable[SharedCallback] = ()) -> None:
        self.callbacks = {each.id: each for each in callbacks}
        self._next = _following(self.callbacks.values())
        _refuse_cycle(self.callbacks, self._next)
        self._reached: dict[str, frozenset[str]] = {}
        self._listeners: dict[Place, list[SharedCallback]] = {}
        self._channels: dict[Place, ChannelFunction | None] = {}
        if self.channel_functions:
            _refuse_equal_names(self.channel_functions)
            _refuse_mixed_channels(self.callbacks.values())

    def __bool__(self) -> bool:
        return bool(self.callbacks)

    def listeners(self, place: Place) -> list[SharedCallback]:
        """The shared callbacks that have a place among their inputs."""
        found = self._listeners.get(place)
        if found is None:
            found = [each for each in self.callbacks.values() if each.listens_to(place) is not None]
            if len(self._listeners) < 10_000:  # Pages may bring ids without end.
                self._listeners[place] = found
        return found

    def reached(self, callback_id: str) -> frozenset[str]:
        """The callbacks that run after one, because of its outputs or of theirs."""
        if callback_id not in self._reached:
            found: set[str] = set()
            waiting = list(self._next[callback_id])
            while waiting:
                each = waiting.pop()
                if each not in found:
                    found.add(each)
                    waiting += self._next[each]
            self._reached[callback_id] = frozenset(found)
        return self._reached[callback_id]

    def channel_of(self, place: Place) -> ChannelFunction | None:
        """The function that names the group of tabs that share a place; None when all do."""
        if place not in self._channels:
            found = next((each.channel for each in self.callbacks.values() if _touches(each, place)), None)
            if len(self._channels) >= 10_000:
                return found
            self._channels[place] = found
        return self._channels[place]

    def is_shared(self, place: Place) -> bool:
        """Whether a place is an input or an output of a shared callback."""
        component, prop = place
        if not component.startswith("{"):
            return prop in self._shared_properties.get(component, ())
        return any(_touches(each, place) for each in self.callbacks.values())

    @cached_property
    def _shared_properties(self) -> dict[str, frozenset[str]]:
        return _by_plain_id(
            each for callback in self.callbacks.values() for each in (*callback.outputs, *callback.inputs)
        )

    @cached_property
    def channel_functions(self) -> list[ChannelFunction]:
        """The functions that name groups of tabs, each once."""
        return list(dict.fromkeys(each.channel for each in self.callbacks.values() if each.channel is not None))

    @cached_property
    def properties(self) -> dict[str, frozenset[str]]:
        """The properties that shared callbacks name, by the text of a plain id."""
        return _by_plain_id(self._dependencies())

    @cached_property
    def patterns(self) -> list[Any]:
        """The Inputs, States and Outputs with dict ids."""
        return [each for each in self._dependencies() if not isinstance(each.component_id, str)]

    def _dependencies(self) -> Iterator[Any]:
        for each in self.callbacks.values():
            yield from (*each.outputs, *each.inputs, *each.states)


def graph_of(callback_map: Mapping[str, Any]) -> Graph:
    """The graph of the shared callbacks among Dash's entries.

    Raises:
        ConfigurationError: See :class:`Graph`.
    """
    return Graph(_shared_callbacks(callback_map))


def _shared_callbacks(callback_map: Mapping[str, Any]) -> Iterator[SharedCallback]:
    for callback_id, entry in callback_map.items():
        stored = entry.get("callback")
        if stored is None or not (declaration := declaration_of(stored)).service.shared:
            continue
        yield SharedCallback(
            callback_id,
            declaration,
            _flat(declaration.insert_output) if declaration.has_output else (),
            tuple(entry["raw_inputs"]),
            tuple(map(_state_of, entry["state"])),
            getattr(stored, _CHANNEL, None),
        )


def _state_of(entry: dict[str, Any]) -> State:
    """The State behind the form in which the renderer gets it."""
    component_id = id_in(entry["id"])
    if isinstance(component_id, dict):
        component_id = {name: _WILDCARDS.get(str(value), value) for name, value in component_id.items()}
    return State(component_id, entry["property"])


#: Wildcards as the renderer gets them.
_WILDCARDS = {str([str(each)]): each for each in WILDCARDS}


def _by_plain_id(dependencies: Iterable[Any]) -> dict[str, frozenset[str]]:
    """The properties of those dependencies that name one component by a text, by that text."""
    found: dict[str, set[str]] = {}
    for dependency in dependencies:
        if isinstance(dependency.component_id, str):
            found.setdefault(dependency.component_id, set()).add(dependency.component_property)
    return {component: frozenset(props) for component, props in found.items()}


def _flat(outputs: Any) -> tuple[Any, ...]:
    return tuple(outputs) if isinstance(outputs, (list, tuple)) else (outputs,)


def _touches(callback: SharedCallback, place: Place) -> bool:
    component, prop = place
    return any(
        each.component_property == prop and matches(each, component) for each in (*callback.outputs, *callback.inputs)
    )


def _following(callbacks: Iterable[SharedCallback]) -> dict[str, list[str]]:
    """The callbacks that listen to each one's outputs, by its id."""
    plain: dict[Place, list[str]] = {}
    patterns: list[tuple[Any, str]] = []
    for each in callbacks:
        for wanted in each.inputs:
            if isinstance(wanted.component_id, str):
                plain.setdefault((wanted.component_id, wanted.component_property), []).append(each.id)
            else:
                patterns.append((wanted, each.id))

    def listeners(output: Any) -> Iterable[str]:
        if isinstance(output.component_id, str):
            return plain.get((output.component_id, output.component_property), [])
        return [name for wanted, name in patterns if may_meet(output, wanted)]

    return {
        each.id: [name for name in dict.fromkeys(chain.from_iterable(map(listeners, each.outputs))) if name != each.id]
        for each in callbacks
    }


def title_of(function: ChannelFunction) -> str:
    """The name by which all processes know a channel function."""
    return f"{function.__module__}.{function.__qualname__}"


def _refuse_equal_names(functions: Iterable[ChannelFunction]) -> None:
    titles: set[str] = set()
    for function in functions:
        if (title := title_of(function)) in titles:
            raise ConfigurationError(
                f"Two channel functions are called {title}, and channels are known by that name. Give each a name of "
                "its own with def, or give all callbacks the same function."
            )
        titles.add(title)


def _refuse_cycle(callbacks: dict[str, SharedCallback], following: dict[str, list[str]]) -> None:
    finished: set[str] = set()

    def follow(callback_id: str, way: list[str]) -> None:
        if callback_id in way:
            around = [*way[way.index(callback_id) :], callback_id]
            raise ConfigurationError(
                f"Shared callbacks run each other in a circle: {_path(callbacks, around)}. Take one of these inputs "
                "out, make it a State, or let one callback do the work of both."
            )
        if callback_id in finished:
            return
        for each in following[callback_id]:
            follow(each, [*way, callback_id])
        finished.add(callback_id)

    for callback_id in callbacks:
        follow(callback_id, [])


def _path(callbacks: dict[str, SharedCallback], around: list[str]) -> str:
    """The way of a circle: each callback with the output that runs the next."""
    steps = []
    for one, other in pairwise(around):
        output = next(
            output
            for output in callbacks[one].outputs
            if any(may_meet(output, wanted) for wanted in callbacks[other].inputs)
        )
        steps.append(f"{callbacks[one].name} -> {output}")
    return " -> ".join([*steps, callbacks[around[-1]].name])


def _refuse_mixed_channels(callbacks: Iterable[SharedCallback]) -> None:
    for one, other in combinations(callbacks, 2):
        if one.channel is other.channel:
            continue
        for mine in (*one.inputs, *one.outputs):
            if any(may_meet(mine, theirs) for theirs in (*other.inputs, *other.outputs)):
                raise ConfigurationError(
                    f"{mine} is shared by {one.name} and by {other.name}, which name different channels. A property "
                    "belongs to one channel: give both callbacks the same channel=."
                )
