"""Coming back after a cut: all that was missed, in order and once, or a plain word that it is lost."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from flash import Patch, ctx
from flash.live.protocol import CloseCode

from ..apps import run
from .asgi import SERVERS, callback, eventually, in_process, live_app, on_hypercorn
from .proxy import proxy_to
from .sites import Network
from .tab import Tab, tab_of


def append(app: Any, value: Any) -> None:
    """Push an event: a Patch, which is never dropped."""
    patch = Patch()
    patch.append(value)
    app.push_mods({"out": {"children": patch}})


async def resumed(tab: Tab, **fields: Any) -> Any:
    """Resume with a message that says something else; returns the welcome."""
    before = len(tab.welcomes)
    message = {**tab.resumption(), "ticket": await tab.fetch_ticket(), **fields}
    await tab.connect()
    await tab.send(message)
    await tab.until(lambda: len(tab.welcomes) > before)
    return tab.welcomes[-1]


async def away(app: Any) -> None:
    await eventually(lambda: app.clients and app.clients[0].away)


def test_what_was_missed_comes_in_order_and_once() -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app) as site, tab_of(site, acks_every=2) as tab:
            app.push_mods({"out": {"children": []}})
            for number in range(5):
                append(app, number)
            await tab.until(lambda: len(tab.log) == 6)
            await tab.cut()
            await away(app)
            for number in range(5, 10):
                append(app, number)
            assert (await tab.resume())["recovered"] is True
            append(app, 10)
            await tab.until(lambda: tab.value("out.children") == list(range(11)))
            assert len(tab.log) == 12

    run(main)


def test_what_was_under_way_when_the_link_was_cut_comes_again() -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app) as site, tab_of(site) as tab:
            tab.values["out", "children"] = []
            for round_ in range(5):
                for number in range(3):
                    append(app, (round_, number))
                await tab.cut()
                await tab.resume()
            await tab.until(lambda: len(tab.value("out.children")) == 15)
            assert tab.value("out.children") == [[round_, number] for round_ in range(5) for number in range(3)]

    run(main)


def test_values_that_were_missed_come_as_their_latest() -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app) as site, tab_of(site) as tab:
            await tab.cut()
            await away(app)
            for number in range(5000):
                app.push_mods({"out": {"children": number}})
            assert (await tab.resume())["recovered"] is True
            await tab.until(lambda: tab.value("out.children") == 4999)
            assert len(tab.log) == 1

    run(main)


@pytest.mark.parametrize("limits", [{"resume_messages": 10}, {"resume_bytes": 1000}])
def test_more_than_the_window_holds_is_lost_and_said_to_be(limits: dict[str, int]) -> None:
    async def main() -> None:
        app = live_app(**limits)
        async with in_process(app) as site, tab_of(site) as tab:
            (client,) = app.clients
            await tab.cut()
            await away(app)
            for number in range(50):
                append(app, number)
            assert app.flash_live.ledger.bytes == 0
            welcome = await tab.resume()
            assert welcome["recovered"] is False and welcome["client"] != client.id
            assert client.gone and len(app.clients) == 1
            assert tab.log == []
            assert await tab.call("echo.children", {"in.value": 1}) == 1

    run(main)


def test_less_than_the_window_holds_is_not_lost() -> None:
    async def main() -> None:
        app = live_app(resume_messages=50)
        async with in_process(app) as site, tab_of(site) as tab:
            tab.values["out", "children"] = []
            await tab.cut()
            await away(app)
            for number in range(50):
                append(app, number)
            assert (await tab.resume())["recovered"] is True
            await tab.until(lambda: tab.value("out.children") == list(range(50)))

    run(main)


def test_a_large_answer_that_was_cut_off_comes_again() -> None:
    """One message may be larger than the whole window."""

    async def main() -> None:
        app, go_on = live_app(), asyncio.Event()

        @callback(app, "plain.title")
        async def large(value: Any) -> str:
            await go_on.wait()
            return "x" * 3_000_000

        async with in_process(app) as site, tab_of(site) as tab:
            request = await tab.request("plain.title", {"in.value": 1})
            await tab.until(lambda: request.acknowledged and tab.socket)
            assert tab.socket is not None
            tab.socket.stall()
            go_on.set()
            await eventually(lambda: app.clients[0]._connection.outbox.sent)
            await tab.cut()
            await away(app)
            app.push_mods({"out": {"children": 1}})
            assert (await tab.resume())["recovered"] is True
            await tab.until(lambda: request.done and tab.value("out.children") == 1)
            assert len(request.answers) == 1

    run(main)


@pytest.mark.parametrize(
    "change",
    [
        {"key": "wrong"},
        {"key": ""},
        {"key": "ké"},
        {"client": "nobody"},
        {"ticket": None},
        {"ticket": ""},
        {"ticket": "forged"},
        {"ticket": "bnVsbA.aQ.AAAA"},
        {"ticket": "ké"},
    ],
    ids=str,
)
def test_who_cannot_prove_itself_is_a_new_client(change: dict[str, Any]) -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app) as site:
            tab, thief = await Tab(site).open(), Tab(site)
            app.push_mods({"out": {"children": "secret"}})
            await tab.until(lambda: tab.log)
            thief.client, thief.key = tab.client, tab.key
            welcome = await resumed(thief, **{"received": 0, **change})
            assert welcome["recovered"] is False and welcome["client"] != tab.client
            assert thief.log == []
            assert len(app.clients) == 2 and tab.connected
            await tab.leave()
            await thief.leave()

    run(main)


def test_an_old_ticket_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app) as site, tab_of(site) as tab:
            await tab.cut()
            monkeypatch.setattr("flash.live.guard.TICKET_SECONDS", -1)
            assert (await tab.resume())["recovered"] is False

    run(main)


def test_another_users_ticket_is_none() -> None:
    async def main() -> None:
        app = live_app({"identify": lambda request: request.headers.get("X-User")})
        async with in_process(app, headers={"X-User": "ann"}) as site:
            tab = await Tab(site).open()
            ticket = await tab.fetch_ticket()
            await tab.cut()
            site.headers["X-User"] = "bob"
            welcome = await tab.resume()  # Bob's browser has Ann's key, and a ticket of Bob's.
            assert welcome["recovered"] is False
            assert [client.user for client in app.clients] == ["ann", "bob"]
            other = Tab(site)
            other.client, other.key = app.clients[0].id, app.clients[0]._connection.key
            assert (await resumed(other, ticket=ticket))["recovered"] is False  # And one of Ann's.
            await tab.leave()
            await other.leave()

    run(main)


def test_who_signs_in_is_known_from_the_next_ticket_or_resume_on() -> None:
    async def main() -> None:
        app = live_app({"identify": lambda request: request.headers.get("X-User")})
        async with in_process(app) as site:
            one, other = await Tab(site).open(), await Tab(site).open()
            assert [client.user for client in app.clients] == [None, None]
            site.headers["X-User"] = "ann"
            await one.send({"type": "ticket", "ticket": await one.fetch_ticket()})
            await eventually(lambda: app.clients[0].user == "ann")
            await other.cut()
            assert (await other.resume())["recovered"] is True
            assert app.clients[1].user == "ann"
            app.disconnect(user="ann")
            for tab in (one, other):
                await tab.until(lambda tab=tab: not tab.connected)
                assert tab.closes[-1] == CloseCode.SIGNED_OUT
            assert not app.clients

    run(main)


def test_the_old_of_two_links_is_told_that_it_was_replaced() -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app) as site:
            tab, twin = await Tab(site).open(), Tab(site)
            twin.client, twin.key = tab.client, tab.key
            assert (await twin.resume())["recovered"] is True
            await tab.until(lambda: not tab.connected)
            assert tab.closes == [CloseCode.REPLACED]
            assert len(app.clients) == 1 and not app.clients[0].away
            app.push_mods({"out": {"children": 1}})
            await twin.until(lambda: twin.value("out.children") == 1)
            await twin.leave()

    run(main)


@pytest.mark.parametrize("server", SERVERS)
def test_a_link_that_the_server_still_believes_in_is_replaced(server: str) -> None:
    async def main() -> None:
        app = live_app()
        async with SERVERS[server](app) as own, proxy_to(int(own.address.rstrip("/").rsplit(":", 1)[1])) as proxy:
            site = Network(proxy.address)
            tab = await Tab(site).open()
            tab.values["out", "children"] = []
            append(app, 1)
            await tab.until(lambda: tab.log)
            proxy.half_open()
            await tab.until(lambda: not tab.connected)
            append(app, 2)
            assert not app.clients[0].away
            assert (await tab.resume())["recovered"] is True
            append(app, 3)
            await tab.until(lambda: tab.value("out.children") == [1, 2, 3])
            proxy.bury()
            append(app, 4)
            await tab.until(lambda: tab.value("out.children") == [1, 2, 3, 4])
            assert len(app.clients) == 1 and not app.clients[0].away
            await tab.leave()

    run(main)


@pytest.mark.parametrize("received", [-1, 3, 10**12])
def test_a_count_that_cannot_be_is_not_recovered(received: int) -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app) as site, tab_of(site) as tab:
            app.push_mods({"out": {"children": 1}})
            await tab.until(lambda: tab.log)
            await tab.cut()
            assert (await tab.resume(received=received))["recovered"] is False
            assert len(app.clients) == 1

    run(main)


def test_an_acknowledgement_that_was_lost_does_no_harm() -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app) as site, tab_of(site, acks_every=0) as tab:
            tab.values["out", "children"] = []
            for number in range(10):
                append(app, number)
            await tab.until(lambda: tab.received == 10)
            await tab.cut()
            assert (await tab.resume())["recovered"] is True
            append(app, 10)
            await tab.until(lambda: tab.value("out.children") == list(range(11)))

    run(main)


def test_false_acknowledgements_harm_only_their_sender() -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app) as site, tab_of(site) as tab, tab_of(site) as other:
            for received in (10**15, -1, 10**15):
                await tab.send({"type": "ack", "received": received})
            other.values["out", "children"] = tab.values["out", "children"] = []
            append(app, 1)
            for each in (tab, other):
                await each.until(lambda each=each: each.value("out.children") == [1])

    run(main)


def test_hello_and_resume_mixed_up_are_errors_and_nothing_more() -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app) as site, tab_of(site) as tab:
            await tab.send(tab.hello())
            await tab.send(tab.resumption())
            await tab.until(lambda: len(tab.errors) == 2)
            assert await tab.call("echo.children", {"in.value": 1}) == 1
            assert len(app.clients) == 1 and len(tab.welcomes) == 1

    run(main)


def test_a_resume_to_a_server_that_was_started_anew_is_a_new_client() -> None:
    async def main() -> None:
        first, second = live_app(), live_app()
        async with in_process(first) as site:
            tab = await Tab(site).open()
            await tab.cut()
        async with in_process(second) as site:
            epoch, tab.site = tab.epoch, site
            assert (await tab.resume())["recovered"] is False
            assert tab.epoch != epoch and len(second.clients) == 1
            await tab.leave()

    run(main)


def test_a_resume_when_nothing_is_kept_is_answered_by_hello_alike() -> None:
    """A page from the browser's cache, whose client is gone."""

    async def main() -> None:
        app = live_app()
        told = []
        app.callback_connect(lambda client, connect: told.append(connect))
        async with in_process(app) as site:
            tab = await Tab(site, path="/p?x=1").open()
            await tab.leave()
            await eventually(lambda: told == [True, False])
            assert (await tab.resume())["recovered"] is False
            assert app.clients[0].path == "/p?x=1" and app.clients[0].renderer_id == tab.renderer_id
            await eventually(lambda: told == [True, False, True])
            await tab.leave()

    run(main)


def test_answers_of_callbacks_that_ran_through_a_cut_arrive() -> None:
    async def main() -> None:
        app, go_on = live_app(), asyncio.Event()

        @callback(app)
        async def slow(value: Any) -> Any:
            await go_on.wait()
            return ctx.client.id

        async with in_process(app) as site, tab_of(site) as tab:
            request = await tab.request("out.children", {"in.value": 1})
            await tab.until(lambda: request.acknowledged)
            await tab.cut()
            await away(app)
            go_on.set()
            await tab.resume()
            await tab.until(lambda: request.done)
            assert request.response["out"]["children"] == tab.client

    run(main)


@pytest.mark.parametrize("seed", range(3))
def test_through_random_cuts_the_page_is_what_the_server_says(seed: int) -> None:
    """On a real server, through a proxy: pushes, requests and cuts at any time."""

    async def main() -> None:
        chance, app, runs = random.Random(seed), live_app(), []

        @callback(app)
        async def count(value: Any) -> Any:
            runs.append(value)
            return value

        async with on_hypercorn(app) as own, proxy_to(int(own.address.rstrip("/").rsplit(":", 1)[1])) as proxy:
            site = Network(proxy.address)
            tab = await Tab(site, acks_every=5).open()
            pushed: list[int] = []
            tab.values["echo", "children"] = []
            requests = []
            for step in range(120):
                match chance.randrange(6):
                    case 0 | 1:
                        patch = Patch()
                        patch.append(step)
                        app.push_mods({"echo": {"children": patch}, "plain": {"children": step}})
                        pushed.append(step)
                    case 2:
                        requests.append(await tab.request("out.children", {"in.value": step}))
                    case 3:
                        proxy.cut(sockets_only=True)
                        await tab.until(lambda: not tab.connected)
                    case 4:
                        await asyncio.sleep(chance.random() / 100)
                if not tab.connected and chance.random() < 0.5:
                    assert (await tab.resume())["recovered"] is True
            if not tab.connected:
                await tab.resume()
            await tab.until(lambda: all(request.done for request in requests))
            await tab.until(lambda: len(tab.value("echo.children")) == len(pushed))
            assert tab.value("echo.children") == pushed and tab.value("plain.children") == pushed[-1]
            assert sorted(runs) == sorted({request.message["payload"]["inputs"][0]["value"] for request in requests})
            assert all(len(request.answers) == 1 for request in requests)
            await tab.leave()

    run(main)
