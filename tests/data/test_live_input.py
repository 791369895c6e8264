"""LiveInput: a callback runs at load and for each new version, and only the number of the version travels."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import dash
import pytest
from quart.testing.app import LifespanError

from flash import DiskcacheManager, Input, Output, dcc, html
from flash.data import LiveInput, SourceError, source
from flash.exceptions import ConfigurationError
from flash.storage import SeveralProcesses

from ..apps import body, flash_app, serving
from ..live.sites import InProcess
from ..live.tab import tab_of

STORE = "_flash-source-orders"
Scenario = Callable[[], Awaitable[None]]


def run(scenario: Scenario) -> None:
    asyncio.run(scenario())


def orders_and_app(**options: Any) -> tuple[Any, Any, list[int]]:
    """A source that runs when it is told to, an app that shows it, and the versions that its callback has seen."""
    seen: list[int] = []
    values = iter(range(1, 1000))

    @source(every="1d", name="orders")
    async def orders() -> Any:
        return {"n": next(values)}

    app = flash_app(**options)
    app.layout = html.Div([html.Div(id="out"), dcc.Input(id="region")])

    @app.callback(Output("out", "children"), LiveInput(orders), Input("region", "value"), websocket=True)
    async def show(snapshot: Any, region: str) -> str:
        seen.append(snapshot.version)
        return f"{region} {snapshot.value['n']}"

    return orders, app, seen


async def layout_of(app: Any) -> dict[str, Any]:
    response = await app.server.test_client().get("/_dash-layout")
    children = json.loads(await response.get_data())["props"]["children"]
    return {each["props"].get("id"): each["props"] for each in children}


async def post(app: Any, version: Any, region: str = "north") -> Any:
    request = body("out.children", {f"{STORE}.data": version, "region.value": region})
    response = await app.server.test_client().post("/_dash-update-component", json=request)
    return (await response.get_json())["response"]["out"]["children"] if response.status_code == 200 else None


def test_the_layout_has_the_number_and_the_function_gets_the_snapshot() -> None:
    async def scenario() -> None:
        orders, app, _ = orders_and_app()
        async with serving(app):
            await orders.first(10)
            assert (await layout_of(app))[STORE]["data"] == orders.get().tag
            assert orders.get().tag.startswith("1.")
            assert await post(app, orders.get().tag) == "north 1"
            for wrong in (None, 1, "x", "-5.a", "9" * 40, "\u0663.a", 3.5, {"version": 1}, True):
                assert await post(app, wrong, f"after {wrong}") == f"after {wrong} 1"

    run(scenario)


def test_tabs_are_told_each_new_version_and_nothing_else() -> None:
    async def scenario() -> None:
        orders, app, seen = orders_and_app()
        async with serving(app), tab_of(InProcess(app)) as tab:
            await tab.until(lambda: str(tab.value(f"{STORE}.data")).startswith("1."))
            tag = (await orders.refresh()).tag
            await tab.until(lambda: tab.value(f"{STORE}.data") == tag)
            assert await tab.call("out.children", {f"{STORE}.data": tag, "region.value": "north"}) == "north 2"
            assert seen == [2]
            pushed = [each["payload"]["componentId"] for each in tab.log if each["type"] == "set_props"]
            # The second where a test of this process has imported Freshness.
            assert STORE in pushed and set(pushed) <= {STORE, "_flash-status-orders"}

    run(scenario)


def test_a_page_that_loads_before_the_first_snapshot_waits_for_it() -> None:
    async def scenario() -> None:
        go_on = asyncio.Event()

        @source(every="1d", name="orders")
        async def orders() -> Any:
            await go_on.wait()
            return {"n": 1}

        app = flash_app()
        app.layout = html.Div(id="out")

        @app.callback(Output("out", "children"), LiveInput(orders))
        def show(snapshot: Any) -> str:
            return str(snapshot.value["n"])

        async with serving(app):
            asking = asyncio.create_task(
                app.server.test_client().post(
                    "/_dash-update-component", json=body("out.children", {f"{STORE}.data": 0})
                )
            )
            done, _ = await asyncio.wait({asking}, timeout=0.2)
            assert not done
            go_on.set()
            assert (await (await asking).get_json())["response"]["out"]["children"] == "1"

    run(scenario)


def test_nothing_is_updated_while_there_is_no_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flash.data.live_input.FIRST_SECONDS", 0.05)

    async def scenario() -> None:
        @source(every="1d", name="orders", retry=0)
        async def orders() -> Any:
            raise SourceError("The warehouse is closed.")

        app = flash_app()
        app.layout = html.Div(id="out")
        app.callback(Output("out", "children"), LiveInput(orders))(lambda snapshot: "never")
        async with serving(app):
            response = await app.server.test_client().post(
                "/_dash-update-component", json=body("out.children", {f"{STORE}.data": 0})
            )
            assert response.status_code == 204

    run(scenario)


def test_a_page_that_asks_with_an_older_number_gets_the_newest() -> None:
    async def scenario() -> None:
        orders, app, _ = orders_and_app()
        async with serving(app):
            await orders.first(10)
            await orders.refresh()
            assert await post(app, 1) == "north 2"

    run(scenario)


def test_all_forms_of_a_declaration_get_the_snapshot() -> None:
    async def scenario() -> None:
        @source(every="1d", name="orders")
        def orders() -> Any:
            return {"n": 7}

        app = flash_app()
        app.layout = html.Div([html.Div(id=name) for name in "abc"])

        @app.callback(Output("a", "children"), inputs={"data": LiveInput(orders)})
        def by_name(data: Any) -> Any:
            return data.value["n"]

        @app.callback(output=[Output("b", "children")], inputs={"pair": (LiveInput(orders), Input("x", "value"))})
        async def nested(pair: Any) -> Any:
            return [pair[0].value["n"] + pair[1]]

        @dash.callback(Output("c", "children"), LiveInput(orders))
        def by_dash(data: Any) -> Any:
            return data.value["n"]

        async with serving(app) as client:
            for output, inputs, expected in [
                ("a.children", {f"{STORE}.data": 1}, 7),
                ("..b.children..", {f"{STORE}.data": 1, "x.value": 1}, 8),
                ("c.children", {f"{STORE}.data": 1}, 7),
            ]:
                response = await client.post("/_dash-update-component", json=body(output, inputs))
                ((_, props),) = (await response.get_json())["response"].items()
                assert props == {"children": expected}

    run(scenario)


def test_changing_a_value_in_place_changes_it_for_nobody_else() -> None:
    async def scenario() -> None:
        @source(every="1d", name="orders")
        def orders() -> Any:
            return {"rows": [1]}

        app = flash_app()
        app.layout = html.Div(id="out")

        @app.callback(Output("out", "children"), LiveInput(orders), Input("region", "value"))
        def show(snapshot: Any, region: str) -> str:
            snapshot.value["rows"].append(2)
            return str(snapshot.value["rows"])

        async with serving(app):
            assert [await post(app, 1, region) for region in "abc"] == ["[1, 2]"] * 3

    run(scenario)


def test_a_shared_callback_listens_to_a_source() -> None:
    async def scenario() -> None:
        values = iter(range(1, 100))

        @source(every="1d", name="orders")
        async def orders() -> Any:
            return {"n": next(values)}

        app = flash_app()
        app.layout = html.Div([html.Div(id="all"), html.Div(id="each")])
        runs = []

        @app.callback_shared(Output("all", "children"), LiveInput(orders))
        async def everyone(snapshot: Any) -> str:
            runs.append(snapshot.version)
            return f"n = {snapshot.value['n']}"

        @app.callback(Output("each", "children"), LiveInput(orders), websocket=True)
        async def each(snapshot: Any) -> str:
            return f"my {snapshot.value['n']}"

        async with serving(app), tab_of(InProcess(app)) as one, tab_of(InProcess(app)) as two:
            await orders.first(10)
            tag = (await orders.refresh()).tag
            for tab in (one, two):
                await tab.until(lambda tab=tab: tab.value("all.children") == "n = 2")
                await tab.until(lambda tab=tab: tab.value(f"{STORE}.data") == tag)
                assert await tab.call("each.children", {f"{STORE}.data": tag}) == "my 2"
        assert runs.count(2) == 1

    run(scenario)


def test_two_apps_of_a_process_share_the_run_of_their_sources() -> None:
    async def scenario() -> None:
        runs = []

        @source(every="1d", name="orders")
        async def orders() -> Any:
            runs.append(1)
            return {"n": len(runs)}

        apps = []
        for _ in range(2):
            app = flash_app()
            app.layout = html.Div(id="out")
            app.callback(Output("out", "children"), LiveInput(orders), Input("region", "value"))(
                lambda snapshot, region: str(snapshot.value["n"])
            )
            apps.append(app)
        first, second = apps
        async with serving(second):
            async with serving(first):
                await orders.first(10)
                assert [await post(app, 1) for app in apps] == ["1", "1"]
            # The engine was that of the app which was served first; it goes on with the one that is left.
            assert (await orders.refresh()).version == 2
            assert await post(second, 2) == "2"
        assert orders.engine is None
        async with serving(first):
            assert await post(first, 0) is not None

    run(scenario)


def test_an_app_that_is_served_again_runs_its_sources_again() -> None:
    async def scenario() -> None:
        orders, app, _ = orders_and_app()
        for _ in range(2):
            async with serving(app):
                assert (await orders.first(10)).version
                assert await post(app, 1) is not None
            assert orders.engine is None

    run(scenario)


def test_workers_without_a_storage_that_they_share_are_refused() -> None:
    _, app, _ = orders_and_app()
    with pytest.raises(SeveralProcesses, match="FLASH_REDIS_URL"):
        app.refuse_workers(4)
    app.refuse_workers(1)


def test_an_app_without_sources_may_have_workers() -> None:
    flash_app().refuse_workers(4)


@pytest.mark.parametrize("wrong", ["orders", None, lambda: 1])
def test_only_sources_are_live_inputs(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match="decorated with @source"):
        LiveInput(wrong)


def test_an_app_without_a_live_connection_is_refused() -> None:
    async def scenario() -> None:
        _, app, _ = orders_and_app(live=False)
        with pytest.raises(LifespanError, match=r"live=False.*get\(\)"):
            async with serving(app):
                pass

    run(scenario)


def test_an_app_without_a_live_connection_may_read_its_sources() -> None:
    async def scenario() -> None:
        @source(every="1d", name="orders")
        async def orders() -> Any:
            return {"n": 1}

        app = flash_app(live=False)
        app.layout = html.Div(id="out")
        app.push_mods({"out": {"children": "nobody gets it"}})
        async with serving(app):
            assert (await orders.first(10)).value == {"n": 1}

    run(scenario)


def test_a_background_callback_is_refused(tmp_path: Any) -> None:
    import diskcache

    async def scenario() -> None:
        orders, _, _ = orders_and_app()
        app = flash_app(background_callback_manager=DiskcacheManager(diskcache.Cache(tmp_path)))
        app.layout = html.Div(id="out")
        app.callback(Output("out", "children"), LiveInput(orders), background=True)(lambda snapshot: "never")
        with pytest.raises(LifespanError, match=r"background.*process=True"):
            async with serving(app):
                pass

    run(scenario)
