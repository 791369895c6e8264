"""The faults of dash_devices (numbered as in the notes on it) that could come again, unless another module has them.

1. A first run that fails, or a dict id in the layout, stops the app: ``test_first_run``, ``test_patterns``.
2. A circle runs for ever: ``test_chains``; a refusal does: ``test_authorize``; a set-up that spins: here.
3. A push on the loop, or of what runs right now, waits for itself: ``test_pushing``; ``set_props`` too: here.
4. Foreign origins: ``tests/live/test_origin``. Asked too late: ``test_authorize``. Any id and any input: here.
5. Prefixes: ``test_ways``; TLS: ``tests/live/client``.
6. No way back after a cut: ``test_links``.
7. Errors that nobody sees: ``test_failures``.
8. Memory without bounds: here, and ``tests/live/test_outbox``.
9. Calls that wait hold threads: here.
10. Patterns: ``test_patterns``.
11. Stale state in layout functions and components that come again: ``test_trees``; a component that comes again: here.
12. A service that loses the outputs: ``test_serving``.
13. Messages that say the same again: here.
14. ``prevent_initial_call``: ``test_first_run``.
15. A benchmark in the client: nothing to test.
16. Pushed values kept as the user's edits: the warning in ``test_trees``.
17. A connect handler that fails: here, and ``tests/live/test_presence``.
18. Reading in threads what the loop changes: here.
19. One process only: ``test_cluster``, ``test_several_processes``.
20. Versions that are gone: nothing to test.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from flash import MATCH, Input, Output, dcc, html, set_props

from ..apps import body, run
from ..live.asgi import eventually, in_process
from .declaring import app_with, listen, slider, slider_app
from .page import SharedPage, pages_of

TEXT = "text.children"
QUIET: dict[str, Any] = {"prevent_initial_call": True}


async def alive(page: SharedPage, other: SharedPage, value: int) -> None:
    """Check that a change of one page still reaches another."""
    await page.change("slider.value", value, TEXT)
    await other.until(lambda: (other.value("slider.value"), other.value(TEXT)) == (value, f"at {value}"))


# 2 and 3.


def test_first_runs_of_which_none_can_begin_keep_nobody_waiting() -> None:
    async def scenario() -> None:
        app, _ = slider_app()
        listen(app, "nowhere.value", "other.children")
        app.callback_authorize_output(lambda client, output_id: output_id != "other.children")
        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            await alive(a, b, 8)

    run(scenario)


@pytest.mark.parametrize("kind", ["async", "plain"])
def test_set_props_of_its_own_input_waits_for_nothing(kind: str) -> None:
    async def scenario() -> None:
        app, seen = app_with(slider(), "text"), []

        def cut(value: int) -> str:
            seen.append(value)
            set_props("slider", {"value": min(value, 9)})
            return f"at {min(value, 9)}"

        async def cut_async(value: int) -> str:
            return cut(value)

        declared = app.callback_shared(Output("text", "children"), Input("slider", "value"), **QUIET)
        declared(cut if kind == "plain" else cut_async)
        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            await a.change("slider.value", 30, TEXT)
            for page in (a, b):
                await page.until(lambda page=page: (page.value("slider.value"), page.value(TEXT)) == (9, "at 9"))
            await a.settled()
            assert seen == [30]

    run(scenario)


# 4.


BAD: list[dict[str, Any]] = [
    {"changedPropIds": ["other.value"]},
    {"changedPropIds": ["slider.other"]},
    {"changedPropIds": ["{.value", "{}.value", "[].value", "slider", "", "."]},
    {"inputs": []},
    {"inputs": [{"id": "other", "property": "value", "value": 9}]},
    {"inputs": [{"id": {"type": "x"}, "property": "value", "value": 9}]},
    {"inputs": [[{"id": "slider", "property": "value", "value": 9}]] * 2},
    {"outputs": {"id": "slider", "property": "value"}},
    {"outputs": [{"id": "text", "property": "children"}] * 2},
    {"outputs": []},
    {"output": "slider.value"},
    {"state": [{"id": "secret", "property": "value", "value": 1}]},
]


@pytest.mark.parametrize("wrong", BAD, ids=str)
@pytest.mark.parametrize("numbered", [True, False])
def test_a_request_that_no_page_sends_is_answered_and_harms_nobody(wrong: dict[str, Any], numbered: bool) -> None:
    async def scenario() -> None:
        app, seen = slider_app(**QUIET)
        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            payload = body(TEXT, {"slider.value": 9}) | wrong
            changes = dict.fromkeys([*payload["changedPropIds"], "slider.value", "secret.value"], 1)
            a.shown.clear()
            await a.change("slider.value", 9)
            request = await a.send_change(payload, changes if numbered else None)
            await a.until(lambda: request.done)
            assert all(value in (9, None) for value in seen)
            assert set(dict(app.shared_state.items())) <= {("slider", "value"), ("text", "children")}
            assert app.shared_state.get("slider", "value") in (None, 9)
            await alive(b, b, 3)

    run(scenario)


@pytest.mark.parametrize("part", [["list"], "text", None, {"n": 1}])
def test_a_pattern_s_request_with_another_id_is_answered(part: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        app = app_with(slider({"type": "row", "n": 1}), html.Div(id={"type": "text", "n": 1}))

        @app.callback_shared(
            Output({"type": "text", "n": MATCH}, "children"), Input({"type": "row", "n": MATCH}, "value"), **QUIET
        )
        async def say(value: Any) -> Any:
            return value

        callback_id = list(app.callback_map)[-1]
        async with in_process(app) as site, pages_of(site, 1) as (a,):
            for outputs in (
                {"id": "text", "property": "children"},
                {"id": {"type": "text", "n": part}, "property": "children"},
            ):
                for inputs in (
                    [{"id": "row", "property": "value", "value": 1}],
                    [{"id": {"type": "row", "n": part}, "property": "value"}],
                ):
                    payload = {"output": callback_id, "outputs": outputs, "inputs": inputs, "state": []}
                    request = await a.send_change(payload | {"changedPropIds": ['{"n":1,"type":"row"}.value']}, None)
                    await a.until(lambda request=request: request.done)
            app.push_mods([Output({"type": "row", "n": 1}, "value", 8)])
            await a.until(lambda: a.values.get(('{"n":1,"type":"text"}', "children")) == 8)

    run(scenario)


# 8 and 9.


def test_a_page_that_does_not_read_holds_only_the_newest_of_each_property() -> None:
    async def scenario() -> None:
        app, seen = slider_app(**QUIET)
        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            assert b.socket is not None
            b.socket.stall()
            for value in range(400):
                await a.change("slider.value", value, TEXT)
                if value % 20 == 0:
                    await a.settled()
            await a.settled()
            assert seen == list(range(400))
            (client,) = [each for each in app.clients if each.id == b.client]
            assert client._connection is not None
            assert client._connection.outbox.waiting_bytes < 4096
            b.socket.go_on()
            await b.until(lambda: (b.value("slider.value"), b.value(TEXT)) == (399, "at 399"))
            assert len(b.pushed("slider.value")) < 100

    run(scenario)


def test_calls_that_wait_hold_no_threads() -> None:
    async def scenario() -> None:
        app, gate, begun = app_with(slider(), "text", callback_threads=2), threading.Event(), []

        @app.callback_shared(Output("text", "children"), Input("slider", "value"), **QUIET)
        def slow(value: int) -> str:
            begun.append(value)
            assert gate.wait(20)
            return f"at {value}"

        try:
            async with in_process(app) as site, pages_of(site, 2) as (a, b):
                for value in range(20):
                    await a.change("slider.value", value, TEXT)
                await b.until(lambda: b.value("slider.value") == 19 and begun)
                assert await b.call("plain.children", {"in.value": "at once"}) == "at once"
                assert begun == [0]
                gate.set()
                await a.settled()
                assert begun == list(range(20))
        finally:
            gate.set()

    run(scenario)


# 11, 13, 17 and 18.


def test_a_component_that_goes_and_comes_again_is_the_same_place() -> None:
    async def scenario() -> None:
        app, _ = slider_app(**QUIET)
        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            await alive(a, b, 8)
            app.push_mods({"place": {"children": html.Div()}})
            await a.until(lambda: a.pushed("place.children"))
            app.push_mods({"place": {"children": slider(value=2)}})
            await a.until(lambda: len(a.pushed("place.children")) == 2)
            assert a.pushed("place.children")[1]["props"]["value"] == 8
            await alive(a, b, 9)

    run(scenario)


def test_each_page_is_told_each_thing_once() -> None:
    async def scenario() -> None:
        app = app_with(slider(), "text", "end")
        app.callback_shared(
            Output("text", "children"), Input("slider", "value"), Input("slider", "drag_value"), **QUIET
        )(lambda value, drag: f"at {value}")
        listen(app, TEXT, "end.children", **QUIET)
        async with in_process(app) as site, pages_of(site, 3) as pages:
            a = pages[0]
            await a.change("slider.value", 8)
            await a.change("slider.drag_value", 8)
            changes = {"slider.value": 1, "slider.drag_value": 2}
            await a.ask(TEXT, {"slider.value": 8, "slider.drag_value": 8}, changes)
            for page in pages:
                await page.until(lambda page=page: page.value("end.children") == "at at 8")
            await a.settled()
            for page in pages[1:]:
                told = [(each["payload"]["componentId"], each["payload"]["props"]) for each in page.log]
                assert told == [
                    ("slider", {"value": 8, "drag_value": 8}),
                    ("text", {"children": "at 8"}),
                    ("end", {"children": "at at 8"}),
                ]
            assert [each["type"] for each in a.log].count("set_props") == 2

    run(scenario)


def test_a_connect_handler_that_fails_leaves_the_page_what_is_shared(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        app, _ = slider_app(**QUIET)

        @app.callback_connect
        async def fails(client: Any, connect: bool) -> None:
            raise RuntimeError("no database")

        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            await alive(a, b, 8)

    run(scenario)
    assert "no database" in caplog.text


def test_threads_read_the_state_while_it_grows() -> None:
    async def scenario() -> None:
        app = app_with("text")

        @app.callback_shared(
            Output({"type": "text", "n": MATCH}, "children"), Input({"type": "row", "n": MATCH}, "value"), **QUIET
        )
        async def unused(value: Any) -> Any:
            return value

        async with in_process(app):
            failures: list[Exception] = []
            stop = threading.Event()

            def read() -> None:
                try:
                    while not stop.is_set():
                        list(app.shared_state.items())
                except Exception as failure:
                    failures.append(failure)

            thread = threading.Thread(target=read)
            thread.start()
            for number in range(2000):
                app.push_mods([Output({"type": "row", "n": number}, "value", number)])
                if number % 100 == 0:
                    await asyncio.sleep(0)
            stop.set()
            await asyncio.to_thread(thread.join)
            assert not failures

    run(scenario)


def test_what_has_no_id_or_a_strange_one_is_left_alone() -> None:
    async def scenario() -> None:
        app, _ = slider_app(**QUIET)
        app.layout = html.Div(
            [slider(), html.Div(id="text"), html.Div([None, "text", 3, [html.Div("no id")]]), dcc.Store(id="{not json")]
        )
        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            await alive(a, b, 8)
            await eventually(lambda: app.shared_state.get("slider", "value") == 8)

    run(scenario)
