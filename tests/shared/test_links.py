"""Pages that leave, lose their link and come back, while shared callbacks run."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from flash import Flash, Input, Output, State, ctx, dcc

from ..apps import run
from ..live.asgi import eventually, in_process, live_app
from .declaring import app_with, slider, slider_app
from .page import SharedPage, pages_of

TEXT = "text.children"
QUIET: dict[str, Any] = {"prevent_initial_call": True}


def gated_app(**live: Any) -> tuple[Flash, asyncio.Event, list[Any]]:
    """A slider whose callback waits for the event, and what it has seen."""
    app, gate, begun = (live_app(**live) if live else app_with()), asyncio.Event(), []
    app.layout = app_with(slider(), "text").layout

    @app.callback_shared(Output("text", "children"), Input("slider", "value"), **QUIET)
    async def wait(value: int) -> str:
        begun.append(value)
        await gate.wait()
        return f"at {value}"

    return app, gate, begun


def test_a_function_ends_though_the_page_that_asked_has_left() -> None:
    async def scenario() -> None:
        app, gate, begun = gated_app()
        async with in_process(app) as site, pages_of(site, 1) as (b,):
            a = await SharedPage(site).load()
            await a.open()
            await a.change("slider.value", 8, TEXT)
            await a.change("slider.value", 9, TEXT)
            await b.until(lambda: begun == [8] and b.value("slider.value") == 9)
            await a.leave()
            await eventually(lambda: len(app.clients) == 1)
            gate.set()
            await b.until(lambda: b.value(TEXT) == "at 9")
            assert begun == [8, 9]

    run(scenario)


def test_ctx_of_a_page_that_has_left_is_still_told() -> None:
    async def scenario() -> None:
        app, clients, gate = app_with(slider(), "text"), [], asyncio.Event()

        @app.callback_shared(Output("text", "children"), Input("slider", "value"), **QUIET)
        async def wait(value: int) -> str:
            await gate.wait()
            clients.append((ctx.client.id, ctx.client.gone))
            ctx.client.set_props("text", {"title": "into nothing"})
            return f"at {value}"

        async with in_process(app) as site, pages_of(site, 1) as (b,):
            a = await SharedPage(site).load()
            await a.open()
            await a.change("slider.value", 8, TEXT)
            await b.until(lambda: b.value("slider.value") == 8)
            await a.leave()
            await eventually(lambda: len(app.clients) == 1)
            gate.set()
            await b.until(lambda: b.value(TEXT) == "at 8")
            assert clients == [(a.client, True)]

    run(scenario)


def test_a_cut_between_the_request_and_its_version_loses_and_doubles_nothing() -> None:
    async def scenario() -> None:
        app, gate, begun = gated_app()
        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            await a.change("slider.value", 8, TEXT)
            await a.cut(delivered=True)
            await b.until(lambda: b.value("slider.value") == 8 and begun == [8])
            await b.change("slider.value", 3, TEXT)
            await b.until(lambda: app.shared_state["slider", "value"] == 3)
            gate.set()
            await b.until(lambda: b.value(TEXT) == "at 3")
            await a.resume()
            await a.settled()
            await a.until(lambda: (a.value("slider.value"), a.value(TEXT)) == (3, "at 3"))
            assert begun == [8, 3] and len(a.requests) == 1

    run(scenario)


def test_a_request_that_a_cut_has_swallowed_counts_once_the_page_is_back() -> None:
    async def scenario() -> None:
        app, seen = slider_app(**QUIET)
        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            await a.cut()
            await a.change("slider.value", 8, TEXT)
            await a.change("slider.value", 9, TEXT)
            assert seen == []
            await a.resume()
            await a.settled()
            await b.until(lambda: b.value(TEXT) == "at 9")
            assert seen == [8, 9]

    run(scenario)


def test_what_was_missed_during_a_cut_comes_with_the_resume() -> None:
    async def scenario() -> None:
        app, _ = slider_app(**QUIET)
        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            await a.cut()
            for value in range(20):
                await b.change("slider.value", value, TEXT)
            await b.settled()
            await a.resume()
            await a.until(lambda: (a.value("slider.value"), a.value(TEXT)) == (19, "at 19"))

    run(scenario)


def test_after_a_gap_all_values_come_again() -> None:
    """The page was away for longer than the server keeps what it has missed."""

    async def scenario() -> None:
        app, gate, begun = gated_app(resume_seconds=0.05)
        gate.set()
        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            await a.change("slider.value", 2, TEXT)
            await a.until(lambda: a.value(TEXT) == "at 2")
            await a.settled()
            await a.cut()
            await eventually(lambda: len(app.clients) == 1)
            await b.change("slider.value", 8, TEXT)
            await b.settled()
            await a.change("slider.value", 9)
            welcome = await a.resume()
            assert not welcome["recovered"]
            await a.until(lambda: (a.value("slider.value"), a.value(TEXT)) == (8, "at 8"))
            await a.change("slider.value", 4, TEXT)
            await b.until(lambda: b.value(TEXT) == "at 4")
            await a.settled()
            assert begun == [2, 8, 4]

    run(scenario)


def test_after_a_gap_the_state_may_be_another_and_what_is_the_page_s_own_stays() -> None:
    """A server that was started anew knows nothing of what was shared before."""

    async def scenario() -> None:
        app = live_app(resume_seconds=0.05)
        app.layout = app_with(slider(), dcc.Input(id="own", value="of the layout"), "text").layout

        @app.callback_shared(Output("text", "children"), Input("slider", "value"), State("own", "value"), **QUIET)
        async def show(value: int, own: str) -> str:
            return f"{own}: {value}"

        async with in_process(app) as site, pages_of(site, 1) as (a,):
            a.values["own", "value"] = "typed"
            a.values["slider", "value"] = 8  # Shared with a server that is no more.
            await a.cut()
            await eventually(lambda: not len(app.clients))
            assert not (await a.resume())["recovered"]
            await a.until(lambda: a.value("slider.value") == 5)
            assert a.value("own.value") == "typed"

    run(scenario)


@pytest.mark.parametrize(("live", "size"), [({}, 2_000_000), ({"all_waiting_bytes": 20_000}, 30_000)])
def test_a_page_that_arrives_gets_all_that_there_is_for_it(live: dict[str, Any], size: int) -> None:
    """More than the resume window of one page holds, or than is kept for all pages together."""

    async def scenario() -> None:
        app = live_app(**live)
        app.layout = app_with(slider(), "text").layout

        @app.callback_shared(Output("text", "children"), Input("slider", "value"))
        async def show(value: Any) -> str:
            return str(len(str(value)))

        async with in_process(app) as site, pages_of(site, 1) as (a,):
            b = await SharedPage(site).load()
            await a.change("slider.value", "x" * size, TEXT)
            await a.settled()
            await b.open()
            await b.until(lambda: b.value(TEXT) == str(size))
            await b.change("slider.value", 3, TEXT)
            await b.settled()
            await a.until(lambda: (a.value("slider.value"), a.value(TEXT)) == (3, "1"))
            await b.leave()

    run(scenario)


def test_what_is_remembered_of_a_page_goes_with_it() -> None:
    async def scenario() -> None:
        app, _ = slider_app(**QUIET)
        async with in_process(app) as site, pages_of(site, 1) as (b,):
            for _ in range(5):
                async with pages_of(site, 1) as (a,):
                    await a.change("slider.value", 8, TEXT)
                    await a.settled()
            await eventually(lambda: len(app.clients) == 1)
            shared, tabs = app.flash_shared, app.flash_live.shared
            assert set(shared.asks._taken) | set(tabs._channels) <= {b.client}
            assert not shared.asks._asked and len(shared.runs) == 0

    run(scenario)


def test_an_app_that_ends_lets_the_function_end_and_answers() -> None:
    async def scenario() -> None:
        app, gate, begun = gated_app()
        async with in_process(app) as site:
            page = await SharedPage(site).load()
            await page.open()
            (request,) = await page.change("slider.value", 8, TEXT)
            await page.until(lambda: begun == [8])
            asyncio.get_running_loop().call_later(0.1, gate.set)
        await page.until(lambda: request.done or not page.connected)
        assert app.shared_state["text", "children"] == "at 8"

    run(scenario)
