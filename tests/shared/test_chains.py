"""Chains: a shared callback that listens to a shared output runs on the server, once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from quart.testing.app import LifespanError

import flash
from flash import Input, Output, Patch, State, _dash, no_update, set_props
from flash.exceptions import ConfigurationError

from ..apps import run
from ..live.asgi import in_process
from .declaring import app_with, listen, slider
from .page import pages_of

TEXT = "text.children"
QUIET: dict[str, Any] = {"prevent_initial_call": True}


def test_a_chain_runs_on_the_server_once_whatever_the_number_of_pages() -> None:
    async def scenario() -> None:
        app, first, second = app_with(slider(), "text", "end"), [], []
        listen(app, "slider.value", TEXT, first, **QUIET)
        listen(app, TEXT, "end.children", second, **QUIET)
        async with in_process(app) as site, pages_of(site, 3) as pages:
            await pages[0].change("slider.value", 8, TEXT)
            for page in pages:
                await page.until(lambda page=page: page.value("end.children") == "at at 8")
            await pages[0].settled()
            assert (first, second) == ([8], ["at 8"])

    run(scenario)


def test_a_diamond_runs_its_end_once_with_both_new_values() -> None:
    async def scenario() -> None:
        app, ends, ready = app_with(slider(), "b", "c", "d"), [], asyncio.Event()

        @app.callback_shared(Output("b", "children"), Input("a", "children"), **QUIET)
        async def fast(a: int) -> str:
            return f"b{a}"

        @app.callback_shared(Output("d", "children"), Input("b", "children"), Input("c", "children"), **QUIET)
        async def end(b: str, c: str) -> str:
            ends.append((b, c))
            return b + c

        @app.callback_shared(Output("c", "children"), Input("a", "children"), **QUIET)
        async def slow(a: int) -> str:
            await ready.wait()
            return f"c{a}"

        @app.callback_shared(Output("a", "children"), Input("slider", "value"), **QUIET)
        async def begin(value: int) -> int:
            return value

        async with in_process(app) as site, pages_of(site, 1) as (page,):
            await page.change("slider.value", 8, "a.children")
            await page.until(lambda: page.value("b.children") == "b8")
            ready.set()
            await page.until(lambda: page.value("d.children") == "b8c8")
            assert ends == [("b8", "c8")]

    run(scenario)


def test_the_page_s_own_request_for_what_the_chain_has_run_needs_no_run() -> None:
    """The slider and the text are both inputs of the second: the renderer asks for it when the first is answered."""

    async def scenario() -> None:
        app, calls = app_with(slider(), "text", "end"), []
        listen(app, "slider.value", TEXT, **QUIET)

        @app.callback_shared(Output("end", "children"), Input("slider", "value"), Input("text", "children"), **QUIET)
        async def end(value: int, text: str) -> str:
            calls.append((value, text))
            return f"{value} {text}"

        async with in_process(app) as site, pages_of(site, 1) as (page,):
            await page.change("slider.value", 8, TEXT)
            await page.until(lambda: page.value("end.children") == "8 at 8")
            await page.ask("end.children", {"slider.value": 8}, {"slider.value": 1}, {"text.children": "at 8"})
            await page.settled()
            assert calls == [(8, "at 8")]

    run(scenario)


def test_a_chained_run_sees_states_that_an_earlier_request_has_brought() -> None:
    async def scenario() -> None:
        app, calls = app_with(slider(), "text", "end", "unit"), []
        listen(app, "slider.value", TEXT, **QUIET)

        @app.callback_shared(Output("end", "children"), Input("text", "children"), State("unit", "children"), **QUIET)
        async def end(text: str, unit: str) -> str:
            calls.append((text, unit))
            return f"{text} {unit}"

        async with in_process(app) as site, pages_of(site, 1) as (page,):
            await page.change("text.children", "mine", "end.children", state={"unit.children": "C"})
            await page.settled()
            await page.change("slider.value", 8, TEXT)
            await page.until(lambda: page.value("end.children") == "at 8 C")
            assert calls == [("mine", "C"), ("at 8", "C")]

    run(scenario)


def test_ctx_client_of_a_chained_run_is_who_made_the_change() -> None:
    async def scenario() -> None:
        app, clients = app_with(slider(), "text", "end"), []
        listen(app, "slider.value", TEXT, **QUIET)

        @app.callback_shared(Output("end", "children"), Input("text", "children"), **QUIET)
        def end(text: str) -> str:
            clients.append(flash.ctx.client)
            return text

        async with in_process(app) as site, pages_of(site, 2) as (_, b):
            await b.change("slider.value", 8, TEXT)
            await b.until(lambda: clients)
            assert [client.id for client in clients] == [b.client] and clients[0].live

    run(scenario)


@pytest.mark.parametrize("way", ["Output", "list of Outputs", "set_props"])
@pytest.mark.parametrize("kind", ["async", "plain"])
def test_what_a_shared_callback_sets_besides_its_outputs_is_shared_too(kind: str, way: str) -> None:
    async def scenario() -> None:
        app, chained = app_with(slider(), "text", "besides", "end"), []

        def give(value: int) -> Any:
            if way == "set_props":
                set_props("besides", {"children": value})
                return no_update
            output = Output("besides", "children", value)
            return output if way == "Output" else [output, Output("slider", "max", 100)]

        async def give_async(value: int) -> Any:
            return give(value)

        declared = app.callback_shared(Output("text", "children"), Input("slider", "value"), **QUIET)
        declared(give if kind == "plain" else give_async)
        listen(app, "besides.children", "end.children", chained, **QUIET)
        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            await a.change("slider.value", 8, TEXT)
            for page in (a, b):
                await page.until(lambda page=page: page.value("end.children") == "at 8")
                assert page.value("besides.children") == 8 and page.value(TEXT) is None
            await a.settled()
            assert chained == [8] and app.shared_state["besides", "children"] == 8
            async with pages_of(site, 1) as (c,):
                assert c.value("besides.children") == 8
                assert way != "list of Outputs" or c.value("slider.max") == 100

    run(scenario)


def test_what_set_props_sets_is_shown_while_the_function_runs() -> None:
    async def scenario() -> None:
        app, gate = app_with(slider(), "text"), asyncio.Event()

        @app.callback_shared(Output("text", "children"), Input("slider", "value"), **QUIET)
        async def work(value: int) -> str:
            set_props("text", {"children": "working"})
            await gate.wait()
            return "done"

        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            await a.change("slider.value", 8, TEXT)
            await b.until(lambda: b.value(TEXT) == "working")
            gate.set()
            await b.until(lambda: b.value(TEXT) == "done")
            await a.settled()

    run(scenario)


def test_a_no_update_among_several_outputs_leaves_that_one_and_its_chain() -> None:
    async def scenario() -> None:
        app, of_text, of_other = app_with(slider(), "text", "other"), [], []

        @app.callback_shared(
            [Output("text", "children"), Output("other", "children")], Input("slider", "value"), **QUIET
        )
        async def one(value: int) -> Any:
            return no_update, f"at {value}"

        listen(app, TEXT, "end.children", of_text, **QUIET)
        listen(app, "other.children", None, of_other, **QUIET)
        async with in_process(app) as site, pages_of(site, 1) as (page,):
            await page.change("slider.value", 8, "..text.children...other.children..")
            await page.until(lambda: of_other == ["at 8"])
            await page.settled()
            assert of_text == [] and ("text", "children") not in app.shared_state

    run(scenario)


def test_an_output_that_is_its_own_input_does_not_run_it_again() -> None:
    """A slider and a field that follow each other, as in Dash."""

    async def scenario() -> None:
        app, calls = app_with(slider(), slider("field")), []

        @app.callback_shared(
            [Output("slider", "value"), Output("field", "value")],
            Input("slider", "value"),
            Input("field", "value"),
            **QUIET,
        )
        async def follow(of_slider: int, of_field: int) -> Any:
            calls.append((of_slider, of_field))
            value = of_slider if flash.ctx.triggered_id == "slider" else of_field
            return min(value, 9), min(value, 9)

        both = "..slider.value...field.value.."
        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            await a.change("slider.value", 10, both, inputs={"slider.value": 10, "field.value": 5})
            for page in (a, b):
                await page.until(lambda page=page: page.value("slider.value") == page.value("field.value") == 9)
            await a.settled()
            await b.change("field.value", 3, both, inputs={"slider.value": 9, "field.value": 3})
            for page in (a, b):
                await page.until(lambda page=page: page.value("slider.value") == page.value("field.value") == 3)
            await b.settled()
            assert calls == [(10, 5), (9, 3)]

    run(scenario)


def test_regular_callbacks_that_listen_are_the_business_of_each_page() -> None:
    async def scenario() -> None:
        app, calls = app_with(slider(), "text", "mine"), []
        listen(app, "slider.value", TEXT, **QUIET)

        @app.callback(Output("mine", "children"), Input("text", "children"), websocket=True)
        async def mine(text: str) -> str:
            calls.append(text)
            return f"my {text}"

        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            await a.change("slider.value", 8, TEXT)
            await b.until(lambda: b.value(TEXT) == "at 8")
            assert calls == []
            assert await b.call("mine.children", {"text.children": "at 8"}) == "my at 8"
            assert a.value("mine.children") is None

    run(scenario)


def test_a_patch_as_an_output_changes_the_shared_value() -> None:
    async def scenario() -> None:
        app, lengths = app_with(slider(), "log", "end"), []

        @app.callback_shared(Output("log", "children"), Input("slider", "value"), **QUIET)
        async def append(value: int) -> Any:
            patch = Patch()
            patch.append(value)
            return patch

        listen(app, "log.children", "end.children", lengths, **QUIET)
        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            for value in (1, 2, 3):
                await a.change("slider.value", value, "log.children")
            for page in (a, b):
                await page.until(lambda page=page: page.value("end.children") == "at [1, 2, 3]")
                assert page.value("log.children") == [1, 2, 3]
            async with pages_of(site, 1) as (c,):
                assert c.value("log.children") == [1, 2, 3]
            assert lengths == [[1], [1, 2], [1, 2, 3]]

    run(scenario)


# Circles.


def test_a_circle_of_two_is_refused_where_it_is_closed_and_its_path_is_named() -> None:
    app = app_with("a", "b")

    @app.callback_shared(Output("b", "children"), Input("a", "children"))
    def there(a: str) -> str:
        return a

    with pytest.raises(ConfigurationError) as refused:

        @app.callback_shared(Output("a", "children"), Input("b", "children"))
        def back(b: str) -> str:
            return b

    message = str(refused.value)
    assert "circle" in message and "there" in message and "back" in message
    assert "b.children" in message and "a.children" in message
    assert len(app.callback_map) == len(app_with("a", "b").callback_map) + 1, "the second is not there"

    @app.callback_shared(Output("a", "children"), Input("c", "children"))
    def other(c: str) -> str:
        return c


def test_a_circle_of_three_is_refused_with_its_whole_path() -> None:
    app = app_with("a", "b", "c")
    listen(app, "a.children", "b.children")
    listen(app, "b.children", "c.children")
    with pytest.raises(ConfigurationError, match=r"b\.children.*c\.children.*a\.children"):
        listen(app, "c.children", "a.children")


def test_a_circle_that_a_pattern_may_close_is_refused() -> None:
    app = app_with("a")
    app.callback_shared(Output("a", "children"), Input({"type": "row", "n": flash.ALL}, "children"))(lambda rows: rows)
    with pytest.raises(ConfigurationError, match="circle"):
        app.callback_shared(Output({"type": "row", "n": 1}, "children"), Input("a", "children"))(lambda a: a)


def test_a_circle_of_an_app_s_and_of_no_app_s_callbacks_ends_the_start() -> None:
    async def scenario() -> None:
        app = app_with("a", "b")
        listen(app, "a.children", "b.children")
        flash.callback_shared(Output("a", "children"), Input("b", "children"))(lambda b: b)
        with pytest.raises(LifespanError, match="circle"):
            async with in_process(app):
                pass

    try:
        run(scenario)
    finally:
        _dash.global_register().entries.clear()
        _dash.global_register().specs.clear()


def test_a_circle_among_callbacks_of_no_app_is_refused_when_it_is_declared() -> None:
    try:
        flash.callback_shared(Output("b", "children"), Input("a", "children"))(lambda a: a)
        with pytest.raises(ConfigurationError, match="circle"):
            flash.callback_shared(Output("a", "children"), Input("b", "children"))(lambda b: b)
        assert len(_dash.global_callbacks()) == 1
    finally:
        _dash.global_register().entries.clear()
        _dash.global_register().specs.clear()


def test_a_state_closes_no_circle() -> None:
    app = app_with("a", "b")
    listen(app, "a.children", "b.children")
    app.callback_shared(Output("a", "children"), Input("c", "children"), State("b", "children"))(lambda c, b: c)
