"""Server-sent events: the apps as a page's visitor sees them, and a log as it is written."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from quart import Response

from ..host import Scope
from ..logs import follow
from ..visitor import Visitor
from .ansi import Piece, pieces
from .cards import Card, card_of
from .who import still

if TYPE_CHECKING:
    from ..hub import Hub
    from .watch import Listener, Watch

#: The most pages that may listen at once.
LISTENERS = 1000

#: Seconds after which a page that is told nothing hears that the stream is alive.
HEARTBEAT = 15.0

#: So many lines of a log are shown, and wait at the most for a page that reads slowly.
LINES = 500

#: Seconds that the first lines of a log are waited for; it may have none.
FIRST = 1.0

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


def has_room(watch: Watch, visitor: Visitor) -> bool:
    """Whether one more page may listen. At most half of the places are one visitor's, or all strangers' together."""
    return len(watch) < LISTENERS and watch.pages_of(visitor) < max(LISTENERS // 2, 1)


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


async def log(hub: Hub, watch: Watch, visitor: Visitor, scope: Scope, name: str) -> AsyncIterator[bytes]:
    """The events of a log: first its end, then what is written, until the hub or the session ends.

    Args:
        hub: The hub.
        watch: Its watch.
        visitor: One who may manage the app.
        scope: The request.
        name: The app.
    """
    with watch.listening(visitor, hub.signin.session_key(scope)) as listener:
        if not await still(hub, visitor, scope):
            return
        waiting: deque[str] = deque(maxlen=LINES)
        reading = asyncio.create_task(_read(hub.folders.log(name), waiting, listener, name))
        try:
            while not waiting and await listener.changes(FIRST):
                continue  # Something else has changed.
            yield _RETRY + event("whole", {"lines": _taken(waiting)})
            while not listener.closed:
                changed = await listener.changes(HEARTBEAT)
                if listener.closed:
                    return
                if waiting:
                    yield event("lines", {"lines": _taken(waiting)})
                elif not changed:
                    yield STILL_HERE
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


async def _read(path: Path, waiting: deque[str], listener: Listener, name: str) -> None:
    """Read a log as it is written; of lines that nobody has taken the oldest go first."""
    async for line in follow(path, last=LINES):
        waiting.append(line)
        listener.mark(name)


def _taken(waiting: deque[str]) -> list[list[Piece]]:
    lines = [pieces(line) for line in waiting]
    waiting.clear()
    return lines


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
