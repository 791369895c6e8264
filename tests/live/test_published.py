"""Published values: in the layout, to tabs that arrive, and to all when they change."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from flash import html

from ..apps import flash_app, serving
from .sites import InProcess
from .tab import tab_of


def run(scenario: Callable[[Any], Awaitable[None]]) -> None:
    async def served() -> None:
        app = flash_app(live=True)
        app.layout = html.Div("page")
        async with serving(app):
            await scenario(app)

    asyncio.run(served())


async def stores(app: Any) -> dict[str, Any]:
    layout = json.loads(await (await app.server.test_client().get("/_dash-layout")).get_data())
    children = layout["props"]["children"]
    return {each["props"]["id"]: each["props"].get("data") for each in children if each["type"] == "Store"}


def test_a_layout_holds_the_newest_values() -> None:
    async def scenario(app: Any) -> None:
        app.flash_live.published.put("orders", 1, 1)
        app.flash_live.published.put("orders", {"version": 2}, 2)
        app.flash_live.published.keep("kept", 5)
        found = await stores(app)
        assert (found["orders"], found["kept"]) == ({"version": 2}, 5)

    run(scenario)


def test_tabs_get_each_change_and_those_that_arrive_the_newest() -> None:
    async def scenario(app: Any) -> None:
        app.flash_live.published.put("orders", 1, 10)
        async with tab_of(InProcess(app)) as early:
            await early.until(lambda: early.pushed("orders.data") == [1])
            app.flash_live.published.put("orders", 2, 11)
            await early.until(lambda: early.pushed("orders.data") == [1, 2])
            async with tab_of(InProcess(app)) as late:
                await late.until(lambda: late.pushed("orders.data") == [2])

    run(scenario)


def test_a_value_that_is_published_again_is_sent_to_nobody() -> None:
    async def scenario(app: Any) -> None:
        async with tab_of(InProcess(app)) as tab:
            app.flash_live.published.put("orders", "same", 1)
            await tab.until(lambda: tab.pushed("orders.data") == ["same"])
            app.flash_live.published.put("orders", "same", 2)
            app.flash_live.published.put("other", 1, 3)
            await tab.until(lambda: tab.pushed("other.data") == [1])
            app.flash_live.published.put("orders", "new", 4)
            await tab.until(lambda: tab.pushed("orders.data")[-1:] == ["new"])
            assert tab.pushed("orders.data") == ["same", "new"]

    run(scenario)


def test_a_tab_that_was_away_gets_the_newest_once() -> None:
    async def scenario(app: Any) -> None:
        async with tab_of(InProcess(app)) as tab:
            await tab.cut()
            for version in range(1, 6):
                app.flash_live.published.put("orders", version, version)
            assert (await tab.resume())["recovered"]
            await tab.until(lambda: tab.value("orders.data") == 5)

    run(scenario)


def test_what_is_kept_is_sent_to_nobody() -> None:
    async def scenario(app: Any) -> None:
        app.flash_live.published.put("orders", 1, 1)
        app.flash_live.published.keep("orders", 2)
        async with tab_of(InProcess(app)) as tab:
            app.flash_live.published.put("other", 1, 2)
            await tab.until(lambda: tab.pushed("other.data") == [1])
            assert tab.pushed("orders.data") == []

    run(scenario)
