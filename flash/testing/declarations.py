"""The callbacks of an app as the browser knows them: finding one, and writing the request that calls it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from ..exceptions import ConfigurationError
from .properties import Property, did_you_mean, id_text, outputs_of, wildcard_of

_MANY = ("ALL", "ALLSMALLER")


class Components(Protocol):
    """What an open page tells of its components."""

    def value(self, component: Any, prop: str) -> Any:
        """The value of a property; None when there is no such component or property."""

    def ids(self) -> list[Any]:
        """Every id, in the order of the layout."""


@dataclass(frozen=True)
class Given:
    """What a test says about one call.

    Attributes:
        outputs: The outputs by which it names the callback.
        inputs: Values of inputs.
        state: Values of states.
        triggered: The inputs that count as changed.
    """

    outputs: list[Property] = field(default_factory=list)
    inputs: dict[Property, Any] = field(default_factory=dict)
    state: dict[Property, Any] = field(default_factory=dict)
    triggered: list[Property] = field(default_factory=list)


class Declaration:
    """One callback, as ``_dash-dependencies`` describes it."""

    def __init__(self, described: Mapping[str, Any]) -> None:
        self.id: str = described["output"]
        self.inputs = [Property.of(f"{each['id']}.{each['property']}") for each in described["inputs"]]
        self.state = [Property.of(f"{each['id']}.{each['property']}") for each in described["state"]]
        #: Milliseconds between two looks at a background job; None for a callback that is no background callback.
        self.interval: float | None = (described.get("background") or {}).get("interval")
        self.is_clientside = described.get("clientside_function") is not None
        self._has_outputs = not described.get("no_output")

    @cached_property
    def _sent_outputs(self) -> list[Property]:
        return outputs_of(self.id) if self._has_outputs else []

    @cached_property
    def outputs(self) -> list[Property]:
        """The declared outputs, without what tells apart the writers of one property."""
        return [Property(each.id, each.name.partition("@")[0]) for each in self._sent_outputs]

    def __str__(self) -> str:
        outputs = ", ".join(map(str, self.outputs)) or "no output"
        return f"{outputs} <- {', '.join(map(str, self.inputs)) or 'no input'}"

    def writes(self, wanted: Iterable[Property]) -> bool:
        """Whether all of these are among its outputs."""
        return all(any(declared.bind(each) is not None for declared in self.outputs) for each in wanted)

    def takes(self, given: Given) -> bool:
        """Whether it has all the inputs and states that a test gives."""
        return all(_declared(each, self.inputs) for each in given.inputs) and all(
            _declared(each, self.state) for each in given.state
        )

    # Writing the request.

    def body(self, given: Given, page: Components | None) -> dict[str, Any]:
        """The body that Dash's renderer would send.

        Args:
            given: What the test says.
            page: The open page, which has the values that the test does not give.

        Raises:
            ConfigurationError: What is given does not fit the declaration.
        """
        self._check(given)
        bound = self._bound(given)
        body: dict[str, Any] = {
            "output": self.id,
            "inputs": [_values(each, given.inputs, page, bound) for each in self.inputs],
            "changedPropIds": [str(each) for each in given.triggered],
        }
        if self.state:
            body["state"] = [_values(each, given.state, page, bound) for each in self.state]
        outputs = [_targets(each, given.outputs, page, bound) for each in self._sent_outputs]
        if outputs:
            body["outputs"] = outputs if self.id.startswith("..") else outputs[0]
        return body

    def _check(self, given: Given) -> None:
        for kind, names, declared, others in (
            ("input", given.inputs, self.inputs, self.state),
            ("state", given.state, self.state, self.inputs),
            ("triggered input", given.triggered, self.inputs, self.state),
        ):
            for name in names:
                if _declared(name, declared):
                    continue
                if kind != "triggered input" and _declared(name, others):
                    other = "state" if kind == "input" else "inputs"
                    raise ConfigurationError(f"{str(name)!r} is given in the wrong place. Give it in {other}=.")
                raise ConfigurationError(
                    f"The callback {self} has no {kind} {str(name)!r}.{did_you_mean(str(name), map(str, declared))}"
                )
        for name in (*given.inputs, *given.state):
            if name.has(*_MANY, "MATCH"):
                raise ConfigurationError(
                    f"{str(name)!r} is a pattern. Give a value for each component that it matches: "
                    f"{{Input({{'type': 'row', 'index': 1}}, {name.name!r}): ...}}."
                )

    def _bound(self, given: Given) -> dict[str, Any]:
        """What ``MATCH`` stands for: the outputs that the test names say it, else the inputs that it gives."""
        bound: dict[str, Any] = {}
        for names, declared in ((given.outputs, self.outputs), (given.inputs, self.inputs), (given.state, self.state)):
            for name in names:
                for each in declared:
                    for key, value in (each.bind(name) or {}).items():
                        if not wildcard_of(value):
                            bound.setdefault(key, value)
        patterns = [each.pattern or {} for each in (*self.outputs, *self.inputs)]
        wanted = {key for pattern in patterns for key, value in pattern.items() if wildcard_of(value) == "MATCH"}
        if missing := wanted - bound.keys():
            raise ConfigurationError(
                f"The callback {self} has MATCH in its ids, and the call does not say for which "
                f"{', '.join(sorted(missing))}. Name one output: Output({{'type': 'row', 'index': 1}}, 'children')."
            )
        return bound


def find(
    declarations: Iterable[Declaration], given: Given, is_meant: Callable[[Declaration], bool] | None = None
) -> Declaration:
    """The callback that a test calls.

    Args:
        declarations: All callbacks of the app.
        given: What the test says. Of several callbacks that write the named outputs, its inputs and states choose.
        is_meant: Chooses among all callbacks, when the test names one by its function.

    Raises:
        ConfigurationError: There is none, or more than one.
    """
    known = list(declarations)
    if is_meant is not None:
        found = [each for each in known if is_meant(each)]
    elif given.outputs:
        found = [each for each in known if each.writes(given.outputs)]
    else:
        found = [each for each in known if not each.outputs]
    if len(found) > 1:
        found = [each for each in found if each.takes(given)] or found
    if len(found) == 1 and found[0].is_clientside:
        raise ConfigurationError(f"The callback {found[0]} is a clientside callback: it runs in a browser only.")
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigurationError(
            f"{len(found)} callbacks could be meant: {'; '.join(map(str, found))}. Give inputs= that only one of them "
            "has, or pass the function that was decorated in place of the output."
        )
    raise ConfigurationError(_none_found(known, given, is_meant is not None))


def _none_found(known: list[Declaration], given: Given, by_function: bool) -> str:
    if by_function:
        return "No callback of this app was declared with this function. Pass the function that the decorator returned."
    if not given.outputs:
        return "No callback of this app is without outputs. Name an output of the callback to call."
    written = {str(each) for declaration in known for each in declaration.outputs}
    for each in given.outputs:
        if not any(declaration.writes([each]) for declaration in known):
            return f"No callback writes {str(each)!r}.{did_you_mean(str(each), written)}"
    return f"No callback writes all of {', '.join(map(str, given.outputs))}; different callbacks do."


def _declared(name: Property, declared: Iterable[Property]) -> bool:
    return any(each.bind(name) is not None for each in declared)


def _values(
    declared: Property, given: Mapping[Property, Any], page: Components | None, bound: Mapping[str, Any]
) -> Any:
    """The entry of an input or state: one with its value, or for ``ALL`` and ``ALLSMALLER`` a list of them."""

    def entry(component: Any) -> dict[str, Any]:
        name = Property(id_text(component), declared.name)
        value = page.value(component, declared.name) if page is not None else None
        return {"id": component, "property": declared.name, "value": given.get(name, value)}

    one = declared.bound(bound)
    if not one.has(*_MANY):
        return entry(one.component)
    return [entry(component) for component in _matched(one, given, page, bound)]


def _targets(declared: Property, named: Iterable[Property], page: Components | None, bound: Mapping[str, Any]) -> Any:
    """The entry of an output: one, or for ``ALL`` a list of them."""
    one = declared.bound(bound)
    if not one.has(*_MANY):
        return {"id": one.component, "property": one.name}
    return [{"id": component, "property": one.name} for component in _matched(one, named, page, bound)]


def _matched(
    declared: Property, named: Iterable[Property], page: Components | None, bound: Mapping[str, Any]
) -> list[Any]:
    """The ids that a pattern means: those on the page in the order of the layout, then others that the test names."""
    components = [] if page is None else page.ids()
    others = [name.component for name in named if not name.has(*_MANY, "MATCH")]
    components += [each for each in others if each not in components]
    return [each for each in components if declared.includes(each, bound)]
