"""What a callback gives: values for its outputs, and values for any other properties."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from dash import Output, no_update
from dash.exceptions import PreventUpdate

from . import _dash
from .exceptions import CallbackValueError
from .patches import is_patch, joined

if TYPE_CHECKING:
    from .app import Flash
    from .requests import Call

T = TypeVar("T")
R = TypeVar("R")

Props = tuple[Any, dict[str, Any]]

#: More operations of Patches than this are not gathered for one property.
_MOST_OPERATIONS = 10_000


@dataclass(slots=True)
class Answer:
    """What a callback has returned, or a stream yielded, held against the declaration.

    Attributes:
        value: What it was, for errors.
        response: Dash's answer to the request: ``multi``, ``response``, and perhaps ``sideUpdate`` and ``dist``.
        pushed: Values for other properties, as pairs of an id and values by property.
        recovered: Whether an error handler has given it.
    """

    value: Any
    response: dict[str, Any]
    pushed: list[Props] = field(default_factory=list)
    recovered: bool = False

    def merge_pushed(self) -> None:
        """Let the values for other properties go with the answer, to a page that nothing can be pushed to."""
        for component_id, props in self.pushed:
            side_update = self.response.setdefault("sideUpdate", {})
            name = _dash.stringify_id(component_id)
            side_update[name] = {**side_update.get(name, {}), **props}
        self.pushed = []


@dataclass(frozen=True, slots=True)
class StreamedProps:
    """What ``stream_props`` gives: properties to set, of one component or of several.

    Attributes:
        updates: Pairs of an id and values by property.
    """

    updates: tuple[Props, ...]


def answer_of(
    app: Flash, request: Call, value: Any, response: dict[str, Any] | None = None, has_update: bool = False
) -> Answer:
    """The answer that a value makes, held against the declared outputs by Dash's own rules.

    Args:
        app: Whose callback it is.
        request: The call that gave it.
        value: What was returned, or yielded.
        response: What the answer has already.
        has_update: Whether that is worth an answer.

    Raises:
        PreventUpdate: Nothing is to be updated.
        Exception: The value does not fit the outputs.
    """
    declaration = request.declaration
    answer = Answer(value, {"multi": True} if response is None else response)
    if (pushed := pushed_by(value)) is not None:
        answer.pushed = pushed
        value = no_update if declaration.has_output else None
    elif declaration.none_output:
        value = None  # As in dash_devices: what it returns is of no interest.
    try:
        _dash.prepare_response(
            value,
            request.outputs,
            declaration.multi,
            answer.response,
            request.context,
            app,
            request.packages,
            declaration.background,
            has_update,
            declaration.has_output,
            declaration.output,
            declaration.callback_id,
            declaration.allow_dynamic_callbacks,
        )
    except PreventUpdate:
        if not answer.pushed:
            raise
        answer.response["response"] = {}
    return answer


def encode_part(request: Call, answer: Answer, encode: Callable[[T], R], value: T) -> R:
    """Encode an answer, or a part of it.

    Raises:
        InvalidCallbackReturnValue: It has no JSON form.
    """
    try:
        return encode(value)
    except TypeError:
        _dash.fail_unencodable(answer.value, request.declaration.output)
        raise


def pushed_by(value: Any) -> list[Props] | None:
    """The properties that a callback sets instead of its outputs; None when ``value`` is one for its outputs.

    Args:
        value: What it returned: an ``Output`` with a value, a list or tuple of them, or ``stream_props(...)``.

    Raises:
        CallbackValueError: Something among them is none, or has no value.
    """
    if isinstance(value, StreamedProps):
        return list(value.updates)
    if isinstance(value, Output):
        return [_props_of(value)]
    if isinstance(value, (list, tuple)) and value and isinstance(value[0], Output):
        return [_props_of(each) for each in value]
    return None


def _props_of(output: Any) -> Props:
    if not isinstance(output, Output):
        raise CallbackValueError(
            f"A callback that returns Outputs must return nothing else: there is a {type(output).__name__} among them. "
            "Give the declared outputs as Output(id, property, value) too."
        )
    if "value" not in vars(output):
        raise CallbackValueError(f"{output!r} was returned without a value. Write flash.Output(id, property, value).")
    return output.component_id, {output.component_property: vars(output)["value"]}


class Merged:
    """All answers of a stream as one, for a page that nothing can be pushed to.

    The last full value of a property counts, and all Patches after it.
    """

    def __init__(self) -> None:
        self._parts: dict[str, dict[str, dict[str, Any]]] = {"response": {}, "sideUpdate": {}}
        self._dist: list[Any] = []

    @property
    def empty(self) -> bool:
        """Whether there is nothing to update."""
        return not any(self._parts.values())

    def add(self, answer: Mapping[str, Any]) -> None:
        """Take in the next answer, in its JSON form.

        Raises:
            CallbackValueError: More Patches of a property have come than can be kept.
        """
        for part, component, prop, value in _entries(answer):
            props = self._parts[part].setdefault(component, {})
            props[prop] = joined(props[prop], value) if prop in props else value
            if is_patch(props[prop]) and len(props[prop]["operations"]) > _MOST_OPERATIONS:
                raise CallbackValueError(
                    f"The stream has sent {_MOST_OPERATIONS} Patches for {component}.{prop} to a page without a live "
                    "connection, which gets them all at the end. Yield a full value now and then."
                )
        self._dist += [each for each in answer.get("dist", []) if each not in self._dist]

    def response(self) -> dict[str, Any]:
        """Dash's answer."""
        response: dict[str, Any] = {"multi": True, "response": self._parts["response"]}
        if self._parts["sideUpdate"]:
            response["sideUpdate"] = self._parts["sideUpdate"]
        return response | ({"dist": self._dist} if self._dist else {})


def _entries(answer: Mapping[str, Any]) -> Iterator[tuple[str, str, str, Any]]:
    for part in ("sideUpdate", "response"):
        for component, props in answer.get(part, {}).items():
            for prop, value in props.items():
                yield part, component, prop, value
