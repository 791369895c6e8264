"""Places: the properties whose value is shared, and the patterns that stand for several of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from dash import ALL, ALLSMALLER, MATCH

from .. import _dash

#: A component's id and a property. A dict id is its JSON with sorted keys and no blanks, as Dash writes it.
Place = tuple[str, str]

#: What MATCH stands for in one instance of a callback: pairs of a key and its value, sorted.
Match = tuple[tuple[str, Any], ...]

WILDCARDS = (ALL, MATCH, ALLSMALLER)


def place_of(component_id: str | dict[str, Any], prop: str) -> Place:
    """The place of a component's property."""
    return _dash.stringify_id(component_id), prop


@lru_cache(maxsize=10_000)
def place_in(prop_id: str) -> Place:
    """The place that Dash's text ``id.property`` names. Ids may hold dots, and properties do not."""
    component, _, prop = prop_id.rpartition(".")
    # Browsers write other texts into a dict id's JSON than Python does.
    return (place_of(id_in(component), prop)) if component.startswith("{") else (component, prop)


def id_in(component: str) -> str | dict[str, Any]:
    """The id behind its text.

    Example:
        >>> id_in('{"index":1,"type":"slider"}')
        {'index': 1, 'type': 'slider'}
    """
    if component.startswith("{"):
        try:
            decoded: dict[str, Any] = json.loads(component)
            return decoded
        except (ValueError, RecursionError):
            return component  # Pages may send any text.
    return component


def matches(dependency: Any, component: str) -> bool:
    """Whether a component is one that an Input, State or Output names, or its pattern."""
    declared = dependency.component_id
    if isinstance(declared, str):
        return declared == component
    concrete = id_in(component)
    return (
        isinstance(concrete, dict)
        and concrete.keys() == declared.keys()
        and all(value in WILDCARDS or _same(value, concrete[name]) for name, value in declared.items())
    )


def may_meet(output: Any, wanted: Any) -> bool:
    """Whether an Output and an Input can name the same property of the same component."""
    if output.component_property != wanted.component_property:
        return False
    one, other = output.component_id, wanted.component_id
    if isinstance(one, str) or isinstance(other, str):
        return bool(one == other)
    return one.keys() == other.keys() and all(
        one[name] in WILDCARDS or other[name] in WILDCARDS or _same(one[name], other[name]) for name in one
    )


def match_of(dependency: Any, component: str) -> Match:
    """What MATCH stands for when a pattern meets a component."""
    declared = dependency.component_id
    if isinstance(declared, str):
        return ()
    concrete = id_in(component)
    assert isinstance(concrete, dict)
    return tuple(sorted((name, concrete[name]) for name, value in declared.items() if value is MATCH))


def expanded(dependency: Any, match: Match, components: Iterable[str]) -> str | list[str]:
    """The components that a dependency names in one instance of a callback.

    Args:
        dependency: An Input, State or Output.
        match: What MATCH stands for.
        components: The components that are known.

    Returns:
        A component; for a pattern with ALL or ALLSMALLER the list of those that it matches, in the order of their ids.
    """
    declared = dependency.component_id
    if isinstance(declared, str):
        return declared
    known = dict(match)
    filled = {name: known.get(name, value) if value is MATCH else value for name, value in declared.items()}
    if not any(value in WILDCARDS for value in filled.values()):
        return _dash.stringify_id(filled)
    return sorted(_matching(dependency, filled, known, components), key=_order)


def _matching(
    dependency: Any, filled: dict[str, Any], known: dict[str, Any], components: Iterable[str]
) -> Iterator[str]:
    for component in components:
        if not matches(dependency, component):
            continue
        concrete = id_in(component)
        assert isinstance(concrete, dict)
        if all(_fits(value, concrete[name], known.get(name)) for name, value in filled.items()):
            yield component


def _fits(declared: Any, value: Any, limit: Any) -> bool:
    if declared is ALLSMALLER:
        return limit is None or (isinstance(value, type(limit)) and value < limit)
    return declared in WILDCARDS or _same(declared, value)


def _order(component: str) -> list[tuple[str, str, Any]]:
    """Numbers before texts, and 10 behind 9."""
    concrete = id_in(component)
    assert isinstance(concrete, dict)
    return [(name, type(value).__name__, value) for name, value in sorted(concrete.items())]


def _same(one: Any, other: Any) -> bool:
    """Whether two parts of ids are equal, as browsers compare: True is not 1."""
    return bool(one == other) and isinstance(one, bool) is isinstance(other, bool)
