"""The end of a server: who is connected is told, what runs is answered, and nothing endless holds the stop."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest
from quart import Quart

from flash import set_props
from flash.live.protocol import CloseCode

from ..apps import run
from ..server.run_programs import ANY_PORT, PREAMBLE, program
from ..server.test_asgi_servers import served
from .asgi import SERVERS, callback, eventually, in_process, live_app
from .sites import InProcess, Network, Refused
from .tab import DashWorker, Tab, tab_of

SOURCE = (
    PREAMBLE.replace("app = Flash(__name__, ", "app = Flash(__name__, live=True, ")
    + """
@app.callback(Output("async", "children"), Input("button", "n_clicks"), websocket=True)
async def slow(clicks):
    print("slow runs")
    try:
        await asyncio.sleep(clicks)
        return f"slow {clicks}"
    finally:
        print("slow ended")

@app.callback(Output("plain", "children"), Input("button", "n_clicks"), websocket=True, persistent=True)
async def endless(clicks):
    print("endless runs")
    try:
        await asyncio.Event().wait()
    finally:
        print("endless ended")
"""
)


async def two_that_run(address: tuple[str, int], seconds: float) -> tuple[Tab, Any]:
    """A tab with one callback that ends and one that does not."""
    tab = await Tab(Network(f"http://{address[0]}:{address[1]}/")).open()
    request = await tab.request("async.children", {"button.n_clicks": seconds})
    endless = await tab.request("plain.children", {"button.n_clicks": 1})
    await tab.until(lambda: request.acknowledged and endless.acknowledged)
    return tab, request


def test_run_answers_what_runs_and_says_when_to_come_back(tmp_path: Path) -> None:
    with program(SOURCE + f"app.run(bind='{ANY_PORT}')", tmp_path) as running:

        async def main() -> None:
            tab, request = await two_that_run(running.address(), 0.5)
            running.says("slow runs")
            running.says("endless runs")
            running.process.send_signal(signal.SIGTERM)
            await tab.until(lambda: tab.byes)
            assert 0 < tab.byes[0]["retry"] <= 10_000
            await tab.until(lambda: not tab.connected)
            assert request.status == "ok" and request.response["async"]["children"] == "slow 0.5"
            assert tab.closes == [CloseCode.RESTART]

        run(main)
        assert running.ends() == 0
        running.says("endless ended")
        assert "Traceback" not in running.output


def test_run_ends_within_its_grace_though_a_callback_does_not(tmp_path: Path) -> None:
    with program(SOURCE + f"app.run(bind='{ANY_PORT}', graceful_timeout=1)", tmp_path) as running:

        async def main() -> None:
            tab, request = await two_that_run(running.address(), 600)
            running.says("slow runs")
            running.process.send_signal(signal.SIGTERM)
            await tab.until(lambda: not tab.connected)
            assert request.status == "open" and tab.closes[0] in (CloseCode.RESTART, CloseCode.GOING_AWAY)

        run(main)
        assert running.ends() == 0
        running.says("slow ended")


@pytest.mark.parametrize("server", ["hypercorn", "uvicorn"])
def test_other_servers_end_in_time_too(server: str, tmp_path: Path) -> None:
    with served(server, tmp_path, SOURCE) as (running, address):

        async def main() -> None:
            tab, _ = await two_that_run(address, 600)
            running.says("slow runs")
            running.process.send_signal(signal.SIGTERM)
            await tab.until(lambda: not tab.connected)
            assert tab.closes[0] in (CloseCode.RESTART, CloseCode.GOING_AWAY), tab.closes

        run(main)
        assert running.ends() in (0, -signal.SIGTERM)
        running.says("slow ended")
        running.says("endless ended")
        # Hypercorn itself logs that it has cancelled what was connected.
        assert "Traceback" not in running.output or server == "hypercorn"
        assert "flash/live" not in running.output


@pytest.mark.parametrize("server", SERVERS)
def test_a_stream_of_events_does_not_hold_the_stop(server: str) -> None:
    async def main() -> None:
        app = live_app()
        async with SERVERS[server](app) as site:
            host, port = site.address[7:-1].split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            path = f"/_flash/live/stream?stream={'a' * 32}"
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
            await reader.readuntil(b"event: open")
            closing = asyncio.create_task(app.flash_live.shut_down())
            await reader.read()  # To its end.
            await closing
            writer.close()

    run(main)


def test_new_handshakes_get_503_while_the_server_ends() -> None:
    async def main() -> None:
        app, go_on = live_app(), asyncio.Event()

        @callback(app)
        async def wait(value: Any) -> Any:
            await go_on.wait()
            return value

        async with in_process(app) as site:
            tab = await Tab(site).open()
            request = await tab.request("out.children", {"in.value": 1})
            await tab.until(lambda: request.acknowledged)
            ending = asyncio.create_task(app.flash_live.shut_down())
            await tab.until(lambda: tab.byes)
            with pytest.raises(Refused) as refused:
                await Tab(site).open()
            assert refused.value.status == 503
            go_on.set()
            await ending
            await tab.until(lambda: not tab.connected)
            assert request.status == "ok" and tab.closes == [CloseCode.RESTART]

    run(main)


def test_a_stop_waits_for_answers_and_not_for_the_endless() -> None:
    async def main() -> None:
        app, ended = live_app(), []

        @callback(app, persistent=True)
        async def endless(value: Any) -> None:
            try:
                while True:
                    set_props("plain", {"children": 1})
                    await asyncio.sleep(0.01)
            finally:
                ended.append(True)

        async with in_process(app) as site:
            tab = await Tab(site).open()
            await tab.request("out.children", {"in.value": 1})
            await tab.until(lambda: tab.value("plain.children"))
            await asyncio.wait_for(app.flash_live.shut_down(), 5)
            assert ended == [True]
            await tab.until(lambda: not tab.connected)

    run(main)


def test_a_tab_that_does_not_read_does_not_hold_the_stop() -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app) as site:
            tab, other = await Tab(site).open(), await Tab(site).open()
            assert tab.socket is not None
            tab.socket.stall()
            app.push_mods({"out": {"children": "x" * 1000}})
            await other.until(lambda: other.value("out.children"))
            await asyncio.wait_for(app.flash_live.shut_down(), 10)
            await other.until(lambda: not other.connected)
            assert other.closes == [CloseCode.RESTART]
            await tab.cut()

    run(main)


# Where it is served.


def test_several_apps_share_a_server_and_meet_nowhere() -> None:
    async def main() -> None:
        server = Quart("shared")
        apps = [live_app({"server": server, "url_base_pathname": f"/{name}/"}) for name in ("one", "two")]
        for app in apps:

            @callback(app)
            async def which(value: Any, app: Any = app) -> str:
                from flash import get_app

                return get_app().config.url_base_pathname if get_app() is app else "another"

        async with server.test_app():
            tabs = [await Tab(InProcess(app)).open() for app in apps]
            for tab, app in zip(tabs, apps, strict=True):
                assert await tab.call("out.children", {"in.value": 1}) == app.config.url_base_pathname
                assert [client.id for client in app.clients] == [tab.client]
            apps[0].push_mods({"plain": {"children": 1}})
            await tabs[0].until(lambda: tabs[0].value("plain.children") == 1)
            apps[1].push_mods({"plain": {"children": 2}})
            await tabs[1].until(lambda: tabs[1].value("plain.children") == 2)
            assert tabs[0].value("plain.children") == 1
            with pytest.raises(AssertionError, match="Not welcomed"):  # Keys of one app open nothing in the other.
                thief = Tab(InProcess(apps[1]))
                thief.client, thief.key = tabs[0].client, tabs[0].key
                welcome = await thief.resume()
                assert welcome["recovered"] is False
                await thief.leave()
                raise AssertionError("Not welcomed as the other app's client.")
            for tab in tabs:
                await tab.leave()

    run(main)


def test_an_app_may_be_mounted_below_a_path() -> None:
    async def main() -> None:
        app = live_app({"requests_pathname_prefix": "/below/", "routes_pathname_prefix": "/"})

        async def mounted(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan":
                await app.server(scope, receive, send)
                return
            assert scope["path"].startswith("/below/")
            await app.server({**scope, "root_path": "/below"}, receive, send)

        for serve in SERVERS.values():
            async with serve(app, loads_app=mounted) as site:
                own = Network(site.address + "below/", origin=site.origin)
                async with tab_of(own) as tab:
                    assert await tab.call("echo.children", {"in.value": 1}) == 1
                    await tab.cut()
                    assert (await tab.resume())["recovered"] is True

    run(main)


def test_without_a_lifespan_the_first_connection_sets_the_app_up() -> None:
    async def main() -> None:
        app = live_app()
        assert not app.flash_setup.done
        tabs = await asyncio.gather(*(Tab(InProcess(app)).open() for _ in range(3)))
        assert app.flash_setup.done
        for tab in tabs:
            assert await tab.call("echo.children", {"in.value": 1}) == 1
            await tab.leave()
        await app.close()

    run(main)


def test_an_app_that_is_not_ready_gets_503() -> None:
    async def main() -> None:
        app, up = live_app(), []
        layout = app.layout

        async def late() -> Any:
            if not up:
                raise ConnectionError("the database is down")
            return layout

        app.layout = late
        with pytest.raises(Refused) as refused:
            await Tab(InProcess(app)).open()
        assert refused.value.status == 503
        up.append(1)
        async with tab_of(InProcess(app)) as tab:
            assert await tab.call("echo.children", {"in.value": 1}) == 1
        await app.close()

    run(main)


def test_dashs_worker_is_closed_with_a_code_from_which_it_comes_back() -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app) as site:
            worker = DashWorker(site)
            await worker.connect()
            await worker.call(worker.page(), "echo.children", {"in.value": 1})
        await worker.until(lambda: not worker.connected)
        assert worker.closes == [CloseCode.RESTART]
        await eventually(lambda: not app.clients)

    run(main)
