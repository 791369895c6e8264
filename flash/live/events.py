"""Event callbacks: streams without outputs, whose items say which properties they set. From Flash 1.3."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from dash import Input

from .. import _dash
from ..answers import Props, StreamedProps
from ..callbacks import Streaming
from ..declare import Condition, declare
from ..exceptions import CallbackValueError, ConfigurationError
from ..functions import is_generator

Pairs = Mapping[Any, Mapping[str, Any]] | Iterable[tuple[Any, Mapping[str, Any]]]


def event_callback(
    *dependencies: Any,
    on_error: Callable[[Exception], Any] | None = None,
    cancel: Iterable[tuple[Input, Any]] | None = None,
    reset_props: Pairs = (),
    prevent_initial_call: bool = True,
    concat: bool = True,
    **options: Any,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a generator that sets properties of any components while it runs, by ``yield stream_props(...)``.

    It belongs to the tab that has triggered it, and ends with it. The next trigger closes it and starts anew.

    Args:
        *dependencies: Inputs and States, as :func:`flash.callback` takes them. No Outputs.
        on_error: Gets the error of a stream that has failed. What it returns is the last item: ``stream_props(...)``,
            or None.
        cancel: Pairs of an Input and a value: the stream is kept while the Input has that value, and closed when it
            changes to another.
        reset_props: What is set when the stream is cancelled or fails: pairs of an id and its properties, or a dict.
        prevent_initial_call: Whether it does not run when the page appears.
        concat: True: a page that is slow gets all items, and the generator waits for it. False: the generator never
            waits; the page skips to the newest value of each property, a ``Patch`` excepted.
        **options: As :func:`flash.callback` takes them: ``inputs``, ``state``, ``running``, ``overlap`` ...

    Raises:
        ConfigurationError: The declaration cannot work.

    Example:
        >>> @event_callback(
        ...     Input("start", "n_clicks"),
        ...     cancel=[(Input("tabs", "value"), "dashboard")],
        ...     reset_props=[("start", {"disabled": False})],
        ... )
        ... async def watch(clicks):
        ...     yield stream_props("start", {"disabled": True})
        ...     async for price in prices():
        ...         yield stream_props("price", {"children": price})
    """
    conditions = list(_conditions(cancel))
    reset = tuple(_pairs(reset_props, "reset_props", ConfigurationError))
    if "output" in options or "background" in options or not isinstance(concat, bool):
        raise ConfigurationError(
            "event_callback takes Inputs, States, on_error, cancel, reset_props, prevent_initial_call and concat=True "
            "or False. It has no outputs, and is never a background callback."
        )
    options |= {"on_error": on_error, "prevent_initial_call": prevent_initial_call}
    streaming = Streaming(reset=reset, props_only=True, waits=concat)
    decorate = declare(_dash.global_register(), dependencies, options, streaming, conditions)

    def declare_function(func: Callable[..., Any]) -> Callable[..., Any]:
        if not is_generator(func):
            raise ConfigurationError(
                f"event_callback takes a generator function, and {func.__qualname__} has no yield. Write "
                "'yield stream_props(component_id, {property: value})' in it, or use callback."
            )
        decorated: Callable[..., Any] = decorate(func)
        return decorated

    return declare_function


def stream_props(component_id: Any = None, props: Mapping[str, Any] | None = None, *, batch: Any = None) -> Any:
    """An item of an event callback, or of any streaming one: properties to set in the page. It must be yielded.

    Args:
        component_id: The id, a dict for a component with a pattern-matching id; or what ``batch`` takes.
        props: The values by property: components, figures, ``Patch`` and all that a callback may return.
        batch: Several components at once: pairs of an id and its properties, or a dict of them.

    Raises:
        CallbackValueError: It is neither.

    Example:
        >>> yield stream_props("bar", {"value": 40})
        >>> yield stream_props(batch=[("bar", {"value": 40}), ("text", {"children": "40 %"})])
    """
    if batch is None and props is None:
        batch = component_id
    elif batch is not None and (component_id is not None or props is not None):
        raise CallbackValueError("stream_props takes a component's id and properties, or batch=, not both.")
    if batch is not None:
        return StreamedProps(tuple(_pairs(batch, "stream_props", CallbackValueError)))
    return StreamedProps(tuple(_pairs([(component_id, props)], "stream_props", CallbackValueError)))


def _conditions(cancel: Any) -> Iterable[Condition]:
    for condition in [] if cancel is None else [cancel] if isinstance(cancel, tuple) else cancel:
        if not (isinstance(condition, tuple) and len(condition) == 2 and isinstance(condition[0], Input)):
            raise ConfigurationError(
                f"cancel takes pairs of an Input and the value that keeps the stream, not {condition!r}. Write "
                "cancel=[(Input('tabs', 'value'), 'dashboard')]."
            )
        dependency, wanted = condition
        yield dependency, partial(_same, wanted)


def _pairs(pairs: Any, name: str, refuse: type[Exception]) -> Iterable[Props]:
    """Pairs of an id and its properties, held against their form.

    Raises:
        Exception: Of the type ``refuse``, for anything else.
    """
    if not isinstance(pairs, (Mapping, list, tuple)):
        raise refuse(f"{name} takes pairs of an id and its properties, not {type(pairs).__name__}.")
    for pair in pairs.items() if isinstance(pairs, Mapping) else pairs:
        if not (isinstance(pair, tuple | list) and len(pair) == 2):
            raise refuse(f"{name} takes pairs (component_id, {{property: value}}), not {pair!r}.")
        component_id, props = pair
        if not isinstance(component_id, (str, dict)) or not isinstance(props, Mapping):
            raise refuse(
                f"{name} takes an id (a text or dict) with a dict of properties; not {component_id!r} with {props!r}."
            )
        # A copy: what the caller does to it later is of no effect.
        yield component_id, dict(props)


def _same(wanted: Any, value: Any) -> bool:
    """Whether a value is the desired one, as browsers compare: True is not 1."""
    return bool(value == wanted) and isinstance(value, bool) is isinstance(wanted, bool)
