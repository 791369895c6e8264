"""What a declared callback is, read from what Dash keeps of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import _dash
from .exceptions import ConfigurationError
from .functions import is_async


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

    @property
    def runs_in_manager(self) -> bool:
        """Whether a call starts, polls or cancels a job of a background manager."""
        return self.background is not None or self.is_cancel


def declaration_of(stored: Callable[..., Any]) -> Declaration:
    """The declaration behind a callable that Dash stores in a callback map, read once and kept with it.

    Raises:
        TypeError: Dash's decorator has not made the callable.
    """
    declaration: Declaration | None = getattr(stored, _DECLARATION, None)
    if declaration is None:
        declaration = _read(_dash.closure_facts(stored))
        setattr(stored, _DECLARATION, declaration)
    return declaration


_DECLARATION = "__flash_declaration__"


def _read(facts: dict[str, Any]) -> Declaration:
    func = facts["func"]
    return Declaration(
        func=func,
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
    )


def check_declarations(callback_map: dict[str, Any]) -> None:
    """Refuse what cannot be served, when an app is set up.

    Raises:
        ConfigurationError: A callback is a generator. Streaming needs the live connection.
    """
    for callback_id, entry in callback_map.items():
        stored = entry.get("callback")
        if stored is None:
            continue  # A clientside callback.
        func = declaration_of(stored).func
        if inspect.isasyncgenfunction(func) or inspect.isgeneratorfunction(func):
            raise ConfigurationError(
                f"The callback {callback_id!r} ({func.__module__}.{func.__qualname__}) is a generator. This release of "
                "Flash does not stream callbacks; return one value, or send values in between with set_props from a "
                "callback declared with websocket=True."
            )
