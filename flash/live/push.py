"""Pushing properties to tabs: to one, or to all of them, encoded once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dash import Output

_FORMS = "{id: {property: value}}, Output(id, property, value), or a list of such Outputs"


def pairs_of(mods: Any) -> list[tuple[Any, dict[str, Any]]]:
    """What ``push_mods`` sets: pairs of an id and the values by property.

    Args:
        mods: ``{id: {property: value}}``; an ``Output`` with a value; ``{"id", "property", "value"}``; a pair
            ``(id, {property: value})``; or a list of such.

    Raises:
        TypeError: It is none of these.
    """
    return list(_pairs(mods))


def _pairs(mods: Any) -> Iterable[tuple[Any, dict[str, Any]]]:
    if isinstance(mods, Output):
        yield mods.component_id, {mods.component_property: value_of(mods)}
    elif isinstance(mods, Mapping) and {"id", "property", "value"} == mods.keys():
        yield mods["id"], {mods["property"]: mods["value"]}
    elif isinstance(mods, Mapping):
        for component_id, props in mods.items():
            if not isinstance(props, Mapping):
                raise TypeError(f"push_mods takes {_FORMS}; the entry of {component_id!r} is {type(props).__name__}.")
            yield component_id, dict(props)
    elif isinstance(mods, tuple) and len(mods) == 2 and _is_id(mods[0]) and isinstance(mods[1], Mapping):
        yield mods[0], dict(mods[1])
    elif isinstance(mods, (list, tuple)):
        for each in mods:
            yield from _pairs(each)
    else:
        raise TypeError(f"push_mods takes {_FORMS}; not {type(mods).__name__}.")


def _is_id(value: Any) -> bool:
    """Whether it is a component's id, and not itself ``{id: {property: value}}``."""
    return isinstance(value, str) or (
        isinstance(value, Mapping) and bool(value) and not any(isinstance(each, Mapping) for each in value.values())
    )


def value_of(output: Output) -> Any:
    """The value that an ``Output(id, property, value)`` carries.

    Raises:
        TypeError: It carries none.
    """
    try:
        return output.value  # type: ignore[attr-defined]
    except AttributeError:
        raise TypeError(f"{output!r} has no value. Write flash.Output(id, property, value).") from None
