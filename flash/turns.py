"""The turns of regular callbacks whose service has one call at a time run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import TYPE_CHECKING, Any

from dash.exceptions import PreventUpdate

from . import _dash
from .lanes import Lanes, Replaced

if TYPE_CHECKING:
    from .app import Flash
    from .requests import Call


async def run_in_turn(app: Flash, lanes: Lanes, called: Call, run: Callable[[Call], Awaitable[bytes]]) -> bytes:
    """Run a call when its turn has come, or at once when its service lets it.

    It runs in the task that calls. Plain functions hold their lane until they have ended.

    Args:
        app: Whose callback it is.
        lanes: The app's.
        called: The call.
        run: Runs it.

    Raises:
        PreventUpdate: A newer call has replaced it, or it updates nothing.
        RequestRefused: 429, too many wait.
        Exception: What the call raised.
    """
    declaration = called.declaration
    if declaration.lane is None:
        return await run(called)
    try:
        return await lanes.run(
            declaration.lane, lambda: run(called), declaration.service.overlap, _replaced_by(app, called)
        )
    except Replaced:
        raise PreventUpdate from None


def _replaced_by(app: Flash, called: Call) -> Hashable:
    """What a newer call must have in common with one that waits, to make it superfluous.

    Each tab gets an answer of its own, and each instance of a pattern has outputs of its own. Pages that nothing tells
    apart, and who is none, count as one.
    """
    context = called.context
    client = context.get("client")
    if client is not None and client.live:
        asker = client.id
    else:
        asker = app.verified_end_id((context.get("args") or {}).get("endId"))
    places = called.outputs if called.declaration.has_output else context.inputs_list
    return called.declaration.callback_id, asker, _ids_in(places)


def _ids_in(places: Any) -> Hashable:
    """The ids and properties in the outputs or inputs of a request, in its nesting."""
    if isinstance(places, list):
        return tuple(map(_ids_in, places))
    return _dash.stringify_id(places["id"]), places["property"]
