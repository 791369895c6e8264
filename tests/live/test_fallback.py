"""Without WebSockets: a stream or polls down, POSTs up, and the same promises."""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import Any

import pytest
from quart import abort

from flash import Patch, ctx, hooks
from flash.live.protocol import CloseCode

from ..apps import body, run
from ..test_gaps import hooked
from .asgi import callback, eventually, in_process, live_app
from .sites import InProcess
from .tab import NUMBERED, Tab, tab_of

Json = dict[str, Any]


class Browser:
    """One browser without WebSockets: a stream that its tabs share.

    Attributes:
        entries: All that came down, in its order.
    """

    def __init__(self, site: InProcess) -> None:
        self.site = site
        self.name = secrets.token_hex(16)
        self.entries: list[Json] = []
        self.opened = 0
        self._task: asyncio.Task[None] | None = None
        self.client = site.app.server.test_client()

    async def listen(self) -> None:
        """Open the stream."""
        opened = self.opened
        self._task = asyncio.create_task(self._read())
        await eventually(lambda: self.opened > opened)

    async def _read(self) -> None:
        request = self.client.request(f"/_flash/live/stream?stream={self.name}", headers=self.site.headers)
        async with request as connection:
            await connection.send_complete()
            text = b""
            while True:
                text += await connection.receive()
                *events, text = text.split(b"\n\n")
                for event in events:
                    self._take(event.decode())

    def _take(self, event: str) -> None:
        if event.startswith("event: open"):
            self.opened += 1
        elif event.startswith("data: "):
            self.entries.append(json.loads(event[6:]))

    async def stop(self) -> None:
        """Lose the stream."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def post(self, *messages: Any, client: str = "", key: str = "", **headers: str) -> tuple[int, Any]:
        """POST messages; returns the status and the answer."""
        query = f"?stream={self.name}" + (f"&client={client}" if client else "")
        response = await self.client.post(
            f"/_flash/live/send{query}",
            json=list(messages),
            headers={**self.site.headers, **({"Flash-Key": key} if key else {}), **headers},
        )
        content = await response.get_data()
        try:
            return response.status_code, json.loads(content)
        except ValueError:
            return response.status_code, content

    async def arrive(self) -> Json:
        """A tab says hello; returns its welcome."""
        status, (welcome,) = await self.post({"type": "hello", "version": 1, "path": "/p?a=1"})
        assert status == 200 and welcome["type"] == "welcome"
        return welcome

    def messages(self, client: str) -> list[Json]:
        """The numbered messages for a tab."""
        found = [message for entry in self.entries if entry["client"] == client for message in entry["messages"]]
        return [message for message in found if message["type"] in NUMBERED]


def request_of(name: str, value: Any, output: str = "echo.children") -> Json:
    return {
        "type": "callback_request",
        "requestId": name,
        "rendererId": "page",
        "payload": body(output, {"in.value": value}),
    }


def append(app: Any, value: Any) -> None:
    patch = Patch()
    patch.append(value)
    app.push_mods({"out": {"children": patch}})


async def lose(browser: Browser, app: Any) -> None:
    await browser.stop()
    await eventually(lambda: all(client.away for client in app.clients))


def test_callbacks_and_pushes_go_by_stream_and_posts() -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app) as site:
            browser = Browser(site)
            await browser.listen()
            welcome = await browser.arrive()
            client, key = welcome["client"], welcome["key"]
            assert welcome["recovered"] is True and app.clients[0].id == client and not app.clients[0].away
            assert app.clients[0].path == "/p?a=1"
            app.push_mods({"out": {"children": "pushed"}})
            await eventually(lambda: len(browser.messages(client)) == 1)
            status, replies = await browser.post(request_of("r1", 5), client=client, key=key)
            assert (status, replies) == (200, [{"type": "ack", "requestId": "r1"}])
            await eventually(lambda: len(browser.messages(client)) == 2)
            answer = browser.messages(client)[1]
            assert answer["requestId"] == "r1" and answer["payload"]["data"]["response"]["echo"]["children"] == 5
            await browser.post(request_of("r1", 5), request_of("r2", 6), client=client, key=key)
            await eventually(lambda: len(browser.messages(client)) == 3)
            assert [message.get("requestId") for message in browser.messages(client)] == [None, "r1", "r2"]
            await browser.post({"type": "bye"}, client=client, key=key)
            await eventually(lambda: not app.clients)
            await browser.stop()

    run(main)


def test_long_polling_where_streams_are_gathered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flash.live.fallback.POLL_SECONDS", 0.1)

    async def main() -> None:
        app = live_app()
        async with in_process(app) as site:
            browser = Browser(site)

            async def poll() -> Any:
                path = f"/_flash/live/poll?stream={browser.name}"
                response = await browser.client.get(path, headers=site.headers)
                assert response.headers["Cache-Control"] == "no-store"
                return await response.get_json()

            assert await poll() == []
            welcome = await browser.arrive()
            app.push_mods({"out": {"children": 1}})
            (entry,) = await poll()
            assert entry["client"] == welcome["client"]
            assert entry["messages"][0]["payload"]["props"] == {"children": 1}
            waiting = asyncio.create_task(poll())
            await asyncio.sleep(0)
            app.push_mods({"out": {"children": 2}})
            assert (await waiting)[0]["messages"][0]["payload"]["props"] == {"children": 2}
            assert not app.clients[0].away

    run(main)


def test_who_polls_no_more_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flash.live.fallback.POLL_SECONDS", 0.05)
    monkeypatch.setattr("flash.live.downlink.PATIENCE", 1.0)

    async def main() -> None:
        app = live_app()
        async with in_process(app) as site:
            browser = Browser(site)
            await browser.client.get(f"/_flash/live/poll?stream={browser.name}", headers=site.headers)
            await browser.arrive()
            await eventually(lambda: app.clients[0].away)

    run(main)


def test_two_polls_at_once_do_not_end_the_third(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flash.live.fallback.POLL_SECONDS", 0.05)
    monkeypatch.setattr("flash.live.downlink.PATIENCE", 1.0)

    async def main() -> None:
        app = live_app()
        async with in_process(app) as site:
            browser = Browser(site)
            path = f"/_flash/live/poll?stream={browser.name}"
            await browser.client.get(path, headers=site.headers)
            await browser.arrive()
            await asyncio.gather(*(browser.client.get(path, headers=site.headers) for _ in range(2)))
            monkeypatch.setattr("flash.live.fallback.POLL_SECONDS", 0.8)
            await browser.client.get(path, headers=site.headers)
            assert not app.clients[0].away

    run(main)


def test_a_stream_is_that_of_the_user_who_has_opened_it() -> None:
    async def main() -> None:
        app = live_app({"identify": lambda request: request.headers.get("X-User")})
        async with in_process(app, headers={"X-User": "ann"}) as site:
            browser = Browser(site)
            await browser.listen()
            welcome = await browser.arrive()
            hello = {"type": "hello", "version": 1}
            for other in ({"X-User": "bob"}, {}):
                thief = InProcess(app, other)
                for path in ("stream", "poll"):
                    assert (await thief.get(f"_flash/live/{path}?stream={browser.name}"))[0] == 409
            assert (await browser.post(hello, **{"X-User": "bob"}))[0] == 409
            app.push_mods({"out": {"children": "for ann"}})
            await eventually(lambda: browser.messages(welcome["client"]))
            assert [client.user for client in app.clients] == ["ann"] and not app.clients[0].away
            await browser.stop()

    run(main)


def test_so_many_tabs_listen_to_one_stream() -> None:
    async def main() -> None:
        app = live_app(clients_per_user=2)
        async with in_process(app) as site:
            browser = Browser(site)
            await browser.listen()
            one, _ = await browser.arrive(), await browser.arrive()
            hello = {"type": "hello", "version": 1}
            assert (await browser.post(hello))[0] == 429 and len(app.clients) == 2
            # One that comes back on it is not one more, and one that has left makes room.
            resume = {"type": "resume", "version": 1, "client": one["client"], "key": one["key"], "received": 0}
            assert (await browser.post(resume | {"ticket": await ticket(site)}))[0] == 200
            await browser.post({"type": "bye"}, client=one["client"], key=one["key"])
            assert (await browser.post(hello))[0] == 200 and len(app.clients) == 2
            await browser.stop()

    run(main)


def test_so_many_tabs_come_to_one_stream_at_once() -> None:
    async def main() -> None:
        app = live_app(rate=0.001, burst=3)
        async with in_process(app) as site:
            browser, other = Browser(site), Browser(site)
            await browser.listen()
            await other.listen()
            hellos = [(await browser.post({"type": "hello", "version": 1}))[0] for _ in range(5)]
            assert hellos == [200, 200, 200, 429, 429] and len(app.clients) == 3
            await other.arrive()
            await browser.stop()
            await other.stop()

    run(main)


@pytest.mark.parametrize("messages", ["bye first", "bye last"])
def test_nothing_runs_for_a_tab_that_has_said_bye(messages: str) -> None:
    async def main() -> None:
        app, runs = live_app(), []

        @callback(app)
        async def note(value: Any) -> None:
            runs.append(value)

        async with in_process(app) as site:
            browser = Browser(site)
            await browser.listen()
            tab, other = await browser.arrive(), await browser.arrive()
            posted = [{"type": "bye"}, request_of("r", "gone", "out.children")]
            posted = posted if messages == "bye first" else posted[::-1]
            status, replies = await browser.post(*posted, client=tab["client"], key=tab["key"])
            assert [reply["type"] for reply in replies] == ([] if messages == "bye first" else ["ack"])
            assert status == 200 and [client.id for client in app.clients] == [other["client"]]
            await browser.post(request_of("r", "here", "out.children"), client=other["client"], key=other["key"])
            await eventually(lambda: browser.messages(other["client"]))
            assert runs == ["here"]
            await browser.stop()

    run(main)


def test_a_stream_that_ends_leaves_its_tabs_away_until_they_resume() -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app) as site:
            browser = Browser(site)
            await browser.listen()
            tabs = [await browser.arrive(), await browser.arrive()]
            append(app, 1)
            await eventually(lambda: all(len(browser.messages(tab["client"])) == 1 for tab in tabs))
            await lose(browser, app)
            append(app, 2)
            append(app, 3)
            status, _ = await browser.post(request_of("r", 1), client=tabs[0]["client"], key=tabs[0]["key"])
            assert status == 409
            await browser.listen()
            for tab in tabs:
                status, (welcome,) = await browser.post(
                    {"type": "resume", "version": 1, "client": tab["client"], "key": tab["key"], "received": 1}
                    | {"ticket": await ticket(site)}
                )
                assert status == 200 and welcome["recovered"] is True and welcome["client"] == tab["client"]
                await eventually(lambda tab=tab: len(browser.messages(tab["client"])) == 3)
            assert not any(client.away for client in app.clients)
            await browser.stop()

    run(main)


async def ticket(site: InProcess) -> str:
    token = await Tab(site).fetch_ticket()
    assert token
    return token


def test_a_tab_that_resumes_on_its_own_stream_is_not_told_that_it_was_replaced() -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app) as site:
            browser = Browser(site)
            await browser.listen()
            tab = await browser.arrive()
            append(app, 1)
            await eventually(lambda: browser.messages(tab["client"]))
            resume = {"type": "resume", "version": 1, "client": tab["client"], "key": tab["key"], "received": 1}
            status, (welcome,) = await browser.post(resume | {"ticket": await ticket(site)})
            assert status == 200 and welcome["recovered"] is True
            append(app, 2)
            await eventually(lambda: len(browser.messages(tab["client"])) == 2)
            assert not [entry for entry in browser.entries if "close" in entry]
            await browser.stop()

    run(main)


def test_a_tab_that_has_missed_something_on_its_own_stream_gets_it_again() -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app) as site:
            browser = Browser(site)
            await browser.listen()
            tab = await browser.arrive()
            for number, received in ((1, 0), (2, 1)):
                append(app, number)
                await eventually(lambda number=number: len(browser.messages(tab["client"])) == 2 * number - 1)
                resume = {"type": "resume", "version": 1, "client": tab["client"], "key": tab["key"]}
                status, (welcome,) = await browser.post(resume | {"received": received, "ticket": await ticket(site)})
                assert status == 200 and welcome["recovered"] is True
                await eventually(lambda number=number: len(browser.messages(tab["client"])) == 2 * number)
            await browser.stop()

    run(main)


def test_a_hello_that_the_network_brings_twice_makes_one_client() -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app) as site:
            browser = Browser(site)
            await browser.listen()
            hello = {"type": "hello", "version": 1, "rendererId": "page", "attempt": 1}
            first, second = await asyncio.gather(browser.post(hello), browser.post(hello))
            assert first == second and len(app.clients) == 1
            await browser.stop()

    run(main)


def test_a_page_that_has_not_seen_its_welcome_leaves_no_client_behind() -> None:
    async def main() -> None:
        # It may be one of two, so nothing of the first may stay in the third one's place.
        app = live_app(clients_per_user=2)
        async with in_process(app) as site:
            browser = Browser(site)
            await browser.listen()
            hello = {"type": "hello", "version": 1, "rendererId": "page"}
            _, (unseen,) = await browser.post(hello | {"attempt": 1})
            _, (seen,) = await browser.post(hello | {"attempt": 2})
            assert seen["client"] != unseen["client"]
            assert [client.id for client in app.clients] == [seen["client"]]
            status, _ = await browser.post(hello | {"attempt": 3})
            assert status == 200 and len(app.clients) == 1
            await browser.stop()

    run(main)


def test_a_resume_that_the_network_brings_twice_sends_nothing_twice() -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app) as site:
            browser = Browser(site)
            await browser.listen()
            tab = await browser.arrive()
            await lose(browser, app)
            append(app, 1)
            browser.name = secrets.token_hex(16)
            await browser.listen()
            resume = {"type": "resume", "version": 1, "client": tab["client"], "key": tab["key"], "received": 0}
            resume |= {"rendererId": "page", "attempt": 2}
            resume["ticket"] = await ticket(site)
            status, (first,) = await browser.post(resume)
            await eventually(lambda: len(browser.messages(tab["client"])) == 1)
            assert await browser.post(resume) == (status, [first]) and first["recovered"] is True
            append(app, 2)
            await eventually(lambda: len(browser.messages(tab["client"])) >= 2)
            patches = [message["payload"]["props"]["children"] for message in browser.messages(tab["client"])]
            assert [patch["operations"][0]["params"]["value"] for patch in patches] == [1, 2]
            await browser.stop()

    run(main)


def test_a_tab_may_change_from_a_stream_to_a_socket_and_back() -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app) as site:
            browser = Browser(site)
            await browser.listen()
            welcome = await browser.arrive()
            tab = Tab(site)
            tab.client, tab.key = welcome["client"], welcome["key"]
            assert (await tab.resume())["recovered"] is True
            await eventually(lambda: [entry["close"] for entry in browser.entries if "close" in entry] == [4409])
            resume = {"type": "resume", "version": 1, "client": tab.client, "key": tab.key, "received": tab.received}
            status, (again,) = await browser.post(resume | {"ticket": await ticket(site)})
            assert status == 200 and again["recovered"] is True
            await tab.until(lambda: not tab.connected)
            assert tab.closes == [CloseCode.REPLACED] and len(app.clients) == 1
            await browser.stop()

    run(main)


def test_a_key_is_needed() -> None:
    async def main() -> None:
        app, runs = live_app(), []
        callback(app)(lambda value: runs.append(value))
        async with in_process(app) as site:
            browser = Browser(site)
            await browser.listen()
            tab = await browser.arrive()
            for client, key in ((tab["client"], ""), (tab["client"], "wrong"), ("", ""), ("nobody", tab["key"])):
                status, _ = await browser.post(request_of("r", 1, "out.children"), client=client, key=key)
                assert status == 409
            assert runs == []
            await browser.stop()

    run(main)


@pytest.mark.parametrize("origin", ["https://evil.org", "null", "http://localhost.evil.org", None])
def test_pages_of_other_origins_are_refused(origin: str | None) -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app) as site:
            browser = Browser(site)
            await browser.listen()
            site.headers.pop("Origin")
            site.headers |= {"Origin": origin} if origin else {}
            status, _ = await browser.post({"type": "hello", "version": 1})
            assert status == 403 and not app.clients
            await browser.stop()

    run(main)


def test_guards_and_connect_hooks_refuse() -> None:
    async def main() -> None:
        with hooked():

            @hooks.websocket_connect()
            def connect(request: Any) -> Any:
                return request.headers.get("X-Hook") != "no"

            app = live_app()

            @app.server.before_request
            async def guard() -> None:
                from quart import request

                if request.headers.get("X-Guard") == "no":
                    abort(401)

            async with in_process(app) as site:
                browser = Browser(site)
                await browser.listen()
                hello = {"type": "hello", "version": 1}
                assert (await browser.post(hello, **{"X-Hook": "no"}))[0] == 403
                assert (await browser.post(hello, **{"X-Guard": "no"}))[0] == 401
                assert not app.clients
                assert (await browser.post(hello))[0] == 200
                await browser.stop()
                site.headers["X-Guard"] = "no"
                for path in ("stream", "poll"):
                    assert (await site.get(f"_flash/live/{path}?stream={browser.name}"))[0] == 401

    run(main)


def test_the_message_hooks_of_dash_see_what_is_posted() -> None:
    async def main() -> None:
        seen = []
        with hooked():

            @hooks.websocket_message()
            def message(request: Any, message: Any) -> Any:
                seen.append(message["type"])
                return message.get("requestId") != "bad"

            app, runs = live_app(), []
            callback(app)(lambda value: runs.append(value))
            async with in_process(app) as site:
                browser = Browser(site)
                await browser.listen()
                tab = await browser.arrive()
                names = {"client": tab["client"], "key": tab["key"]}
                assert (await browser.post(request_of("good", 1), **names))[0] == 200
                status, _ = await browser.post(request_of("bad", 1, "out.children"), **names)
                assert status == 403
                await eventually(lambda: [entry["close"] for entry in browser.entries if "close" in entry] == [4001])
                assert seen == ["hello", "callback_request", "callback_request"] and runs == []
                await browser.stop()

    run(main)


def test_what_is_wrong_with_a_post_is_said() -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app) as site:
            browser = Browser(site)
            await browser.listen()
            cases: list[tuple[Any, int]] = [
                (b"no JSON", 400),
                (b"[]", 400),
                (b'[{"type": "unknown"}]', 400),
                (b'[{"type": "heartbeat"}]', 409),
            ]
            for content, expected in cases:
                response = await browser.client.post(
                    f"/_flash/live/send?stream={browser.name}",
                    data=content,
                    headers={**site.headers, "Content-Type": "application/json"},
                )
                assert response.status_code == expected, content
            response = await browser.client.post("/_flash/live/send", data=b"[]", headers=site.headers)
            assert response.status_code == 415
            for name in ("", "short", "g" * 32, "../" + "a" * 29):
                assert (await site.get(f"_flash/live/stream?stream={name}"))[0] == 400
                assert (await site.get(f"_flash/live/poll?stream={name}"))[0] == 400
            await browser.stop()

    run(main)


def test_a_hello_to_a_stream_that_nobody_opens_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flash.live.downlink.PATIENCE", 0.05)

    async def main() -> None:
        app = live_app()
        async with in_process(app) as site:
            status, _ = await Browser(site).post({"type": "hello", "version": 1})
            assert status == 409 and not app.clients
            await eventually(lambda: not app.flash_live.downlinks._downlinks)

    run(main)


def test_a_tab_that_posts_too_much_is_closed() -> None:
    async def main() -> None:
        app = live_app(rate=1, burst=5)
        async with in_process(app) as site:
            browser = Browser(site)
            await browser.listen()
            tab = await browser.arrive()
            acks = [{"type": "ack", "received": 0}] * 10
            await browser.post(*acks, client=tab["client"], key=tab["key"])
            await eventually(lambda: [entry["close"] for entry in browser.entries if "close" in entry] == [4429])
            assert app.clients[0].away
            await browser.stop()

    run(main)


def test_what_is_posted_above_the_rate_does_not_run() -> None:
    async def main() -> None:
        app, runs = live_app(rate=0.001, burst=5), []

        @callback(app)
        async def note(value: Any) -> None:
            runs.append(value)

        async with in_process(app) as site:
            browser = Browser(site)
            await browser.listen()
            tab = await browser.arrive()
            asked = [request_of(f"r{number}", number, "out.children") for number in range(8)]
            _, replies = await browser.post(*asked, client=tab["client"], key=tab["key"])
            assert [reply["requestId"] for reply in replies] == ["r0", "r1", "r2", "r3", "r4"]
            await eventually(lambda: len(runs) == 5 and not len(app.clients[0]._connection.requests))
            assert sorted(runs) == [0, 1, 2, 3, 4]
            await browser.stop()

    run(main)


def test_a_server_that_closes_a_tab_says_with_which_code() -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app) as site:
            browser = Browser(site)
            await browser.listen()
            one, other = await browser.arrive(), await browser.arrive()
            app.disconnect(client=app.clients[0])
            await eventually(lambda: [entry for entry in browser.entries if "close" in entry])
            (closed,) = [entry for entry in browser.entries if "close" in entry]
            assert (closed["client"], closed["close"]) == (one["client"], CloseCode.SIGNED_OUT)
            app.push_mods({"out": {"children": 1}})
            await eventually(lambda: browser.messages(other["client"]))
            assert not browser.messages(one["client"])
            await browser.stop()

    run(main)


def test_a_message_above_the_limit_goes_by_post_beside_a_websocket() -> None:
    async def main() -> None:
        app = live_app(frame_bytes=100_000, post_bytes=50_000)
        async with in_process(app) as site, tab_of(site) as tab:
            assert tab.welcomes[0]["limit"] == 50_000
            browser = Browser(site)
            large = request_of(f"{tab.renderer_id}-large", "x" * 2_000_000)
            request = await tab.request("plain.children", {"in.value": 1})
            tab.requests[large["requestId"]] = type(request)(large)
            status, replies = await browser.post(large, client=tab.client, key=tab.key)
            assert (status, replies) == (200, [{"type": "ack", "requestId": large["requestId"]}])
            await tab.until(lambda: tab.requests[large["requestId"]].done and tab.requests[request.id].done)
            assert len(tab.value("echo.children")) == 2_000_000

    run(main)


def test_a_callback_by_post_knows_who_asks() -> None:
    async def main() -> None:
        app = live_app({"identify": lambda request: "ann"})

        @callback(app)
        async def who(value: Any) -> Any:
            return [
                ctx.client.id,
                ctx.client.user,
                dict(ctx.cookies),
                dict(ctx.args),
                ctx.path,
                ctx.remote,
                ctx.origin,
                ctx.websocket is not None,
            ]

        async with in_process(app, headers={"Cookie": "a=1"}) as site:
            browser = Browser(site)
            await browser.listen()
            tab = await browser.arrive()
            await browser.post(request_of("r", 1, "out.children"), client=tab["client"], key=tab["key"])
            await eventually(lambda: browser.messages(tab["client"]))
            answer = browser.messages(tab["client"])[0]["payload"]["data"]["response"]["out"]["children"]
            client, user, cookies, args, path, remote, origin, live = answer
            assert (client, user, cookies) == (tab["client"], "ann", {"a": "1"})
            assert (args, path, origin, live) == ({"a": "1"}, "/p?a=1", "http://localhost", True)
            assert remote
            await browser.stop()

    run(main)


def test_a_tab_whose_browser_does_not_read_its_stream_is_closed_as_slow() -> None:
    async def main() -> None:
        app = live_app(waiting_bytes=100_000)
        async with in_process(app) as site:
            browser = Browser(site)
            polled = asyncio.create_task(
                browser.client.get(f"/_flash/live/poll?stream={browser.name}", headers=site.headers)
            )
            await eventually(lambda: app.flash_live.downlinks._downlinks)
            await browser.arrive()
            (client,) = app.clients
            sent = 0
            while not client.away:
                append(app, "x" * 10_000)
                sent += 1
                await asyncio.sleep(0)
                assert sent < 100
            await polled

    run(main)
