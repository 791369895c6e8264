"""``push_mods`` of a shared property is a change like any other: stored, sent to all, and what listens to it runs."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from flash import Flash, Input, Output, Patch, ctx, html

from ..apps import run
from ..live.asgi import eventually, in_process
from .declaring import app_with, listen, slider, slider_app
from .page import SharedPage, pages_of

TEXT = "text.children"
QUIET: dict[str, Any] = {"prevent_initial_call": True}


def appended(*values: Any) -> Patch:
    """A Patch that appends values to a list."""
    patch = Patch()
    for value in values:
        patch.append(value)
    return patch


@pytest.mark.parametrize("where", ["coroutine", "thread", "connect handler", "regular callback"])
def test_it_runs_what_listens_once_and_everybody_sees_it(where: str) -> None:
    async def scenario() -> None:
        app, seen = slider_app(**QUIET)
        first: list[bool] = []

        def push() -> None:
            app.push_mods({"slider": {"value": 8}})

        if where == "connect handler":

            @app.callback_connect
            async def handler(client: Any, connect: bool) -> None:
                if connect and not first:
                    first.append(True)
                    push()

        @app.callback(Output("out", "children"), Input("in", "value"), websocket=True)
        def regular(value: Any) -> Any:
            push()
            return value

        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            if where == "coroutine":
                push()
            elif where == "thread":
                await asyncio.to_thread(push)
            elif where == "regular callback":
                await a.call("out.children", {"in.value": 1})
            for page in (a, b):
                await page.until(lambda page=page: (page.value("slider.value"), page.value(TEXT)) == (8, "at 8"))
            assert seen == [8] and app.shared_state["slider", "value"] == 8
            async with pages_of(site, 1) as (c,):
                assert (c.value("slider.value"), c.value(TEXT)) == (8, "at 8")

    run(scenario)


@pytest.mark.parametrize("when", ["before the start", "before any page"])
def test_it_counts_before_any_page_has_come(when: str) -> None:
    async def scenario() -> None:
        app, seen = slider_app(**QUIET)
        if when == "before the start":
            app.push_mods({"slider": {"value": 8, "className": "not shared"}})
        async with in_process(app) as site:
            if when == "before any page":
                await asyncio.to_thread(app.push_mods, {"slider": {"value": 8}})
            await eventually(lambda: app.shared_state.get("text", "children") == "at 8")
            async with pages_of(site, 1) as (a,):
                assert (a.value("slider.value"), a.value(TEXT)) == (8, "at 8")
                assert ("slider", "className") not in app.shared_state
            assert seen == [8]

    run(scenario)


def test_nobody_has_caused_what_code_pushes() -> None:
    async def scenario() -> None:
        app, clients = app_with(slider(), "text"), []

        @app.callback_shared(Output("text", "children"), Input("slider", "value"), **QUIET)
        def show(value: int) -> int:
            clients.append((ctx.client.live, ctx.triggered_id))
            return value

        async with in_process(app) as site, pages_of(site, 1) as (a,):
            app.push_mods({"slider": {"value": 8}})
            await a.until(lambda: a.value(TEXT) == 8)
            assert clients == [(False, "slider")]

    run(scenario)


@pytest.mark.parametrize("kind", ["async", "plain"])
def test_a_shared_callback_may_push_what_it_listens_to_itself(kind: str) -> None:
    """dash_devices held a lock while it waited for the call that wanted that lock."""

    async def scenario() -> None:
        app, seen = app_with(slider(), "text"), []

        def count(value: int) -> str:
            seen.append(value)
            if value < 5:
                app.push_mods({"slider": {"value": value + 1}})
            return f"at {value}"

        async def count_async(value: int) -> str:
            return count(value)

        declared = app.callback_shared(Output("text", "children"), Input("slider", "value"), **QUIET)
        declared(count if kind == "plain" else count_async)
        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            await a.change("slider.value", 1, TEXT)
            for page in (a, b):
                await page.until(lambda page=page: (page.value("slider.value"), page.value(TEXT)) == (5, "at 5"))
            await a.settled()
            assert seen == [1, 2, 3, 4, 5]

    run(scenario)


def test_to_one_client_it_is_no_change() -> None:
    async def scenario() -> None:
        app, seen = slider_app(**QUIET)
        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            client = next(each for each in app.clients if each.id == a.client)
            app.push_mods({"slider": {"value": 8}}, client)
            await a.until(lambda: a.value("slider.value") == 8)
            assert ("slider", "value") not in app.shared_state and seen == [] and b.received == 0
            assert "versions" not in a.log[-1]

    run(scenario)


def test_several_properties_at_once_are_one_change() -> None:
    async def scenario() -> None:
        app, calls = app_with(slider(), "text"), []

        @app.callback_shared(Output("text", "children"), Input("slider", "min"), Input("slider", "max"), **QUIET)
        async def span(low: int, high: int) -> int:
            calls.append((low, high))
            return high - low

        async with in_process(app) as site, pages_of(site, 1) as (a,):
            app.push_mods({"slider": {"min": 2, "max": 20, "marks": None}})
            await a.until(lambda: a.value(TEXT) == 18 and ("slider", "marks") in a.values)
            assert calls == [(2, 20)]

    run(scenario)


def test_many_pushes_run_each_and_pages_end_at_the_last() -> None:
    async def scenario() -> None:
        app, seen = slider_app(**QUIET)
        async with in_process(app) as site, pages_of(site, 2) as pages:

            def push() -> None:
                for value in range(200):
                    app.push_mods({"slider": {"value": value}})

            await asyncio.to_thread(push)
            for page in pages:
                await page.until(lambda page=page: (page.value("slider.value"), page.value(TEXT)) == (199, "at 199"))
            assert seen == list(range(200))

    run(scenario)


def test_pushes_of_several_threads_all_count() -> None:
    async def scenario() -> None:
        app, seen = slider_app(**QUIET)
        async with in_process(app) as site, pages_of(site, 1) as (a,):
            threads = [
                threading.Thread(target=lambda n=n: [app.push_mods({"slider": {"value": (n, i)}}) for i in range(50)])
                for n in range(4)
            ]
            for thread in threads:
                thread.start()
            await asyncio.to_thread(lambda: [thread.join() for thread in threads])
            await a.until(lambda: len(seen) == 200)
            for n in range(4):
                assert [i for m, i in seen if m == n] == list(range(50))
            await a.until(lambda: a.value("slider.value") == seen[-1])

    run(scenario)


# Patches.


def log_app() -> tuple[Flash, list[Any]]:
    """A list that grows, and a callback that notes it."""
    app, seen = app_with(html.Div(["first"], id="log"), "text"), []
    listen(app, "log.children", TEXT, seen, **QUIET)
    return app, seen


def test_a_patch_changes_what_the_layout_says() -> None:
    async def scenario() -> None:
        app, seen = log_app()
        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            for number in (1, 2):
                app.push_mods({"log": {"children": appended(number)}})
            for page in (a, b):
                await page.until(lambda page=page: page.value("log.children") == ["first", 1, 2])
            await a.until(lambda: seen == [["first", 1], ["first", 1, 2]])
            assert app.shared_state["log", "children"] == ["first", 1, 2]
            async with pages_of(site, 1) as (c,):
                assert c.value("log.children") == ["first", 1, 2]

    run(scenario)


def test_a_patch_of_what_is_not_known_is_laid_over_the_tree_that_comes() -> None:
    async def scenario() -> None:
        app = app_with("place")
        listen(app, "log.children", TEXT, **QUIET)
        async with in_process(app) as site, pages_of(site, 1) as (a,):
            for number in (1, 2):
                app.push_mods({"log": {"children": appended(number)}})
            await a.until(lambda: len(a.pushed("log.children")) == 2)
            assert app.shared_state.get("log", "children", "unknown") == "unknown"
            assert dict(app.shared_state.items()) == {("text", "children"): "at None"}
            app.push_mods({"place": {"children": html.Div(["first"], id="log")}})
            await a.until(lambda: a.pushed("place.children"))
            assert a.pushed("place.children")[0]["props"]["children"] == ["first", 1, 2]
            late = await SharedPage(site).load()
            app.push_mods({"log": {"children": appended(3)}})
            await late.open()
            await late.until(lambda: late.pushed("log.children"))
            assert late.pushed("log.children")[-1] == ["first", 1, 2, 3]
            assert app.shared_state["log", "children"] == ["first", 1, 2, 3]
            await late.leave()

    run(scenario)


def test_a_patch_that_comes_behind_a_value_of_the_same_moment_finds_it() -> None:
    async def scenario() -> None:
        app, _ = log_app()
        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            app.push_mods({"log": {"children": ["new"]}})
            app.push_mods({"log": {"children": appended(1)}})
            app.push_mods({"log": {"children": ["newer"]}})
            app.push_mods({"log": {"children": appended(2)}})
            for page in (a, b):
                await page.until(lambda page=page: page.value("log.children") == ["newer", 2])
            assert app.shared_state["log", "children"] == ["newer", 2]

    run(scenario)


def test_a_patch_that_does_not_fit_is_no_end(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        app, seen = slider_app(**QUIET)
        async with in_process(app) as site, pages_of(site, 1) as (a,):
            app.push_mods({"slider": {"className": "marker", "value": 6}})
            await a.until(lambda: seen == [6])
            wrong = Patch()
            wrong["a"]["b"].append(1)
            app.push_mods({"slider": {"min": 1}})
            app.push_mods({"text": {"children": wrong}})
            app.push_mods({"slider": {"value": 7}})
            await a.until(lambda: 7 in seen)

    run(scenario)
