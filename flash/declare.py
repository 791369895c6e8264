"""Declaring callbacks: what Flash's decorators add to Dash's."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, TypeVar, get_args

import dash
from dash import Input, Output

from . import _dash
from .callbacks import Marks, Overlap, Streaming, go_live, mark, stand_for
from .context import ctx
from .exceptions import ConfigurationError
from .functions import is_generator
from .services import Service, served, service_of

Function = TypeVar("Function", bound=Callable[..., Any])
Decorator = Callable[[Function], Function]

#: Says of the new value of an Input whether a stream goes on.
Keeps = Callable[[Any], bool]
Condition = tuple[Input, Keeps]

_OVERLAPS = get_args(Overlap)

STREAMING = Streaming()


def callback(*args: Any, **kwargs: Any) -> Decorator[Any]:
    """Declare a callback without an app: the first app that is set up takes it. All of Dash's, and:

    - ``None`` as the output: no output, and it is never called when the page or its inputs appear (from
      dash_devices). Without an output at all it is, as in Dash, unless ``prevent_initial_call=True``.
    - A generator function, plain or asynchronous, streams: each ``yield`` is a value for the outputs. ``running`` and
      ``cancel`` work for it.
    - It may return, or yield, ``Output(id, property, value)`` or several of them in place of its outputs' values.

    Args:
        *args: As :func:`dash.callback` takes them.
        retry: Whether a request over the live connection may run again when the server was lost before it answered.
        overlap: What the next trigger of the same tab does while a generator still runs: ``"latest"`` (default)
            closes it and starts anew, ``"queue"`` waits for its end, ``"parallel"`` runs beside it, ``"ignore"`` does
            nothing.
        service: How its calls are served: a preset of :class:`flash.Service`, or one of your own.
        **kwargs: As :func:`dash.callback` takes them.

    Raises:
        ConfigurationError: The declaration cannot work.

    Example:
        >>> @callback(Output("answer", "children"), Input("ask", "n_clicks"), cancel=Input("stop", "n_clicks"))
        ... async def answer(clicks):
        ...     text = ""
        ...     async for word in model.words():
        ...         text += word
        ...         yield text
    """
    return declare(_dash.global_register(), args, kwargs)


def declare(
    register: _dash.Register,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    streaming: Streaming = STREAMING,
    conditions: Iterable[Condition] = (),
    shared: bool = False,
) -> Decorator[Any]:
    """Declare a callback.

    Args:
        register: Where: in an app, or without one.
        args: Of the decorator.
        kwargs: Of the decorator.
        streaming: How it streams, if it does; ``overlap`` and ``running`` of ``kwargs`` go in.
        conditions: What else closes its streams than ``cancel`` of ``kwargs``.
        shared: Whether it is a shared callback, whose service is ``Service.SHARED`` unless ``kwargs`` names another.

    Raises:
        ConfigurationError: The declaration cannot work.
    """
    retry, overlap, asked = kwargs.pop("retry", False), kwargs.pop("overlap", None), kwargs.pop("service", None)
    args, kwargs, none_output = _without_none(args, kwargs)
    _refuse_options(args, kwargs, retry, overlap)
    service = service_of(asked, shared)
    args, kwargs, service = served(args, kwargs, service, asked is not None)
    own = _dash.Register({}, [], register.options)
    decorate = _dash.dash_callback(*args, callback_map=own.entries, callback_list=own.specs, **own.options, **kwargs)
    # The objects in them are Dash's still: it goes on to fill them when the function is known.
    register.entries.update(own.entries)
    register.specs.extend(own.specs)
    ((callback_id, entry),) = own.entries.items()

    def declare_function(func: Any) -> Any:
        if not is_generator(func):
            _refuse_stream_options(func, overlap)
            decorate(func)
            mark(entry["callback"], Marks(retry, none_output, service=service))
            return func
        _refuse_generator(func, kwargs, retry)
        _refuse_served_generator(func, shared, asked)
        decorate(_stand_in(func))
        how = replace(streaming, overlap=overlap or "latest", running=_running_of(kwargs.get("running")))
        mark(entry["callback"], Marks(False, none_output, how))
        go_live(entry, own.specs[0])
        for dependency, keeps in [*((each, _never) for each in _list(kwargs.get("cancel"))), *conditions]:
            _declare_cancel(register, callback_id, dependency, keeps)
        return func

    return declare_function


def _declare_cancel(
    register: _dash.Register, callback_id: str, dependency: Input, keeps: Callable[[Any], bool]
) -> None:
    """Declare the hidden callback that closes the streams of another one, in the tab where an Input has changed."""

    async def cancel(value: Any) -> None:
        if not keeps(value):
            _dash.current_app.get().flash_live.streams.cancel(ctx.client, callback_id)

    options = {"websocket": True, "prevent_initial_call": True, "hidden": True, "optional": True}
    declare(register, (dependency,), options)(cancel)


def _never(value: Any) -> bool:
    return False


def _stand_in(func: Callable[..., Any]) -> Callable[..., Any]:
    """What Dash gets in place of a generator, which it would refuse, or misunderstand."""

    @functools.wraps(func)
    async def stream(*args: Any, **kwargs: Any) -> None:
        raise ConfigurationError(
            f"The callback {_name(func)} is a generator that was declared with Flash, and streams in a Flash app only. "
            "The app that has taken it is plain Dash: declare it with the app.callback of your Flash app."
        )

    stand_for(stream, func)
    return stream


def _without_none(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any], bool]:
    """The arguments as Dash takes them, and whether ``None`` was given as the output."""
    if args and args[0] is None:
        args = args[1:]
    elif "output" in kwargs and kwargs["output"] is None:
        kwargs = {name: value for name, value in kwargs.items() if name != "output"}
    else:
        return args, kwargs, False
    if kwargs.get("prevent_initial_call") not in (None, True):
        raise ConfigurationError(
            "A callback with None as its output is never called when the page appears, so prevent_initial_call cannot "
            "be False. Leave the None out: then it is called."
        )
    return args, {**kwargs, "prevent_initial_call": True}, True


def _refuse_served_generator(func: Any, shared: bool, asked: Any) -> None:
    if shared:
        raise ConfigurationError(
            f"{_name(func)} is a generator, and a shared callback returns once. Return the value, and show what comes "
            "before it with set_props."
        )
    if asked is not None:
        raise ConfigurationError(
            f"{_name(func)} is a generator, which streams over the live connection to the tab that asks, and takes no "
            "service. Leave service out; overlap= says what the next trigger does."
        )


def clientside_callback(clientside_function: Any, *args: Any, **kwargs: Any) -> Any:
    """Declare a clientside callback without an app, as :func:`dash.clientside_callback` does.

    Raises:
        ConfigurationError: It names a service, which is for functions that run on the server.
    """
    refuse_clientside_service(kwargs)
    return dash.clientside_callback(clientside_function, *args, **kwargs)


def refuse_clientside_service(kwargs: dict[str, Any]) -> None:
    """Refuse ``service=`` of a clientside callback, which Dash would ignore.

    Args:
        kwargs: Of the declaration.

    Raises:
        ConfigurationError: There is one.
    """
    if "service" in kwargs:
        raise ConfigurationError(
            "A clientside callback runs in the page and takes no service. Leave service out, or write a Python "
            "function with callback."
        )


def _refuse_options(args: tuple[Any, ...], kwargs: dict[str, Any], retry: Any, overlap: Any) -> None:
    for output in _outputs((args, kwargs.get("output"))):
        if getattr(output, "carries_value", False):
            raise ConfigurationError(
                f"{output!r} has the value {output.value!r}, which belongs to what a callback returns. In a "
                "declaration the third argument of Output is allow_duplicate: True or False."
            )
    if not isinstance(retry, bool):
        raise ConfigurationError(f"retry must be True or False, not {retry!r}.")
    if retry and kwargs.get("background"):
        raise ConfigurationError("retry=True is for requests over the live connection; background callbacks use none.")
    if overlap is not None and overlap not in _OVERLAPS:
        raise ConfigurationError(f"overlap must be one of {', '.join(map(repr, _OVERLAPS))}, not {overlap!r}.")


def _refuse_stream_options(func: Any, overlap: Any) -> None:
    if overlap is not None:
        raise ConfigurationError(
            f"overlap={overlap!r} is for callbacks that stream, and {_name(func)} returns once. Make it a generator "
            "function (with yield), or leave overlap out."
        )


def _refuse_generator(func: Any, kwargs: dict[str, Any], retry: bool) -> None:
    name = _name(func)
    if kwargs.get("background"):
        raise ConfigurationError(
            f"{name} is a generator, and background callbacks return one result. Leave background=True out to stream, "
            "or report progress with set_progress."
        )
    if kwargs.get("api_endpoint"):
        raise ConfigurationError(
            f"{name} is a generator, and an api_endpoint answers with one result. Leave api_endpoint out, or return "
            "one value."
        )
    if retry:
        raise ConfigurationError(
            f"{name} is a generator, which may have shown a part of its values before it is lost. Leave retry=True out."
        )
    for output, *_ in _running_of(kwargs.get("running")):
        if output.has_wildcard():
            raise ConfigurationError(f"running of {name} names the pattern {output}; it takes the ids of components.")


def _running_of(running: Any) -> tuple[tuple[Any, Any, Any], ...]:
    """``running`` in its one form, from those that Dash takes: a list of triples, or one triple."""
    if not running:
        return ()
    triples = running if isinstance(running[0], (list, tuple)) else [running]
    for triple in triples:
        if len(triple) != 3 or not isinstance(triple[0], Output):
            raise ConfigurationError(f"running takes (Output, value while it runs, value afterwards), not {triple!r}.")
    return tuple((output, during, after) for output, during, after in triples)


def _outputs(grouping: Any) -> list[Any]:
    """All outputs in a nest of lists, tuples and dicts."""
    if isinstance(grouping, Output):
        return [grouping]
    parts = grouping.values() if isinstance(grouping, dict) else grouping
    return [each for part in parts for each in _outputs(part)] if isinstance(grouping, (list, tuple, dict)) else []


def _list(value: Any) -> list[Any]:
    return [] if value is None else list(value) if isinstance(value, (list, tuple)) else [value]


def _name(func: Any) -> str:
    return f"{getattr(func, '__module__', '')}.{getattr(func, '__qualname__', func)}"


def _signature() -> inspect.Signature:
    """Dash's decorator with Flash's own arguments behind it, as editors and ``help`` show it."""
    own = [
        inspect.Parameter("retry", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=bool),
        inspect.Parameter("overlap", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Overlap),
        inspect.Parameter("service", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Service),
    ]
    parameters = list(inspect.signature(_dash.dash_callback).parameters.values())
    return inspect.Signature([*parameters[:-1], *own, parameters[-1]])


callback.__signature__ = _signature()  # type: ignore[attr-defined]
