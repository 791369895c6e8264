"""The job of one run: the call that is made, and the context in which it is."""

from __future__ import annotations

import contextvars
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from ..context import Requester
from .entries import Value
from .results import SharedCaller, values_in

if TYPE_CHECKING:
    from .runs import Run
    from .shared import Shared

Job = Callable[[], Awaitable[list[Value]]]


def job_of(shared: Shared, run: Run, body: dict[str, Any], filled: bool) -> tuple[contextvars.Context, Job]:
    """What is needed to run a callback: the context for its task, and the job.

    A tab of this process is the one that it was when it asked, with cookies, headers and the context of its handshake.

    Args:
        shared: The room.
        run: The run.
        body: The request.
        filled: Whether it is another than the tab has sent.
    """
    asked = shared.asks.of(run.asker)
    caller = SharedCaller(shared, run, asked.call.context.get("dash_websocket") if asked else None)
    if asked is not None:
        requester = asked.call.requester or Requester(client=asked.call.context.client)
    else:
        requester = Requester(client=shared.tabs.stranger(run.cascade.cause))
    call = None if asked is None or filled else asked.call
    dispatcher = shared.app.flash_dispatcher

    async def job() -> list[Value]:
        ready = call or dispatcher.read(body, requester)
        ready.context.dash_websocket = caller
        values: list[Value] = await dispatcher.run(ready, values_in(shared.encode))
        return values

    return (asked.context if asked else contextvars.copy_context()), job
