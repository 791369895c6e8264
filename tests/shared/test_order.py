"""The order of one change: numbered, stored, sent to the others; then the function; then its outputs, to all."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from flash import Flash, Input, Output

from ..apps import run
from ..live.asgi import eventually, in_process
from .declaring import app_with, listen, slider, slider_app
from .page import SharedPage, pages_of

TEXT = "text.children"


def gated_app(kind: str) -> tuple[Flash, threading.Event, list[int]]:
    """A slider whose callback, of a kind, waits for the event before it returns."""
    app, gate, begun = app_with(slider(), "text"), threading.Event(), []

    async def waiting(value: int) -> str:
        begun.append(value)
        await eventually(gate.is_set)
        return f"at {value}"

    def plain(value: int) -> str:
        begun.append(value)
        assert gate.wait(20)
        return f"at {value}"

    declared = app.callback_shared(Output("text", "children"), Input("slider", "value"), prevent_initial_call=True)
    declared(waiting if kind == "async" else plain)
    return app, gate, begun


def changed_versions(page: SharedPage, name: str, number: int) -> list[int]:
    """The versions that the page was told for one of its changes."""
    component, prop = name.rsplit(".", 1)
    payloads = [each["payload"] for each in page.log if each["type"] == "changed"]
    return [
        each["version"]
        for each in payloads
        if (each["componentId"], each["property"], each["change"]) == (component, prop, number)
    ]


@pytest.mark.parametrize("kind", ["async", "plain"])
def test_the_others_have_the_input_before_the_function_has_run(kind: str) -> None:
    async def scenario() -> None:
        app, gate, begun = gated_app(kind)
        try:
            async with in_process(app) as site, pages_of(site, 2) as (a, b):
                (request,) = await a.change("slider.value", 8, TEXT)
                await b.until(lambda: b.value("slider.value") == 8 and begun == [8])
                await a.until(lambda: not a.shown["slider.value"].pending)
                assert app.shared_state["slider", "value"] == 8
                assert not request.done and ("text", "children") not in app.shared_state
                async with pages_of(site, 1) as (c,):
                    assert c.value("slider.value") == 8, "who comes while it runs"
                gate.set()
                for page in (a, b):
                    await page.until(lambda page=page: page.value(TEXT) == "at 8")
                await a.settled()
        finally:
            gate.set()

    run(scenario)


def test_the_asker_gets_its_outputs_as_all_others_do_and_its_input_not_at_all() -> None:
    async def scenario() -> None:
        app, _ = slider_app(prevent_initial_call=True)
        async with in_process(app) as site, pages_of(site, 3) as pages:
            a, b, c = pages
            (request,) = await a.change("slider.value", 8, TEXT)
            for page in pages:
                await page.until(lambda page=page: page.value(TEXT) == "at 8")
            await a.settled()
            assert request.status == "ok" and request.response == {}
            assert [page.pushed(TEXT) for page in pages] == [["at 8"]] * 3
            assert [page.pushed("slider.value") for page in pages] == [[], [8], [8]]

    run(scenario)


def test_the_version_of_a_change_is_that_of_the_stored_value() -> None:
    async def scenario() -> None:
        app, _ = slider_app(prevent_initial_call=True)
        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            await a.change("slider.value", 8, TEXT)
            await a.settled()
            await b.until(lambda: b.value(TEXT) == "at 8")
            (version,) = changed_versions(a, "slider.value", 1)
            assert 0 < version == a.shown["slider.value"].version == b.shown["slider.value"].version
            assert b.shown[TEXT].version > version

    run(scenario)


def test_each_change_of_three_pages_runs_once_and_all_end_at_what_the_function_saw_last() -> None:
    async def scenario() -> None:
        app, seen = slider_app(prevent_initial_call=True)
        async with in_process(app) as site, pages_of(site, 3) as pages:
            for step in range(20):
                for number, page in enumerate(pages):
                    await page.change("slider.value", step * 3 + number, TEXT)
            for page in pages:
                await page.settled()
            assert sorted(seen) == list(range(60))
            assert app.shared_state["slider", "value"] == seen[-1]
            for page in pages:
                await page.until(
                    lambda page=page: (page.value("slider.value"), page.value(TEXT)) == (seen[-1], f"at {seen[-1]}")
                )

    run(scenario)


def test_the_changes_of_one_page_are_seen_in_their_order() -> None:
    async def scenario() -> None:
        app, seen = slider_app(prevent_initial_call=True)
        async with in_process(app) as site, pages_of(site, 2) as (a, _):
            for value in range(100):
                await a.change("slider.value", value, TEXT)
            await a.settled()
            assert seen == list(range(100))

    run(scenario)


@pytest.mark.parametrize("kind", ["async", "plain"])
def test_calls_wait_for_each_other_first_in_first_out(kind: str) -> None:
    """While the first call waits, the others have come; each begins when the one before has ended."""

    async def scenario() -> None:
        app, gate, begun = gated_app(kind)
        try:
            async with in_process(app) as site, pages_of(site, 2) as (a, b):
                for value in range(1, 9):
                    await (a if value % 2 else b).change("slider.value", value, TEXT)
                    await a.until(lambda value=value: app.shared_state.get("slider", "value") == value)
                await a.until(lambda: begun)
                assert begun == [1]
                gate.set()
                for page in (a, b):
                    await page.until(lambda page=page: page.value(TEXT) == "at 8")
                await a.settled()
                await b.settled()
                assert begun == list(range(1, 9))
        finally:
            gate.set()

    run(scenario)


def test_one_change_that_two_callbacks_listen_to_counts_once_and_runs_each_once() -> None:
    async def scenario() -> None:
        app, seen = slider_app(prevent_initial_call=True)
        doubled: list[Any] = []
        listen(app, "slider.value", "other.children", doubled, prevent_initial_call=True)
        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            await a.change("slider.value", 8, TEXT, "other.children")
            await a.settled()
            await b.until(lambda: b.value(TEXT) == b.value("other.children") == "at 8")
            await a.change("slider.value", 9, TEXT, "other.children")
            await a.settled()
            await b.until(lambda: b.value(TEXT) == b.value("other.children") == "at 9")
            assert seen == doubled == [8, 9]
            assert b.pushed("slider.value") == [8, 9]

    run(scenario)


def test_two_pages_that_click_at_once_both_count() -> None:
    """Both send 6: equal values are no echo."""

    async def scenario() -> None:
        app, seen = slider_app(prevent_initial_call=True)
        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            await a.change("slider.value", 6, TEXT)
            await b.change("slider.value", 6, TEXT)
            await a.settled()
            await b.settled()
            assert seen == [6, 6]

    run(scenario)


def test_a_change_keeps_its_version_when_a_second_callback_asks_after_another_page_has_changed_the_value() -> None:
    """Else the page would take its own value for the newer one."""

    async def scenario() -> None:
        app, seen = slider_app(prevent_initial_call=True)
        listen(app, "slider.value", "other.children", prevent_initial_call=True)
        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            await a.change("slider.value", 7, TEXT)
            await b.until(lambda: app.shared_state.get("slider", "value") == 7)
            await b.change("slider.value", 8, TEXT, "other.children")
            await b.until(lambda: app.shared_state.get("slider", "value") == 8)
            await a.ask("other.children", {"slider.value": 7}, {"slider.value": 1})
            await a.settled()
            await b.settled()
            assert len(set(changed_versions(a, "slider.value", 1))) == 1
            await a.until(lambda: a.value("slider.value") == b.value("slider.value") == 8)
            await a.until(lambda: a.value("other.children") == "at 8")
            assert seen == [7, 8]

    run(scenario)


def test_an_echo_beside_a_change_does_not_bring_back_an_older_value() -> None:
    """The page says which of the changed properties it has changed itself; the others may be older than the state."""

    async def scenario() -> None:
        app, calls = app_with(slider("x"), slider("y"), "text"), []

        @app.callback_shared(
            Output("text", "children"), Input("x", "value"), Input("y", "value"), prevent_initial_call=True
        )
        async def add(x: int, y: int) -> int:
            calls.append((x, y))
            return x + y

        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            await b.change("y.value", 9, TEXT, inputs={"x.value": 5})
            await b.settled()
            await a.change("x.value", 1)
            await a.ask(TEXT, {"x.value": 1, "y.value": 5}, {"x.value": 1})
            await b.until(lambda: b.value("x.value") == 1 and b.value(TEXT) == 10)
            assert app.shared_state["y", "value"] == 9
            assert calls == [(5, 9), (1, 9)]

    run(scenario)


def test_the_function_gets_the_shared_values_in_place_of_older_ones_in_the_page() -> None:
    """Another page has changed ``y`` while this one's request was under way."""

    async def scenario() -> None:
        app, calls = app_with(slider("x"), slider("y"), "text"), []

        @app.callback_shared(
            Output("text", "children"), Input("x", "value"), Input("y", "value"), prevent_initial_call=True
        )
        async def add(x: int, y: int) -> int:
            calls.append((x, y))
            return x + y

        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            await b.change("y.value", 9, TEXT, inputs={"x.value": 5})
            await b.settled()
            await a.change("x.value", 1, TEXT, inputs={"x.value": 1, "y.value": 5})
            await a.settled()
            assert calls == [(5, 9), (1, 9)]

    run(scenario)


def test_what_listens_on_other_pages_runs_too() -> None:
    """Dash's renderer asks only for callbacks whose components are all on its page."""

    async def scenario() -> None:
        app, seen = app_with(slider(), "text", "more"), []

        @app.callback_shared(Output("text", "children"), Input("slider", "value"), prevent_initial_call=True)
        async def show(value: int) -> str:
            seen.append(("show", value))
            return f"at {value}"

        @app.callback_shared(Output("more", "children"), Input("slider", "value"), prevent_initial_call=True)
        async def show_more(value: int) -> str:
            seen.append(("more", value))
            return f"more {value}"

        @app.callback_shared(None, Input("text", "children"))
        async def other(text: str) -> None:
            seen.append(("other", text))

        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            # What does not listen to the slider, or is no callback, is not run by who names it.
            elsewhere = ["more.children", "text.children", *app.flash_shared.graph.callbacks, "unknown"]
            await a.change("slider.value", 8, "text.children", elsewhere=elsewhere)
            await a.settled()
            await b.until(lambda: (b.value("text.children"), b.value("more.children")) == ("at 8", "more 8"))
            await eventually(lambda: sorted(seen) == [("more", 8), ("other", "at 8"), ("show", 8)])

    run(scenario)
