"""What a declared callback is, read from what Dash keeps of it and from what Flash's decorators add."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from . import _dash
from .functions import is_async, is_generator
from .lanes import keeping_turn
from .services import Lane, Service

Overlap = Literal["latest", "queue", "parallel", "ignore"]


@dataclass(frozen=True, slots=True)
class Streaming:
    """How a streaming callback runs.

    Attributes:
        overlap: What the next trigger of the same tab does while it runs.
        running: Outputs with their values while it runs and afterwards.
        reset: Properties that are set when it is cancelled or fails: pairs of an id and its values.
        props_only: Whether it yields nothing but ``stream_props(...)``.
        waits: Whether it waits for a tab that is slow, also where only full values are set.
    """

    overlap: Overlap = "latest"
    running: tuple[tuple[Any, Any, Any], ...] = ()
    reset: tuple[tuple[Any, dict[str, Any]], ...] = ()
    props_only: bool = False
    waits: bool = True


@dataclass(frozen=True, slots=True)
class Marks:
    """What Flash's decorators say of a callback and Dash does not know.

    Attributes:
        retry: Whether a request may run again when its answer was lost.
        none_output: Whether it was declared with ``None`` as its output.
        streaming: How it streams; None for a callback that returns once.
        service: How its calls are served.
    """

    retry: bool = False
    none_output: bool = False
    streaming: Streaming | None = None
    service: Service = Service.REGULAR


@dataclass(frozen=True, slots=True)
class Declaration:
    """One declared callback: the user's function and how its values are grouped.

    Attributes:
        func: The function that was decorated.
        is_async: Whether it is awaited on the loop.
        on_error: The callback's own error handler, or None.
        background: Dash's settings of a background callback, or None.
        is_cancel: Whether Dash declared it to cancel background jobs.
        output: The outputs in the grouping in which they were declared.
        multi: Whether there are several outputs, or a grouping of them.
        has_output: False for a callback that was declared without outputs.
        retry: Whether a request may run again when its answer was lost.
        none_output: Whether it was declared with ``None`` as its output.
        streaming: How it streams; None for a callback that returns once.
        service: How its calls are served.
    """

    func: Callable[..., Any]
    is_async: bool
    on_error: Callable[[Exception], Any] | None
    background: dict[str, Any] | None
    background_key: str | None
    is_cancel: bool
    callback_id: str
    output: Any
    insert_output: Any
    multi: bool
    has_output: bool
    inputs_state_indices: Any
    allow_dynamic_callbacks: bool | None
    retry: bool
    none_output: bool
    streaming: Streaming | None
    service: Service

    @property
    def lane(self) -> Lane | None:
        """Where its calls run one after the other; None when they run as they come."""
        return self.service.lane(self.callback_id)

    @property
    def runs_in_manager(self) -> bool:
        """Whether a call starts, polls or cancels a job of a background manager."""
        return self.background is not None or self.is_cancel


_DECLARATION = "__flash_declaration__"
_MARKS = "__flash_marks__"
_GENERATOR = "__flash_generator__"


def declaration_of(stored: Callable[..., Any]) -> Declaration:
    """The declaration behind a callable that Dash stores in a callback map, read once and kept with it.

    Raises:
        TypeError: Dash's decorator has not made the callable.
    """
    declaration: Declaration | None = vars(stored).get(_DECLARATION)
    if declaration is None:
        declaration = _read(_dash.closure_facts(stored), vars(stored).get(_MARKS))
        setattr(stored, _DECLARATION, declaration)
    return declaration


def mark(stored: Callable[..., Any], marks: Marks) -> None:
    """Keep with a stored callable what Dash does not know of its callback."""
    setattr(stored, _MARKS, marks)
    vars(stored).pop(_DECLARATION, None)


def stand_for(stand_in: Callable[..., Any], generator: Callable[..., Any]) -> None:
    """Say that an asynchronous function was given to Dash in place of a generator."""
    setattr(stand_in, _GENERATOR, generator)


def _read(facts: dict[str, Any], marks: Marks | None) -> Declaration:
    func = getattr(facts["func"], _GENERATOR, facts["func"])
    marks = marks or Marks(streaming=Streaming() if is_generator(func) else None)
    serialized = marks.service.serialized is not None
    return Declaration(
        func=keeping_turn(func) if serialized and not is_async(func) else func,
        is_async=is_async(func),
        on_error=facts["on_error"],
        background=facts["background"],
        background_key=facts["background_key"],
        is_cancel=getattr(func, "__qualname__", "").endswith("_setup_server.<locals>.cancel_call"),
        callback_id=facts["callback_id"],
        output=facts["output"],
        insert_output=facts["insert_output"],
        multi=facts["multi"],
        has_output=facts["has_output"],
        inputs_state_indices=facts["inputs_state_indices"],
        allow_dynamic_callbacks=facts["allow_dynamic_callbacks"],
        retry=marks.retry,
        none_output=marks.none_output,
        streaming=marks.streaming,
        service=marks.service,
    )


def adopt_generators(callback_map: dict[str, Any], specs: list[dict[str, Any]]) -> None:
    """Make the generators stream that ``dash.callback`` has declared, and Flash's decorators have not seen.

    Their requests go over the live connection, and Flash sets what ``running`` names. Doing it again changes nothing.

    Args:
        callback_map: Dash's entries by callback id.
        specs: The declarations as the renderer gets them.
    """
    by_id = {spec["output"]: spec for spec in specs}
    for callback_id, entry in callback_map.items():
        stored, spec = entry.get("callback"), by_id.get(callback_id)
        if stored is None or spec is None:
            continue
        if _MARKS not in vars(stored) and declaration_of(stored).streaming is not None:
            running = spec.get("running") or {"running": {}, "runningOff": {}}
            mark(stored, Marks(streaming=Streaming(running=tuple(_dash.running_triples(running)))))
            go_live(entry, spec)


def go_live(entry: dict[str, Any], spec: dict[str, Any]) -> None:
    """Have the renderer ask for a streaming callback over the live connection, and leave ``running`` to Flash."""
    entry["websocket"] = spec["websocket"] = True
    spec.pop("running", None)
    # Dash 4.5 would open a stream of its own.
    for kept in (entry, spec):
        kept.pop("stream", None)


def tell_transports(callback_map: dict[str, Any], specs: list[dict[str, Any]]) -> bool:
    """Have the renderer ask by HTTP for callbacks whose service says so, in an app where all others go live.

    Args:
        callback_map: Dash's entries by callback id.
        specs: The declarations as the renderer gets them. Each names its transport afterwards, unless all go live.

    Returns:
        Whether all go live.
    """
    stored = {name: entry["callback"] for name, entry in callback_map.items() if entry.get("callback") is not None}
    over_http = {name for name, each in stored.items() if declaration_of(each).service.transport == "http"}
    if over_http:
        for spec in specs:
            spec["websocket"] = spec["output"] not in over_http
    return not over_http
