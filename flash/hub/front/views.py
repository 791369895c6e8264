"""The pages: the start page and the logs; and what they listen to and show."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any

from quart import Blueprint, Response, abort, redirect, render_template, request

from ..logs import tail
from ..signin.base import safe_next
from . import events
from .ansi import pieces
from .cards import card_of, cards
from .pictures import picture_of
from .who import challenge, managed, scope_of_request, visible, visitor_of

if TYPE_CHECKING:
    from ..hub import Hub
    from .watch import Watch

#: A picture may be a drawing that somebody else has made: it runs no script, wherever it is opened.
_PICTURE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


def without_pages(hub: Hub) -> Blueprint:
    """The page to sign in at where browsers ask for the password themselves, or a proxy does.

    Args:
        hub: The hub.
    """
    pages = Blueprint("signin", __name__)

    @pages.get("/_hub/login")
    async def login() -> Any:
        if visitor_of().known or hub.signin.open:
            return redirect(safe_next(request.args.get("next", "/_hub/")), 303)
        return await challenge(hub)

    return pages


def blueprint(hub: Hub, watch: Watch) -> Blueprint:
    """The pages of a hub.

    Args:
        hub: The hub.
        watch: What watches it for pages that listen.
    """
    pages = Blueprint("pages", __name__)

    @pages.get("/")
    @pages.get("/_hub/")
    async def start() -> Response | str:
        visitor = visitor_of()
        every = cards(hub.mounts.values(), visitor, watch.used)
        if not every and not visitor.known and not hub.signin.open:
            return await challenge(hub)
        words, tag = request.args.get("q", "").strip(), request.args.get("tag", "")
        return await render_template(
            "start.html",
            cards=every,
            found={card.name for card in every if card.matches(words, tag)},
            tags=sorted({tag for card in every for tag in card.tags}, key=str.casefold),
            words=words,
            tag=tag,
        )

    @pages.get("/_hub/events")
    async def listen() -> Response:
        visitor = visitor_of()
        told = hub.signin.open or visitor.known or any(mount.allows(visitor) for mount in hub.mounts.values())
        if not told:
            return await challenge(hub)
        if not events.has_room(watch, visitor):
            abort(503)
        only = request.args.get("app")
        return events.stream(events.apps(hub, watch, visitor, scope_of_request(), only))

    @pages.get("/_hub/apps/<name>/picture")
    async def picture(name: str) -> Response:
        spec = (await visible(hub, name)).spec
        body, kind = await asyncio.to_thread(picture_of, spec.title, spec.name, spec.picture)
        response = Response(body, content_type=kind)
        response.headers["Content-Security-Policy"] = _PICTURE_POLICY
        response.headers["Cache-Control"] = "private, no-cache"
        response.set_etag(hashlib.sha256(body).hexdigest()[:16])
        return await response.make_conditional(request)

    @pages.get("/_hub/apps/<name>/log")
    async def log(name: str) -> str:
        mount = await managed(hub, name)
        lines = await asyncio.to_thread(tail, hub.folders.log(name), events.LINES)
        return await render_template(
            "log.html", card=card_of(mount, visitor_of()), lines=[pieces(line) for line in lines]
        )

    @pages.get("/_hub/apps/<name>/log/events")
    async def follow(name: str) -> Response:
        await managed(hub, name)
        if not events.has_room(watch, visitor_of()):
            abort(503)
        return events.stream(events.log(hub, watch, visitor_of(), scope_of_request(), name))

    return pages
