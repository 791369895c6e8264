"""Who is here, away and gone, and the handlers that are told."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from flash import Output, html
from flash.live.clients import Client

from ..apps import run
from .asgi import SERVERS, eventually, in_process, live_app
from .tab import Tab, tab_of


def recorded(app: Any, *, asynchronous: bool = True) -> list[tuple[str, bool]]:
    """What the connect handlers of an app are told."""
    told: list[tuple[str, bool]] = []

    async def note(client: Client, connect: bool) -> None:
        told.append((client.id, connect))

    def note_plainly(client: Client, connect: bool) -> None:
        told.append((client.id, connect))

    app.callback_connect(note if asynchronous else note_plainly)
    return told


def test_a_tab_that_arrives_is_here_and_one_that_leaves_is_gone() -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app, headers={"User-Agent": "Test/1"}) as site:
            assert list(app.clients) == []
            tab = await Tab(site, path="/page?a=1").open()
            (client,) = app.clients
            assert (client.id, client.away, client.gone, client.live) == (tab.client, False, False, True)
            assert (client.address, client.host, client.user, client.user_agent) == (
                "127.0.0.1",
                "localhost",
                None,
                "Test/1",
            )
            assert client.authentication is None and client.path == "/page?a=1" and client.connect_time > 1.7e9
            assert app.clients[0] is client and client in app.clients and app.clients[-1:] == [client]
            await tab.leave()
            await eventually(lambda: not app.clients)
            assert client.gone and not client.away and client not in app.clients

    run(main)


@pytest.mark.parametrize("asynchronous", [True, False])
def test_handlers_are_told_once_of_each_arrival_and_departure(asynchronous: bool) -> None:
    async def main() -> None:
        app = live_app()
        told = recorded(app, asynchronous=asynchronous)
        async with in_process(app) as site:
            tab = await Tab(site).open()
            await eventually(lambda: told)
            await tab.cut()
            await eventually(lambda: app.clients[0].away)
            await tab.resume()
            assert not app.clients[0].away
            await tab.leave()
            await eventually(lambda: len(told) == 2)
            reloaded = await Tab(site).open()
            await reloaded.leave()
            await eventually(lambda: len(told) == 4)
        assert told == [(tab.client, True), (tab.client, False), (reloaded.client, True), (reloaded.client, False)]
        assert tab.client != reloaded.client

    run(main)


def test_handlers_are_called_in_the_order_of_their_declaration() -> None:
    async def main() -> None:
        app, told = live_app(), []

        @app.callback_connect
        async def first(client: Client, connect: bool) -> None:
            await asyncio.sleep(0.02)
            told.append(("first", connect))

        @app.callback_connect
        def second(client: Client, connect: bool) -> None:
            told.append(("second", connect))

        async with in_process(app) as site:
            async with tab_of(site):
                pass
            await eventually(lambda: len(told) == 4)
        assert told == [("first", True), ("second", True), ("first", False), ("second", False)]

    run(main)


@pytest.mark.parametrize("asynchronous", [True, False])
def test_a_tab_that_leaves_during_its_arrival_is_told_afterwards(asynchronous: bool) -> None:
    async def main() -> None:
        app, told, go_on = live_app(), [], threading.Event()

        def note_plainly(client: Client, connect: bool) -> None:
            if connect:
                assert go_on.wait(20)
            told.append(connect)

        async def note(client: Client, connect: bool) -> None:
            if connect:
                await asyncio.to_thread(go_on.wait, 20)
            told.append(connect)

        app.callback_connect(note if asynchronous else note_plainly)
        async with in_process(app) as site:
            async with tab_of(site):
                pass
            await eventually(lambda: not app.clients)
            assert told == []
            go_on.set()
            await eventually(lambda: len(told) == 2)
        assert told == [True, False]

    run(main)


def test_what_a_handler_returns_goes_to_that_client() -> None:
    async def main() -> None:
        app = live_app()

        @app.callback_connect
        def greet(client: Client, connect: bool) -> Any:
            return {"out": {"children": html.B(client.id)}}

        @app.callback_connect
        async def greet_too(client: Client, connect: bool) -> Any:
            return Output("echo", "children", True) if connect else None

        async with in_process(app) as site, tab_of(site) as one, tab_of(site) as other:
            for tab in (one, other):
                await tab.until(lambda tab=tab: tab.value("echo.children"))
                assert tab.value("out.children")["props"]["children"] == tab.client
                assert len(tab.pushed("out.children")) == 1
            assert one.log[0]["components"] is True and "components" not in one.log[1]

    run(main)


def test_a_handler_that_raises_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        app = live_app()

        @app.callback_connect
        def fail(client: Client, connect: bool) -> None:
            raise ValueError("the password is 1234")

        @app.callback_connect
        def wrong(client: Client, connect: bool) -> Any:
            return 3

        told = recorded(app)
        async with in_process(app) as site:
            async with tab_of(site) as tab:
                await eventually(lambda: told)
                assert await tab.call("echo.children", {"in.value": 1}) == 1
                assert "1234" not in str(tab.log)
            await eventually(lambda: len(told) == 2)

    run(main)
    assert "A connect handler failed. Error id:" in caplog.text and "push_mods takes" in caplog.text


def test_fields_of_the_apps_own_survive_a_reconnect() -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app) as site, tab_of(site) as tab:
            app.clients[0].room = "kitchen"
            app.clients[0].authentication = "by card"
            await tab.cut()
            assert (await tab.resume())["recovered"] is True
            assert (app.clients[0].room, app.clients[0].authentication) == ("kitchen", "by card")

    run(main)


def test_clients_may_be_read_in_threads_while_they_change() -> None:
    async def main() -> None:
        app, over, looks, failed = live_app(), threading.Event(), [0], []

        def look() -> None:
            try:
                while not over.is_set():
                    looks[0] += sum(client.away + client.gone for client in app.clients) >= 0
                    assert len(list(app.clients)) >= 0 and app.clients[:2] is not None
            except Exception as error:
                failed.append(error)

        readers = [threading.Thread(target=look) for _ in range(3)]
        async with in_process(app) as site:
            for reader in readers:
                reader.start()
            for _ in range(15):
                tabs = await asyncio.gather(*(Tab(site).open() for _ in range(5)))
                await asyncio.gather(*(tab.leave() for tab in tabs))
            over.set()
        for reader in readers:
            reader.join()
        assert not failed and looks[0]

    run(main)


def test_an_unanswered_heartbeat_makes_a_client_away() -> None:
    async def main() -> None:
        app = live_app(heartbeat=0.05, answer=0.05)
        async with in_process(app) as site:
            tab = await Tab(site).open()
            await tab.until(lambda: tab.heartbeats > 3)
            assert not app.clients[0].away
            tab.answers_heartbeats = False
            await tab.until(lambda: not tab.connected)
            assert tab.closes == [1001] and app.clients[0].away
            tab.answers_heartbeats = True
            assert (await tab.resume())["recovered"] is True and not app.clients[0].away
            await tab.leave()

    run(main)


def test_a_large_message_under_way_is_given_time_to_arrive() -> None:
    """A heartbeat cannot be answered before it has come, and it comes behind what is being sent."""

    async def main() -> None:
        app = live_app(heartbeat=0.05, answer=0.05)
        async with in_process(app) as site, tab_of(site) as tab:
            assert tab.socket is not None
            tab.socket.stall()
            app.push_mods({"out": {"children": "x" * 150_000}})
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(eventually(lambda: app.clients[0].away), 0.5)
            tab.socket.go_on()
            await tab.until(lambda: tab.value("out.children"))
            beats = tab.heartbeats
            await tab.until(lambda: tab.heartbeats > beats + 2)
            assert tab.connected and not tab.closes

    run(main)


def test_a_link_that_takes_nothing_is_lost_in_the_end() -> None:
    async def main() -> None:
        app = live_app(heartbeat=0.05, answer=0.05)
        async with in_process(app) as site:
            tab = await Tab(site).open()
            assert tab.socket is not None
            tab.socket.stall()
            app.push_mods({"out": {"children": "x" * 10_000}})
            await eventually(lambda: app.clients[0].away)
            await tab.cut()

    run(main)


def test_a_client_is_gone_when_its_window_is_over() -> None:
    async def main() -> None:
        app = live_app(resume_seconds=0.05)
        told = recorded(app)
        async with in_process(app) as site:
            tab = await Tab(site).open()
            (client,) = app.clients
            await tab.cut()
            await eventually(lambda: len(told) == 2)
            assert client.gone and not app.clients
            assert (await tab.resume())["recovered"] is False
            assert app.clients[0] is not client
            await tab.leave()

    run(main)


@pytest.mark.parametrize("code", [1000, 1001])
def test_a_socket_that_the_page_closes_means_gone(code: int) -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app) as site:
            tab = await Tab(site).open()
            await tab.close(code)
            await eventually(lambda: not app.clients)

    run(main)


@pytest.mark.parametrize("server", SERVERS)
def test_on_real_servers_a_lost_link_means_away_and_a_closed_one_gone(server: str) -> None:
    async def main() -> None:
        app = live_app()
        told = recorded(app)
        async with SERVERS[server](app) as site:
            tab = await Tab(site).open()
            await tab.cut()
            await eventually(lambda: app.clients and app.clients[0].away)
            assert (await tab.resume())["recovered"] is True
            assert not app.clients[0].away
            await tab.leave()
            await eventually(lambda: not app.clients)
            going = await Tab(site).open()
            await going.close(1001)
            # Hypercorn tells no app with which code a page has closed its socket: there only `bye` says so at once.
            await eventually(lambda: app.clients[0].away if server == "hypercorn" else not app.clients)
            await eventually(lambda: len(told) == (3 if server == "hypercorn" else 4))

    run(main)


def test_bye_means_gone_while_the_socket_is_open() -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app) as site:
            tab = await Tab(site).open()
            await tab.send({"type": "bye"})
            await eventually(lambda: not app.clients)
            await tab.until(lambda: not tab.connected)
            assert tab.closes == [1000]

    run(main)


def test_departures_are_called_once_and_can_be_taken_back() -> None:
    async def main() -> None:
        app, called = live_app(), []
        async with in_process(app) as site:
            async with tab_of(site) as tab:
                (client,) = app.clients
                client.on_departure(lambda: called.append("kept"))
                client.on_departure(lambda: called.append("taken back"))()
                await tab.cut()
                await tab.resume()
                assert called == []
            await eventually(lambda: client.gone)
            assert called == ["kept"]
            client.on_departure(lambda: called.append("too late"))
            await client.room()
            client.set_props("out", {"children": "nobody"})
        assert called == ["kept"]

    run(main)


def test_a_departure_that_fails_does_not_keep_the_others(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        app, called = live_app(), []
        told = recorded(app)
        async with in_process(app) as site:
            async with tab_of(site):
                (client,) = app.clients
                client.on_departure(lambda: 1 // 0)  # type: ignore[arg-type, return-value]
                client.on_departure(lambda: called.append("second"))
            await eventually(lambda: not app.clients)
            await eventually(lambda: len(told) == 2)
        assert called == ["second"]

    run(main)
    assert "ZeroDivisionError" in caplog.text


def test_handlers_still_hear_of_departures_when_the_server_stops() -> None:
    async def main() -> None:
        app = live_app()
        told = recorded(app)
        async with in_process(app) as site:
            tab = await Tab(site).open()
            await eventually(lambda: told)
        assert told == [(tab.client, True), (tab.client, False)]
        await tab.close()

    run(main)


def test_an_app_may_be_served_again() -> None:
    async def main() -> None:
        app = live_app()
        for _ in range(2):
            async with in_process(app) as site, tab_of(site) as tab:
                assert await tab.call("echo.children", {"in.value": 1}) == 1

    run(main)
