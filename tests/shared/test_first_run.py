"""The first run of a shared callback: the server's own, once for all pages, as soon as its inputs are known."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from dash.exceptions import PreventUpdate
from quart import request

from flash import Input, Output, State, ctx, html

from ..apps import body, flash_app, run, serving
from ..live.asgi import eventually, in_process
from ..test_gaps import page as page_of
from ..test_gaps import pages_app, routed
from .declaring import app_with, listen, slider, slider_app
from .page import pages_of

TEXT = "text.children"


def test_it_happens_at_the_start_and_not_for_pages() -> None:
    async def scenario() -> None:
        app, seen = slider_app()
        async with in_process(app) as site:
            await eventually(lambda: ("text", "children") in app.shared_state)
            assert seen == [5] and ("slider", "value") not in app.shared_state
            async with pages_of(site, 3) as pages:
                assert [page.value(TEXT) for page in pages] == ["at 5"] * 3
                await pages[0].change("slider.value", 6, TEXT)
                await pages[0].settled()
            assert seen == [5, 6]

    run(scenario)


def test_it_sees_the_states_of_the_layout_and_no_client_of_the_app() -> None:
    async def scenario() -> None:
        app, calls = app_with(slider(), html.Div("factor", id="unit"), "text"), []

        @app.callback_shared(Output("text", "children"), Input("slider", "value"), State("unit", "children"))
        async def show(value: int, unit: str) -> str:
            calls.append((value, unit, ctx.triggered_id, ctx.client.live))
            return "shown"

        async with in_process(app):
            await eventually(lambda: app.shared_state.get("text", "children") == "shown")
        assert calls == [(5, "factor", None, False)]

    run(scenario)


def test_a_layout_that_needs_a_request_brings_it_with_the_first_request() -> None:
    async def scenario() -> None:
        app, seen = slider_app()
        declared = app.layout

        async def layout() -> Any:
            request.path  # noqa: B018
            return declared

        app.layout = layout
        async with in_process(app) as site:
            assert seen == []
            async with pages_of(site, 2) as (a, b):
                for page in (a, b):
                    await page.until(lambda page=page: page.value(TEXT) == "at 5")
            assert seen == [5]

    run(scenario)


def test_the_layout_of_a_page_brings_it() -> None:
    """The page's layout is known at the start; a page function is called again for each page that is opened."""

    async def scenario() -> None:
        seen: list[Any] = []
        with page_of(lambda: html.Div([slider(), html.Div(id="text")])) as register:
            app = pages_app(flash_app)
            register()
            listen(app, "slider.value", TEXT, seen)
            async with serving(app) as client:
                await eventually(lambda: app.shared_state.get("text", "children") == "at 5")
                for _ in range(2):
                    assert "at 5" in str(await routed(client))
        assert seen == [5]

    run(scenario)


@pytest.mark.parametrize("way", ["callback over HTTP", "live callback", "push"])
def test_a_tree_that_comes_later_brings_it(way: str) -> None:
    async def scenario() -> None:
        app, seen = app_with("in", "place", suppress_callback_exceptions=True), []
        listen(app, "late.value", TEXT, seen)

        @app.callback(Output("place", "children"), Input("in", "value"), websocket=way == "live callback")
        async def show(_: Any) -> Any:
            return html.Div([slider("late", 3), html.Div(id="text")])

        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            assert seen == []
            for _ in range(2):
                if way == "push":
                    app.push_mods({"place": {"children": await show(1)}})
                elif way == "live callback":
                    await a.call("place.children", {"in.value": 1})
                else:
                    client = app.server.test_client()
                    await client.post("/_dash-update-component", json=body("place.children", {"in.value": 1}))
                await b.until(lambda: b.value(TEXT) == "at 3")
            assert seen == [3]

    run(scenario)


def test_a_callback_without_output_has_none() -> None:
    async def scenario() -> None:
        app, seen = app_with(slider(), "text"), []
        first: list[Any] = []
        listen(app, "slider.value", None, seen)
        app.callback_shared(Input("slider", "value"))(seen.append)  # Dash's way to say so.
        listen(app, "slider.value", TEXT, first)
        async with in_process(app) as site, pages_of(site, 1) as (page,):
            await page.until(lambda: page.value(TEXT) == "at 5")
            app.shared_state.reset()
            await page.until(lambda: first == [5, 5])
            assert seen == []

    run(scenario)


@pytest.mark.parametrize("way", ["option", "last argument", "app"])
def test_prevent_initial_call_takes_it_away(way: str) -> None:
    async def scenario() -> None:
        options = {"prevent_initial_callbacks": True} if way == "app" else {}
        app, seen, first = app_with(slider(), "text", "other", **options), [], []
        arguments = (Output("text", "children"), Input("slider", "value"), *([True] if way == "last argument" else []))

        @app.callback_shared(*arguments, **({"prevent_initial_call": True} if way == "option" else {}))
        async def show(value: int) -> str:
            seen.append(value)
            return "shown"

        listen(app, "slider.value", "other.children", first, prevent_initial_call=False)
        async with in_process(app) as site, pages_of(site, 1) as (page,):
            await page.until(lambda: page.value("other.children") == "at 5")
        assert (seen, first) == ([], [5])

    run(scenario)


@pytest.mark.parametrize("end", [PreventUpdate, RuntimeError])
def test_it_is_not_repeated_when_it_gave_nothing(end: type[Exception], caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        app, calls = app_with(slider(), "text", "other"), []

        @app.callback_shared(Output("text", "children"), Input("slider", "value"))
        async def nothing(value: int) -> str:
            calls.append(value)
            raise end

        listen(app, "slider.value", "other.children")
        async with in_process(app) as site:
            for _ in range(2):
                async with pages_of(site, 1) as (page,):
                    await page.until(lambda page=page: page.value("other.children") == "at 5")
                    assert page.value(TEXT) is None
            assert calls == [5]
            app.shared_state.reset()
            await eventually(lambda: calls == [5, 5])

    run(scenario)
    assert ("Error id" in caplog.text) is (end is RuntimeError)


def test_a_failing_first_run_wedges_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """dash_devices held its lock for ever, and no page could load any more."""

    async def scenario() -> None:
        app, fails = app_with(slider(), "text"), [True]

        @app.callback_shared(Output("text", "children"), Input("slider", "value"))
        async def once(value: int) -> str:
            if fails.pop() if fails else False:
                raise RuntimeError("no device")
            return f"at {value}"

        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            await a.change("slider.value", 6, TEXT)
            await b.until(lambda: b.value(TEXT) == "at 6")
            await a.settled()

    run(scenario)
    assert "no device" in caplog.text


def test_reset_while_a_change_runs_ends_with_what_the_defaults_come_to() -> None:
    async def scenario() -> None:
        app, seen, gate = app_with(slider(), "text"), [], asyncio.Event()

        @app.callback_shared(Output("text", "children"), Input("slider", "value"))
        async def show(value: int) -> str:
            seen.append(value)
            if value == 8:
                await gate.wait()
            return f"at {value}"

        async with in_process(app) as site, pages_of(site, 1) as (a,):
            await a.until(lambda: a.value("text.children") == "at 5")
            await a.change("slider.value", 8, "text.children")
            await a.until(lambda: seen == [5, 8])
            app.shared_state.reset()
            gate.set()
            await a.until(lambda: seen == [5, 8, 5] and a.value("text.children") == "at 5")
            assert app.shared_state["text", "children"] == "at 5"

    run(scenario)


def test_reset_shows_the_defaults_and_runs_it_again() -> None:
    async def scenario() -> None:
        app, seen = slider_app()
        listen(app, "slider.value", "other.children", prevent_initial_call=True)
        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            await a.change("slider.value", 8, TEXT, "other.children")
            await b.until(lambda: (b.value(TEXT), b.value("other.children")) == ("at 8", "at 8"))
            await a.settled()
            before = app.shared_state.version
            await asyncio.to_thread(app.shared_state.reset)
            for page in (a, b):
                await page.until(
                    lambda page=page: (page.value("slider.value"), page.value(TEXT)) == (5, "at 5"),
                )
                assert page.value("other.children") is None
            assert ("slider", "value") not in app.shared_state and app.shared_state.version > before
            async with pages_of(site, 1) as (c,):
                assert (c.value("slider.value"), c.value(TEXT), c.value("other.children")) == (5, "at 5", None)
            assert seen == [5, 8, 5]

    run(scenario)


def test_a_chain_runs_each_callback_once_and_after_those_before_it() -> None:
    async def scenario() -> None:
        app, order = app_with(slider(), "text", "end"), []

        @app.callback_shared(Output("end", "children"), Input("text", "children"), Input("slider", "value"))
        async def last(text: str, value: int) -> str:
            order.append(("last", text, value))
            return f"{text}!"

        @app.callback_shared(Output("text", "children"), Input("slider", "value"))
        async def first(value: int) -> str:
            order.append(("first", value))
            await asyncio.sleep(0)
            return f"at {value}"

        async with in_process(app) as site, pages_of(site, 1) as (page,):
            await page.until(lambda: page.value("end.children") == "at 5!")
        assert order == [("first", 5), ("last", "at 5", 5)]

    run(scenario)


def test_it_waits_until_all_inputs_are_known() -> None:
    async def scenario() -> None:
        app, calls = app_with(slider("x", 1), "place", "text"), []

        @app.callback_shared(Output("text", "children"), Input("x", "value"), Input("y", "value"))
        async def add(x: int, y: int) -> int:
            calls.append((x, y))
            return x + y

        async with in_process(app) as site, pages_of(site, 1) as (page,):
            assert calls == []
            app.push_mods({"place": {"children": slider("y", 2)}})
            await page.until(lambda: page.value(TEXT) == 3)
        assert calls == [(1, 2)]

    run(scenario)


def test_it_waits_for_the_whole_tree() -> None:
    """The tree is written in a thread, and the loop goes on meanwhile: what comes later in the tree is known too."""

    async def scenario() -> None:
        app, calls = app_with("place", "text"), []
        loop = asyncio.get_running_loop()

        class Pause:
            def to_plotly_json(self) -> str:
                for _ in range(5):
                    asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result()
                return "paused"

        @app.callback_shared(Output("text", "children"), Input("late", "value"), State("mine", "value"))
        async def both(late: int, mine: int) -> int:
            calls.append((late, mine))
            return late + mine

        async with in_process(app) as site, pages_of(site, 1) as (page,):
            tree = html.Div([slider("late", 1), Pause(), slider("mine", 2)])
            await asyncio.to_thread(app.push_mods, {"place": {"children": tree}})
            await page.until(lambda: page.value(TEXT) == 3)
        assert calls == [(1, 2)]

    run(scenario)


def test_an_output_that_has_been_pushed_needs_none() -> None:
    async def scenario() -> None:
        app, seen = slider_app()
        first: list[Any] = []
        listen(app, "slider.value", "other.children", first)
        app.push_mods({"text": {"children": "known"}})
        async with in_process(app) as site, pages_of(site, 1) as (page,):
            await page.until(lambda: first == [5])
            assert page.value(TEXT) == "known" and seen == []

    run(scenario)
