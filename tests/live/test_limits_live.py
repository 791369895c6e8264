"""What one tab may send and keep waiting; what is over it harms that tab alone."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest

from flash import Patch
from flash.live.protocol import CloseCode

from ..apps import body, run
from .asgi import SERVERS, eventually, in_process, live_app
from .sites import Refused
from .tab import Tab, tab_of


async def closed_after(frames: list[str | bytes], code: int, **live: Any) -> None:
    """Frames of one tab close its connection with a code, and another tab notices nothing."""
    app = live_app(**live)
    async with in_process(app) as site, tab_of(site) as other:
        tab = await Tab(site).open()
        for frame in frames:
            await tab.send_raw(frame)
        await tab.until(lambda: not tab.connected)
        assert tab.closes == [code]
        assert await other.call("echo.children", {"in.value": 1}) == 1
        if code != CloseCode.SIGNED_OUT:
            assert (await tab.resume())["recovered"] is True
            await tab.leave()


ACK = json.dumps({"type": "ack", "received": 0})
REQUEST = {"type": "callback_request", "requestId": "r", "payload": {}}


def test_more_messages_than_the_rate_allows_close() -> None:
    run(lambda: closed_after([ACK] * 30, CloseCode.TOO_FAST, rate=1, burst=20))


def test_a_list_counts_as_its_messages() -> None:
    run(lambda: closed_after([f"[{','.join([ACK] * 30)}]"], CloseCode.TOO_FAST, rate=1, burst=20))


def test_the_rate_fills_again() -> None:
    async def main() -> None:
        app = live_app(rate=1000, burst=10)
        async with in_process(app) as site, tab_of(site) as tab:
            for number in range(60):
                assert await tab.call("echo.children", {"in.value": number}) == number
                await asyncio.sleep(0.002)

    run(main)


def test_a_flood_writes_one_line_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        run(lambda: closed_after([ACK] * 500, CloseCode.TOO_FAST, rate=1, burst=20))
    assert len(caplog.records) == 1


def test_a_frame_over_its_size_closes() -> None:
    large = json.dumps({**REQUEST, "payload": {"x": "y" * 2000}})
    run(lambda: closed_after([large], CloseCode.TOO_LARGE, frame_bytes=2000))


def test_a_binary_frame_closes() -> None:
    run(lambda: closed_after([ACK.encode()], CloseCode.BINARY))


def nested(depth: int) -> str:
    return '{"type":"callback_request","requestId":"r","payload":{"x":' + "[" * depth + "]" * depth + "}}"


MALFORMED = [
    "",
    "no JSON",
    "{",
    "3",
    "null",
    '"text"',
    "[3]",
    "{}",
    '{"type": 3}',
    '{"type": "unknown"}',
    '{"type": "welcome"}',
    '{"type": "ack"}',
    '{"type": "ack", "received": "3"}',
    '{"type": "ack", "received": 1.5}',
    '{"type": "ack", "received": NaN}',
    '{"type": "ack", "received": null}',
    '{"type": "hello", "version": 2}',
    '{"type": "callback_request", "requestId": 3, "payload": {}}',
    '{"type": "callback_request", "requestId": "r", "payload": []}',
    '{"type": "callback_request", "requestId": "r", "payload": {"x": NaN}}',
    '{"type": "callback_request", "requestId": "\\ud800", "payload": {}}',
    '{"type": "ticket", "ticket": "\\udfff"}',
    '{"type": "heartbeat"} {"type": "heartbeat"}',
    nested(100_000),
    nested(100_000).replace("[]", '["\\ud800"]'),
]


@pytest.mark.parametrize("frame", MALFORMED, ids=lambda frame: frame[:60])
def test_a_malformed_frame_is_an_error_and_ten_close(frame: str) -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app) as site:
            tab = await Tab(site).open()
            for number in range(9):
                await tab.send_raw(frame)
                await tab.until(lambda number=number: len(tab.errors) > number)
                assert tab.errors[-1]["code"] == CloseCode.MALFORMED
                assert "ud800" not in str(tab.errors[-1])
            assert await tab.call("echo.children", {"in.value": 1}) == 1
            await tab.send_raw(frame)
            await tab.until(lambda: not tab.connected)
            assert tab.closes == [CloseCode.MALFORMED]
            assert (await tab.resume())["recovered"] is True
            await tab.leave()

    run(main)


def test_a_malformed_frame_harms_no_callback_that_runs() -> None:
    async def main() -> None:
        app, go_on = live_app(), asyncio.Event()

        @app.callback(*_out(), websocket=True)
        async def wait(value: Any) -> Any:
            await go_on.wait()
            return value

        async with in_process(app) as site, tab_of(site) as tab:
            request = await tab.request("out.children", {"in.value": 5})
            await tab.send_raw("no JSON")
            await tab.until(lambda: tab.errors)
            go_on.set()
            await tab.until(lambda: request.done)
            assert request.response["out"]["children"] == 5

    run(main)


def _out() -> Any:
    from flash import Input, Output

    return Output("out", "children"), Input("in", "value")


def test_malformed_frames_before_the_greeting_close_too() -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app) as site:
            tab = Tab(site)
            await tab.connect()
            for _ in range(10):
                await tab.send_raw("no JSON")
            await tab.until(lambda: not tab.connected)
            assert tab.closes == [CloseCode.MALFORMED] and not app.clients

    run(main)


def test_lone_surrogates_and_large_numbers_are_values() -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app) as site, tab_of(site) as tab:
            for value in ("\ud800", "a\udfff\ud800b", 10**30, -(2**63), 1e308, "\x00", "😀", {"": [None, True]}):
                request = await tab.request("echo.children", {"in.value": value})
                await tab.until(lambda request=request: request.done)
                assert request.status == "ok"
            deep: Any = 1
            for _ in range(100):
                deep = [deep]
            assert await tab.call("echo.children", {"in.value": deep}) == deep

    run(main)


def test_requests_nested_too_deeply_are_errors_of_their_own() -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app) as site, tab_of(site) as tab:
            deep: Any = 1
            for _ in range(600):
                deep = [deep]
            request = await tab.request("echo.children", {"in.value": deep})
            await tab.until(lambda: request.done or tab.errors)
            assert await tab.call("echo.children", {"in.value": 1}) == 1

    run(main)


def test_an_empty_list_is_nothing() -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app) as site, tab_of(site) as tab:
            await tab.send_raw("[]")
            assert await tab.call("echo.children", {"in.value": 1}) == 1

    run(main)


def test_more_clients_than_there_may_be_are_told_so() -> None:
    async def main() -> None:
        app = live_app(clients=2)
        async with in_process(app) as site, tab_of(site) as one, tab_of(site):
            third = Tab(site)
            await third.connect()
            await third.send(third.hello())
            await third.until(lambda: not third.connected)
            assert third.closes == [CloseCode.TOO_MANY] and len(app.clients) == 2
            await one.cut()
            assert (await one.resume())["recovered"] is True  # Who is back is none more.

    run(main)


def test_a_user_has_a_share_of_the_clients() -> None:
    async def main() -> None:
        app = live_app({"identify": lambda request: request.headers.get("X-User")}, clients_per_user=1)
        async with in_process(app) as site, tab_of(site), tab_of(site):  # Nobody knows these.
            site.headers["X-User"] = "ann"
            ann = await Tab(site).open()
            second = Tab(site)
            await second.connect()
            await second.send([second.hello(), {**REQUEST, "rendererId": "x"}])  # type: ignore[arg-type]
            await second.until(lambda: not second.connected)
            assert second.closes == [CloseCode.TOO_MANY] and len(app.clients) == 3
            site.headers["X-User"] = "bob"
            bob = await Tab(site).open()
            await ann.leave()
            site.headers["X-User"] = "ann"
            again = await Tab(site).open()
            await again.leave()
            await bob.leave()

    run(main)


# What waits.


def patch(text: str) -> Patch:
    change = Patch()
    change.append(text)
    return change


def test_a_slow_tab_is_closed_and_may_resume() -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app) as site, tab_of(site) as other:
            tab = await Tab(site).open()
            other.values["out", "children"] = tab.values["out", "children"] = []
            assert tab.socket is not None
            tab.socket.stall()
            sent = 0
            (slow,) = [client for client in app.clients if client.id == tab.client]
            while not slow.away:
                app.push_mods({"out": {"children": patch(f"{sent} " + "x" * 10_000)}})
                sent += 1
                await asyncio.sleep(0)
                assert sent < 200
            assert 100 <= sent <= 115  # 1 MiB waits, behind what is being sent.
            await other.until(lambda: other.received == sent)
            await tab.until(lambda: not tab.connected)
            assert tab.closes == [CloseCode.SLOW]
            app.push_mods({"out": {"children": patch("last")}})
            assert (await tab.resume())["recovered"] is True
            await tab.until(lambda: len(tab.value("out.children")) == sent + 1)
            assert [each.split(" ")[0] for each in tab.value("out.children")] == [*map(str, range(sent)), "last"]
            await tab.leave()

    run(main)


@pytest.mark.parametrize("server", SERVERS)
def test_on_real_servers_a_tab_that_does_not_read_is_closed(server: str) -> None:
    async def main() -> None:
        app = live_app(waiting_bytes=200_000)
        async with SERVERS[server](app) as site:
            other, tab = await Tab(site).open(), await Tab(site).open()
            assert tab.socket is not None
            tab.socket.stall()
            (slow,) = [client for client in app.clients if client.id == tab.client]
            sent = 0
            while not slow.away:
                app.push_mods({"out": {"children": patch("x" * 100_000)}})
                sent += 1
                await other.until(lambda sent=sent: other.received == sent)
                assert sent < 2000
            assert await other.call("echo.children", {"in.value": 1}) == 1
            tab.socket.go_on()
            await tab.until(lambda: not tab.connected)
            assert tab.closes[0] in (CloseCode.SLOW, 1006)
            await tab.resume()
            await tab.leave()
            await other.leave()

    run(main)


def test_values_of_a_slow_tab_conflate_and_do_not_close_it() -> None:
    async def main() -> None:
        app = live_app(waiting_bytes=100_000)
        async with in_process(app) as site, tab_of(site) as tab:
            assert tab.socket is not None
            tab.socket.stall()
            for number in range(500):
                app.push_mods({"out": {"children": f"{number} " + "x" * 10_000}})
                await asyncio.sleep(0)
            tab.socket.go_on()
            await tab.until(lambda: str(tab.value("out.children")).startswith("499 "))
            assert tab.connected and len(tab.log) < 5

    run(main)


def test_one_large_message_is_fine() -> None:
    async def main() -> None:
        app = live_app(waiting_bytes=100_000, resume_bytes=100_000)
        async with in_process(app) as site, tab_of(site) as tab:
            assert tab.socket is not None
            tab.socket.stall()
            app.push_mods({"plain": {"children": 1}})
            await asyncio.sleep(0)
            app.push_mods({"out": {"children": "x" * 5_000_000}})
            await asyncio.sleep(0)
            assert not app.clients[0].away
            tab.socket.go_on()
            await tab.until(lambda: tab.value("out.children"))
            assert tab.connected

    run(main)


def test_all_that_waits_for_absent_tabs_is_bounded() -> None:
    async def main() -> None:
        app = live_app(all_waiting_bytes=100_000)
        async with in_process(app) as site:
            tabs = [await Tab(site).open() for _ in range(4)]
            for tab in tabs[:3]:
                await tab.cut()
            await eventually(lambda: sum(client.away for client in app.clients) == 3)
            clients = list(app.clients)
            for number in range(40):
                for client in clients[:3]:
                    app.push_mods({"out": {"children": patch(f"{number}" + "x" * 1000)}}, client)
                assert app.flash_live.ledger.bytes <= 100_000
            assert [client._connection.outbox.lost for client in clients] == [True, False, False, False]
            for tab, recovered in zip(tabs, [False, True, True], strict=False):
                assert (await tab.resume())["recovered"] is recovered
            for tab in tabs:
                await tab.leave()
            await eventually(lambda: not app.clients)
            assert app.flash_live.ledger.bytes == 0

    run(main)


def test_all_that_waits_for_slow_tabs_is_bounded() -> None:
    """Nobody is absent, and many read too slowly: the slowest are closed."""

    async def main() -> None:
        app = live_app(all_waiting_bytes=200_000)
        async with in_process(app) as site, tab_of(site) as quick:
            slow = [await Tab(site).open() for _ in range(5)]
            for tab in slow:
                assert tab.socket is not None
                tab.socket.stall()
            clients = [client for client in app.clients if client.id != quick.client]
            for number in range(60):
                for client in clients:
                    app.push_mods({"out": {"children": patch(f"{number}" + "x" * 1000)}}, client)
                await asyncio.sleep(0)
                assert app.flash_live.ledger.bytes <= 210_000
            app.push_mods({"out": {"children": 1}}, app.clients[0])
            await quick.until(lambda: quick.value("out.children") == 1)
            assert any(CloseCode.SLOW in tab.closes for tab in slow)
            for tab in slow:
                await tab.cut()

    run(main)


def test_what_is_sent_to_all_counts_once() -> None:
    """It is kept once, so a large broadcast to many tabs takes the resume from nobody."""

    async def main() -> None:
        app = live_app(all_waiting_bytes=100_000)
        async with in_process(app) as site:
            tabs = [await Tab(site).open() for _ in range(10)]
            await tabs[0].cut()
            await eventually(lambda: app.clients[0].away)
            app.push_mods({"out": {"children": "x" * 50_000}})
            for tab in tabs[1:]:
                await tab.until(lambda tab=tab: tab.value("out.children"))
            assert (await tabs[0].resume())["recovered"] is True
            for tab in tabs:
                assert tab.connected
                await tab.leave()
            await eventually(lambda: not app.clients)
            assert app.flash_live.ledger.bytes == 0

    run(main)


@pytest.mark.parametrize("server", SERVERS)
def test_frames_of_any_kind_leave_a_real_server_serving(server: str) -> None:
    async def main() -> None:
        app = live_app(frame_bytes=100_000)
        async with SERVERS[server](app) as site:
            other = await Tab(site).open()
            cases: list[tuple[str | bytes, int]] = [
                (b"\x00\xff", CloseCode.BINARY),
                (json.dumps({**REQUEST, "payload": {"x": "y" * 200_000}}), CloseCode.TOO_LARGE),
                (json.dumps({**REQUEST, "payload": {"x": "y" * 17_000_000}}), CloseCode.TOO_LARGE),
            ]
            for frame, code in cases:
                tab = await Tab(site).open()
                await tab.send_raw(frame)
                await tab.until(lambda tab=tab: not tab.connected)
                assert tab.closes[0] in (code, 1006), code
                assert await other.call("echo.children", {"in.value": 1}) == 1
            await other.leave()
            try:
                await site.socket()
            except Refused as error:  # pragma: no cover - the message for a failing test
                raise AssertionError("The server does not serve any more.") from error

    run(main)


def test_a_request_body_is_checked_as_over_http() -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app) as site, tab_of(site) as tab:
            request = await tab.request_payload({**body("echo.children", {"in.value": 1}), "state": "x"})
            await tab.until(lambda: request.done)
            assert "'state'" in request.answers[0]["message"]

    run(main)
