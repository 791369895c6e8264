"""Sockets that say nothing, late or too much before they are a tab's."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from quart import Response

from flash import Patch
from flash.live import peer
from flash.live.protocol import CloseCode

from ..apps import run
from .asgi import eventually, in_process, live_app
from .sites import Closed
from .tab import DashWorker, Tab, tab_of

HELLO = json.dumps({"type": "hello", "version": 1, "rendererId": "page"})


async def close_code(socket: Any) -> int:
    """The code with which a socket is closed."""
    with pytest.raises(Closed) as closed:
        async with asyncio.timeout(10):
            while True:
                await socket.receive()
    return closed.value.code


def test_who_says_nothing_is_sent_away() -> None:
    async def main() -> None:
        async with in_process(live_app(silence=0.05)) as site:
            assert await close_code(await site.socket()) == CloseCode.GOING_AWAY

    run(main)


def test_a_worker_that_says_no_more_is_sent_away_with_its_pages() -> None:
    async def main() -> None:
        app = live_app(silence=0.2)
        async with in_process(app) as site:
            worker = DashWorker(site)
            await worker.connect()
            await worker.call(worker.page(), "echo.children", {"in.value": 1})
            assert len(app.clients) == 1
            await eventually(lambda: not app.clients)

    run(main)


def test_a_late_greeting_is_held_to_the_guards_of_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "_GREETING_SECONDS", 0.0)
    app, refused = live_app(), asyncio.Event()

    @app.server.before_request
    async def guard() -> Response | None:
        return Response(status=401) if refused.is_set() else None

    async def main() -> None:
        async with in_process(app) as site:
            early, late = await site.socket(), await site.socket()
            await early.send(HELLO)
            assert json.loads(await early.receive())["type"] == "welcome"
            refused.set()
            await late.send(HELLO)
            assert await close_code(late) == CloseCode.SIGNED_OUT

    run(main)


def test_disconnecting_a_user_reaches_sockets_that_have_not_greeted() -> None:
    app = live_app({"identify": lambda request: "ann"})

    async def main() -> None:
        async with in_process(app) as site:
            socket = await site.socket()
            app.disconnect(user="bob")
            app.disconnect(user="ann")
            assert await close_code(socket) == CloseCode.SIGNED_OUT

    run(main)


def test_a_server_that_ends_welcomes_nobody_and_closes_who_has_not_greeted() -> None:
    app = live_app()

    async def main() -> None:
        async with in_process(app) as site:
            greets, silent = await site.socket(), await site.socket()
            app.flash_live.stopping = True
            await greets.send(HELLO)
            assert await close_code(greets) == CloseCode.RESTART
            app.flash_live.stopping = False
            await app.flash_live.shut_down()
            assert await close_code(silent) == CloseCode.RESTART

    run(main)


def test_the_pages_of_one_worker_are_counted() -> None:
    async def main() -> None:
        app = live_app(clients_per_user=3)
        async with in_process(app) as site:
            worker = DashWorker(site)
            await worker.connect()
            for _ in range(3):
                await worker.call(worker.page(), "echo.children", {"in.value": 1})
            await worker.request(worker.page(), "echo.children", {"in.value": 1})
            await worker.until(lambda: not worker.connected)
            assert worker.closes[-1] == CloseCode.TOO_MANY

    run(main)


def test_names_that_a_page_gives_have_a_bound() -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app) as site, tab_of(site, path="/" + "x" * 20_000) as tab:
            assert len(app.clients[0].path) < 10_000
            await tab.send({"type": "callback_request", "requestId": "x" * 300, "payload": {}})
            await tab.until(lambda: tab.errors)

    run(main)


def test_a_burst_in_one_turn_has_a_bound() -> None:
    async def main() -> None:
        app = live_app(waiting_bytes=10_000)
        async with in_process(app) as site, tab_of(site) as tab:
            for _ in range(20):
                patch = Patch()
                patch.append("x" * 8_000)
                app.push_mods({"out": {"children": patch}})
            await tab.until(lambda: not tab.connected)
            assert tab.closes[-1] == CloseCode.SLOW

    run(main)


def test_what_two_apps_of_a_loop_that_has_ended_knew_is_forgotten() -> None:
    app = live_app()

    async def once() -> None:
        tab = Tab(site_of[0])
        await tab.open()
        assert len(app.clients) == 1
        app.push_mods({"out": {"children": 1}})
        await tab.until(lambda: tab.value("out.children") == 1)

    async def main() -> None:
        async with in_process(app) as site:
            site_of[:] = [site]
            await once()
            app.flash_live.clients.remove = lambda *args: None  # type: ignore[method-assign]

    site_of: list[Any] = []
    run(main)
    del app.flash_live.clients.remove
    assert len(app.clients) == 1  # As after a loop that was stopped without a word.
    run(main)
