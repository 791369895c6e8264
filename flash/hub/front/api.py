"""The interface for programs, and for the buttons of the pages: which apps there are, and switching them.

Pages of other origins are refused before a request gets here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import msgspec
from quart import Blueprint, Response, redirect, request

from ..signin.base import safe_next
from .answers import form_for
from .cards import card_of, cards
from .who import challenge, managed, scope_of_request, visitor_of

if TYPE_CHECKING:
    from ..hub import Hub
    from .watch import Watch

logger = logging.getLogger("flash.hub")

#: Seconds that an answer waits for what it was asked to do; it is done all the same.
PATIENCE = 1.0


def blueprint(hub: Hub, watch: Watch) -> Blueprint:
    """The interface of a hub.

    Args:
        hub: The hub.
        watch: What measures the apps.
    """
    pages = Blueprint("api", __name__)
    running: set[asyncio.Task[None]] = set()
    actions: dict[str, Callable[[str], Awaitable[None]]] = {
        "on": hub.start,
        "off": hub.stop,
        "restart": hub.restart,
    }

    @pages.get("/_hub/api/apps")
    async def apps() -> Response:
        visitor = visitor_of()
        every = cards(hub.mounts.values(), visitor, watch.used)
        if not every and not visitor.known and not hub.signin.open:
            return await challenge(hub)
        return _json({"apps": every})

    @pages.post("/_hub/api/apps/<name>/<any(on, off, restart):action>")
    async def switch(name: str, action: str) -> Response:
        mount = await managed(hub, name)
        logger.info("%s: %s, asked for by %s.", name, action, visitor_of().name or "who sits at the machine")
        task = asyncio.create_task(_done(actions[action], name), name=f"flash-hub-{action}-{name}")
        running.add(task)
        task.add_done_callback(running.discard)
        await asyncio.wait({task}, timeout=PATIENCE)
        if form_for(scope_of_request()) == "html":
            return redirect(await _way_back(), 303)  # type: ignore[return-value]
        return _json(card_of(mount, visitor_of(), watch.used.get(name)), 200 if task.done() else 202)

    @pages.after_app_serving
    async def end() -> None:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    return pages


async def _done(action: Callable[[str], Awaitable[None]], name: str) -> None:
    try:
        await action(name)
    except Exception:
        logger.exception("The app %r could not be switched.", name)


async def _way_back() -> str:
    """The page that the form names, if it is one of this site."""
    return safe_next((await request.form).get("next", "/_hub/"))


def _json(data: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(data), status, content_type="application/json")
