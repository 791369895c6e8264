"""Properties of components, as Dash names them: ``"id.property"``, dictionaries as ids, and the wildcards in them."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dash.dependencies import DashDependency

from ..exceptions import ConfigurationError

#: How a test names a property: ``"graph.figure"``, or ``Output({"type": "row", "index": 1}, "children")``.
Name = str | DashDependency

#: What a test may call a callback by: its output, several of them, or the function that was decorated.
Target = Name | Sequence[Name] | Callable[..., Any]

_ESCAPED_DOT = "\\."


@dataclass(frozen=True)
class Property:
    """A property of a component, or of every component that a pattern matches.

    Attributes:
        id: The component's id; a dictionary is written as JSON with sorted keys, wildcards as ``["ALL"]``.
        name: The property's name.
    """

    id: str
    name: str

    @classmethod
    def of(cls, name: Name) -> Property:
        """The property of a name.

        Raises:
            ConfigurationError: It names none.

        Example:
            >>> str(Property.of('{"type": "row", "index": 1}.children'))
            '{"index":1,"type":"row"}.children'
        """
        if not isinstance(name, (str, DashDependency)):
            raise ConfigurationError(
                f"{name!r} names no property. Write 'graph.figure' or, when the id is a dictionary, "
                "Output({'type': 'row', 'index': 1}, 'children')."
            )
        component, dot, prop = str(name).rpartition(".")
        if not (component and dot and prop):
            raise ConfigurationError(
                f"{str(name)!r} names no property. Write the id, a dot and the property: 'graph.figure'."
            )
        if not component.startswith("{"):
            return cls(component, prop)
        try:
            return cls(id_text(json.loads(component)), prop)
        except (ValueError, AttributeError):
            raise ConfigurationError(f"The id of {str(name)!r} is not JSON. Write Output({{...}}, {prop!r}).") from None

    def __str__(self) -> str:
        return f"{self.id}.{self.name}"

    @property
    def pattern(self) -> dict[str, Any] | None:
        """The id as a dictionary, or None for one that is plain text."""
        return json.loads(self.id) if self.id.startswith("{") else None

    @property
    def component(self) -> Any:
        """The id as the browser sends it: text or a dictionary."""
        return self.pattern or self.id

    def has(self, *wildcards: str) -> bool:
        """Whether the id contains one of these wildcards."""
        return any(wildcard_of(value) in wildcards for value in (self.pattern or {}).values())

    def bind(self, other: Property) -> dict[str, Any] | None:
        """Hold another property against this declared one.

        Returns:
            What ``MATCH`` stands for, by key; None when the other one is not meant by this one.
        """
        if self.name != other.name:
            return None
        if self.id == other.id:
            return {}
        mine, theirs = self.pattern, other.pattern
        if mine is None or theirs is None or mine.keys() != theirs.keys():
            return None
        bound = {}
        for key, value in mine.items():
            if wildcard_of(value) == "MATCH":
                bound[key] = theirs[key]
            elif not wildcard_of(value) and value != theirs[key]:
                return None
        return bound

    def bound(self, values: Mapping[str, Any]) -> Property:
        """This property with a value in the place of each ``MATCH``."""
        if not self.has("MATCH"):
            return self
        pattern = {
            key: values.get(key, value) if wildcard_of(value) == "MATCH" else value
            for key, value in (self.pattern or {}).items()
        }
        return Property(id_text(pattern), self.name)

    def includes(self, component: Any, values: Mapping[str, Any]) -> bool:
        """Whether this property's id, with ``ALL`` and ``ALLSMALLER`` in it, means the component with this id.

        Args:
            component: The id of a component: text or a dictionary.
            values: What ``MATCH`` stands for, by key; it bounds ``ALLSMALLER``.
        """
        pattern = self.pattern
        if pattern is None or not isinstance(component, dict) or pattern.keys() != component.keys():
            return False
        for key, value in pattern.items():
            wildcard = wildcard_of(value)
            if wildcard == "ALLSMALLER" and key in values and not component[key] < values[key]:
                return False
            if not wildcard and value != component[key]:
                return False
        return True


def wildcard_of(value: Any) -> str:
    """The name of the wildcard that a value of an id stands for, or nothing."""
    return str(value[0]) if isinstance(value, list) and value else ""


def id_text(component: Any) -> str:
    """An id as text, as Dash's server writes it.

    Example:
        >>> id_text({"type": "row", "index": 1})
        '{"index":1,"type":"row"}'
    """
    if not isinstance(component, dict):
        return str(component)
    return "{" + ",".join(f"{json.dumps(key)}:{_value_text(component[key])}" for key in sorted(component)) + "}"


def _value_text(value: Any) -> str:
    return str(value.to_json()) if hasattr(value, "to_json") else json.dumps(value, separators=(",", ":"))


def outputs_of(callback_id: str) -> list[Property]:
    """The outputs in a callback's id; a property that several callbacks write keeps its ``@`` and what follows.

    Example:
        >>> [str(each) for each in outputs_of("..a.children...b.style..")]
        ['a.children', 'b.style']
    """
    names: Iterable[str] = callback_id[2:-2].split("...") if callback_id.startswith("..") else [callback_id]
    return [Property.of(name.replace(_ESCAPED_DOT, ".")) for name in names]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The closest known names, as the end of a sentence; the first ten when none is close."""
    known = sorted(set(known))
    close = difflib.get_close_matches(name, known, n=3)
    if not known:
        return ""
    if close:
        return f" Did you mean {' or '.join(map(repr, close))}?"
    return f" There are: {', '.join(known[:10])}{' ...' if len(known) > 10 else ''}."
