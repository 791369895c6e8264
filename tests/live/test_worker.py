"""Dash's own SharedWorker as the other end: one socket for all pages of a browser, and nothing of Flash's."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from flash import ctx, html, set_props

from ..apps import run
from .asgi import SERVERS, callback, eventually, in_process, live_app
from .tab import DashWorker


async def connected(site: Any) -> DashWorker:
    worker = DashWorker(site)
    await worker.connect()
    return worker


@pytest.mark.parametrize("server", SERVERS)
def test_its_pages_ask_and_are_answered(server: str) -> None:
    async def main() -> None:
        app = live_app()
        async with SERVERS[server](app) as site:
            worker = await connected(site)
            pages = [worker.page(), worker.page()]
            for page in pages:
                assert await worker.call(page, "echo.children", {"in.value": page}) == page
                assert await worker.call(page, "plain.children", {"in.value": page}) == page
            assert [client.renderer_id for client in app.clients] == pages
            await worker.send({"type": "heartbeat"})
            await worker.until(lambda: worker.heartbeat_acks == 1)
            await worker.close()

    run(main)


def test_pushes_are_addressed_to_each_page() -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app) as site:
            worker = await connected(site)
            pages = [worker.page(), worker.page()]
            for page in pages:
                await worker.call(page, "echo.children", {"in.value": 1})
            for number in range(3):
                app.push_mods({"out": {"children": html.B(number)}})
                app.push_mods({"plain": {"children": number}})
            for page in pages:
                await worker.until(lambda page=page: worker.messages[page][-1].get("payload", {}).get("componentId"))
            app.push_mods({"echo": {"children": "alone"}}, app.clients[1])
            await worker.until(lambda: worker.messages[pages[1]][-1]["payload"].get("props") == {"children": "alone"})
            assert "alone" not in str(worker.messages[pages[0]])

    run(main)


def test_nothing_of_flashs_own_is_said_to_it() -> None:
    """No heartbeat, no ack, no welcome, no bye, no error: the worker of this test knows none of them."""

    async def main() -> None:
        app = live_app(heartbeat=0.01, answer=0.01)
        app.enable_dev_tools(debug=True, dev_tools_hot_reload=False)
        async with in_process(app) as site:
            worker = await connected(site)
            page = worker.page()
            assert await worker.call(page, "echo.children", {"in.value": 1}) == 1
            app.clients[0].show_error("an error")
            await asyncio.sleep(0.1)
            assert await worker.call(page, "echo.children", {"in.value": 2}) == 2
            assert worker.connected
        await worker.until(lambda: not worker.connected)
        assert worker.closes == [1012]

    run(main)


@pytest.mark.parametrize("kind", ["async", "plain"])
def test_callbacks_set_and_get_properties(kind: str) -> None:
    async def main() -> None:
        app = live_app()

        async def work(value: Any) -> Any:
            set_props("plain", {"children": "half"})
            return [await ctx.websocket.get_prop("in", "value"), ctx.client.live, ctx.cookies.get("a")]

        def work_plainly(value: Any) -> Any:
            set_props("plain", {"children": "half"})
            return [asyncio.run(ctx.websocket.get_prop("in", "value")), ctx.client.live, ctx.cookies.get("a")]

        callback(app)(work if kind == "async" else work_plainly)
        async with in_process(app, headers={"Cookie": "a=1"}) as site:
            worker = await connected(site)
            page = worker.page()
            assert await worker.call(page, "out.children", {"in.value": 1}) == [None, True, "1"]
            assert worker.messages[page][0]["payload"] == {"componentId": "plain", "props": {"children": "half"}}

    run(main)


def test_an_error_and_a_forbidden_callback_are_answers_of_one_page() -> None:
    async def main() -> None:
        app = live_app()
        callback(app)(lambda value: 1 // value)
        callback(app, "plain.title", websocket=False)(lambda value: value)
        async with in_process(app) as site:
            worker = await connected(site)
            page, other = worker.page(), worker.page()
            for output in ("out.children", "plain.title", "no.such"):
                name = await worker.request(page, output, {"in.value": 0})
                answer = await worker.until(lambda name=name: worker.answer(name))
                assert answer["status"] == "error" and "ZeroDivision" not in str(answer)
            assert await worker.call(other, "echo.children", {"in.value": 1}) == 1
            assert worker.connected

    run(main)


def test_its_pages_are_gone_with_the_socket() -> None:
    async def main() -> None:
        app, told, ended = live_app(), [], []
        app.callback_connect(lambda client, connect: told.append(connect))

        @callback(app)
        async def wait(value: Any) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(value)

        async with in_process(app) as site:
            worker = await connected(site)
            for number in range(2):
                await worker.request(worker.page(), "out.children", {"in.value": number})
            await eventually(lambda: told == [True, True])
            await worker.cut()
            await eventually(lambda: not app.clients and sorted(ended) == [0, 1])
            await eventually(lambda: told == [True, True, False, False])

    run(main)


def test_a_greeting_after_a_workers_message_is_refused() -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app) as site:
            worker = await connected(site)
            page = worker.page()
            await worker.call(page, "echo.children", {"in.value": 1})
            answers: list[Any] = []
            worker._take = _collect(answers)  # type: ignore[method-assign]
            await worker.send({"type": "hello", "version": 1})
            await worker.until(lambda: answers)
            assert answers[0]["type"] == "error" and len(app.clients) == 1

    run(main)


def _collect(into: list[Any]) -> Any:
    async def take(message: Any) -> None:
        into.append(message)

    return take
