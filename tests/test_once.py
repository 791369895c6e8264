"""Callbacks on feeds: equal arguments run once for each version, and who reads who asks gets an answer of his own."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import flask
import pytest
import quart
from dash import no_update
from dash.exceptions import PreventUpdate

from flash import Input, Output, State, ctx, dcc, html, set_props

from .apps import body, flash_app, serving
from .live.sites import InProcess
from .live.tab import tab_of


@dataclass
class Version:
    version: int


class Numbers:
    """A feed whose value is its version."""

    def __init__(self) -> None:
        self.version = 1
        self.readied: list[int] = []

    async def at_least(self, held: Any) -> Version:
        if not self.version:
            raise PreventUpdate
        return Version(self.version)

    async def make_ready(self, value: Version) -> None:
        self.readied.append(value.version)


def app_on(feed: Numbers, **options: Any) -> Any:
    app = flash_app(live=True, **options)
    app.flash_feeds["feed"] = feed
    app.layout = html.Div([dcc.Store(id="feed"), dcc.Input(id="region"), html.Div(id="out"), html.Div(id="side")])
    return app


def asked(version: int = 1, region: str = "north") -> dict[str, Any]:
    return body("out.children", {"feed.data": version, "region.value": region})


INPUTS = Output("out", "children"), Input("feed", "data"), Input("region", "value")


async def post(client: Any, request: dict[str, Any], **options: Any) -> Any:
    response = await client.post("/_dash-update-component", json=request, **options)
    if response.status_code == 204:
        return None
    assert response.status_code == 200, await response.get_data()
    answer = await response.get_json()
    return answer["response"] | answer.get("sideUpdate", {})


async def until(condition: Any) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def run(coroutine: Any) -> Any:
    return asyncio.run(coroutine)


@pytest.mark.parametrize("plain", [True, False])
def test_equal_arguments_run_once_for_a_version_and_all_get_the_same_bytes(plain: bool) -> None:
    async def scenario() -> None:
        feed, runs = Numbers(), []
        app = app_on(feed)

        def draw(data: Version, region: str) -> str:
            runs.append((data.version, region))
            return f"{region} {data.version}"

        async def draw_soon(data: Version, region: str) -> str:
            await asyncio.sleep(0)
            return draw(data, region)

        app.callback(*INPUTS)(draw if plain else draw_soon)
        async with serving(app) as client:
            answers = await asyncio.gather(*(post(client, asked()) for _ in range(20)))
            assert answers == [{"out": {"children": "north 1"}}] * 20
            assert await post(client, asked(region="south")) == {"out": {"children": "south 1"}}
            feed.version = 2
            # The page still holds the older number: what it gets is the newest.
            assert await post(client, asked(1)) == {"out": {"children": "north 2"}}
            assert await post(client, asked(2)) == {"out": {"children": "north 2"}}
        assert runs == [(1, "north"), (1, "south"), (2, "north")]
        assert feed.readied == ([] if plain else [1, 1, 2])

    run(scenario())


def test_tabs_and_requests_share_one_run() -> None:
    async def scenario() -> None:
        app, runs = app_on(Numbers()), []

        @app.callback(*INPUTS, websocket=True)
        async def draw(data: Version, region: str) -> str:
            runs.append(region)
            await asyncio.sleep(0.05)
            return region

        async with serving(app) as client, tab_of(InProcess(app)) as one, tab_of(InProcess(app)) as two:
            request = {"feed.data": 1, "region.value": "north"}
            answers = await asyncio.gather(
                one.call("out.children", request), two.call("out.children", request), post(client, asked())
            )
        assert answers == ["north", "north", {"out": {"children": "north"}}]
        assert runs == ["north"]

    run(scenario())


@pytest.mark.parametrize("reading", ["client", "cookies", "headers", "remote", "custom_data", "set_props", "returned"])
def test_a_function_that_reads_who_asks_runs_for_each(reading: str) -> None:
    async def scenario() -> None:
        app, runs = app_on(Numbers()), []

        @app.callback(*INPUTS)
        async def draw(data: Version, region: str) -> Any:
            runs.append(region)
            if reading == "set_props":
                set_props("side", {"children": "set"})
            elif reading == "returned":
                return Output("out", "children", ctx.cookies.get("who", "nobody"))
            else:
                getattr(ctx, reading)
            await asyncio.sleep(0.02)
            return ctx.cookies.get("who", "nobody")

        async with serving(app) as client:
            others = [app.server.test_client() for _ in range(3)]
            for number, other in enumerate(others):
                other.set_cookie("localhost", "who", f"user {number}")
            answers = await asyncio.gather(*(post(other, asked()) for other in others))
            assert [each["out"]["children"] for each in answers] == ["user 0", "user 1", "user 2"]
            assert (await post(client, asked()))["out"]["children"] == "nobody"
        assert len(runs) == 4

    run(scenario())


def test_set_props_reaches_each_tab_that_asks() -> None:
    async def scenario() -> None:
        app = app_on(Numbers())

        @app.callback(*INPUTS, websocket=True)
        async def draw(data: Version, region: str) -> str:
            set_props("side", {"children": "set"})
            return region

        async with serving(app), tab_of(InProcess(app)) as one, tab_of(InProcess(app)) as two:
            for tab in (one, two, one):
                await tab.call("out.children", {"feed.data": 1, "region.value": "north"})
            await one.until(lambda: one.pushed("side.children") == ["set", "set"])
            await two.until(lambda: two.pushed("side.children") == ["set"])

    run(scenario())


@pytest.mark.parametrize("plain", [True, False])
def test_a_function_that_reads_the_request_runs_for_each(plain: bool) -> None:
    async def scenario() -> None:
        app, runs = app_on(Numbers(), on_error=lambda error: "failed"), []

        @app.callback(*INPUTS)
        def draw(data: Version, region: str) -> str:
            runs.append(region)
            return quart.request.cookies.get("who", "nobody")

        @app.callback(Output("side", "children"), Input("feed", "data"))
        async def other(data: Version) -> str:
            return quart.request.cookies.get("who", "nobody")

        async with serving(app) as client:
            client.set_cookie("localhost", "who", "Ann")
            stranger = app.server.test_client()
            request = asked() if plain else body("side.children", {"feed.data": 1})
            name = "out" if plain else "side"
            for _ in range(2):
                assert (await post(client, request))[name]["children"] == "Ann"
                assert (await post(stranger, request))[name]["children"] == "nobody"

    run(scenario())


def test_a_function_that_reads_a_context_variable_of_a_guard_runs_for_each() -> None:
    who: ContextVar[str] = ContextVar("who")

    async def scenario() -> None:
        app = app_on(Numbers())

        @app.server.before_request
        async def guard() -> None:
            who.set(quart.request.cookies.get("who", "nobody"))

        @app.callback(*INPUTS)
        def draw(data: Version, region: str) -> str:
            return who.get()

        async with serving(app) as client:
            client.set_cookie("localhost", "who", "Ann")
            assert (await post(client, asked()))["out"]["children"] == "Ann"
            assert (await post(app.server.test_client(), asked()))["out"]["children"] == "nobody"

    run(scenario())


def test_flasks_request_is_each_ones_own_under_flask_compat() -> None:
    async def scenario() -> None:
        app = app_on(Numbers(), flask_compat=True)

        @app.callback(*INPUTS)
        def draw(data: Version, region: str) -> str:
            return flask.request.cookies.get("who", "nobody")

        async with serving(app) as client:
            client.set_cookie("localhost", "who", "Ann")
            assert (await post(client, asked()))["out"]["children"] == "Ann"
            assert (await post(app.server.test_client(), asked()))["out"]["children"] == "nobody"

    run(scenario())


def test_a_function_that_reads_what_has_changed_runs_once_for_each_change() -> None:
    async def scenario() -> None:
        app, runs = app_on(Numbers()), []

        @app.callback(*INPUTS)
        async def draw(data: Version, region: str) -> str:
            runs.append(ctx.triggered_id)
            return str(ctx.triggered_id)

        by_region = {**asked(), "changedPropIds": ["region.value"]}
        by_feed = {**asked(), "changedPropIds": ["feed.data"]}
        async with serving(app) as client:
            for _ in range(3):
                assert (await post(client, by_region))["out"]["children"] == "region"
                assert (await post(client, by_feed))["out"]["children"] == "feed"
        # The first of them has told that it reads it; its own answer is not kept.
        assert sorted(runs) == ["feed", "region", "region"]

    run(scenario())


def test_each_is_asked_whether_he_may() -> None:
    async def scenario() -> None:
        app, runs = app_on(Numbers(), identify=lambda request: request.cookies.get("who")), []
        app.callback_authorize_output(lambda client, output: client.user == "Ann")

        @app.callback(*INPUTS)
        async def draw(data: Version, region: str) -> str:
            runs.append(region)
            return "secret"

        async with serving(app) as client:
            client.set_cookie("localhost", "who", "Ann")
            assert (await post(client, asked()))["out"]["children"] == "secret"
            assert await post(app.server.test_client(), asked()) is None
        assert runs == ["north"]

    run(scenario())


def test_a_failure_reaches_all_that_asked_stands_in_the_log_once_and_is_not_kept(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        app, runs = app_on(Numbers()), []

        @app.callback(*INPUTS, websocket=True)
        async def draw(data: Version, region: str) -> str:
            runs.append(region)
            await asyncio.sleep(0.05)
            if len(runs) == 1:
                raise ValueError("The password is 1234.")
            return "good"

        async with (
            serving(app),
            tab_of(InProcess(app)) as one,
            tab_of(InProcess(app)) as two,
            tab_of(InProcess(app)) as three,
        ):
            request = {"feed.data": 1, "region.value": "north"}
            requests = [await tab.request("out.children", request) for tab in (one, two, three)]
            await one.until(lambda: all(each.done for each in requests))
            assert [each.status for each in requests] == ["error"] * 3
            assert not any("1234" in str(each.answers) for each in requests)
            assert await one.call("out.children", request) == "good"

    with caplog.at_level("ERROR", "flash"):
        run(scenario())
    # One for the first, one for all the others.
    assert [record.getMessage().partition(" Error id")[0] for record in caplog.records] == [
        "The callback 'out.children' failed."
    ] * 2


def test_nothing_to_update_is_kept_too() -> None:
    async def scenario() -> None:
        app, runs = app_on(Numbers()), []

        @app.callback(*INPUTS)
        async def draw(data: Version, region: str) -> Any:
            runs.append(region)
            return no_update

        async with serving(app) as client:
            assert not await post(client, asked())
            assert not await post(client, asked())
        assert runs == ["north"]

    run(scenario())


def test_who_leaves_does_not_end_the_run_of_others_and_the_last_does() -> None:
    async def scenario() -> None:
        app, running, ended = app_on(Numbers()), asyncio.Event(), []
        go_on = asyncio.Event()

        @app.callback(*INPUTS, websocket=True)
        async def draw(data: Version, region: str) -> str:
            running.set()
            try:
                await go_on.wait()
                return region
            finally:
                ended.append(region)

        async with serving(app), tab_of(InProcess(app)) as one, tab_of(InProcess(app)) as two:
            request = {"feed.data": 1, "region.value": "north"}
            await one.request("out.children", request)
            await running.wait()
            second = await two.request("out.children", request)
            await two.until(lambda: any(each.waiting == 2 for each in app.flash_once._runs.values()))
            await one.leave()
            await until(lambda: len(app.clients) == 1)
            go_on.set()
            await two.until(lambda: second.done)
            assert second.response["out"] == {"children": "north"}
            go_on.clear(), running.clear(), ended.clear()
            await two.request("out.children", {**request, "region.value": "south"})
            await running.wait()
            await two.leave()
            await until(lambda: ended == ["south"])

    run(scenario())


def test_nothing_runs_before_there_is_a_version() -> None:
    async def scenario() -> None:
        feed, runs = Numbers(), []
        feed.version = 0
        app = app_on(feed)

        @app.callback(*INPUTS)
        async def draw(data: Version, region: str) -> str:
            runs.append(region)
            return region

        @app.callback(Output("side", "children"), Input("feed", "data"))
        async def stream(data: Version) -> Any:
            runs.append("stream")
            yield "never"

        async with serving(app) as client:
            assert await post(client, asked(0)) is None
            with suppress(AssertionError):
                await post(client, body("side.children", {"feed.data": None}))
        assert runs == []

    run(scenario())


def test_a_stream_on_a_feed_runs_for_each_tab() -> None:
    async def scenario() -> None:
        app = app_on(Numbers())

        @app.callback(Output("side", "children"), Input("feed", "data"))
        async def stream(data: Version) -> Any:
            yield f"first of {data.version}"
            yield "second"

        async with serving(app), tab_of(InProcess(app)) as one, tab_of(InProcess(app)) as two:
            for tab in (one, two):
                assert await tab.call("side.children", {"feed.data": 1}) == "first of 1"
                await tab.until(lambda tab=tab: tab.pushed("side.children") == ["second"])

    run(scenario())


def test_the_oldest_answers_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        app, runs = app_on(Numbers()), []

        @app.callback(*INPUTS)
        async def draw(data: Version, region: str) -> str:
            runs.append(region)
            return region * 100

        async with serving(app) as client:
            for region in ("a", "b", "c", "a", "c"):
                await post(client, asked(region=region))
        assert runs == ["a", "b", "c", "a"]

    monkeypatch.setattr("flash.once._MOST_KEPT", 2)
    run(scenario())


def test_what_an_error_handler_answers_is_not_kept() -> None:
    async def scenario() -> None:
        app, runs = app_on(Numbers(), on_error=lambda error: "failed"), []

        @app.callback(*INPUTS)
        async def draw(data: Version, region: str) -> str:
            runs.append(region)
            if len(runs) == 1:
                raise ValueError
            return "good"

        async with serving(app) as client:
            assert [(await post(client, asked()))["out"]["children"] for _ in range(3)] == ["failed", "good", "good"]
        assert len(runs) == 2

    run(scenario())


def test_who_asks_while_an_abandoned_run_ends_gets_a_run_of_his_own() -> None:
    async def scenario() -> None:
        app, runs = app_on(Numbers()), []
        running, ending, end = asyncio.Event(), asyncio.Event(), asyncio.Event()

        @app.callback(*INPUTS, websocket=True)
        async def draw(data: Version, region: str) -> str:
            runs.append(region)
            if len(runs) == 1:
                try:
                    running.set()
                    await asyncio.Event().wait()
                finally:
                    ending.set()
                    await end.wait()
            return region

        async with serving(app) as client, tab_of(InProcess(app)) as one:
            await one.request("out.children", {"feed.data": 1, "region.value": "north"})
            await running.wait()
            await one.leave()
            await ending.wait()
            assert await post(client, asked()) == {"out": {"children": "north"}}
            end.set()
            await until(lambda: not app.flash_once._tasks)
            assert await post(client, asked()) == {"out": {"children": "north"}}
        assert len(runs) == 2

    run(scenario())


def test_two_that_wait_get_the_answers_to_their_own_changes() -> None:
    async def scenario() -> None:
        app, go_on = app_on(Numbers()), asyncio.Event()

        @app.callback(*INPUTS)
        async def draw(data: Version, region: str) -> str:
            if region == "slow":
                await go_on.wait()
            return str(ctx.triggered_id)

        async with serving(app) as client:

            async def answer(region: str, changed: str) -> Any:
                answered = await post(client, {**asked(region=region), "changedPropIds": [changed]})
                return answered["out"]["children"]

            waiting = asyncio.gather(answer("slow", "region.value"), answer("slow", "feed.data"))
            await until(lambda: any(each.waiting == 2 for each in app.flash_once._runs.values()))
            # By this one it gets known that the callback reads what has changed.
            assert await answer("quick", "feed.data") == "feed"
            go_on.set()
            assert await waiting == ["region", "feed"]

    run(scenario())


def test_a_request_that_names_properties_in_other_places_shares_no_answer() -> None:
    async def scenario() -> None:
        app = app_on(Numbers())

        @app.callback(Output("out", "children"), Input("feed", "data"), State("region", "value"))
        async def draw(data: Version, region: str) -> str:
            return str(ctx.states.get("region.value"))

        forged = asked()
        request = {**forged, "inputs": forged["inputs"][:1], "state": forged["inputs"][1:]}
        in_a_list = {**forged, "inputs": [forged["inputs"][1], [forged["inputs"][0]]]}
        async with serving(app) as client:
            assert await post(client, forged) == {"out": {"children": "None"}}
            assert await post(client, request) == {"out": {"children": "north"}}
            assert await post(client, in_a_list) == {"out": {"children": "None"}}

    run(scenario())
