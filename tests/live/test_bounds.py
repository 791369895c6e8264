"""What one tab, one app or one thread may not do to the others."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest
from dash import hooks
from quart import Quart

from flash import Flash, html
from flash.live.protocol import CloseCode

from ..apps import SEPARATE, run
from .asgi import eventually, in_process, live_app
from .sites import InProcess
from .tab import tab_of


@pytest.fixture
def shown() -> Any:
    """The messages that a hook has seen."""
    seen: list[Any] = []
    hooks.websocket_message()(lambda websocket, message: seen.append(message))
    yield seen
    hooks._ns["websocket_message"] = []


def test_hooks_see_messages_and_nothing_that_is_none(shown: list[Any]) -> None:
    async def main() -> None:
        async with in_process(live_app()) as site, tab_of(site) as tab:
            assert tab.socket is not None
            await tab.socket.send(json.dumps([0] * 1000))
            await tab.until(lambda: tab.errors)
            assert await tab.call("echo.children", {"in.value": 1}) == 1
        assert [message["type"] for message in shown][:2] == ["hello", "callback_request"]
        assert shown[1]["payload"]["output"] == "echo.children"

    run(main)


def test_large_frames_count_for_several() -> None:
    async def main() -> None:
        app = live_app(rate=1, burst=20)
        async with in_process(app) as site, tab_of(site) as tab:
            await tab.request("echo.children", {"in.value": "x" * 2_000_000})
            await tab.until(lambda: not tab.connected)
            assert tab.closes[-1] == CloseCode.TOO_FAST

    run(main)


def test_every_arrival_is_told_though_the_pool_is_full() -> None:
    async def main() -> None:
        app, go_on, told = live_app({"callback_threads": 1}), threading.Event(), []

        @app.callback_connect
        def tell(client: Any, connect: bool) -> None:
            told.append(client.id)

        async with in_process(app) as site, tab_of(site):
            await eventually(lambda: told)
            blocked = asyncio.ensure_future(app.flash_pool.run(go_on.wait))
            await asyncio.sleep(0)
            waiting = [asyncio.ensure_future(app.flash_pool.run(int)) for _ in range(250)]
            await asyncio.sleep(0)
            async with tab_of(site) as other:
                await asyncio.sleep(0.1)
                go_on.set()
                await asyncio.gather(blocked, *waiting, return_exceptions=True)
                await eventually(lambda: other.client in told)

    run(main)


def test_every_app_of_a_server_hears_of_its_end() -> None:
    server = Quart("shared")
    apps = [
        Flash(f"app_{prefix}", server, url_base_pathname=f"/{prefix}/", live=True, **SEPARATE) for prefix in ("a", "b")
    ]
    for app in apps:
        app.layout = html.Div()

    async def main() -> None:
        stop = apps[0].backend.stop_event = asyncio.Event()
        async with server.test_app():
            async with tab_of(InProcess(apps[1])) as tab:
                stop.set()
                await tab.until(lambda: not tab.connected)
                assert tab.byes and tab.closes[-1] == CloseCode.RESTART

    run(main)
