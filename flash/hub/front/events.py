"""Server-sent events: the apps as a page's visitor sees them, and a log as it is written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import msgspec
from quart import Response

from ..host import Scope
from ..visitor import Visitor
from .cards import Card, card_of
from .who import still

if TYPE_CHECKING:
    from ..hub import Hub
    from .watch import Watch

#: The most pages that may listen at once.
LISTENERS = 1000

#: Seconds after which a page that is told nothing hears that the stream is alive.
HEARTBEAT = 15.0

#: A comment, which pages do not see.
STILL_HERE = b": still here\n\n"

#: Milliseconds after which a page tries again.
_RETRY = b"retry: 2000\n\n"


def event(kind: str, data: Any) -> bytes:
    """One event with data in JSON.

    Example:
        >>> event("gone", {"name": "sales"})
        b'event: gone\\ndata: {"name":"sales"}\\n\\n'
    """
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), msgspec.json.encode(data))


def stream(events: AsyncIterator[bytes]) -> Response:
    """The answer that sends events as they come."""
    response = Response(events, content_type="text/event-stream")
    # For proxies, nginx among them, that would gather or change it.
    response.headers.update({"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"})
    response.timeout = None
    return response


async def apps(hub: Hub, watch: Watch, visitor: Visitor, scope: Scope, only: str | None) -> AsyncIterator[bytes]:
    """The events of a page: first all apps, then each that changes, until the hub or the session ends.

    Args:
        hub: The hub.
        watch: Its watch.
        visitor: Who asks.
        scope: The request, by which the visitor is known again.
        only: The one app that the page is about, which may have no card; None for all that have one.
    """
    with watch.listening(visitor, hub.signin.session_key(scope)) as listener:
        if not await still(hub, visitor, scope):
            return
        view = _View(hub, watch, visitor, only)
        yield _RETRY + view.whole()
        while not listener.closed:
            changed = await listener.changes(HEARTBEAT)
            if listener.closed:
                return
            told = b"".join(map(view.change, sorted(changed)))
            if told or not changed:
                yield told or STILL_HERE


class _View:
    """What one page shows of the apps, so that it is told only what is new to it."""

    def __init__(self, hub: Hub, watch: Watch, visitor: Visitor, only: str | None) -> None:
        self._hub = hub
        self._watch = watch
        self._visitor = visitor
        self._only = only
        self._shown: dict[str, bytes] = {}

    def whole(self) -> bytes:
        """The event with everything."""
        cards = [card for name in self._hub.mounts if (card := self._card(name)) is not None]
        self._shown = {card.name: event("app", card) for card in cards}
        return event("apps", {"visitor": self._visitor.name, "apps": cards})

    def change(self, name: str) -> bytes:
        """The event of an app that has changed, or nothing."""
        card = self._card(name)
        if card is None:
            return event("gone", {"name": name}) if self._shown.pop(name, None) else b""
        told = event("app", card)
        if self._shown.get(name) == told:
            return b""
        self._shown[name] = told
        return told

    def _card(self, name: str) -> Card | None:
        mount = self._hub.mounts.get(name)
        hidden = mount is None or (mount.spec.hidden if self._only is None else name != self._only)
        if mount is None or hidden or not mount.allows(self._visitor):
            return None
        return card_of(mount, self._visitor, self._watch.used.get(name))
