"""Sources and the apps of a process: whatever becomes of one app, the sources run for the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from quart.testing.app import LifespanError

from flash import Output, html
from flash.data import LiveInput, source
from flash.data.engine import Engine
from flash.data.stores import MemorySnapshots

from ..apps import body, flash_app, serving


def orders_and_apps(count: int) -> tuple[Any, list[Any]]:
    """A source whose value counts its runs, and apps that show it."""
    values = iter(range(1, 1000))

    @source(every="1d", name="orders")
    async def orders() -> Any:
        return next(values)

    apps = []
    for _ in range(count):
        app = flash_app()
        app.layout = html.Div(id="out")
        app.callback(Output("out", "children"), LiveInput(orders))(lambda snapshot: snapshot.value)
        apps.append(app)
    return orders, apps


async def shown_by(app: Any) -> Any:
    request = body("out.children", {"_flash-source-orders.data": None})
    response = await app.server.test_client().post("/_dash-update-component", json=request)
    return (await response.get_json())["response"]["out"]["children"]


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(scenario())


def test_an_app_is_served_after_one_whose_loop_has_ended_without_it() -> None:
    orders, (lost, app) = orders_and_apps(2)

    async def asked_without_a_start() -> None:
        assert await shown_by(lost) == 1

    async def served() -> None:
        async with serving(app):
            assert await shown_by(app) is not None
            before = orders.version
            assert (await orders.refresh()).version == before + 1
        assert orders.engine is None

    run(asked_without_a_start)
    run(served)


def test_an_app_runs_the_sources_when_the_first_could_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        orders, (first, second) = orders_and_apps(2)
        starting, fail = asyncio.Event(), asyncio.Event()
        start = MemorySnapshots.start

        async def failing(store: MemorySnapshots) -> None:
            if starting.is_set():
                return await start(store)
            starting.set()
            await fail.wait()
            raise ValueError("The store is gone.")

        async def serve_first() -> None:
            with pytest.raises(LifespanError, match="The store is gone"):
                async with serving(first):
                    pass

        monkeypatch.setattr(MemorySnapshots, "start", failing)
        serving_first = asyncio.create_task(serve_first())
        await starting.wait()
        async with serving(second):
            fail.set()
            await serving_first
            assert await shown_by(second) == 1
            assert (await orders.refresh()).value == 2

    run(scenario)


def test_an_app_runs_the_sources_when_the_end_of_the_first_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        orders, (first, second) = orders_and_apps(2)
        close = Engine.close

        async def failing(engine: Engine) -> None:
            monkeypatch.setattr(Engine, "close", close)
            await close(engine)
            raise ValueError("The disk is full.")

        start, end = first.server.startup, first.server.shutdown
        await start()
        async with serving(second):
            assert await shown_by(second) == 1
            monkeypatch.setattr(Engine, "close", failing)
            with pytest.raises(ValueError, match="disk is full"):
                await end()
            assert (await orders.refresh()).value == 2

    run(scenario)


def test_an_app_that_is_closed_while_its_sources_begin_runs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        orders, (app,) = orders_and_apps(1)
        starting, go_on = asyncio.Event(), asyncio.Event()
        start = MemorySnapshots.start

        async def slow(store: MemorySnapshots) -> None:
            starting.set()
            await go_on.wait()
            await start(store)

        monkeypatch.setattr(MemorySnapshots, "start", slow)
        setting_up = asyncio.create_task(app.flash_setup.ensure())
        await starting.wait()
        await app.close()
        go_on.set()
        await setting_up
        names = {each.get_name() for each in asyncio.all_tasks()}
        assert not {name for name in names if name.startswith("flash-data")}
        assert orders.engine is None
        await app.close()

    run(scenario)
