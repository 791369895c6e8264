"""``app.callback_authorize_output``: asked before anything is stored, run or sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from flash import Flash, Input, Output

from ..apps import body, run
from ..live.asgi import eventually, in_process
from ..live.tab import DashWorker
from .declaring import app_with, listen, slider, slider_app
from .page import SharedPage, pages_of

TEXT = "text.children"
QUIET: dict[str, Any] = {"prevent_initial_call": True}


def changes(page: SharedPage, name: str) -> list[tuple[int, int]]:
    """The pairs of number and version that the page was told of a property."""
    component, prop = name.rsplit(".", 1)
    payloads = [each["payload"] for each in page.log if each["type"] == "changed"]
    return [(p["change"], p["version"]) for p in payloads if (p["componentId"], p["property"]) == (component, prop)]


def forbid(app: Flash, kind: str, may: Callable[[Any, Any], bool]) -> list[tuple[str, Any]]:
    """Have a function of a kind decide; returns who has asked for what."""
    asked: list[tuple[str, Any]] = []

    def plain(client: Any, output_id: Any) -> bool:
        asked.append((client.id, output_id))
        return may(client, output_id)

    async def waiting(client: Any, output_id: Any) -> bool:
        await asyncio.sleep(0)
        return plain(client, output_id)

    app.callback_authorize_output(plain if kind == "plain" else waiting)
    return asked


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_a_refused_change_is_not_stored_nor_sent_and_the_asker_alone_gets_the_shared_value(kind: str) -> None:
    async def scenario() -> None:
        app, seen = slider_app(**QUIET)
        refused: list[str] = []
        asked = forbid(app, kind, lambda client, output_id: client.id not in refused)
        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            await b.change("slider.value", 7, TEXT)
            await a.until(lambda: a.value(TEXT) == "at 7")
            await b.settled()
            refused.append(a.client)
            version = app.shared_state.version
            (request,) = await a.change("slider.value", 9, TEXT)
            await a.until(lambda: a.value("slider.value") == 7 and request.done)
            assert request.status == "prevent_update"
            assert changes(a, "slider.value") == [(1, 0)]
            assert asked[-1] == (a.client, TEXT)
            assert app.shared_state["slider", "value"] == 7 and app.shared_state.version == version
            # What others do goes on, and nothing of the refused change has reached them.
            await b.change("slider.value", 8, TEXT)
            await a.until(lambda: a.value("slider.value") == 8 and a.value(TEXT) == "at 8")
            await b.settled()
            assert b.pushed("slider.value") == [] and seen == [7, 8]

    run(scenario)


def test_a_refused_change_of_what_nobody_has_changed_yet_gets_the_layout_s_value() -> None:
    async def scenario() -> None:
        app, seen = slider_app(**QUIET)
        forbid(app, "plain", lambda client, output_id: False)
        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            await a.change("slider.value", 9, TEXT)
            await a.until(lambda: a.value("slider.value") == 5)
            assert ("slider", "value") not in app.shared_state and seen == [] and b.received == 0

    run(scenario)


def test_a_callback_without_output_is_asked_for_as_none() -> None:
    async def scenario() -> None:
        app, seen = app_with(slider()), []
        listen(app, "slider.value", None, seen)
        callback_id = list(app.callback_map)[-1]
        asked = forbid(app, "plain", lambda client, output_id: output_id is not None)
        async with in_process(app) as site, pages_of(site, 1) as (a,):
            await a.change("slider.value", 9, callback_id)
            await a.until(lambda: a.value("slider.value") == 5)
            assert asked == [(a.client, None)] and seen == []

    run(scenario)


def test_each_of_several_outputs_is_asked_for_and_one_no_refuses_all() -> None:
    async def scenario() -> None:
        app, calls = app_with(slider(), "text", "other"), []

        @app.callback_shared(
            [Output("text", "children"), Output({"kind": "b", "n": 1}, "children")], Input("slider", "value"), **QUIET
        )
        async def both(value: int) -> Any:
            calls.append(value)
            return value, value

        callback_id = list(app.callback_map)[-1]
        asked = forbid(app, "plain", lambda client, output_id: output_id == TEXT)
        async with in_process(app) as site, pages_of(site, 1) as (a,):
            payload = body(TEXT, {"slider.value": 9}) | {
                "output": callback_id,
                "outputs": [
                    {"id": "text", "property": "children"},
                    {"id": {"n": 1, "kind": "b"}, "property": "children"},
                ],
            }
            await a.change("slider.value", 9)
            request = await a.send_change(payload, {"slider.value": 1})
            await a.until(lambda: request.done)
            assert request.status == "prevent_update" and calls == []
            assert [output_id for _, output_id in asked] == [TEXT, '{"kind":"b","n":1}.children']

    run(scenario)


def test_every_function_must_allow_it() -> None:
    async def scenario() -> None:
        app, seen = slider_app(**QUIET)
        forbid(app, "plain", lambda client, output_id: True)
        forbid(app, "async", lambda client, output_id: False)
        async with in_process(app) as site, pages_of(site, 1) as (a,):
            await a.change("slider.value", 9, TEXT)
            await a.until(lambda: a.value("slider.value") == 5)
            assert seen == []

    run(scenario)


def test_a_function_that_fails_refuses(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        app, seen = slider_app(**QUIET)

        @app.callback_authorize_output
        async def fails(client: Any, output_id: Any) -> bool:
            raise LookupError("no such user")

        async with in_process(app) as site, pages_of(site, 1) as (a,):
            (request,) = await a.change("slider.value", 9, TEXT)
            await a.until(lambda: a.value("slider.value") == 5 and request.done)
            assert request.status == "error" and "no such user" not in request.answers[0]["message"]
            assert seen == [] and ("slider", "value") not in app.shared_state

    run(scenario)
    assert "no such user" in caplog.text


def test_the_order_of_changes_holds_though_the_first_is_asked_for_long() -> None:
    async def scenario() -> None:
        app, seen = slider_app(**QUIET)
        gate, waits = asyncio.Event(), [True]

        @app.callback_authorize_output
        async def slow(client: Any, output_id: Any) -> bool:
            if waits.pop() if waits else False:
                await gate.wait()
            return True

        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            for value in (1, 2, 3):
                await a.change("slider.value", value, TEXT)
            await b.change("slider.value", 9, TEXT)  # Another page does not wait for it.
            await b.until(lambda: seen == [9])
            gate.set()
            await a.settled()
            assert seen == [9, 1, 2, 3]

    run(scenario)


@pytest.mark.parametrize("way", ["live", "HTTP", "stream"])
def test_regular_callbacks_are_asked_for_too(way: str) -> None:
    async def scenario() -> None:
        app, calls = app_with("in", "out"), []

        async def value(given: Any) -> Any:
            calls.append(given)
            return given

        async def values(given: Any) -> Any:
            calls.append(given)
            yield given

        declared = app.callback(Output("out", "children"), Input("in", "value"), websocket=True)
        declared(values if way == "stream" else value)
        allowed = [False]
        asked = forbid(app, "async", lambda client, output_id: allowed[0])
        async with in_process(app) as site, pages_of(site, 1) as (a,):
            for number, status in enumerate(("prevent_update", "ok"), 1):
                if way == "HTTP":
                    sent = body("out.children", {"in.value": 1})
                    response = await app.server.test_client().post("/_dash-update-component", json=sent)
                    assert response.status_code == {"prevent_update": 204, "ok": 200}[status]
                else:
                    request = await a.request("out.children", {"in.value": 1})
                    await a.until(lambda request=request: request.done)
                    assert request.status == status
                assert [output_id for _, output_id in asked] == ["out.children"] * number
                allowed[0] = True
            assert calls == [1]

    run(scenario)


def test_a_change_over_http_or_of_dash_s_worker_is_asked_for_too() -> None:
    """Whoever asks, and by whatever way: there is no other door to the state."""

    async def scenario() -> None:
        app, seen = slider_app(**QUIET)
        forbid(app, "plain", lambda client, output_id: False)
        async with in_process(app) as site, pages_of(site, 1) as (a,):
            sent = body(TEXT, {"slider.value": 9})
            response = await app.server.test_client().post("/_dash-update-component", json=sent)
            assert response.status_code == 204
            worker = DashWorker(site)
            await worker.connect()
            page = worker.page()
            name = await worker.request(page, TEXT, {"slider.value": 9})
            await worker.until(lambda: worker.answer(name))
            assert worker.answer(name)["status"] == "prevent_update"
            back = [each["payload"] for each in worker.messages[page] if each["type"] == "set_props"]
            assert back == [{"componentId": "slider", "props": {"value": 5}}]
            assert seen == [] and ("slider", "value") not in app.shared_state and a.received == 0
            await worker.close()

    run(scenario)


def test_what_the_server_begins_itself_is_not_asked_for() -> None:
    async def scenario() -> None:
        app, seen = app_with(slider(), "text", "end"), []
        listen(app, "slider.value", TEXT, seen)
        listen(app, TEXT, "end.children")
        asked = forbid(app, "plain", lambda client, output_id: False)
        async with in_process(app) as site, pages_of(site, 1) as (a,):
            await a.until(lambda: a.value("end.children") == "at at 5")
            app.push_mods({"slider": {"value": 6}})
            await a.until(lambda: a.value("end.children") == "at at 6")
            assert asked == [] and seen == [5, 6]

    run(scenario)


def test_a_page_that_leaves_while_it_is_asked_leaves_no_change_half_done() -> None:
    """Two callbacks listen: the first has the change already, and all pages show it."""

    async def scenario() -> None:
        app, seen = app_with(slider(), "text", "more"), []
        asked, gate = [], asyncio.Event()

        @app.callback_shared(Output("text", "children"), Input("slider", "value"), **QUIET)
        async def text(value: int) -> str:
            return f"at {value}"

        @app.callback_shared(Output("more", "children"), Input("slider", "value"), **QUIET)
        async def more(value: int) -> str:
            seen.append(value)
            return f"more {value}"

        @app.callback_authorize_output
        async def may(client: Any, output_id: str | None) -> bool:
            asked.append(output_id)
            if output_id == "more.children":
                await gate.wait()
            return True

        async with in_process(app) as site, pages_of(site, 1) as (b,):
            a = await SharedPage(site).load()
            await a.open()
            await a.change("slider.value", 8, TEXT, "more.children")
            await b.until(lambda: asked == [TEXT, "more.children"] and b.value(TEXT) == "at 8")
            await a.leave()
            await eventually(lambda: len(app.clients) == 1)
            gate.set()
            await b.until(lambda: b.value("more.children") == "more 8")
            assert seen == [8] and b.pushed("slider.value") == [8]
            assert set(app.flash_shared.asks._taken) <= {b.client}

    run(scenario)
