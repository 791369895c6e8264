"""The two forms in which remote callbacks are written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dash import Input, Output, State

from ..exceptions import ConfigurationError
from .seed import InputReceiver


@dataclass(frozen=True, slots=True)
class Form:
    """How a remote callback was written.

    Attributes:
        outputs: What it says of outputs, as Dash takes it by name.
        dependencies: Inputs and States, as Dash takes them: by name, or in their order.
        names: Of the fields, in their order.
        send: The names of the fields that are sent.
        place: Where ``data`` stands among the arguments; None when all others are given by name.
    """

    outputs: dict[str, Any]
    dependencies: dict[str, Any] | list[Any]
    names: tuple[str, ...]
    send: tuple[str, ...]
    place: int | None

    def values(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """The values by the names of the fields, from what Dash gives."""
        return kwargs if self.place is None else dict(zip(self.names, args, strict=True))

    def arguments(self, data: Any, values: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """The arguments of the function: those by place, and those by name."""
        if self.place is None:
            return [data], values
        ordered = list(values.values())
        ordered.insert(self.place, data)
        return ordered, {}


def _form(outputs: dict[str, Any], dependencies: dict[str, Any], send: Iterable[str], place: int | None) -> Form:
    if not _has_input(dependencies):
        raise ConfigurationError(
            "The remote callback has no Input, and nothing would trigger it. Give it one: Input('go', 'n_clicks')."
        )
    grouping = dependencies if place is None else list(dependencies.values())
    return Form(outputs, grouping, tuple(dependencies), tuple(send), place)


def _has_input(dependency: Any) -> bool:
    """Whether there is an Input in a nest of dicts, lists and tuples."""
    if isinstance(dependency, dict):
        dependency = list(dependency.values())
    if isinstance(dependency, (list, tuple)):
        return any(map(_has_input, dependency))
    return isinstance(dependency, Input)


def seed_form(args: tuple[Any, ...]) -> Form:
    """Read dash_hub's form: Outputs, one InputReceiver, Inputs and States, the fields named by ids.

    Raises:
        ConfigurationError: It is not of that form, or two fields would have one name.
    """
    outputs, others = _parted(args)
    receivers = [number for number, each in enumerate(others) if isinstance(each, InputReceiver)]
    if len(receivers) != 1:
        raise ConfigurationError(
            f"A remote callback has one InputReceiver, and here are {len(receivers)}. Write InputReceiver('receiver') "
            "where the answer stands among the arguments, or name the fields: inputs=dict(a=State('a', 'value'), ...)."
        )
    dependencies: dict[str, Any] = {}
    for each in others:
        if isinstance(each, InputReceiver):
            continue
        name = _field_name(each)
        if name in dependencies:
            raise ConfigurationError(
                f"Two inputs would be sent as the field {name!r}: {dependencies[name]} and {each}. Name the fields: "
                f"inputs=dict(first={dependencies[name]!r}, second={each!r})."
            )
        dependencies[name] = each
    return _form(outputs, dependencies, dependencies, receivers[0])


def _field_name(dependency: Any) -> str:
    if not isinstance(dependency, (Input, State)):
        raise ConfigurationError(
            f"A remote callback takes Outputs, an InputReceiver, Inputs and States, not {dependency!r}."
        )
    if isinstance(dependency.component_id, dict):
        raise ConfigurationError(
            f"{dependency!r} has a dict as its id, which is no name of a field. Name the fields: "
            "inputs=dict(value=Input({...}, 'value'))."
        )
    return str(dependency.component_id)


def named_form(args: tuple[Any, ...], inputs: Any, state: Any, send: Any) -> Form:
    """Read the form with names of fields.

    Args:
        args: Outputs.
        inputs: Inputs and States by name.
        state: More of them.
        send: The names of those that are sent; None for all.

    Raises:
        ConfigurationError: It is not of that form.
    """
    outputs, others = _parted(args)
    if others:
        raise ConfigurationError(
            f"With inputs= the answer is the first argument, and all Inputs and States have names. Put {others[0]!r} "
            "into inputs=dict(name=...), or leave it out if it is an InputReceiver."
        )
    if not isinstance(inputs, dict) or not isinstance(state or {}, dict) or not all(map(_is_name, inputs)):
        raise ConfigurationError(f"inputs names the fields: inputs=dict(a=State('a', 'value'), ...), not {inputs!r}.")
    dependencies = {**inputs, **(state or {})}
    if len(dependencies) < len(inputs) + len(state or {}) or "data" in dependencies:
        raise ConfigurationError(
            "Each field has a name of its own, and 'data' is the answer's. Rename those in inputs= and state=."
        )
    names = list(dependencies) if send is None else list(send) if not isinstance(send, str) else [send]
    if unknown := [name for name in names if name not in dependencies]:
        raise ConfigurationError(f"send names {unknown[0]!r}; inputs= has {', '.join(dependencies)}.")
    return _form(outputs, dependencies, names, None)


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and name.isidentifier()


def _parted(args: Iterable[Any]) -> tuple[dict[str, Any], list[Any]]:
    """The outputs, grouped as they were declared, as Dash takes them by name; and all else in one list."""
    outputs: list[Any] = []
    others: list[Any] = []
    for each in args:
        if each is None or isinstance(each, (Output, dict)):
            outputs.append(each)
        elif not isinstance(each, (list, tuple)):
            others.append(each)
        elif all(isinstance(one, Output) for one in each):
            outputs.append(each)
        else:
            others.extend(each)
    if not outputs:
        return {}, others
    return {"output": outputs[0] if len(outputs) == 1 else outputs}, others
