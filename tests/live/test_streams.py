"""Streaming callbacks of live tabs: answers, order, overlap, cancelling, errors, cleanup."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import json
import logging
import re
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from flash import MATCH, Flash, Input, Output, Patch, ctx, html, no_update, set_props, stream_props
from flash.exceptions import PreventUpdate

from ..apps import body, flash_app, post, run, serving, value_of
from .sites import InProcess
from .tab import DashWorker, Tab, tab_of

OUT, IN = Output("out", "children"), Input("in", "x")

#: Of a stream that lasts until it is closed.
EVER = 3600


async def comes_true(condition: Callable[[], Any]) -> None:
    """Wait for something that no message tells of."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


class Gate:
    """Lets generators go on one item at a time, plain and asynchronous ones."""

    def __init__(self) -> None:
        self._open = threading.Semaphore(0)

    def go(self, times: int = 1) -> None:
        for _ in range(times):
            self._open.release()

    async def wait(self) -> None:
        await comes_true(lambda: self._open.acquire(blocking=False))

    def block(self) -> None:
        self._open.acquire()


class Trace:
    """A streaming callback that writes down what happens to it: it shows ``<n>:0``, ``<n>:1`` ... at each gate."""

    def __init__(self, app: Flash, plain: bool = False, items: int = 100, **options: Any) -> None:
        self.gate = Gate()
        self.happened: list[str] = []

        async def asynchronous(n: Any) -> Any:
            self.happened.append(f"begin {n}")
            try:
                for item in range(items):
                    yield f"{n}:{item}"
                    await self.gate.wait()
            finally:
                await asyncio.sleep(0)
                self.happened.append(f"end {n}")

        def synchronous(n: Any) -> Any:
            self.happened.append(f"begin {n}")
            try:
                for item in range(items):
                    yield f"{n}:{item}"
                    self.gate.block()
            finally:
                self.happened.append(f"end {n}")

        app.callback(OUT, IN, **options)(synchronous if plain else asynchronous)


def app_of(**options: Any) -> Flash:
    app = flash_app(**options)
    app.layout = html.Div()
    return app


def live(app: Flash, scenario: Callable[[Tab], Any]) -> None:
    """Run a scenario with one tab; afterwards no stream is left."""

    async def main() -> None:
        async with serving(app):
            async with tab_of(InProcess(app)) as tab:
                await scenario(tab)
            await comes_true(lambda: not len(app.flash_live.streams))

    run(main)


def kinds(function: Any) -> Any:
    return pytest.mark.parametrize("plain", [False, True], ids=["async", "plain"])(function)


def cancels(app: Flash, component: str = "stop") -> str:
    """The id of the hidden callback that listens to a component."""
    found = [name for name, entry in app.callback_map.items() if entry["raw_inputs"] == [Input(component, "x")]]
    assert len(found) == 1
    return found[0]


async def cancel(app: Flash, tab: Tab, value: Any = 1, component: str = "stop") -> None:
    await tab.request(cancels(app, component), {f"{component}.x": value})


# Answers and items.


@kinds
def test_the_first_item_answers_and_the_others_are_pushed(plain: bool) -> None:
    app = app_of()
    trace = Trace(app, plain, items=3)

    async def scenario(tab: Tab) -> None:
        assert await tab.call("out.children", {"in.x": 1}) == "1:0"
        assert tab.pushed("out.children") == []
        trace.gate.go()
        await tab.until(lambda: tab.pushed("out.children") == ["1:1"])
        trace.gate.go()
        await tab.until(lambda: tab.pushed("out.children") == ["1:1", "1:2"])
        trace.gate.go()
        await tab.until(lambda: trace.happened == ["begin 1", "end 1"])

    live(app, scenario)


def test_items_follow_the_answer_also_when_they_are_there_at_once() -> None:
    app = app_of()

    @app.callback(OUT, IN)
    async def stream(_: Any) -> Any:
        for item in range(5):
            yield item

    async def scenario(tab: Tab) -> None:
        request = await tab.request("out.children", {"in.x": 1})
        await tab.until(lambda: tab.value("out.children") == 4)
        assert request.response == {"out": {"children": 0}}
        assert tab.log[0]["type"] == "callback_response"

    live(app, scenario)


def test_a_late_first_item_is_pushed_behind_an_answer_without_update() -> None:
    app = app_of()
    gate = Gate()

    @app.callback(OUT, IN)
    async def stream(_: Any) -> Any:
        await gate.wait()
        yield "late"

    async def scenario(tab: Tab) -> None:
        request = await tab.request("out.children", {"in.x": 1})
        await tab.until(lambda: request.done)
        assert request.status == "ok" and request.response == {}
        gate.go()
        await tab.until(lambda: tab.pushed("out.children") == ["late"])

    live(app, scenario)


@kinds
def test_items_have_the_shape_of_a_return_value(plain: bool) -> None:
    app = app_of()
    appended = Patch()
    appended.append(2)
    values = [["a", [1]], [no_update, appended], no_update, ["b", no_update]]

    def stream(_: Any) -> Any:
        yield from values

    async def astream(_: Any) -> Any:
        for value in values:
            yield value

    app.callback([OUT, Output("list", "data")], IN)(stream if plain else astream)

    async def scenario(tab: Tab) -> None:
        await tab.request("..out.children...list.data..", {"in.x": 1})
        await tab.until(lambda: tab.value("out.children") == "b")
        assert tab.value("list.data") == [1, 2]
        assert tab.pushed("out.children") == ["b"]

    live(app, scenario)


@kinds
def test_set_props_and_the_context_work_in_every_item(plain: bool) -> None:
    app = app_of()
    mine: contextvars.ContextVar[int] = contextvars.ContextVar("mine")

    def step(number: int) -> str:
        before = mine.get(None)
        mine.set(number)
        set_props("other", {"title": number})
        return f"{ctx.triggered_id} {ctx.inputs} {ctx.client.id == app.clients[0].id} {before}"

    def stream(_: Any) -> Any:
        for number in range(3):
            yield step(number)

    async def astream(_: Any) -> Any:
        for number in range(3):
            yield step(number)
            await asyncio.sleep(0)

    app.callback(OUT, IN)(stream if plain else astream)

    async def scenario(tab: Tab) -> None:
        await tab.request("out.children", {"in.x": 7})
        await tab.until(lambda: tab.value("out.children") == "in {'in.x': 7} True 1")
        assert tab.pushed("out.children")[0] == "in {'in.x': 7} True 0"
        assert tab.value("other.title") == 2

    live(app, scenario)


def test_prevent_update_ends_a_stream_and_is_no_error() -> None:
    app = app_of()

    @app.callback(OUT, IN)
    async def stream(n: Any) -> Any:
        if n == 1:
            yield "one"
        raise PreventUpdate

    async def scenario(tab: Tab) -> None:
        assert await tab.call("out.children", {"in.x": 1}) == "one"
        request = await tab.request("out.children", {"in.x": 2})
        await tab.until(lambda: request.done)
        assert request.status == "ok" and request.response == {}
        assert tab.errors == []

    live(app, scenario)


def test_an_async_generator_runs_in_one_task() -> None:
    app = app_of()
    tasks: set[Any] = set()

    @app.callback(OUT, IN)
    async def stream(_: Any) -> Any:
        try:
            async with asyncio.timeout(EVER):
                for number in range(3):
                    tasks.add(asyncio.current_task())
                    yield number
        finally:
            tasks.add(asyncio.current_task())

    async def scenario(tab: Tab) -> None:
        await tab.request("out.children", {"in.x": 1})
        await tab.until(lambda: tab.value("out.children") == 2)
        assert len(tasks) == 1

    live(app, scenario)


def test_matched_components_have_streams_of_their_own() -> None:
    app = app_of()
    happened: list[Any] = []

    @app.callback(Output({"row": MATCH}, "children"), Input({"row": MATCH}, "x"))
    async def stream(n: Any) -> Any:
        yield n
        try:
            await asyncio.sleep(EVER)
        finally:
            happened.append(n)

    async def ask(tab: Tab, row: int, n: int) -> Any:
        name = {"row": row}
        payload = {
            "output": '{"row":["MATCH"]}.children',
            "outputs": {"id": name, "property": "children"},
            "inputs": [{"id": name, "property": "x", "value": n}],
            "changedPropIds": [f'{{"row":{row}}}.x'],
        }
        request = await tab.request_payload(payload)
        await tab.until(lambda: request.done)
        return request

    async def scenario(tab: Tab) -> None:
        for row, n in ((1, 10), (2, 20)):
            assert (await ask(tab, row, n)).status == "ok"
        assert len(app.flash_live.streams) == 2 and happened == []
        assert (await ask(tab, 1, 11)).status == "ok"
        assert happened == [10]

    live(app, scenario)


# The next trigger.


@kinds
def test_latest_closes_the_running_one_and_begins_anew(plain: bool) -> None:
    app = app_of()
    trace = Trace(app, plain)

    async def scenario(tab: Tab) -> None:
        assert await tab.call("out.children", {"in.x": 1}) == "1:0"
        request = await tab.request("out.children", {"in.x": 2})
        if plain:
            trace.gate.go()  # Its thread cannot be stopped: it is closed at its next yield.
        await tab.until(lambda: tab.value("out.children") == "2:0")
        assert trace.happened == ["begin 1", "end 1", "begin 2"]
        assert request.done and "1:1" not in tab.pushed("out.children")
        trace.gate.go()
        await tab.until(lambda: tab.value("out.children") == "2:1")
        await cancel_all(app)
        trace.gate.go(5)

    live(app, scenario)


async def cancel_all(app: Flash) -> None:
    for client in app.clients:
        for name in app.callback_map:
            app.flash_live.streams.cancel(client, name)


def test_of_many_that_wait_for_the_latest_only_the_last_begins() -> None:
    app = app_of()
    happened: list[str] = []
    gate = Gate()

    @app.callback(OUT, IN)
    async def stream(n: Any) -> Any:
        happened.append(f"begin {n}")
        try:
            yield n
            await asyncio.sleep(EVER)
        finally:
            await gate.wait()  # A cleanup that takes its time.
            happened.append(f"end {n}")

    async def scenario(tab: Tab) -> None:
        assert await tab.call("out.children", {"in.x": 1}) == 1
        requests = [await tab.request("out.children", {"in.x": n}) for n in (2, 3, 4)]
        await tab.until(lambda: all(request.done for request in requests))
        assert happened == ["begin 1"]
        gate.go()
        await tab.until(lambda: tab.value("out.children") == 4)
        assert happened == ["begin 1", "end 1", "begin 4"]
        gate.go(10)

    live(app, scenario)


def test_queue_runs_one_after_the_other_and_answers_at_once() -> None:
    app = app_of()
    trace = Trace(app, items=2, overlap="queue")

    async def scenario(tab: Tab) -> None:
        requests = [await tab.request("out.children", {"in.x": n}) for n in (1, 2, 3)]
        await tab.until(lambda: all(request.done for request in requests))
        assert [request.response for request in requests] == [{"out": {"children": "1:0"}}, {}, {}]
        trace.gate.go(6)
        await tab.until(lambda: len(trace.happened) == 6)
        assert trace.happened == ["begin 1", "end 1", "begin 2", "end 2", "begin 3", "end 3"]
        await tab.until(lambda: tab.value("out.children") == "3:1")

    live(app, scenario)


@pytest.mark.parametrize(("overlap", "most"), [("queue", 101), ("parallel", 100)])
def test_too_many_are_refused_visibly(overlap: str, most: int) -> None:
    app = app_of(live={"requests": 300, "burst": 1000, "rate": 1000})
    Trace(app, overlap=overlap)

    async def scenario(tab: Tab) -> None:
        requests = [await tab.request("out.children", {"in.x": n}) for n in range(most + 1)]
        await tab.until(lambda: all(request.done for request in requests))
        assert [request.status for request in requests[:-1]] == ["ok"] * most
        assert requests[-1].status == "error" and "100" in requests[-1].answers[0]["message"]
        await cancel_all(app)

    live(app, scenario)


def test_parallel_streams_run_beside_each_other() -> None:
    app = app_of()
    trace = Trace(app, overlap="parallel", running=[(Output("go", "disabled"), True, False)])

    async def scenario(tab: Tab) -> None:
        assert await tab.call("out.children", {"in.x": 1}) == "1:0"
        assert await tab.call("out.children", {"in.x": 2}) == "2:0"
        assert len(app.flash_live.streams) == 2
        assert trace.happened == ["begin 1", "begin 2"]
        await cancel_all(app)
        await tab.until(lambda: tab.value("go.disabled") is False)
        assert tab.pushed("go.disabled") == [True, False]

    live(app, scenario)


def test_ignore_answers_at_once_and_does_nothing() -> None:
    app = app_of()
    trace = Trace(app, overlap="ignore")

    async def scenario(tab: Tab) -> None:
        assert await tab.call("out.children", {"in.x": 1}) == "1:0"
        request = await tab.request("out.children", {"in.x": 2})
        await tab.until(lambda: request.done)
        assert request.response == {}
        assert trace.happened == ["begin 1"]
        trace.gate.go()
        await tab.until(lambda: tab.value("out.children") == "1:1")

    live(app, scenario)


def test_tabs_do_not_touch_each_others_streams() -> None:
    app = app_of()
    trace = Trace(app)

    async def scenario(tab: Tab) -> None:
        assert await tab.call("out.children", {"in.x": 1}) == "1:0"
        async with tab_of(InProcess(app)) as other:
            assert await other.call("out.children", {"in.x": 2}) == "2:0"
            assert trace.happened == ["begin 1", "begin 2"]
        await tab.until(lambda: trace.happened == ["begin 1", "begin 2", "end 2"])

    live(app, scenario)


# The end.


@kinds
def test_cancel_closes_it_and_running_is_set_in_every_case(plain: bool) -> None:
    app = app_of()
    running = [(Output("go", "disabled"), True, False), (Output({"type": "bar"}, "children"), "busy", "idle")]
    trace = Trace(app, plain, running=running, cancel=[Input("stop", "x")])

    async def scenario(tab: Tab) -> None:
        assert await tab.call("out.children", {"in.x": 1}) == "1:0"
        assert tab.value("go.disabled") is True
        assert tab.values['{"type":"bar"}', "children"] == "busy"
        await cancel(app, tab)
        trace.gate.go(int(plain))
        await tab.until(lambda: tab.value("go.disabled") is False)
        assert tab.values['{"type":"bar"}', "children"] == "idle"
        assert trace.happened == ["begin 1", "end 1"]
        assert tab.pushed("out.children") == []
        # It can be started again.
        assert await tab.call("out.children", {"in.x": 2}) == "2:0"
        await cancel(app, tab)
        trace.gate.go(int(plain))
        await tab.until(lambda: trace.happened[-1] == "end 2")

    live(app, scenario)


def test_cancel_also_ends_what_waits_in_a_queue() -> None:
    app = app_of()
    trace = Trace(app, overlap="queue", cancel=Input("stop", "x"))

    async def scenario(tab: Tab) -> None:
        for n in (1, 2, 3):
            request = await tab.request("out.children", {"in.x": n})
            await tab.until(lambda request=request: request.done)
        await cancel(app, tab)
        await tab.until(lambda: not len(app.flash_live.streams))
        assert trace.happened == ["begin 1", "end 1"]

    live(app, scenario)


@kinds
def test_a_stream_ends_when_its_tab_is_gone(plain: bool) -> None:
    app = app_of()
    trace = Trace(app, plain)

    async def scenario(tab: Tab) -> None:
        async with tab_of(InProcess(app)) as other:
            assert await other.call("out.children", {"in.x": 1}) == "1:0"
        trace.gate.go(int(plain))
        await tab.until(lambda: trace.happened == ["begin 1", "end 1"])

    live(app, scenario)


def test_a_stream_goes_on_while_its_tab_is_away() -> None:
    app = app_of()
    trace = Trace(app, items=5)

    async def scenario(tab: Tab) -> None:
        assert await tab.call("out.children", {"in.x": 1}) == "1:0"
        await tab.cut()
        trace.gate.go(10)
        await tab.until(lambda: trace.happened == ["begin 1", "end 1"])
        assert (await tab.resume())["recovered"] is True
        await tab.until(lambda: tab.value("out.children") == "1:4")

    live(app, scenario)


def test_streams_are_closed_when_the_server_ends_and_running_is_told() -> None:
    app = app_of()
    trace = Trace(app, running=[(Output("go", "disabled"), True, False)])
    tabs: list[Tab] = []

    async def main() -> None:
        async with serving(app):
            tab = await Tab(InProcess(app)).open()
            tabs.append(tab)
            assert await tab.call("out.children", {"in.x": 1}) == "1:0"
        assert trace.happened == ["begin 1", "end 1"]
        await tab.until(lambda: not tab.connected)

    run(main)
    assert tabs[0].value("go.disabled") is False


def test_a_generator_that_swallows_its_cancellation_shows_nothing_more() -> None:
    app = app_of()

    @app.callback(OUT, IN, cancel=Input("stop", "x"))
    async def stubborn(n: Any) -> Any:
        yield "first"
        try:
            await asyncio.sleep(EVER)
        except asyncio.CancelledError:
            yield "too late"

    async def scenario(tab: Tab) -> None:
        assert await tab.call("out.children", {"in.x": 1}) == "first"
        await cancel(app, tab)
        await tab.until(lambda: not len(app.flash_live.streams))
        assert await tab.call("out.children", {"in.x": 1}) == "first"
        assert tab.pushed("out.children") == []

    live(app, scenario)


def test_a_slow_tab_slows_its_stream() -> None:
    app = app_of()
    made: list[int] = []

    @app.callback(Output("out", "data"), IN)
    async def stream(_: Any) -> Any:
        for number in range(10_000):
            made.append(number)
            grown = Patch()
            grown.append("x" * 1000)
            yield grown
            await asyncio.sleep(0)

    async def scenario(tab: Tab) -> None:
        await tab.request("out.data", {"in.x": 1})
        await tab.until(lambda: len(made) > 5)
        await tab.cut()
        settled = -1
        async with asyncio.timeout(10):
            while settled != len(made):
                settled = len(made)
                await asyncio.sleep(0.05)
        connection = app.clients[0]._connection
        assert settled < 10_000 and connection is not None
        assert connection.outbox.waiting_bytes < 100_000
        await tab.resume()
        await tab.until(lambda: len(made) > settled + 20)

    live(app, scenario)


# Errors.


@pytest.mark.parametrize("asynchronous", [False, True])
@kinds
def test_what_on_error_returns_is_the_last_item(plain: bool, asynchronous: bool) -> None:
    app = app_of()

    def handle(error: Exception) -> str:
        set_props("other", {"title": ctx.triggered_id})
        return f"failed: {error}"

    async def ahandle(error: Exception) -> str:
        return handle(error)

    def stream(_: Any) -> Any:
        yield "one"
        raise ValueError("bad")

    async def astream(_: Any) -> Any:
        yield "one"
        raise ValueError("bad")

    app.callback(OUT, IN, on_error=ahandle if asynchronous else handle)(stream if plain else astream)

    async def scenario(tab: Tab) -> None:
        await tab.request("out.children", {"in.x": 1})
        await tab.until(lambda: tab.value("out.children") == "failed: bad")
        assert tab.value("other.title") == "in"
        assert tab.errors == []

    live(app, scenario)


def test_the_apps_handler_gets_errors_too() -> None:
    app = app_of(on_error=lambda error: f"app: {error}")

    @app.callback(OUT, IN)
    async def stream(_: Any) -> Any:
        raise ValueError("bad")
        yield

    async def scenario(tab: Tab) -> None:
        assert await tab.call("out.children", {"in.x": 1}) == "app: bad"

    live(app, scenario)


def test_an_error_before_the_first_item_fails_the_request(caplog: pytest.LogCaptureFixture) -> None:
    app = app_of()

    @app.callback(OUT, IN, running=[(Output("go", "disabled"), True, False)])
    async def stream(_: Any) -> Any:
        raise ValueError("a secret")
        yield

    async def scenario(tab: Tab) -> None:
        request = await tab.request("out.children", {"in.x": 1})
        await tab.until(lambda: request.done and tab.value("go.disabled") is False)
        assert request.status == "error" and "secret" not in str(request.answers)
        assert _id_in(request.answers[0]["message"]) in caplog.text and "a secret" in caplog.text

    live(app, scenario)


def test_a_later_error_is_logged_and_shown_with_an_id(caplog: pytest.LogCaptureFixture) -> None:
    app = app_of()

    @app.callback(OUT, IN, running=[(Output("go", "disabled"), True, False)])
    async def stream(_: Any) -> Any:
        yield "one"
        raise ValueError("a secret")

    async def scenario(tab: Tab) -> None:
        assert await tab.call("out.children", {"in.x": 1}) == "one"
        await tab.until(lambda: tab.errors and tab.value("go.disabled") is False)
        message = tab.errors[0]["message"]
        assert "secret" not in message
        assert _id_in(message) in caplog.text and "a secret" in caplog.text

    live(app, scenario)


def _id_in(message: str) -> str:
    found = re.search(r"[0-9a-f]{12}", message)
    assert found is not None, message
    return found[0]


@pytest.mark.parametrize("value", [object(), ["too", "many"]], ids=["no-json", "wrong-shape"])
def test_an_item_that_cannot_be_sent_ends_the_stream_visibly(value: Any, caplog: pytest.LogCaptureFixture) -> None:
    app = app_of()
    ended: list[bool] = []

    @app.callback([OUT], IN)
    async def stream(_: Any) -> Any:
        try:
            yield ["good"]
            yield [value] if not isinstance(value, list) else value
        finally:
            ended.append(True)

    async def scenario(tab: Tab) -> None:
        await tab.request("..out.children..", {"in.x": 1})
        await tab.until(lambda: tab.errors and ended)
        assert re.search("InvalidCallbackReturnValue|SchemaLengthValidationError", caplog.text)

    live(app, scenario)


@kinds
def test_an_error_in_the_cleanup_is_logged_and_the_next_one_runs(plain: bool, caplog: pytest.LogCaptureFixture) -> None:
    app = app_of()

    def stream(n: Any) -> Any:
        try:
            yield n
            yield "more"
        finally:
            raise ValueError("in the cleanup")

    async def astream(n: Any) -> Any:
        try:
            yield n
            await asyncio.sleep(EVER)
        finally:
            raise ValueError("in the cleanup")

    app.callback(OUT, IN, on_error=None if plain else (lambda error: None))(stream if plain else astream)

    async def scenario(tab: Tab) -> None:
        assert await tab.call("out.children", {"in.x": 1}) == 1
        assert await tab.call("out.children", {"in.x": 2}) == 2
        await cancel_all(app)
        await tab.until(lambda: not len(app.flash_live.streams))
        if plain:
            assert "in the cleanup" in caplog.text

    live(app, scenario)


def test_waiting_for_something_that_was_cancelled_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    app = app_of()

    @app.callback(OUT, IN)
    async def stream(n: Any) -> Any:
        if n == 1:
            yield "one"
        cancelled = asyncio.get_running_loop().create_future()
        cancelled.cancel()
        await cancelled

    async def scenario(tab: Tab) -> None:
        assert await tab.call("out.children", {"in.x": 1}) == "one"
        await tab.until(lambda: tab.errors)
        request = await tab.request("out.children", {"in.x": 2})
        await tab.until(lambda: request.done)
        assert request.status == "error"
        assert "waited for something that was cancelled" in caplog.text

    live(app, scenario)


def test_sys_exit_ends_one_stream_only() -> None:
    app = app_of()

    @app.callback(OUT, IN, on_error=str)
    async def stream(_: Any) -> Any:
        yield "one"
        raise SystemExit(3)

    async def scenario(tab: Tab) -> None:
        await tab.request("out.children", {"in.x": 1})
        await tab.until(lambda: "SystemExit(3)" in str(tab.value("out.children")))

    live(app, scenario)


# Other properties.


def test_outputs_and_props_that_are_yielded_are_pushed() -> None:
    app = app_of()

    @app.callback(OUT, IN)
    async def stream(_: Any) -> Any:
        yield Output("a", "children", 1)
        yield [Output("a", "children", 2), Output({"b": 1}, "hidden", True)]
        yield stream_props("a", {"title": "three"})
        yield "the output"

    async def scenario(tab: Tab) -> None:
        request = await tab.request("out.children", {"in.x": 1})
        await tab.until(lambda: tab.value("out.children") == "the output")
        assert request.response == {}
        assert tab.pushed("a.children") == [1, 2] and tab.value("a.title") == "three"
        assert tab.values['{"b":1}', "hidden"] is True

    live(app, scenario)


# Without a live connection.


@kinds
def test_over_http_all_items_are_merged(plain: bool) -> None:
    app = app_of()

    def items() -> Any:
        yield ["one", [1]]
        yield [no_update, _appended(2)]
        yield [Output("other", "title", "pushed")]
        yield ["two", _appended(3)]

    def stream(_: Any) -> Any:
        set_props("side", {"x": 1})
        yield from items()

    async def astream(_: Any) -> Any:
        set_props("side", {"x": 1})
        for item in items():
            yield item

    app.callback([OUT, Output("list", "data")], IN)(stream if plain else astream)

    async def main() -> Any:
        async with serving(app) as client:
            return await (await post(client, "..out.children...list.data..", {"in.x": 1})).get_json(force=True)

    assert run(main) == {
        "multi": True,
        "response": {"out": {"children": "two"}, "list": {"data": [1, 2, 3]}},
        "sideUpdate": {"side": {"x": 1}, "other": {"title": "pushed"}},
    }


def _appended(value: int) -> Patch:
    patch = Patch()
    patch.append(value)
    return patch


def test_over_http_patches_alone_are_one_patch_and_too_many_are_refused(caplog: pytest.LogCaptureFixture) -> None:
    app = app_of()

    @app.callback(Output("list", "data"), IN)
    async def stream(n: Any) -> Any:
        for number in range(n):
            yield _appended(number)

    async def main() -> None:
        async with serving(app) as client:
            value = await value_of(client, "list.data", {"in.x": 3})
            assert [each["params"]["value"] for each in value["operations"]] == [0, 1, 2]
            assert (await post(client, "list.data", {"in.x": 10_001})).status_code == 500
            assert "Yield a full value now and then" in caplog.text
            assert (await post(client, "list.data", {"in.x": 0})).status_code == 204

    run(main)


@kinds
def test_over_http_a_client_that_goes_away_closes_the_generator(plain: bool) -> None:
    app = app_of()
    trace = Trace(app, plain)

    async def main() -> None:
        async with serving(app) as client:
            headers = {"Content-Type": "application/json"}
            path = "/_dash-update-component"
            async with client.request(path, method="POST", headers=headers) as connection:
                await connection.send(json.dumps(body("out.children", {"in.x": 1})).encode())
                await connection.send_complete()
                await comes_true(lambda: trace.happened)
                await connection.disconnect()
                trace.gate.go(int(plain))
                await comes_true(lambda: len(trace.happened) == 2)

    run(main)
    assert trace.happened == ["begin 1", "end 1"]


# Leaks.


@kinds
def test_streams_that_are_dropped_leave_nothing(plain: bool) -> None:
    """The long form, with 10,000, is a script; see docs/streaming.md for what is promised."""
    app = app_of(live={"burst": 100_000, "rate": 100_000}, callback_threads=1)
    ended: list[Any] = []

    def stream(n: Any) -> Any:
        try:
            yield n
            yield "more"
            time.sleep(0)
        finally:
            ended.append(n)

    async def astream(n: Any) -> Any:
        try:
            yield n
            await asyncio.sleep(EVER)
        finally:
            ended.append(n)

    app.callback(OUT, IN)(stream if plain else astream)

    async def round_of(tab: Tab, times: int) -> None:
        for n in range(times):
            request = await tab.request("out.children", {"in.x": n})
            await tab.until(lambda request=request: request.done)
        await cancel_all(app)
        await tab.until(lambda: not len(app.flash_live.streams))
        tab.requests.clear()

    async def scenario(tab: Tab) -> None:
        await round_of(tab, 50)
        gc.collect()
        tasks, threads, objects = len(asyncio.all_tasks()), threading.active_count(), _streams_in_memory()
        ended.clear()
        await round_of(tab, 500)
        gc.collect()
        assert len(ended) == 500
        assert len(asyncio.all_tasks()) <= tasks
        assert threading.active_count() <= threads
        assert _streams_in_memory() <= objects == 0
        assert not any(client._connection._departures for client in app.clients if client._connection)

    live(app, scenario)


def _streams_in_memory() -> int:
    return sum(type(each).__name__ == "Stream" for each in gc.get_objects())


def test_nothing_is_logged_for_streams_that_end_well(caplog: pytest.LogCaptureFixture) -> None:
    app = app_of()
    trace = Trace(app, cancel=Input("stop", "x"))

    async def scenario(tab: Tab) -> None:
        assert await tab.call("out.children", {"in.x": 1}) == "1:0"
        assert await tab.call("out.children", {"in.x": 2}) == "2:0"
        await cancel(app, tab)
        await tab.until(lambda: trace.happened[-1] == "end 2")

    live(app, scenario)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


# Limits.


def test_a_tab_has_a_bound_of_streams_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flash.live.streams._MOST_OF_CLIENT", 3)
    app = app_of()

    @app.callback(Output({"row": MATCH}, "children"), Input({"row": MATCH}, "x"))
    async def stream(n: Any) -> Any:
        yield n
        await asyncio.sleep(EVER)

    async def scenario(tab: Tab) -> None:
        requests = [
            await tab.request_payload(
                {
                    "output": '{"row":["MATCH"]}.children',
                    "outputs": {"id": {"row": row}, "property": "children"},
                    "inputs": [{"id": {"row": row}, "property": "x", "value": 1}],
                    "changedPropIds": [f'{{"row":{row}}}.x'],
                }
            )
            for row in range(4)
        ]
        await tab.until(lambda: all(request.done for request in requests))
        assert [request.status for request in requests] == ["ok"] * 3 + ["error"]
        async with tab_of(InProcess(app)) as other:
            request = await other.request_payload(requests[0].message["payload"])
            await other.until(lambda: request.done)
            assert request.status == "ok"

    live(app, scenario)


def test_bodies_that_fit_no_callback_harm_nothing() -> None:
    app = app_of()

    @app.callback(Input({"row": MATCH}, "x"))
    async def stream(n: Any) -> Any:
        yield stream_props("out", {"children": n})

    async def scenario(tab: Tab) -> None:
        name = next(iter(app.callback_map))
        for component_id in ({"row": 1}, "text", {}, {"other": [1]}, {"row": {"deep": 1}}):
            inputs = [{"id": component_id, "property": "x", "value": 1}]
            for sent in (inputs, inputs * 2, [inputs], [], [[]]):
                request = await tab.request_payload({"output": name, "inputs": sent, "changedPropIds": ["a.x"]})
                await tab.until(lambda request=request: request.done)
        assert await _value_at(tab, name) == 7

    live(app, scenario)


async def _value_at(tab: Tab, name: str) -> Any:
    payload = {"output": name, "inputs": [{"id": {"row": 1}, "property": "x", "value": 7}], "changedPropIds": ["a.x"]}
    await tab.request_payload(payload)
    return await tab.until(lambda: tab.value("out.children") == 7 and 7)


def test_dashs_own_worker_gets_streams_too() -> None:
    app = app_of()

    @app.callback(OUT, IN)
    async def stream(n: Any) -> Any:
        yield "one"
        await asyncio.sleep(0)
        yield "two"

    async def main() -> None:
        async with serving(app):
            worker = DashWorker(InProcess(app))
            await worker.connect()
            page = worker.page()
            await worker.request(page, "out.children", {"in.x": 1})
            got = worker.messages[page]
            await worker.until(lambda: len(got) == 2)
            assert [message["type"] for message in got] == ["callback_response", "set_props"]
            assert got[1]["rendererId"] == page and got[1]["payload"]["props"] == {"children": "two"}
            await worker.close()

    run(main)
