"""Callbacks with a service, as pages meet them: over HTTP, over the live connection, and by Dash's own callers."""

from __future__ import annotations

import asyncio
import inspect
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import dash
import pytest

import flash
from flash import MATCH, Flash, Input, Output, Service, callback, ctx, dcc, html
from flash._dash import stringify_id
from flash.callbacks import declaration_of
from flash.context import Requester
from flash.exceptions import ConfigurationError
from flash.functions import is_async

from .apps import body, flash_app, post, run, serving, value_of
from .live.asgi import eventually, in_process
from .live.tab import DashWorker, tab_of
from .shared.page import pages_of

OUT, IN = Output("out", "children"), Input("in", "value")
CAMERA = Service(transport="live", serialized="camera", overlap="queue")
KINDS = pytest.mark.parametrize("kind", ["plain", "async"])


class Device:
    """What callbacks use, and may use one at a time only. Each use waits until it may end.

    Attributes:
        log: What it was told, in that order.
        most: How many have used it at once.
    """

    def __init__(self) -> None:
        self.log: list[Any] = []
        self.most = self.users = 0
        self._gate = threading.Semaphore(0)
        self._open = False

    def let(self, count: int = 1) -> None:
        """Let so many uses end."""
        for _ in range(count):
            self._gate.release()

    def let_all(self) -> None:
        """Let all uses end, those to come too."""
        self._open = True

    def function(self, kind: str, fails: Callable[[Any], bool] = lambda value: False) -> Callable[[Any], Any]:
        """A function of a callback, plain or asynchronous, that gives back what it was told."""

        def begin(value: Any) -> None:
            self.log.append(value)
            self.users += 1
            self.most = max(self.most, self.users)

        def end(value: Any) -> Any:
            self.users -= 1
            if fails(value):
                raise ValueError("The device is broken.")
            return value

        def plain(value: Any) -> Any:
            begin(value)
            while not self._open and not self._gate.acquire(timeout=0.01):
                pass
            return end(value)

        async def asynchronous(value: Any) -> Any:
            begin(value)
            try:
                await eventually(lambda: self._open or self._gate.acquire(blocking=False))
            except asyncio.CancelledError:
                self.users -= 1
                raise
            return end(value)

        return plain if kind == "plain" else asynchronous


def app_with(*declared: tuple[str, Service, Callable[[Any], Any]], **options: Any) -> Flash:
    """An app with callbacks from ``in.value``, each of an output, a service and a function."""
    app = flash_app(**options)
    app.layout = html.Div([html.Div(id=name) for name in ("in", "out", "other")])
    for output, service, func in declared:
        app.callback(Output(*output.split(".")), IN, service=service)(func)
    return app


# What is declared.


def spec_of(**options: Any) -> dict[str, Any]:
    app = flash_app()
    app.callback(OUT, IN, **options)(lambda value: value)
    return app.callback_list[0]


def test_a_service_says_which_transport_and_who_makes_the_first_call() -> None:
    assert spec_of(service=Service.REGULAR) == spec_of()
    assert spec_of(service=Service.S2) == {**spec_of(), "websocket": True}
    assert spec_of(service=Service.MOST_RECENT) == spec_of()
    none = Service(initial_call="none")
    assert spec_of(service=none) == {**spec_of(), "prevent_initial_call": True}
    assert spec_of(service=none, prevent_initial_call=True)["prevent_initial_call"] is True
    assert spec_of(service=Service.S2, prevent_initial_call=True)["prevent_initial_call"] is True
    assert spec_of(service=none, websocket=True)["websocket"] is True


def test_the_last_argument_may_say_who_makes_the_first_call() -> None:
    app = flash_app()
    app.callback(OUT, IN, True, service=Service(initial_call="none"))(lambda value: value)
    assert app.callback_list[0]["prevent_initial_call"] is True
    with pytest.raises(ConfigurationError, match="contradict each other"):
        app.callback(Output("b", "x"), IN, False, service=Service(initial_call="none"))(lambda value: value)


def test_a_declaration_knows_its_service_and_its_function_stays_what_it_was() -> None:
    app = flash_app()

    def plain(value: Any) -> Any:
        return value

    async def later(value: Any) -> Any:
        return value

    for name, func in (("a", plain), ("b", later)):
        assert app.callback(Output(name, "x"), IN, service=CAMERA)(func) is func
        declaration = declaration_of(app.callback_map[f"{name}.x"]["callback"])
        assert declaration.service is CAMERA
        assert declaration.lane == ("resource", "camera")
        assert declaration.is_async is is_async(func)
        assert declaration.func.__qualname__ == func.__qualname__
    app.callback(OUT, IN)(plain)
    regular = declaration_of(app.callback_map["out.children"]["callback"])
    assert regular.service == Service.REGULAR and regular.lane is None and regular.func is plain


async def stream(value: Any) -> Any:
    yield value


@pytest.mark.parametrize(
    ("options", "func", "sentence"),
    [
        ({"service": "S2"}, len, "service takes a flash.Service such as Service.S2, not 'S2'"),
        ({"service": Service.SHARED}, len, "Declare it with callback_shared"),
        ({"service": Service.S2, "background": True}, len, "a background callback runs in its manager"),
        ({"service": Service.REGULAR, "background": True}, len, "a background callback runs in its manager"),
        ({"service": Service.S2, "api_endpoint": "/x"}, len, "Leave api_endpoint out"),
        ({"service": Service.S2, "websocket": False}, len, "which websocket=False contradicts"),
        ({"service": Service(transport="http"), "websocket": True}, len, "which websocket=True contradicts"),
        ({"service": Service(initial_call="none"), "prevent_initial_call": False}, len, "contradict each other"),
        ({"service": Service.S2}, stream, "takes no service. Leave service out; overlap= says"),
    ],
)
def test_what_a_service_cannot_serve_is_refused_when_it_is_declared(
    options: dict[str, Any], func: Any, sentence: str
) -> None:
    app = flash_app()
    with pytest.raises(ConfigurationError, match=f"(?i){sentence}"):
        app.callback(OUT, IN, **options)(func)


def shared_service(*args: Any, **options: Any) -> Service:
    app = flash_app()
    app.callback_shared(*(args or (OUT, IN)), **options)(lambda value: value)
    (entry,), (spec,) = app.callback_map.values(), app.callback_list
    assert spec["websocket"] is spec["prevent_initial_call"] is True
    return declaration_of(entry["callback"]).service


def test_a_shared_callback_is_live_and_never_called_by_a_page() -> None:
    assert shared_service() == Service.SHARED
    assert shared_service(service=Service.SHARED_MOST_RECENT) == Service.SHARED_MOST_RECENT
    silent = replace(Service.SHARED, initial_call="none")
    assert shared_service(service=silent) == silent
    # Dash's way to say it, and what None as the output means.
    assert shared_service(prevent_initial_call=True) == shared_service(OUT, IN, True) == silent
    assert shared_service(None, IN) == silent


@pytest.mark.parametrize(
    ("options", "func", "sentence"),
    [
        ({"service": Service.S2}, len, "callback_shared takes a shared service"),
        ({"background": True}, len, "background"),
        ({"api_endpoint": "/x"}, len, "api_endpoint"),
        ({}, stream, "a shared callback returns once"),
    ],
)
def test_what_a_shared_callback_cannot_be_is_refused(options: dict[str, Any], func: Any, sentence: str) -> None:
    app = flash_app()
    with pytest.raises(ConfigurationError, match=sentence):
        app.callback_shared(OUT, IN, **options)(func)


def test_a_clientside_callback_takes_no_service() -> None:
    app = flash_app()
    for declare in (app.clientside_callback, flash.clientside_callback):
        with pytest.raises(ConfigurationError, match="runs in the page and takes no service"):
            declare("v => v", OUT, IN, service=Service.S2)
    app.clientside_callback("v => v", OUT, IN)
    assert app.callback_list[0]["clientside_function"]
    assert list(inspect.signature(flash.clientside_callback).parameters) == list(
        inspect.signature(dash.clientside_callback).parameters
    )


# The app's transport.


async def page_and_specs(app: Flash) -> tuple[dict[str, Any], dict[str, bool]]:
    """What a page is told: the connection it opens, and the transport of each callback."""
    async with serving(app) as client:
        page = await (await client.get("/")).get_data(as_text=True)
        config = json.loads(page.split('id="_dash-config" type="application/json">')[1].split("</script>")[0])
        specs = await (await client.get("/_dash-dependencies")).get_json()
    return config.get("websocket"), {spec["output"]: spec["websocket"] for spec in specs if not spec["hidden"]}


def transports(service: Service, **options: Any) -> tuple[Any, dict[str, bool]]:
    app = app_with(("out.children", service, len), ("other.children", Service.REGULAR, len), **options)
    config, specs = run(lambda: page_and_specs(app))
    return config and config["enabled"], specs


def test_without_a_live_callback_pages_open_no_connection() -> None:
    for service in (Service.REGULAR, Service(transport="http"), Service.MOST_RECENT):
        for server_service in ("http", None):
            enabled, specs = transports(service, server_service=server_service)
            assert enabled is None and specs == {"out.children": False, "other.children": False}


def test_a_live_service_is_asked_for_live_whatever_the_app_says() -> None:
    for server_service in ("http", None):
        enabled, specs = transports(Service.S2, server_service=server_service)
        assert enabled is False and specs == {"out.children": True, "other.children": False}


@pytest.mark.parametrize("options", [{"server_service": "live"}, {"websocket_callbacks": True}])
def test_where_all_are_live_a_service_may_be_asked_for_by_http(options: dict[str, Any]) -> None:
    enabled, specs = transports(Service.REGULAR, **options)
    assert enabled is True
    enabled, specs = transports(Service(transport="http"), **options)
    assert enabled is False and specs == {"out.children": False, "other.children": True}


def test_callbacks_without_an_app_are_told_their_transport_too() -> None:
    app = app_with(server_service="live")
    callback(OUT, IN, service=Service(transport="http"))(len)
    callback(Output("other", "children"), IN)(len)
    config, specs = run(lambda: page_and_specs(app))
    assert config["enabled"] is False and specs == {"out.children": False, "other.children": True}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"server_service": "websocket"}, "'live', 'http', or None"),
        ({"server_service": True}, "'live', 'http', or None"),
        ({"server_service": "http", "websocket_callbacks": True}, "contradict each other"),
        ({"server_service": "live", "websocket_callbacks": False}, "contradict each other"),
        ({"server_service": "live", "live": False}, "needs the live connection"),
        ({"server_service": "live", "live": {"enabled": False}}, "needs the live connection"),
    ],
)
def test_an_app_with_a_service_that_cannot_work_is_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        flash_app(**options)


# S2: one at a time, from all tabs, and each answers its asker.


@KINDS
def test_calls_from_two_tabs_never_overlap_and_answer_only_the_asker(kind: str) -> None:
    async def main() -> None:
        device = Device()
        app = app_with(("out.children", Service.S2, device.function(kind)))
        async with in_process(app) as site, tab_of(site) as first, tab_of(site) as second:
            asked = []
            for number in range(20):
                tab = (first, second)[number % 2]
                asked.append(await tab.request("out.children", {"in.value": number}))
                await eventually(lambda number=number: _arrived(app, device) == number + 1)
            assert device.log == [0]
            for number in range(1, 20):
                device.let()
                await eventually(lambda number=number: device.log == list(range(number + 1)))
            device.let()
            await eventually(lambda: all(request.done for request in asked))
            assert [request.response["out"]["children"] for request in asked] == list(range(20))
            assert device.most == 1
            assert not first.pushed("out.children") and not second.pushed("out.children")
            assert len(app.flash_lanes) == 0

    run(main)


@KINDS
def test_callbacks_that_name_a_device_take_turns_over_every_transport(kind: str) -> None:
    async def main() -> None:
        device = Device()
        app = app_with(
            ("out.children", CAMERA, device.function(kind)),
            ("other.children", replace(CAMERA, transport=None), device.function("async")),
        )
        async with in_process(app) as site, tab_of(site) as tab, serving(app) as client:
            worker = DashWorker(site)
            await worker.connect()
            page = worker.page()
            asked = await tab.request("out.children", {"in.value": "live"})
            await eventually(lambda: device.log == ["live"])
            posted = asyncio.create_task(value_of(client, "other.children", {"in.value": "http"}))
            by_worker = asyncio.create_task(worker.call(page, "out.children", {"in.value": "worker"}))
            stored = app.callback_map["other.children"]["callback"]
            place = {"id": "other", "property": "children"}
            context = app.live_context({}, _nobody())
            dashs = asyncio.create_task(app.run_stored_callback(stored, ["stored"], place, context))
            await eventually(lambda: len(next(iter(app.flash_lanes._lanes.values()))) == 3)
            assert device.log == ["live"]
            device.let_all()
            assert await asyncio.gather(posted, by_worker) == ["http", "worker"]
            assert json.loads(await dashs)["response"]["other"]["children"] == "stored"
            await tab.until(lambda: asked.done)
            assert asked.response["out"]["children"] == "live" and device.most == 1
            await worker.close()

    run(main)


def test_shared_and_regular_callbacks_of_a_device_take_turns() -> None:
    async def main() -> None:
        device = Device()
        app = app_with(("out.children", CAMERA, device.function("plain")))
        app.layout = html.Div([dcc.Slider(0, 10, id="zoom"), *app.layout.children])
        shared = replace(Service.SHARED, serialized="camera", initial_call="none")
        app.callback_shared(Output("other", "children"), Input("zoom", "value"), service=shared)(
            device.function("async")
        )
        async with in_process(app) as site, tab_of(site) as tab, pages_of(site, 1) as (page,):
            asked = await tab.request("out.children", {"in.value": "regular"})
            await eventually(lambda: device.log == ["regular"])
            await page.change("zoom.value", 7, "other.children")
            await eventually(lambda: _arrived(app, device) == 2)
            assert device.log == ["regular"]
            device.let_all()
            await tab.until(lambda: asked.done)
            await page.until(lambda: page.value("other.children") == 7)
            assert device.log == ["regular", 7] and device.most == 1

    run(main)


def _nobody() -> Any:
    return Requester(client=None)  # type: ignore[arg-type]


def test_the_instances_of_a_pattern_share_the_lane_of_their_callback() -> None:
    async def main() -> None:
        device = Device()
        app = app_with(suppress_callback_exceptions=True)
        row, button = {"type": "row", "n": MATCH}, {"type": "button", "n": MATCH}
        app.callback(Output(row, "children"), Input(button, "n_clicks"), service=Service.MOST_RECENT)(
            device.function("async")
        )

        def request(number: int) -> dict[str, Any]:
            ids = [{"type": name, "n": number} for name in ("row", "button")]
            return {
                "output": '{"n":["MATCH"],"type":"row"}.children',
                "outputs": {"id": ids[0], "property": "children"},
                "inputs": [{"id": ids[1], "property": "n_clicks", "value": number}],
                "changedPropIds": [f"{stringify_id(ids[1])}.n_clicks"],
            }

        async with serving(app) as client:
            posts = [
                asyncio.create_task(client.post("/_dash-update-component", json=request(number)))
                for number in (1, 2, 3, 2)
            ]
            await eventually(lambda: len(next(iter(app.flash_lanes._lanes.values()), ())) == 2)
            device.let_all()
            answers = await asyncio.gather(*posts)
            # One at a time; only the first of the two of row 2 has been replaced.
            assert device.most == 1 and sorted(device.log) == [1, 2, 3]
            assert [each.status_code for each in answers] == [200, 204, 200, 200]

    run(main)


# Most recent.


@KINDS
@pytest.mark.parametrize("transport", ["live", "http"])
def test_the_most_recent_drops_the_middle_of_a_burst(kind: str, transport: Any) -> None:
    async def main() -> None:
        device = Device()
        service = replace(Service.MOST_RECENT, transport=transport)
        app = app_with(("out.children", service, device.function(kind)))
        async with in_process(app) as site, tab_of(site) as tab, serving(app) as client:
            answers: list[Any] = []

            async def ask(number: int) -> None:
                if transport == "live":
                    request = await tab.request("out.children", {"in.value": number})
                    await tab.until(lambda: request.done)
                    answers.append((number, request.status))
                else:
                    response = await post(client, "out.children", {"in.value": number})
                    answers.append((number, {200: "ok", 204: "prevent_update"}[response.status_code]))

            tasks = [asyncio.create_task(ask(0))]
            await eventually(lambda: device.log == [0])
            for number in range(1, 10):
                tasks.append(asyncio.create_task(ask(number)))
                await eventually(lambda number=number: len(answers) == number - 1)
                await eventually(lambda: len(next(iter(app.flash_lanes._lanes.values()))) == 1)
            device.let_all()
            await asyncio.gather(*tasks)
            assert device.log == [0, 9] and device.most == 1
            assert sorted(answers) == [(n, "ok" if n in (0, 9) else "prevent_update") for n in range(10)]

    run(main)


def test_a_tab_is_answered_although_another_tab_asks_after_it() -> None:
    async def main() -> None:
        device = Device()
        service = replace(Service.MOST_RECENT, transport="live")
        app = app_with(("out.children", service, device.function("async")))
        async with in_process(app) as site, tab_of(site) as first, tab_of(site) as second:
            asked = []
            for number, tab in enumerate([first, first, second, first]):
                asked.append(await tab.request("out.children", {"in.value": number}))
                await eventually(lambda number=number: _arrived(app, device) == min(number + 1, 3))
            await eventually(lambda: asked[1].done)
            device.let_all()
            await eventually(lambda: all(each.done for each in asked))
            assert [each.status for each in asked] == ["ok", "prevent_update", "ok", "ok"]
            assert device.log == [0, 2, 3]

    run(main)


def test_pages_without_a_connection_are_told_apart_by_what_dash_has_given_them() -> None:
    async def main() -> None:
        device = Device()
        app = app_with(("out.children", Service.MOST_RECENT, device.function("async")))
        async with serving(app) as client:

            async def end_id() -> str:
                page = await (await client.get("/")).get_data(as_text=True)
                found: str = json.loads(page.split('type="application/json">')[1].split("</script>")[0])["end_id"]
                return found

            async def ask(page: str, number: int) -> int:
                sent = body("out.children", {"in.value": number})
                response = await client.post("/_dash-update-component", query_string={"endId": page}, json=sent)
                status: int = response.status_code
                return status

            pages = [await end_id(), await end_id()]
            tasks = []
            for number, page in enumerate([0, 0, 1, 0, 1]):
                tasks.append(asyncio.create_task(ask(pages[page], number)))
                await eventually(lambda number=number: _arrived(app, device) == min(number + 1, 3))
                await eventually(lambda number=number: sum(task.done() for task in tasks) == max(0, number - 2))
            device.let_all()
            assert await asyncio.gather(*tasks) == [200, 204, 204, 200, 200]
            assert device.log == [0, 3, 4]

    run(main)


def _arrived(app: Flash, device: Device) -> int:
    return len(device.log) + sum(map(len, app.flash_lanes._lanes.values()))


# What goes wrong.


@KINDS
@pytest.mark.parametrize("handled", [True, False])
def test_an_error_is_its_askers_and_the_next_call_runs(kind: str, handled: bool) -> None:
    async def main() -> None:
        device = Device()
        app = app_with()
        handler = {"on_error": lambda error: "recovered"} if handled else {}
        app.callback(OUT, IN, service=Service.S2, **handler)(device.function(kind, lambda value: value == "bad"))
        device.let_all()
        async with in_process(app) as site, tab_of(site) as tab:
            bad = await tab.request("out.children", {"in.value": "bad"})
            assert await tab.call("out.children", {"in.value": "good"}) == "good"
            await tab.until(lambda: bad.done)
            assert bad.status == ("ok" if handled else "error")
            if handled:
                assert bad.response["out"]["children"] == "recovered"
            assert len(app.flash_lanes) == 0

    run(main)


@KINDS
def test_a_tab_that_leaves_while_its_call_runs_or_waits_wedges_nothing(kind: str) -> None:
    async def main() -> None:
        device = Device()
        app = app_with(("out.children", Service.S2, device.function(kind)))
        async with in_process(app) as site, tab_of(site) as stays:
            async with tab_of(site) as leaves:
                for name in ("running", "waiting"):
                    request = await leaves.request("out.children", {"in.value": name})
                    await leaves.until(lambda request=request: request.acknowledged)
                await eventually(lambda: device.log == ["running"])
                asked = await stays.request("out.children", {"in.value": "stays"})
                await stays.until(lambda: asked.acknowledged)
            await eventually(lambda: len(app.clients) == 1)
            if kind == "plain":
                # Its thread cannot be stopped, and nobody else uses the device before it has ended.
                assert device.log == ["running"]
            device.let_all()
            await stays.until(lambda: asked.done)
            assert asked.response["out"]["children"] == "stays"
            assert device.log == ["running", "stays"] and device.most == 1
            await eventually(lambda: len(app.flash_lanes) == 0)

    run(main)


def test_those_that_wait_hold_no_thread() -> None:
    async def main() -> None:
        device = Device()
        app = app_with(("out.children", Service.S2, device.function("plain")), callback_threads=2)
        app.callback(Output("other", "children"), IN)(lambda value: f"free {value}")
        async with serving(app) as client:
            tasks = [asyncio.create_task(value_of(client, "out.children", {"in.value": n})) for n in range(20)]
            await eventually(lambda: _arrived(app, device) == 20)
            assert await value_of(client, "other.children", {"in.value": 1}) == "free 1"
            device.let_all()
            assert await asyncio.gather(*tasks) == list(range(20))
            assert device.most == 1

    run(main)


def test_who_asks_is_known_in_each_turn() -> None:
    async def main() -> None:
        app = app_with()
        gate = asyncio.Event()

        @app.callback(OUT, IN, service=Service.S2)
        async def who(value: Any) -> Any:
            await gate.wait()
            return [ctx.client.id, ctx.triggered_id, value]

        async with in_process(app) as site, tab_of(site) as first, tab_of(site) as second:
            asked = [await tab.request("out.children", {"in.value": 1}) for tab in (first, second)]
            await eventually(lambda: sum(map(len, app.flash_lanes._lanes.values())) == 1)
            gate.set()
            await eventually(lambda: all(each.done for each in asked))
            for tab, each in zip((first, second), asked, strict=True):
                assert each.response["out"]["children"] == [tab.client, "in", 1]

    run(main)


def test_more_than_may_wait_are_refused() -> None:
    async def main() -> None:
        device = Device()
        app = app_with(("out.children", Service.S2, device.function("async")))
        app.flash_lanes.most_waiting = 1
        async with serving(app) as client:
            tasks = [asyncio.create_task(post(client, "out.children", {"in.value": n})) for n in range(3)]
            await eventually(lambda: any(task.done() for task in tasks))
            device.let_all()
            assert sorted([each.status_code for each in await asyncio.gather(*tasks)]) == [200, 200, 429]

    run(main)
