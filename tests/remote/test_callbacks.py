"""Remote callbacks in a page: what their functions get and give, what fails, and what is pushed meanwhile."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import orjson
import pytest
from dash.exceptions import PreventUpdate

from flash import ALL, MATCH, Flash, Input, Output, Patch, State, ctx, html, no_update, set_props
from flash.remote import InputReceiver, Remote, RemoteError, api_callback, declare
from flash.remote.order import Order

from ..apps import flash_app, post, run, serving
from ..live.asgi import eventually, in_process
from ..live.tab import Tab, tab_of
from .backends import answering, echoing

OUT = Output("out", "children")
IN = {"go.n_clicks": 1}
FIELDS: Any = {"a": State("a", "value"), "click": Input("go", "n_clicks")}

kinds = pytest.mark.parametrize("plain", [False, True], ids=["async", "plain"])


def app_of(**options: Any) -> Flash:
    app = flash_app(**options)
    app.layout = html.Div([html.Div(id=name) for name in ("out", "go", "a", "bar", "text", "state", "stop", "other")])
    return app


def either(plain: bool, func: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, plain or asynchronous."""
    if plain:
        return func

    async def asynchronous(*args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(0)
        return func(*args, **kwargs)

    return asynchronous


def live(app: Flash, scenario: Callable[[Tab], Awaitable[None]]) -> None:
    async def main() -> None:
        async with in_process(app) as site, tab_of(site) as tab:
            await scenario(tab)

    run(main)


def fields_of(request: httpx2.Request) -> Any:
    return orjson.loads(request.content)


class Gates:
    """A backend whose answers the test gives: each call waits for its own, by its field ``a``.

    Attributes:
        happened: What has become of the calls.
    """

    def __init__(self) -> None:
        self.happened: list[str] = []
        self._answers: dict[Any, asyncio.Future[bytes]] = {}
        self.remote = Remote("http://backend", transport=httpx2.MockTransport(self._serve))

    async def _serve(self, request: httpx2.Request) -> httpx2.Response:
        name = fields_of(request)["a"]
        self.happened.append(f"begin {name}")
        future = self._answers[name] = asyncio.get_running_loop().create_future()
        try:
            return httpx2.Response(200, content=await future)
        except asyncio.CancelledError:
            self.happened.append(f"gone {name}")
            raise

    def answer(self, name: Any, value: Any = None) -> None:
        """Let a call end."""
        self.happened.append(f"answer {name}")
        self._answers[name].set_result(orjson.dumps(value or f"answer {name}"))


class Streaming(httpx2.AsyncByteStream):
    """The body of an answer that the test writes."""

    def __init__(self) -> None:
        self.lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.closed = asyncio.Event()

    async def __aiter__(self) -> Any:
        while (line := await self.lines.get()) is not None:
            yield line

    async def aclose(self) -> None:
        self.closed.set()

    def say(self, **values: Any) -> None:
        self.lines.put_nowait(orjson.dumps(values) + b"\n")

    def backend(self) -> Remote:
        """A backend that answers with it."""
        return answering(lambda _: httpx2.Response(200, headers={"content-type": "application/x-ndjson"}, stream=self))


# What the function gets and gives.


@kinds
def test_fields_have_names_and_only_some_are_sent(plain: bool) -> None:
    app = app_of()

    def show(data: Any, a: Any, click: Any) -> str:
        return f"{data} a={a} click={click} {ctx.triggered_id}"

    api_callback(echoing() / "x", OUT, inputs=FIELDS, send=["a"], app=app)(either(plain, show))

    async def scenario(tab: Tab) -> None:
        await tab.request("out.children", {"go.n_clicks": 3}, {"a.value": [1, "é"]})
        await tab.until(lambda: tab.value("out.children") == "{'path': '/base/x', 'a': [1, 'é']} a=[1, 'é'] click=3 go")

    live(app, scenario)


def test_all_fields_are_sent_if_not_said_otherwise_and_states_may_stand_apart() -> None:
    app = app_of()
    inputs, state = {"click": Input("go", "n_clicks")}, {"a": State("a", "value")}

    @api_callback(echoing() / "x", OUT, inputs=inputs, state=state, app=app)
    def show(data: Any, click: Any, a: Any) -> Any:
        return data

    async def scenario(tab: Tab) -> None:
        await tab.request("out.children", {"go.n_clicks": 3}, {"a.value": 4})
        await tab.until(lambda: tab.value("out.children") == {"path": "/base/x", "click": 3, "a": 4})

    live(app, scenario)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_answer_stands_where_its_receiver_does(place: int) -> None:
    app = app_of()
    dependencies: list[Any] = [Input("go", "n_clicks"), State("my-a", "value")]
    dependencies.insert(place, InputReceiver("receiver"))

    @api_callback(answering(lambda _: httpx2.Response(200, json="data")) / "x", OUT, *dependencies, app=app)
    def show(*args: Any) -> Any:
        return list(args)

    async def scenario(tab: Tab) -> None:
        await tab.request("out.children", {"go.n_clicks": 1}, {"my-a.value": 2})
        expected: list[Any] = [1, 2]
        expected.insert(place, "data")
        await tab.until(lambda: tab.value("out.children") == expected)

    live(app, scenario)


@kinds
def test_several_outputs_no_update_and_outputs_that_carry_a_value(plain: bool) -> None:
    app = app_of()
    returns = [
        ("a", "b"),
        ("c", no_update),
        [Output("out", "children", "d"), Output("text", "title", "e")],
        PreventUpdate,
    ]

    def show(data: Any, a: Any, click: Any) -> Any:
        value = returns[click]
        if value is PreventUpdate:
            raise PreventUpdate
        return value

    api_callback(echoing() / "x", [OUT, Output("text", "children")], inputs=FIELDS, app=app)(either(plain, show))

    async def scenario(tab: Tab) -> None:
        for click in range(4):
            request = await tab.request("..out.children...text.children..", {"go.n_clicks": click}, {"a.value": 0})
            await tab.until(lambda request=request: request.done and not app.flash_live.streams)
        assert (tab.value("out.children"), tab.value("text.children"), tab.value("text.title")) == ("d", "b", "e")
        assert tab.errors == []

    live(app, scenario)


def test_set_props_and_the_client_are_those_of_the_tab() -> None:
    app = app_of()

    @api_callback(echoing() / "x", inputs=FIELDS, app=app)
    def show(data: Any, a: Any, click: Any) -> None:
        assert threading.current_thread() is not threading.main_thread()
        set_props("other", {"title": ctx.client.id})

    (name,) = app.callback_map

    async def scenario(tab: Tab) -> None:
        await tab.request(name, IN, {"a.value": 0})
        await tab.until(lambda: tab.value("other.title") == tab.client)

    live(app, scenario)


def test_rows_that_match_have_calls_of_their_own() -> None:
    app = app_of()
    gates = Gates()

    @api_callback(
        gates.remote / "x",
        Output({"row": MATCH}, "children"),
        inputs={"a": Input({"row": MATCH}, "x"), "all": State({"cell": ALL}, "x")},
        app=app,
    )
    def show(data: Any, a: Any, all: Any) -> Any:
        return data

    async def scenario(tab: Tab) -> None:
        for row in (1, 2):
            name = {"row": row}
            payload = {
                "output": '{"row":["MATCH"]}.children',
                "outputs": {"id": name, "property": "children"},
                "inputs": [{"id": name, "property": "x", "value": row}],
                "state": [[]],
                "changedPropIds": [f'{{"row":{row}}}.x'],
            }
            await tab.request_payload(payload)
        await tab.until(lambda: len(gates.happened) == 2)
        gates.answer(2)
        gates.answer(1)
        await tab.until(lambda: tab.value('{"row":1}.children') == "answer 1")
        assert tab.value('{"row":2}.children') == "answer 2"

    live(app, scenario)


# What fails.


def failing_app(on_error: Any = None, app: Flash | None = None) -> Flash:
    app = app or app_of()
    remote = answering(lambda _: httpx2.Response(422, json={"detail": [{"loc": ["body", "a"], "msg": "secret text"}]}))

    @api_callback(remote / "x", OUT, inputs=FIELDS, on_error=on_error, app=app)
    def show(data: Any, a: Any, click: Any) -> None:
        raise AssertionError("There is no answer.")

    return app


@kinds
def test_on_error_gets_the_error_and_gives_the_value(plain: bool) -> None:
    def explain(error: RemoteError) -> str:
        assert isinstance(error, RemoteError) and len(error.id) == 32
        return f"{error.status} {error.reason} {error.fields} {error.summary}"

    async def scenario(tab: Tab) -> None:
        await tab.request("out.children", IN, {"a.value": 0})
        expected = "422 invalid {'a': 'secret text'} The backend does not accept these values."
        await tab.until(lambda: tab.value("out.children") == expected)

    live(failing_app(either(plain, explain)), scenario)


def test_without_on_error_a_page_gets_an_error_id_and_the_log_the_rest(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "flash")

    async def scenario(tab: Tab) -> None:
        request = await tab.request("out.children", IN, {"a.value": 0})
        await tab.until(lambda: request.done)
        assert request.status == "error"
        assert "secret" not in repr(request.answers) and "backend" not in repr(request.answers)
        assert "secret" not in repr(tab.log)

    live(failing_app(), scenario)
    assert "status 422" in caplog.text and "RemoteError" in caplog.text and "secret text" in caplog.text


def test_the_apps_own_handler_gets_it_too() -> None:
    async def scenario(tab: Tab) -> None:
        await tab.request("out.children", IN, {"a.value": 0})
        await tab.until(lambda: tab.value("out.children") == "invalid")

    live(failing_app(app=app_of(on_error=lambda error: error.reason)), scenario)


# While it runs.


@pytest.mark.parametrize("several", [False, True])
def test_progress_and_running_reach_the_page_before_the_answer(several: bool) -> None:
    app = app_of()
    stream = Streaming()
    progress: Any = [Output("bar", "value"), Output("text", "children")] if several else Output("bar", "value")

    @api_callback(
        stream.backend() / "x",
        OUT,
        inputs=FIELDS,
        progress=progress,
        progress_default=[0, "done"] if several else 0,
        running=[(Output("state", "children"), "runs", "over")],
        app=app,
    )
    def show(data: Any, a: Any, click: Any) -> Any:
        return data

    async def scenario(tab: Tab) -> None:
        await tab.request("out.children", IN, {"a.value": 0})
        await tab.until(lambda: tab.value("state.children") == "runs")
        for percent in (10, 20):
            stream.say(progress=[percent, f"{percent} %"] if several else percent)
            await tab.until(lambda percent=percent: tab.value("bar.value") == percent)
            assert tab.value("text.children") == (f"{percent} %" if several else None)
            assert tab.value("out.children") is None and tab.value("state.children") == "runs"
        stream.say(result="all")
        await tab.until(lambda: tab.value("out.children") == "all" and tab.value("state.children") == "over")
        assert tab.value("bar.value") == 0 and tab.value("text.children") == ("done" if several else None)

    live(app, scenario)


@pytest.mark.parametrize("default", [None, "over"])
def test_a_flood_of_progress_reaches_the_page_as_its_newest_values(default: Any) -> None:
    app = app_of()
    stream = Streaming()
    api_callback(
        stream.backend() / "x", OUT, inputs=FIELDS, progress=Output("bar", "value"), progress_default=default, app=app
    )(lambda data, a, click: data)

    async def scenario(tab: Tab) -> None:
        await tab.request("out.children", IN, {"a.value": 0})
        for number in range(1000):
            stream.say(progress=number)
            await asyncio.sleep(0)
        await tab.until(lambda: tab.value("bar.value") == 999)
        stream.say(progress=1000)
        stream.say(progress=1001)
        stream.say(result="all")
        await tab.until(lambda: tab.value("out.children") == "all")
        assert tab.value("bar.value") == (default or 1001)
        assert len([each for each in tab.log if '"bar"' in json.dumps(each)]) < 100

    live(app, scenario)


def test_progress_that_cannot_be_written_is_not_shown_and_does_no_harm() -> None:
    app = app_of()
    stream = Streaming()
    api_callback(stream.backend() / "x", OUT, inputs=FIELDS, progress=Output("bar", "value"), app=app)(
        lambda data, a, click: data
    )

    async def scenario(tab: Tab) -> None:
        await tab.request("out.children", IN, {"a.value": 0})
        stream.lines.put_nowait(b'{"progress": %b}\n' % (b"[" * 1000 + b"]" * 1000))
        stream.say(result="all")
        await tab.until(lambda: tab.value("out.children") == "all")
        assert tab.value("bar.value") is None and tab.errors == []

    live(app, scenario)


def test_progress_that_does_not_fit_its_outputs_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    app = app_of()
    stream = Streaming()
    progress = [Output("bar", "value"), Output("text", "children")]
    api_callback(
        stream.backend() / "x", OUT, inputs=FIELDS, progress=progress, app=app, on_error=lambda error: str(error)
    )(lambda data, a, click: data)

    async def scenario(tab: Tab) -> None:
        stream.say(progress=5)
        await tab.request("out.children", IN, {"a.value": 0})
        await tab.until(lambda: "one value for each" in (tab.value("out.children") or ""))
        await stream.closed.wait()

    live(app, scenario)


def test_cancel_ends_the_call_and_the_page_goes_on() -> None:
    app = app_of()
    stream = Streaming()

    @api_callback(
        stream.backend() / "x",
        OUT,
        inputs=FIELDS,
        progress=Output("bar", "value"),
        progress_default=0,
        running=(Output("state", "children"), "runs", "over"),
        cancel=Input("stop", "n_clicks"),
        app=app,
    )
    def show(data: Any, a: Any, click: Any) -> Any:
        return data

    (cancel,) = [name for name in app.callback_map if name != "out.children"]

    async def scenario(tab: Tab) -> None:
        await tab.request("out.children", IN, {"a.value": 0})
        stream.say(progress=50)
        await tab.until(lambda: tab.value("bar.value") == 50)
        await tab.request(cancel, {"stop.n_clicks": 1})
        await tab.until(lambda: tab.value("state.children") == "over")
        await stream.closed.wait()
        assert tab.value("bar.value") == 0 and tab.value("out.children") is None and tab.errors == []

    live(app, scenario)


def test_a_tab_that_leaves_ends_its_call() -> None:
    app, gates = app_of(), Gates()
    api_callback(gates.remote / "x", OUT, inputs=FIELDS, app=app)(lambda data, a, click: data)

    async def main() -> None:
        async with in_process(app) as site:
            async with tab_of(site) as tab:
                await tab.request("out.children", IN, {"a.value": "one"})
                await tab.until(lambda: gates.happened == ["begin one"])
            await eventually(lambda: gates.happened == ["begin one", "gone one"])

    run(main)


# The next trigger.


def two_calls(
    policy: Any, scenario: Callable[[Tab, Gates, Any], Awaitable[None]], func: Any = None, **options: Any
) -> None:
    app, gates = app_of(), Gates()
    api_callback(gates.remote / "x", OUT, inputs=FIELDS, policy=policy, app=app, **options)(
        func or (lambda data, a, click: data)
    )

    async def both(tab: Tab) -> None:
        async def ask(name: str) -> None:
            request = await tab.request("out.children", IN, {"a.value": name})
            await tab.until(lambda: request.done)

        await ask("one")
        await ask("two")
        await scenario(tab, gates, ask)
        await tab.until(lambda: not app.flash_live.streams)

    live(app, both)


def test_latest_gives_the_earlier_call_up() -> None:
    async def scenario(tab: Tab, gates: Gates, ask: Any) -> None:
        await tab.until(lambda: gates.happened == ["begin one", "gone one", "begin two"])
        gates.answer("two")
        await tab.until(lambda: tab.value("out.children") == "answer two")

    two_calls("latest", scenario)


def test_queue_begins_when_the_earlier_call_has_ended() -> None:
    async def scenario(tab: Tab, gates: Gates, ask: Any) -> None:
        assert gates.happened == ["begin one"]
        gates.answer("one")
        await tab.until(lambda: "begin two" in gates.happened)
        await tab.until(lambda: tab.value("out.children") == "answer one")
        gates.answer("two")
        await tab.until(lambda: tab.value("out.children") == "answer two")

    two_calls("queue", scenario)


def test_ignore_lets_the_earlier_call_run() -> None:
    async def scenario(tab: Tab, gates: Gates, ask: Any) -> None:
        gates.answer("one")
        await tab.until(lambda: tab.value("out.children") == "answer one")
        assert gates.happened == ["begin one", "answer one"]

    two_calls("ignore", scenario)


def test_parallel_runs_both_and_a_late_answer_overwrites_no_newer_one() -> None:
    async def scenario(tab: Tab, gates: Gates, ask: Any) -> None:
        await tab.until(lambda: gates.happened == ["begin one", "begin two"])
        gates.answer("two")
        await tab.until(lambda: tab.value("out.children") == "answer two")
        gates.answer("one")
        await tab.until(lambda: not tab.site.app.flash_live.streams)
        await ask("three")
        await tab.until(lambda: "begin three" in gates.happened)
        assert tab.value("out.children") == "answer two"
        gates.answer("three")
        await tab.until(lambda: tab.value("out.children") == "answer three")

    two_calls("parallel", scenario)


def test_parallel_a_late_error_overwrites_no_newer_answer(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(tab: Tab, gates: Gates, ask: Any) -> None:
        await tab.until(lambda: len(gates.happened) == 2)
        gates.answer("two")
        await tab.until(lambda: tab.value("out.children") == "answer two")
        gates.answer("one")
        await tab.until(lambda: not tab.site.app.flash_live.streams)
        assert tab.value("out.children") == "answer two"

    def show(data: Any, a: Any, click: Any) -> Any:
        if a == "one":
            raise ValueError("no one")
        return data

    two_calls("parallel", scenario, show, on_error=lambda error: "an error")
    assert "no one" in caplog.text


def test_parallel_a_late_answer_overwrites_no_newer_error() -> None:
    async def scenario(tab: Tab, gates: Gates, ask: Any) -> None:
        await tab.until(lambda: len(gates.happened) == 2)
        gates.answer("two", {"no": "text"})
        await tab.until(lambda: tab.value("out.children") == "an error")
        gates.answer("one")
        await tab.until(lambda: not tab.site.app.flash_live.streams)
        assert tab.value("out.children") == "an error"

    two_calls("parallel", scenario, lambda data, a, click: data.upper() and data, on_error=lambda error: "an error")


def test_what_tells_late_answers_remembers_nothing_of_calls_that_are_over(monkeypatch: pytest.MonkeyPatch) -> None:
    orders: list[Order] = []
    monkeypatch.setattr(declare, "Order", lambda policy: orders.append(Order(policy)) or orders[-1])

    async def scenario(tab: Tab, gates: Gates, ask: Any) -> None:
        (order,) = orders
        await tab.until(lambda: len(gates.happened) == 2)
        assert len(order) == 1
        gates.answer("one")
        gates.answer("two")
        await tab.until(lambda: not tab.site.app.flash_live.streams)
        assert len(order) == 0

    two_calls("parallel", scenario)


def test_parallel_answers_in_order_are_all_shown_and_a_late_patch_too() -> None:
    def add(data: Any, a: Any, click: Any) -> Patch:
        patch = Patch()
        patch.append(data)
        return patch

    async def scenario(tab: Tab, gates: Gates, ask: Any) -> None:
        await tab.until(lambda: len(gates.happened) == 2)
        gates.answer("two")
        await tab.until(lambda: tab.value("out.children") == ["answer two"])
        gates.answer("one")
        await tab.until(lambda: tab.value("out.children") == ["answer two", "answer one"])

    two_calls("parallel", scenario, add)


# Without a live connection.


def test_a_page_without_a_live_connection_gets_the_answer_in_its_response() -> None:
    async def main() -> None:
        app = app_of(live=False)
        stream = Streaming()
        api_callback(
            stream.backend() / "x", OUT, inputs=FIELDS, progress=Output("bar", "value"), progress_default=0, app=app
        )(lambda data, a, click: data)
        stream.say(progress=50)
        stream.say(result="all")
        async with serving(app) as client:
            response = await post(client, "out.children", IN, {"a.value": 0})
            assert response.status_code == 200
            assert (await response.get_json(force=True))["response"] == {"out": {"children": "all"}}

    run(main)


def test_apps_share_a_backend() -> None:
    async def main() -> None:
        remote = echoing()
        for name in ("one", "two"):
            app = app_of(live=False)
            api_callback(remote / name, OUT, inputs=FIELDS, app=app)(lambda data, a, click: data["path"])
            async with serving(app) as client:
                response = await post(client, "out.children", IN, {"a.value": 0})
                assert (await response.get_json(force=True))["response"]["out"]["children"] == f"/base/{name}"

    run(main)
    run(main)
