"""Every tree that leaves the server has the shared values in it, and no change is lost between a tree and the page."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest

from flash import Flash, Input, Output, Patch, State, dcc, html

from ..apps import body, flash_app, run, serving
from ..live.asgi import eventually, in_process
from ..test_gaps import page as page_of
from ..test_gaps import pages_app, routed
from .declaring import app_with, listen, slider, slider_app
from .page import LAYOUT, SharedPage, pages_of

TEXT = "text.children"
QUIET: dict[str, Any] = {"prevent_initial_call": True}


def components(content: Any) -> dict[str, dict[str, Any]]:
    """The properties of a JSON tree's components, by the text of their id."""
    found: dict[str, dict[str, Any]] = {}

    def walk(node: Any) -> None:
        if isinstance(node, list):
            for each in node:
                walk(each)
        elif isinstance(node, dict):
            if "namespace" in node and "id" in node["props"]:
                found[json.dumps(node["props"]["id"]).strip('"')] = node["props"]
            for each in node.values():
                walk(each)

    walk(content)
    return found


async def layout_of(app: Flash) -> dict[str, dict[str, Any]]:
    """The components of the layout, as a page gets it now."""
    response = await app.server.test_client().get(f"/{LAYOUT}")
    return components(await response.get_json())


# Where trees leave.


@pytest.mark.parametrize("kind", ["component", "function", "async function"])
def test_a_layout_shows_what_is_shared(kind: str) -> None:
    async def scenario() -> None:
        app, _ = slider_app()

        def make() -> Any:
            return html.Div([slider(), html.Div(id="text")])

        async def make_async() -> Any:
            return make()

        app.layout = {"component": make(), "function": make, "async function": make_async}[kind]
        async with in_process(app) as site, pages_of(site, 1) as (a,):
            await a.change("slider.value", 8, TEXT)
            await a.until(lambda: a.value(TEXT) == "at 8")
            await a.settled()
            found = await layout_of(app)
            assert (found["slider"]["value"], found["text"]["children"]) == (8, "at 8")

    run(scenario)


def test_a_page_shows_what_is_shared() -> None:
    async def scenario() -> None:
        with page_of(lambda: html.Div([slider(), html.Div(id="text")])) as register:
            app = pages_app(flash_app)
            register()
            listen(app, "slider.value", TEXT)
            async with serving(app) as client:
                app.push_mods({"slider": {"value": 8}})
                await eventually(lambda: app.shared_state.get("text", "children") == "at 8")
                found = components(await routed(client))
                assert (found["slider"]["value"], found["text"]["children"]) == (8, "at 8")

    run(scenario)


@pytest.mark.parametrize("way", ["HTTP", "live", "push", "client.set_props", "Patch", "in a shared value"])
def test_a_tree_that_comes_later_shows_what_is_shared(way: str) -> None:
    async def scenario() -> None:
        app, _ = slider_app(**QUIET)
        app.layout = html.Div([html.Div(id="in"), html.Div(id="place")])

        def tree() -> Any:
            return html.Div([slider(), html.Div(id="text")])

        @app.callback(Output("place", "children"), Input("in", "value"), websocket=way == "live")
        async def show(_: Any) -> Any:
            return tree()

        if way == "in a shared value":
            listen(app, "place.children", None)
        async with in_process(app) as site, pages_of(site, 1) as (a,):
            await a.change("slider.value", 8, TEXT)
            await a.until(lambda: a.value(TEXT) == "at 8")
            await a.settled()
            if way == "HTTP":
                sent = body("place.children", {"in.value": 1})
                response = await app.server.test_client().post("/_dash-update-component", json=sent)
                found = components(await response.get_json(force=True))
            elif way == "live":
                found = components(await a.call("place.children", {"in.value": 1}))
            else:
                update: Any = tree()
                if way == "Patch":
                    update = Patch()
                    update.append(tree())
                if way == "client.set_props":
                    next(iter(app.clients)).set_props("place", {"children": update})
                else:
                    app.push_mods({"place": {"children": update}})
                await a.until(lambda: a.pushed("place.children"))
                found = components(a.pushed("place.children"))
            assert (found["slider"]["value"], found["text"]["children"]) == (8, "at 8")

    run(scenario)


def test_a_tree_that_is_a_shared_value_is_brought_up_to_date_whenever_it_leaves() -> None:
    """The tree was made when the slider inside it was at 1."""

    async def scenario() -> None:
        app, _ = slider_app(**QUIET)
        app.layout = html.Div([html.Div(id="place"), html.Button(id="make")])

        @app.callback_shared(Output("place", "children"), Input("make", "n_clicks"), **QUIET)
        async def make(_: int) -> Any:
            return html.Div([slider(value=1), html.Div(id="text")])

        async with in_process(app) as site, pages_of(site, 1) as (a,):
            await a.change("make.n_clicks", 1, "place.children")
            await a.until(lambda: a.pushed("place.children"))
            assert components(a.value("place.children"))["slider"]["value"] == 1
            await a.change("slider.value", 8, TEXT)
            await a.until(lambda: a.value(TEXT) == "at 8")
            await a.settled()
            found = await layout_of(app)
            assert (found["slider"]["value"], found["text"]["children"]) == (8, "at 8")
            late = SharedPage(site)  # It knows nothing of the state, so it gets all of it.
            await late.open()
            await late.until(lambda: late.pushed("place.children"))
            assert components(late.pushed("place.children"))["slider"]["value"] == 8
            await late.leave()

    run(scenario)


def test_a_tree_that_gives_a_shared_property_another_value_does_not_set_it() -> None:
    async def scenario() -> None:
        app, seen = slider_app(**QUIET)
        async with in_process(app) as site, pages_of(site, 1) as (a,):
            await a.change("slider.value", 8, TEXT)
            await a.settled()
            app.push_mods({"place": {"children": slider(value=3)}})
            await a.until(lambda: a.pushed("place.children"))
            assert a.pushed("place.children")[0]["props"]["value"] == 8
            assert app.shared_state["slider", "value"] == 8 and seen == [8]

    run(scenario)


def test_dict_ids_show_what_is_shared() -> None:
    async def scenario() -> None:
        identity = {"type": "room", "name": "Küche 1.5"}
        app = app_with(slider(identity), "text")
        app.callback_shared(Output("text", "children"), Input(identity, "value"), **QUIET)(lambda value: value)
        async with in_process(app):
            app.push_mods([Output(identity, "value", 8)])
            await eventually(lambda: app.shared_state.get("text", "children") == 8)
            assert app.shared_state[identity, "value"] == 8
            found = await layout_of(app)
            assert [props["value"] for props in found.values() if props["id"] == identity] == [8]

    run(scenario)


def test_the_layout_object_itself_is_not_changed() -> None:
    async def scenario() -> None:
        app, _ = slider_app(**QUIET)
        async with in_process(app) as site, pages_of(site, 1) as (a,):
            await a.change("slider.value", 8, TEXT)
            await a.settled()
            await layout_of(app)
            assert app.layout.children[0].value == 5

    run(scenario)


# Between the tree and the page.


def test_what_changes_between_layout_and_hello_comes_after_welcome_and_nothing_else() -> None:
    async def scenario() -> None:
        app, _ = slider_app(**QUIET)
        listen(app, "other.value", "end.children", **QUIET)
        async with in_process(app) as site, pages_of(site, 1) as (a,):
            await a.change("other.value", 1, "end.children")
            await a.settled()
            late = await SharedPage(site).load()
            await a.change("slider.value", 8, TEXT)
            await a.until(lambda: a.value(TEXT) == "at 8")
            await late.open()
            await late.until(lambda: (late.value("slider.value"), late.value(TEXT)) == (8, "at 8"))
            assert late.shown["slider.value"].version == a.shown["slider.value"].version
            assert late.pushed("other.value") == late.pushed("end.children") == []
            await late.leave()

    run(scenario)


def test_a_page_that_has_the_newest_state_gets_nothing() -> None:
    async def scenario() -> None:
        app, _ = slider_app(**QUIET)
        async with in_process(app) as site, pages_of(site, 1) as (a,):
            await a.change("slider.value", 8, TEXT)
            await a.until(lambda: a.value(TEXT) == "at 8")
            async with pages_of(site, 1) as (b,):
                app.push_mods({"in": {"title": "marker"}}, next(each for each in app.clients if each.id == b.client))
                await b.until(lambda: b.value("in.title") == "marker")
                assert b.received == 1

    run(scenario)


@pytest.mark.parametrize("state", [None, "", "nonsense", "other.1.abc", "{epoch}.-1.abc", "{epoch}.1.00000000"])
def test_a_page_of_which_nothing_is_known_gets_all_values(state: str | None) -> None:
    async def scenario() -> None:
        app, _ = slider_app(**QUIET)
        async with in_process(app) as site, pages_of(site, 1) as (a,):
            await a.change("slider.value", 8, TEXT)
            await a.until(lambda: a.value(TEXT) == "at 8")
            b = await SharedPage(site).load()
            epoch = (b.state or "").split(".")[0]
            b.state = state.replace("{epoch}", epoch) if state is not None else None
            await b.open()
            await b.until(lambda: b.pushed("slider.value") == [8] and b.pushed(TEXT) == ["at 8"])
            await b.leave()

    run(scenario)


def test_an_answer_with_trees_says_of_which_version_they_are() -> None:
    async def scenario() -> None:
        app, _ = slider_app(**QUIET)

        @app.callback(Output("out", "children"), Input("in", "value"), websocket=True)
        async def show(_: Any) -> Any:
            return slider()

        async with in_process(app) as site, pages_of(site, 1) as (a,):
            await a.change("slider.value", 8, TEXT)
            await a.settled()
            version = app.shared_state.version
            await a.call("out.children", {"in.value": 1})
            answered = [each for each in a.log if each["type"] == "callback_response"][-1]
            assert answered["state"] == version
            app.push_mods({"out": {"children": slider()}})
            await a.until(lambda: a.pushed("out.children"))
            assert a.log[-1]["state"] == version
            sent = body("out.children", {"in.value": 1})
            response = await app.server.test_client().post("/_dash-update-component", json=sent)
            assert response.headers["Flash-State"].split(".")[1] == str(version)

    run(scenario)


def test_an_app_without_shared_callbacks_says_nothing_of_states() -> None:
    async def scenario() -> None:
        app = app_with("text")
        async with in_process(app) as site, pages_of(site, 1) as (a,):
            assert a.state is None
            app.push_mods({"text": {"children": html.Div("a tree")}})
            await a.until(lambda: a.pushed(TEXT))
            assert "state" not in a.log[-1] and "versions" not in a.log[-1]

    run(scenario)


# For code.


def test_code_reads_the_state_in_any_thread() -> None:
    async def scenario() -> None:
        app, _ = slider_app(**QUIET)
        async with in_process(app) as site, pages_of(site, 1) as (a,):
            assert await asyncio.to_thread(app.shared_state.get, "slider", "value", "unset") == "unset"
            assert ("slider", "value") not in app.shared_state and app.shared_state.version == 0
            with pytest.raises(KeyError):
                app.shared_state["slider", "value"]
            await a.change("slider.value", 8, TEXT)
            await a.until(lambda: a.value(TEXT) == "at 8")

            def read() -> Any:
                state = app.shared_state
                return state.get("slider", "value"), state["slider", "value"], ("slider", "value") in state

            assert await asyncio.to_thread(read) == (8, 8, True)
            assert dict(app.shared_state.items()) == {("slider", "value"): 8, ("text", "children"): "at 8"}
            assert app.shared_state.version >= 2

    run(scenario)


# What may be wrong.


def test_persistence_of_a_shared_property_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        app = app_with(
            dcc.Input("a", id="kept", persistence=True),
            dcc.Input("a", id="local", persistence=True),
            dcc.Input("a", id="other", persistence=True, persisted_props=["title"]),
            "text",
        )
        app.callback_shared(Output("text", "children"), Input("kept", "value"), Input("other", "value"), **QUIET)(min)
        async with in_process(app) as site, pages_of(site, 2):
            pass

    with caplog.at_level(logging.WARNING):
        run(scenario)
    (warning,) = [each.getMessage() for each in caplog.records if "persistence" in each.getMessage()]
    assert "kept.value" in warning and "Take persistence from the component" in warning


def test_states_of_shared_callbacks_are_each_page_s_own() -> None:
    async def scenario() -> None:
        app, calls = app_with(slider(), "text"), []

        @app.callback_shared(Output("text", "children"), Input("slider", "value"), State("mine", "value"), **QUIET)
        async def both(value: int, mine: str) -> str:
            calls.append((value, mine))
            return mine

        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            await a.change("slider.value", 6, TEXT, state={"mine.value": "a"})
            await b.change("slider.value", 7, TEXT, state={"mine.value": "b"})
            await b.until(lambda: b.value(TEXT) == "b")
            assert calls == [(6, "a"), (7, "b")] and ("mine", "value") not in app.shared_state

    run(scenario)
