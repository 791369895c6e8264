"""Pattern-matching ids in shared callbacks: ALL, MATCH and ALLSMALLER, ids with dots and with letters of all kinds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flash import ALL, ALLSMALLER, MATCH, Flash, Input, Output, State, ctx, html

from ..apps import run
from ..live.asgi import in_process
from ..live.tab import Request
from .declaring import app_with, listen, slider
from .page import SharedPage, Shown, pages_of

QUIET: dict[str, Any] = {"prevent_initial_call": True}
Id = dict[str, Any]


def row(n: Any, kind: str = "row") -> Id:
    """The id of a component of many."""
    return {"type": kind, "n": n}


def in_browser(component_id: Any) -> str:
    """The text of an id as a browser writes it: letters of all kinds stand as they are."""
    if isinstance(component_id, str):
        return component_id
    return json.dumps(component_id, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def on_server(component_id: Any) -> str:
    """The text of an id as Dash writes it on the server."""
    return (
        component_id
        if isinstance(component_id, str)
        else json.dumps(component_id, separators=(",", ":"), sort_keys=True)
    )


def entries(found: Any) -> Any:
    """What the renderer sends of an input, state or output: ``(id, property[, value])``, or a list of them."""
    if isinstance(found, list):
        return [entries(each) for each in found]
    return dict(zip(("id", "property", "value"), found, strict=False))


async def change(
    page: SharedPage, callback_id: str, component_id: Any, prop: str, outputs: Any, inputs: Any, state: Any = ()
) -> Request:
    """Change a property, which one callback listens to, as Dash's renderer asks for it.

    Args:
        page: The page.
        callback_id: Names the callback.
        component_id: What has changed.
        prop: The same.
        outputs: As ``entries`` takes it.
        inputs: A list of such.
        state: A list of such.
    """
    page._changes += 1
    name = f"{on_server(component_id)}.{prop}"
    page.shown[name] = Shown(page.shown.get(name, Shown()).version, page._changes, True)
    changed = f"{in_browser(component_id)}.{prop}"
    payload = {
        "output": callback_id,
        "outputs": entries(outputs),
        "inputs": entries(list(inputs)),
        "state": entries(list(state)),
        "changedPropIds": [changed],
    }
    return await page.send_change(payload, {changed: page._changes})


def value(page: SharedPage, component_id: Any, prop: str = "children") -> Any:
    """What a page shows."""
    return page.values.get((on_server(component_id), prop))


def match_app() -> tuple[Flash, list[Any], str]:
    """Rows of a slider and a text each, and the id of the callback from one to the other."""
    rows = [html.Div([slider(row(n), n), html.Div(id=row(n, "text"))]) for n in (1, 2)]
    app, calls = app_with(*rows, "sum"), []

    @app.callback_shared(Output(row(MATCH, "text"), "children"), Input(row(MATCH), "value"))
    async def say(value: int) -> str:
        calls.append((ctx.triggered_id, value))
        return f"at {value}"

    return app, calls, list(app.callback_map)[-1]


def test_match_runs_the_instance_that_has_changed() -> None:
    async def scenario() -> None:
        app, calls, callback_id = match_app()
        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            for n in (1, 2):
                await a.until(lambda n=n: value(a, row(n, "text")) == f"at {n}")
            assert sorted(number for _, number in calls) == [1, 2], "the first runs"
            calls.clear()
            output = (row(2, "text"), "children")
            await change(a, callback_id, row(2), "value", output, [(row(2), "value", 8)])
            for page in (a, b):
                await page.until(lambda page=page: value(page, row(2, "text")) == "at 8")
            await a.settled()
            assert calls == [(row(2), 8)] and value(b, row(2), "value") == 8
            assert value(b, row(1, "text")) == "at 1" and value(b, row(1), "value") == 1
            assert app.shared_state[row(2), "value"] == 8
            async with pages_of(site, 1) as (c,):
                assert (value(c, row(2), "value"), value(c, row(2, "text"))) == (8, "at 8")

    run(scenario)


def test_match_as_a_chain_runs_only_that_instance() -> None:
    async def scenario() -> None:
        app, calls, _ = match_app()
        loud: list[Any] = []

        @app.callback_shared(Output(row(MATCH, "loud"), "children"), Input(row(MATCH, "text"), "children"), **QUIET)
        async def shout(text: str) -> str:
            loud.append(text)
            return f"{text}!"

        async with in_process(app) as site, pages_of(site, 1) as (a,):
            await a.until(lambda: len(calls) == 2 and len(loud) == 2)
            loud.clear()
            app.push_mods([Output(row(2), "value", 8)])
            await a.until(lambda: value(a, row(2, "loud")) == "at 8!")
            assert loud == ["at 8"]

    run(scenario)


def test_components_that_come_later_have_first_runs_of_their_own() -> None:
    async def scenario() -> None:
        app, calls, _ = match_app()
        async with in_process(app) as site, pages_of(site, 1) as (a,):
            await a.until(lambda: len(calls) == 2)
            app.push_mods({"sum": {"children": [slider(row(3), 30), html.Div(id=row(3, "text"))]}})
            await a.until(lambda: value(a, row(3, "text")) == "at 30")
            assert calls[2:] == [(None, 30)]

    run(scenario)


def sum_app() -> tuple[Flash, list[Any], str]:
    """Three sliders, with a callback that adds them up."""
    app, calls = app_with(*[slider(row(n), n) for n in (2, 10, 1)], "sum"), []

    @app.callback_shared(Output("sum", "children"), Input(row(ALL), "value"))
    async def add(values: list[int]) -> int:
        calls.append((values, [each["id"]["n"] for each in ctx.inputs_list[0]]))
        return sum(values)

    return app, calls, list(app.callback_map)[-1]


def test_all_gets_every_value_also_when_the_server_begins() -> None:
    async def scenario() -> None:
        app, calls, callback_id = sum_app()
        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            await a.until(lambda: value(a, "sum") == 13)
            shown = [(row(n), "value", n) for n in (2, 10, 1)]
            await change(
                a, callback_id, row(10), "value", ("sum", "children"), [[*shown[:1], (row(10), "value", 20), shown[2]]]
            )
            await b.until(lambda: value(b, "sum") == 23 and value(b, row(10), "value") == 20)
            app.push_mods([Output(row(2), "value", 5)])
            await b.until(lambda: value(b, "sum") == 26)
            assert calls == [([1, 2, 10], [1, 2, 10]), ([2, 20, 1], [2, 10, 1]), ([1, 5, 20], [1, 2, 10])]

    run(scenario)


def test_all_waits_for_the_first_component_that_it_matches() -> None:
    async def scenario() -> None:
        app, calls = app_with("place", "sum"), []

        @app.callback_shared(Output("sum", "children"), Input(row(ALL), "value"))
        async def add(values: list[int]) -> int:
            calls.append(values)
            return sum(values)

        async with in_process(app) as site, pages_of(site, 1) as (a,):
            app.push_mods({"place": {"children": [slider(row(n), n) for n in (1, 2)]}})
            await a.until(lambda: value(a, "sum") == 3)
            assert calls == [[1, 2]]

    run(scenario)


def test_all_sees_what_another_page_has_changed_meanwhile() -> None:
    async def scenario() -> None:
        app, calls, callback_id = sum_app()
        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            await a.until(lambda: calls)
            for page, n, new in ((a, 10, 100), (b, 2, 7)):
                shown = [(row(each), "value", new if each == n else each) for each in (2, 10, 1)]
                await change(page, callback_id, row(n), "value", ("sum", "children"), [shown])
                await page.settled()
            assert calls[1:] == [([2, 100, 1], [2, 10, 1]), ([7, 100, 1], [2, 10, 1])]

    run(scenario)


def test_all_as_outputs_sets_each_of_them() -> None:
    async def scenario() -> None:
        texts = [html.Div(id=row(n)) for n in (1, 2)]
        app, chained = app_with(slider(), *texts), []

        @app.callback_shared(Output(row(ALL), "children"), Input("slider", "value"))
        async def spread(value: int) -> Any:
            return [value * 10 + each["id"]["n"] for each in ctx.outputs_list]

        @app.callback_shared(None, Input(row(ALL), "children"))
        async def note(values: list[int]) -> None:
            chained.append(values)

        callback_id = list(app.callback_map)[-2]
        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            await a.until(lambda: value(a, row(2)) == 52)
            outputs = [(row(n), "children") for n in (1, 2)]
            await change(a, callback_id, "slider", "value", outputs, [("slider", "value", 8)])
            await b.until(lambda: (value(b, row(1)), value(b, row(2))) == (81, 82))
            await a.until(lambda: chained == [[51, 52], [81, 82]])

    run(scenario)


def test_all_as_a_state() -> None:
    async def scenario() -> None:
        app, calls = app_with(slider(), *[slider(row(n), n) for n in (1, 2)], "sum"), []

        @app.callback_shared(Output("sum", "children"), Input("slider", "value"), State(row(ALL), "value"))
        async def add(value: int, others: list[int]) -> int:
            calls.append((value, others))
            return value + sum(others)

        async with in_process(app) as site, pages_of(site, 1) as (a,):
            await a.until(lambda: value(a, "sum") == 8)
            app.push_mods({"slider": {"value": 6}})
            await a.until(lambda: value(a, "sum") == 9)
            assert calls == [(5, [1, 2]), (6, [1, 2])]

    run(scenario)


def test_allsmaller_gets_those_before_it() -> None:
    async def scenario() -> None:
        rows = [html.Div([slider(row(n), n), html.Div(id=row(n, "text"))]) for n in (1, 2, 10)]
        app, calls = app_with(*rows), []

        @app.callback_shared(
            Output(row(MATCH, "text"), "children"), Input(row(MATCH), "value"), Input(row(ALLSMALLER), "value")
        )
        async def add(own: int, smaller: list[int]) -> int:
            calls.append((own, smaller))
            return own + sum(smaller)

        async with in_process(app) as site, pages_of(site, 1) as (a,):
            await a.until(lambda: len(calls) == 3)
            assert sorted(calls) == [(1, []), (2, [1]), (10, [1, 2])]
            await a.until(lambda: value(a, row(10, "text")) == 13)

    run(scenario)


@pytest.mark.parametrize("part", ["1.5", "Küche", "日本.語", "a b", '"quoted"', "{brace}", 1.5, True])
def test_ids_with_dots_and_letters_of_all_kinds(part: Any) -> None:
    async def scenario() -> None:
        app, calls = app_with(slider(row(part)), html.Div(id=row(part, "text"))), []

        @app.callback_shared(Output(row(MATCH, "text"), "children"), Input(row(MATCH), "value"))
        async def say(value: int) -> str:
            calls.append(value)
            return f"at {value}"

        callback_id = list(app.callback_map)[-1]
        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            await a.until(lambda: value(a, row(part, "text")) == "at 5")
            output = (row(part, "text"), "children")
            request = await change(a, callback_id, row(part), "value", output, [(row(part), "value", 8)])
            await b.until(lambda: value(b, row(part), "value") == 8 and value(b, row(part, "text")) == "at 8")
            await a.settled()
            assert request.status == "ok" and calls == [5, 8]
            assert app.shared_state.get(row(part), "value") == 8

    run(scenario)


def test_plain_ids_with_letters_of_all_kinds() -> None:
    async def scenario() -> None:
        app, seen = app_with(slider("Küche"), "text"), []
        listen(app, "Küche.value", "text.children", seen)
        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            await a.change("Küche.value", 8, "text.children")
            await b.until(lambda: b.value("Küche.value") == 8 and b.value("text.children") == "at 8")
            await a.settled()
            assert seen == [5, 8]

    run(scenario)


def test_dict_ids_in_the_layout_that_no_callback_names_are_left_alone() -> None:
    """dash_devices stopped at the first of them, for ever."""

    async def scenario() -> None:
        app, seen = app_with(slider(), html.Div(id=row(1, "stranger")), "text"), []
        listen(app, "slider.value", "text.children", seen)
        async with in_process(app) as site, pages_of(site, 1) as (a,):
            await a.change("slider.value", 8, "text.children")
            await a.until(lambda: a.value("text.children") == "at 8")
            await a.settled()

    run(scenario)
