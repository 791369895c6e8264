"""The servers of the live benchmarks: Flash, Dash on Quart, and an ASGI app that does no more than it must.

``BENCHMARK_KIND`` names the kind. All of them push a message of 1 KB to every tab when ``/push`` is asked for. The
bare app sends the same bytes, one tab after the other.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Awaitable, Callable
from typing import Any

import apps

KINDS = ("live", "bare", "worker", "worker-0")

#: No limit on how fast a tab may send, and no heartbeat while memory is measured.
SETTINGS = {"enabled": True, "rate": 1e9, "burst": 1_000_000, "heartbeat": 600.0}

Send = Callable[[dict[str, Any]], Awaitable[None]]

_numbers = itertools.count()


def text_of(size: int) -> str:
    """A text of so many characters that is another one each time, and compresses little."""
    number = str(next(_numbers))
    return (number + os.urandom(size // 2).hex())[:size]


class Bare:
    """Keeps the ``send`` of every WebSocket, and sends a text to each."""

    def __init__(self) -> None:
        self._sends: set[Send] = set()

    async def __call__(self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live_and_die(receive, send)
        elif scope["type"] == "websocket":
            await self._talk(receive, send)
        else:
            if scope["path"] == "/push":
                await self._push()
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
            await send({"type": "http.response.body", "body": b"{}"})

    async def _live_and_die(self, receive: Callable[[], Awaitable[Any]], send: Send) -> None:
        while (event := await receive())["type"] != "lifespan.shutdown":
            await send({"type": f"{event['type']}.complete"})
        await send({"type": "lifespan.shutdown.complete"})

    async def _talk(self, receive: Callable[[], Awaitable[Any]], send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        self._sends.add(send)
        try:
            while (await receive())["type"] != "websocket.disconnect":
                pass
        finally:
            self._sends.discard(send)

    async def _push(self) -> None:
        payload = {"componentId": "out", "props": {"children": text_of(1024)}}
        text = json.dumps({"type": "set_props", "payload": payload}, separators=(",", ":"))
        for send in list(self._sends):
            await send({"type": "websocket.send", "text": text})


def flash_app() -> Any:
    """Flash with its live connection, and the callbacks of the other benchmarks."""
    app = apps.build("flash", live=SETTINGS, websocket_callbacks=True)

    @app.server.route("/push")
    async def push() -> dict[str, Any]:
        app.push_mods({"out": {"children": text_of(1024)}})
        return {}

    @app.server.route("/fill")
    async def fill() -> dict[str, Any]:
        """Push much to the tab that came first."""
        app.push_mods({"out": {"children": text_of(256 * 1024)}}, app.clients[0])
        return {}

    @app.server.route("/waiting")
    async def waiting() -> dict[str, int]:
        """How many messages wait for the tabs: for all but the one that has most of them, and for that one."""
        counts = sorted(len(client._connection.outbox) for client in app.clients)
        return {"others": sum(counts[:-1]), "most": counts[-1] if counts else 0, "clients": len(counts)}

    return app


def dash_app(delay: float | None) -> Any:
    """Dash's own WebSocket on Quart, with a delay of its own choice for batches or with ``delay`` seconds."""
    options = {} if delay is None else {"websocket_batch_delay": delay}
    return apps.build("quart", websocket_callbacks=True, **options)


def build(kind: str) -> Any:
    """The ASGI app of a kind."""
    if kind == "bare":
        return Bare()
    return flash_app().server if kind == "live" else dash_app(None if kind == "worker" else 0).server


if os.environ.get("BENCHMARK_KIND") in KINDS:
    server = build(os.environ["BENCHMARK_KIND"])
