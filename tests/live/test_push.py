"""Pushing: in every form, from everywhere, encoded once."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest

import flash.shared.app
from flash import Output, Patch, dcc, html
from flash.live.push import pairs_of

from ..apps import flash_app, run
from .asgi import callback, eventually, in_process, live_app
from .tab import Tab, tab_of

DICT_ID = {"type": "row", "index": 1}
TEXT_ID = '{"index":1,"type":"row"}'

FORMS: list[tuple[Any, list[tuple[str, dict[str, Any]]]]] = [
    ({"a": {"x": 1, "y": 2}}, [("a", {"x": 1, "y": 2})]),
    ({"a": {"x": 1}, "b": {"y": 2}}, [("a", {"x": 1}), ("b", {"y": 2})]),
    ({}, []),
    ([], []),
    ({"id": "a", "property": "x", "value": 1}, [("a", {"x": 1})]),
    ({"id": DICT_ID, "property": "x", "value": 1}, [(TEXT_ID, {"x": 1})]),
    (Output("a", "x", 1), [("a", {"x": 1})]),
    (Output("a", "x", False), [("a", {"x": False})]),
    (Output(DICT_ID, "x", None), [(TEXT_ID, {"x": None})]),
    ([Output("a", "x", 1), {"b": {"y": 2}}], [("a", {"x": 1}), ("b", {"y": 2})]),
    ((Output("a", "x", 1), Output("b", "x", 1)), [("a", {"x": 1}), ("b", {"x": 1})]),
    (({"a": {"x": 1}}, {"b": {"y": 2}}), [("a", {"x": 1}), ("b", {"y": 2})]),
    (("a", {"x": 1}), [("a", {"x": 1})]),
    ((DICT_ID, {"x": 1}), [(TEXT_ID, {"x": 1})]),
    ([("a", {"x": 1}), (DICT_ID, {"x": 2})], [("a", {"x": 1}), (TEXT_ID, {"x": 2})]),
]


@pytest.mark.parametrize(("mods", "expected"), FORMS, ids=str)
def test_the_forms(mods: Any, expected: Any) -> None:
    sending = flash_app().flash_live.sending
    updates = [sending.update(component_id, props) for component_id, props in pairs_of(mods)]
    found = [(each.component, {name: json.loads(value) for name, value in each.values.items()}) for each in updates]
    assert found == expected


@pytest.mark.parametrize(
    "mods", [3, "a", None, {"a": 3}, {"a": [1]}, [3], ("a", 3), {"id": "a", "property": "x"}], ids=str
)
def test_another_form_says_what_to_write(mods: Any) -> None:
    with pytest.raises(TypeError, match="push_mods takes"):
        flash_app().push_mods(mods)


def test_what_has_no_json_form_says_so() -> None:
    with pytest.raises(TypeError, match="JSON"):
        flash_app().push_mods({"a": {"x": object()}})
    with pytest.raises(TypeError, match="has no value"):
        flash_app().push_mods(Output("a", "x"))


def test_before_any_client_it_does_nothing() -> None:
    app = flash_app()
    app.push_mods({"a": {"x": 1}})
    assert list(app.clients) == []


def test_values_of_all_kinds_arrive() -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app) as site, tab_of(site) as tab:
            patch = Patch()
            patch.append(html.Div(id="inner"))
            tab.values["out", "children"] = []
            app.push_mods({"plain": {"children": [html.B("b"), 1, None, float("nan"), "é\ud800"], "title": "t"}})
            app.push_mods(
                Output(DICT_ID, "figure", dcc.Graph().figure if hasattr(dcc.Graph(), "figure") else {"d": []})
            )
            app.push_mods({"out": {"children": patch}})
            await tab.until(lambda: tab.value("out.children"))
            assert tab.log[0]["payload"]["props"]["title"] == "t" and tab.log[0]["components"] is True
            assert tab.log[0]["payload"]["props"]["children"][3] is None
            assert tab.log[1]["payload"]["componentId"] == TEXT_ID and "components" not in tab.log[1]
            assert tab.log[2]["components"] is True
            assert tab.value("out.children")[0]["props"]["id"] == "inner"

    run(main)


def test_a_push_to_one_client_reaches_no_other() -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app) as site, tab_of(site) as one, tab_of(site) as other:
            app.push_mods({"out": {"children": 1}}, client=app.clients[0])
            app.clients[0].set_props(DICT_ID, {"x": 2})
            app.push_mods({"out": {"children": 2}}, app.clients[1])
            await one.until(lambda: one.value(f"{TEXT_ID}.x") == 2)
            await other.until(lambda: other.value("out.children") == 2)
            assert one.value("out.children") == 1 and len(other.log) == 1

    run(main)


def test_it_may_be_called_from_threads_tasks_and_callbacks() -> None:
    async def main() -> None:
        app = live_app()

        @callback(app)
        def work(value: Any) -> str:
            push("callback")
            return "done"

        def push(name: str) -> None:
            patch = Patch()
            patch.append(name)
            app.push_mods({"echo": {"children": patch}})

        async def task() -> None:
            push("task")

        async with in_process(app) as site, tab_of(site) as tab:
            tab.values["echo", "children"] = []
            threads = [threading.Thread(target=push, args=(f"thread {number}",)) for number in range(20)]
            for thread in threads:
                thread.start()
            await asyncio.create_task(task())
            assert await tab.call("out.children", {"in.value": 1}) == "done"
            for thread in threads:
                thread.join()
            await tab.until(lambda: len(tab.value("echo.children")) == 22)

    run(main)


def test_pushes_of_one_thread_keep_their_order() -> None:
    async def main() -> None:
        app = live_app()

        def push() -> None:
            for number in range(200):
                patch = Patch()
                patch.append(number)
                app.push_mods({"out": {"children": patch}})

        async with in_process(app) as site, tab_of(site) as tab:
            tab.values["out", "children"] = []
            await asyncio.to_thread(push)
            await tab.until(lambda: len(tab.value("out.children")) == 200)
            assert tab.value("out.children") == list(range(200))

    run(main)


def test_a_push_to_all_is_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        app, encoded = live_app(), []
        dumps = flash.shared.app.dumps

        def count(value: Any, *args: Any) -> bytes:
            encoded.append(value)
            return dumps(value, *args)

        async with in_process(app) as site:
            tabs = [await Tab(site).open() for _ in range(10)]
            monkeypatch.setattr(flash.shared.app, "dumps", count)
            app.push_mods({"out": {"children": "x" * 1000}})
            for tab in tabs:
                await tab.until(lambda tab=tab: tab.value("out.children"))
                await tab.leave()
            assert len(encoded) == 1

    run(main)


def test_a_push_after_the_server_has_stopped_does_nothing() -> None:
    async def main() -> Any:
        app = live_app()
        async with in_process(app) as site, tab_of(site):
            pass
        return app

    app = run(main)
    app.push_mods({"out": {"children": 1}})
    thread = threading.Thread(target=app.push_mods, args=({"out": {"children": 1}},))
    thread.start()
    thread.join()


async def opens(app: Any) -> bool:
    """Whether the pages of an app open a live connection."""
    app.layout = html.Div(id="out")
    async with app.server.test_app() as started:
        index = await (await started.test_client().get("/")).get_data(as_text=True)
    return "_dash-ws-callback" in index and "/_flash/live-" in index


USES: dict[str, Any] = {
    "nothing": (lambda app: None, False),
    "clients": (lambda app: app.clients, True),
    "push_mods": (lambda app: app.push_mods({"out": {"children": 1}}), True),
    "connect": (lambda app: app.callback_connect(lambda client, connect: None), True),
    "websocket": (lambda app: callback(app)(lambda value: value), True),
    "disconnect": (lambda app: app.disconnect(user="ann"), False),
}


@pytest.mark.parametrize("use", USES)
def test_the_connection_opens_in_apps_that_use_it(use: str) -> None:
    async def main() -> None:
        act, expected = USES[use]
        app = flash_app()
        act(app)
        assert await opens(app) is expected

    run(main)


@pytest.mark.parametrize("live", [True, False, {"enabled": True}, {"enabled": False}])
def test_it_may_be_switched(live: Any) -> None:
    async def main() -> None:
        wanted = live if isinstance(live, bool) else live["enabled"]
        app = flash_app(live=live)
        if not wanted:
            assert list(app.clients) == []
        assert await opens(app) is wanted

    run(main)


def test_room_is_waited_for() -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app) as site, tab_of(site) as tab:
            (client,) = app.clients
            await client.room()
            assert tab.socket is not None
            tab.socket.stall()
            app.push_mods({"plain": {"children": 1}})
            await asyncio.sleep(0)
            app.push_mods({"out": {"children": "x" * 100_000}})
            waiting = asyncio.create_task(client.room())
            await asyncio.sleep(0.05)
            assert not waiting.done()
            tab.socket.go_on()
            await asyncio.wait_for(waiting, 10)
            tab.socket.stall()
            app.push_mods({"plain": {"children": 2}})
            await asyncio.sleep(0)
            app.push_mods({"out": {"children": "y" * 100_000}})
            waiting = asyncio.create_task(client.room())
            await tab.cut()
            app.disconnect(client=client)
            await eventually(lambda: client.gone)
            await asyncio.wait_for(waiting, 10)

    run(main)
