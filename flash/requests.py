"""A callback request: its shape, and the call that it asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dash.exceptions import PreventUpdate

from . import _dash
from .callbacks import Declaration, declaration_of
from .context import Requester
from .exceptions import RequestRefused
from .feeds import Fed, Feed, filled, with_feeds

if TYPE_CHECKING:
    from .app import Flash


@dataclass(slots=True)
class Call:
    """One call of a callback: its declaration, the context that ``ctx`` shows, and the function's arguments.

    ``body`` is the request, and ``requester`` who has sent it over the live connection. ``fed`` are the arguments that
    are versions of feeds until :meth:`fill`. ``shown_context`` is what ``ctx`` reads in place of ``context``.
    """

    declaration: Declaration
    context: Any
    outputs: Any
    args: list[Any]
    kwargs: dict[str, Any]
    packages: set[str] = field(default_factory=_dash.registered_packages)
    body: dict[str, Any] = field(default_factory=dict)
    requester: Requester | None = None
    finish: Callable[[Call, Any], Any] = field(default=lambda call, answer: answer)
    fed: list[Fed] = field(default_factory=list)
    shown_context: Any = None
    _unfilled: tuple[list[Any], dict[str, Any]] | None = None

    async def fill(self) -> None:
        """Put what feeds have into the arguments. It may be called again.

        Raises:
            PreventUpdate: One of them has nothing yet.
        """
        if self.fed and self._unfilled is None:
            self._unfilled = self.args, self.kwargs
        for each in self.fed:
            await each.fill()
        if self._unfilled is not None:
            self.args, self.kwargs = filled(self._unfilled[0]), filled(self._unfilled[1])

    def fill_anew(self) -> None:
        """Have the next :meth:`fill` get all anew: a function may have changed what it was given."""
        if self._unfilled is not None:
            self.args, self.kwargs = self._unfilled
        for each in self.fed:
            each.value = None

    async def make_ready(self) -> None:
        """Put what feeds have into the arguments, and have it ready for a function that runs on the loop."""
        await self.fill()
        if self.declaration.is_async:
            for each in self.fed:
                await each.feed.make_ready(each.value)

    @property
    def changes(self) -> dict[str, int] | None:
        """The page's numbers of its changes, by ``id.property``, as Flash's client gives them."""
        return self.requester.changes if self.requester is not None else None

    @property
    def elsewhere(self) -> list[str]:
        """The shared callbacks that listen to these changes and that the page cannot ask for."""
        return list(self.requester.elsewhere) if self.requester is not None else []


def read_call(app: Flash, body: Any, requester: Requester | None) -> Call:
    """Hold a callback request against the declarations of an app. See :meth:`flash.dispatch.Dispatcher.read`."""
    check_body(body)
    entry = app.callback_map.get(body["output"])
    if entry is None or entry.get("callback") is None:
        raise RequestRefused(404, "There is no such callback.")
    try:
        context = app.callback_context(body, requester)
        stored = app.stored_callback(context, body)
        called = call_of(stored, app.callback_values(context), context.outputs_list, context, app.flash_feeds)
        called.body, called.requester = body, requester
    except Exception as error:
        # None of the user's code has run: what fails here is what the client sent.
        raise RequestRefused(400, "The request does not fit its callback.") from error
    if called.declaration.none_output and not body["changedPropIds"]:
        raise PreventUpdate
    return called


def call_of(
    stored: Callable[..., Any], values: list[Any], outputs: Any, context: Any, feeds: Mapping[str, Feed]
) -> Call:
    """The call of a stored callback with the flat values of its inputs and states."""
    declaration = declaration_of(stored)
    fed: list[Fed] = []
    if feeds:
        values, fed = with_feeds(feeds, [*context.inputs_list, *context.states_list], values)
    args, kwargs = _dash.validate_callback_body(declaration, values, outputs)
    return Call(declaration, context, outputs, args, kwargs, fed=fed)


def body_of(callback_id: str, context: Any) -> dict[str, Any]:
    """The request behind a context that Dash has made."""
    return {
        "output": callback_id,
        "outputs": context.outputs_list,
        "inputs": context.inputs_list,
        "state": context.states_list,
        "changedPropIds": [each["prop_id"] for each in context.triggered_inputs],
    }


def check_body(body: Any) -> None:
    """Refuse a callback request that has not the shape that Dash's renderer sends.

    Raises:
        RequestRefused: 400, with what is wrong. Nothing of the body is repeated.
    """
    if not isinstance(body, dict):
        raise RequestRefused(400, "The body must be a JSON object.")
    if not isinstance(body.get("output"), str):
        raise RequestRefused(400, "The field 'output' must be a string.")
    for name in ("inputs", "state"):
        entries = body.setdefault(name, [])
        if not isinstance(entries, list) or not all(map(_is_property, entries)):
            raise RequestRefused(400, f"The field '{name}' must be a list of objects with 'id' and 'property'.")
    outputs = body.setdefault("outputs", [])
    if not (_is_property(outputs) or (isinstance(outputs, list) and all(map(_is_property, outputs)))):
        raise RequestRefused(400, "The field 'outputs' must hold objects with 'id' and 'property'.")
    changed = body.setdefault("changedPropIds", [])
    if not isinstance(changed, list) or not all(isinstance(each, str) for each in changed):
        raise RequestRefused(400, "The field 'changedPropIds' must be a list of strings.")


def _is_property(entry: Any) -> bool:
    """Whether an entry names a property, or is the list of them that a pattern matched."""
    if isinstance(entry, list):
        return all(isinstance(each, dict) and _is_property(each) for each in entry)
    return (
        isinstance(entry, dict) and isinstance(entry.get("id"), (str, dict)) and isinstance(entry.get("property"), str)
    )
