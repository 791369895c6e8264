"""Running the function of a background callback, where its job runs: in a process of its own, or in a worker."""

from __future__ import annotations

import asyncio
import inspect
import traceback
from collections.abc import Callable, Mapping
from contextvars import Context, copy_context
from typing import Any, NamedTuple

from dash import Patch, no_update
from dash.exceptions import PreventUpdate

from .. import _dash
from ..encoding import dumps
from ..pool import serving_loop
from .runs import PROGRESS, UPDATES, Change, Store, Updates, UpdateWriter, encode_changes, failure


class CacheEntry(NamedTuple):
    """Where the result of a run is kept for others, and for how many seconds after its last use."""

    key: str
    expire: float | None


def run_job(
    function: Callable[..., Any],
    store: Store,
    key: str,
    args: Any,
    context: Mapping[str, Any],
    *,
    has_progress: bool,
    entry: CacheEntry | None,
) -> None:
    """Call a background callback's function, and leave its updates, progress and result in the store.

    Args:
        function: The user's function, plain or asynchronous.
        store: Where the run's entries lie.
        key: The run's key.
        args: The arguments, by position or by name, as Dash hands them to a manager.
        context: What ``ctx`` is to show.
        has_progress: Whether the function takes ``set_progress`` first.
        entry: Where to keep the result for later runs.
    """
    record = _UpdateRecord(store, key, keeps_all=entry is not None)
    call = _call_of(function, args, _progress_setter(store, key) if has_progress else None)
    text, failed = _own_variables().run(_result_of, call, context, record)
    if entry is not None and not failed and record.all_updates.is_complete:
        store.keep(entry.key + UPDATES, record.all_updates.text(), entry.expire)
        store.keep(entry.key, text, entry.expire)
    store.set(key, text)


def _result_of(call: Callable[[], Any], context: Mapping[str, Any], record: _UpdateRecord) -> tuple[str, bool]:
    """The encoded result of a call, and whether it is an error."""
    shown = _dash.AttributeDict(**context)
    shown.ignore_register_page = False
    shown.updated_props = record
    _dash.context_value.set(shown)
    try:
        value = call()
        if inspect.iscoroutine(value):
            value = asyncio.run(value)
    except PreventUpdate:
        return dumps(no_update).decode(), False
    except Exception as error:
        return failure(str(error), traceback.format_exc()), True
    try:
        return dumps(value).decode(), False
    except Exception as error:
        message = f"It returned a {type(value).__name__} that has no JSON form: {error}"
        return failure(message, traceback.format_exc()), True


def _call_of(function: Callable[..., Any], args: Any, set_progress: Callable[[Any], None] | None) -> Callable[[], Any]:
    first = [] if set_progress is None else [set_progress]
    if isinstance(args, dict):
        return lambda: function(*first, **args)
    return lambda: function(*first, *(args if isinstance(args, (list, tuple)) else [args]))


def _progress_setter(store: Store, key: str) -> Callable[[Any], None]:
    """The ``set_progress`` that a callback with ``progress=`` gets."""
    writer = UpdateWriter(store, key + PROGRESS)

    def set_progress(values: Any) -> None:
        values = values if isinstance(values, (list, tuple)) else [values]
        # Dash answers every progress output: a Patch without operations leaves one as it is.
        kept = [Patch() if isinstance(value, type(no_update)) else value for value in values]
        writer.write(encode_changes("", {str(index): value for index, value in enumerate(kept)}))

    return set_progress


class _UpdateRecord(dict[str, Any]):
    """Takes the place of the dictionary in which Dash's context collects what ``set_props`` is called with.

    It shows nothing of what it took, so that Dash does not add earlier properties of a component to later ones, which
    would deliver them twice.
    """

    def __init__(self, store: Store, key: str, keeps_all: bool) -> None:
        super().__init__()
        self._writer = UpdateWriter(store, key + UPDATES)
        self._keeps_all = keeps_all
        #: Everything since the start, for the cache.
        self.all_updates = Updates()

    def __setitem__(self, component_id: str, props: Mapping[str, Any]) -> None:
        changes: list[Change] = encode_changes(component_id, props)
        if self._keeps_all:
            self.all_updates.add(changes)
        if changes:
            self._writer.write(changes)


def _own_variables() -> Context:
    """The context variables of this thread, but for the server's loop: it does not run in the job's process."""
    own = Context()
    for variable, value in copy_context().items():
        if variable is not serving_loop:
            own.run(variable.set, value)
    return own
