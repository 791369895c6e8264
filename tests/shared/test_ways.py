"""Whichever way a shared callback is asked for, live, by HTTP, by Dash's own worker or MCP, there is one state."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flash import Input, Output, Service, html
from flash.context import Requester
from flash.exceptions import ConfigurationError
from flash.live.clients import Client

from ..apps import body, run
from ..live.asgi import in_process
from ..live.tab import DashWorker
from .declaring import app_with, listen, slider, slider_app
from .page import SharedPage, pages_of

TEXT = "text.children"
QUIET: dict[str, Any] = {"prevent_initial_call": True}


async def post(app: Any, sent: dict[str, Any], page: SharedPage | None = None) -> Any:
    """Ask over HTTP, as nobody or as a page that is connected."""
    who = {"Flash-Client": page.client, "Flash-Key": page.key} if page is not None else {}
    return await app.server.test_client().post("/_dash-update-component", json=sent, headers=who)


def test_over_http_nobody_s_page_gets_the_outputs_in_the_answer() -> None:
    async def scenario() -> None:
        app, seen = slider_app(**QUIET)
        async with in_process(app) as site, pages_of(site, 1) as (a,):
            response = await post(app, body(TEXT, {"slider.value": 8}))
            content = await response.get_json(force=True)
            assert content["response"] == {"text": {"children": "at 8"}}
            await a.until(lambda: (a.value("slider.value"), a.value(TEXT)) == (8, "at 8"))
            assert seen == [8]

    run(scenario)


def test_over_http_a_page_that_is_connected_gets_them_live() -> None:
    async def scenario() -> None:
        app, seen = slider_app(**QUIET)
        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            response = await post(app, body(TEXT, {"slider.value": 8}), a)
            assert (await response.get_json(force=True))["response"] == {}
            for page in (a, b):
                await page.until(lambda page=page: page.value(TEXT) == "at 8")
            assert (a.pushed("slider.value"), b.pushed("slider.value")) == ([], [8]) and seen == [8]

    run(scenario)


def test_over_http_an_equal_value_is_an_echo() -> None:
    """Who gives no numbers to its changes cannot be told from an echo by anything else."""

    async def scenario() -> None:
        app, seen = slider_app(**QUIET)
        async with in_process(app):
            await post(app, body(TEXT, {"slider.value": 8}))
            version = app.shared_state.version
            response = await post(app, body(TEXT, {"slider.value": 8}))
            assert (await response.get_json(force=True))["response"] == {}
            assert seen == [8] and app.shared_state.version == version
            await post(app, body(TEXT, {"slider.value": 9}))
            assert seen == [8, 9]

    run(scenario)


def test_trees_in_an_answer_over_http_have_the_shared_values() -> None:
    async def scenario() -> None:
        app, _ = slider_app(**QUIET)

        @app.callback_shared(Output("place", "children"), Input("make", "n_clicks"), **QUIET)
        async def make(_: int) -> Any:
            return html.Div([slider(value=1)])

        async with in_process(app):
            app.push_mods({"slider": {"value": 8}})
            response = await post(app, body("place.children", {"make.n_clicks": 1}))
            tree = (await response.get_json(force=True))["response"]["place"]["children"]
            assert tree["props"]["children"][0]["props"]["value"] == 8
            assert response.headers["Flash-State"]

    run(scenario)


def test_dash_s_own_worker_shares_too() -> None:
    async def scenario() -> None:
        app, seen = slider_app(**QUIET)
        async with in_process(app) as site, pages_of(site, 1) as (a,):
            worker = DashWorker(site)
            await worker.connect()
            one, other = worker.page(), worker.page()
            for page in (one, other):
                await worker.call(page, "echo.children", {"in.value": 1})
            name = await worker.request(one, TEXT, {"slider.value": 8})
            await worker.until(lambda: worker.answer(name))
            await a.until(lambda: (a.value("slider.value"), a.value(TEXT)) == (8, "at 8"))

            def props(page: str) -> list[Any]:
                return [each["payload"] for each in worker.messages[page] if each["type"] == "set_props"]

            text = {"componentId": "text", "props": {"children": "at 8"}}
            await worker.until(lambda: text in props(one) and text in props(other))
            assert {"componentId": "slider", "props": {"value": 8}} in props(other)
            assert all(each["props"] != {"value": 8} for each in props(one))
            # Dash's renderer asks because the value was set: that is an echo, and no change.
            name = await worker.request(other, TEXT, {"slider.value": 8})
            await worker.until(lambda: worker.answer(name))
            assert seen == [8]
            await worker.close()

    run(scenario)


def test_dash_s_own_caller_shares_too() -> None:
    """Dash's MCP server calls what Dash has stored."""

    async def scenario() -> None:
        app, seen = slider_app(**QUIET)
        async with in_process(app) as site, pages_of(site, 1) as (a,):
            sent = body(TEXT, {"slider.value": 8})
            context = app.live_context(sent, Requester(client=Client("caller")))
            stored = app.callback_map[TEXT]["callback"]
            answer = await app.run_stored_callback(stored, [8], sent["outputs"], context)
            assert json.loads(answer)["response"] == {"text": {"children": "at 8"}}
            await a.until(lambda: (a.value("slider.value"), a.value(TEXT)) == (8, "at 8"))
            assert seen == [8]

    run(scenario)


@pytest.mark.parametrize("server_service", ["live", "http"])
def test_server_service_is_of_no_matter(server_service: Any) -> None:
    async def scenario() -> None:
        app, seen = app_with(slider(), "text", server_service=server_service), []
        listen(app, "slider.value", TEXT, seen, **QUIET)
        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            await a.change("slider.value", 8, TEXT)
            await b.until(lambda: b.value(TEXT) == "at 8")
            await a.settled()
            assert seen == [8]

    run(scenario)


def test_a_service_by_http_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="transport"):
        Service("http", True, "callback", "server", "queue")


def test_below_a_prefix_it_is_the_same() -> None:
    """dash_devices' pages never loaded there."""

    async def scenario() -> None:
        app, seen = app_with(slider(), "text", url_base_pathname="/x/"), []
        listen(app, "slider.value", TEXT, seen)
        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            await a.change("slider.value", 8, TEXT)
            await b.until(lambda: b.value(TEXT) == "at 8")
            await a.settled()
            assert seen == [5, 8]

    run(scenario)
