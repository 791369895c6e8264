"""What Dash's own Quart backend gets wrong: each check passes on Flash and fails on ``Dash(backend="quart")``.

A check that plain Dash passes one day shows that Dash mended it: the check stays, its entry moves to ``MENDED``.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import gzip
import logging
import pkgutil
import threading
import time
from typing import Any

import dash
import pytest
from dash.background_callback.managers import BaseBackgroundCallbackManager
from quart import Quart, abort, websocket
from quart.testing.app import LifespanError

from flash import Input, Output, get_app, hooks, page_container, register_page
from flash._dash import page_registry

from .apps import body, flash_app, html, post, quart_dash, run, serving, together, value_of
from .live.sites import InProcess, Refused
from .live.tab import DashWorker

#: Mended in Dash since 4.5, so plain Dash is only expected to fail below.
MENDED = {
    "a_failing_first_layout_poisons_nothing",
    "an_async_route_hook_answers",
    "concurrent_first_requests_set_up_once",
}
DASH_4_5 = tuple(map(int, dash.__version__.split(".")[:2])) >= (4, 5)

CHECKS: dict[str, Any] = {}


def check(function: Any) -> Any:
    CHECKS[function.__name__] = function
    return function


class Meeting:
    """A plain function that waits for an asynchronous one: it meets it only when the loop is free meanwhile."""

    def __init__(self) -> None:
        self.waiting = False
        self._event = threading.Event()

    def wait(self, *_: Any, **__: Any) -> Any:
        self.waiting = True
        return "met" if self._event.wait(0.5) else "blocked the loop"

    async def arrive(self, *_: Any) -> str:
        self._event.set()
        return "arrived"


def meeting_app(make: Any) -> tuple[Any, Meeting]:
    app, meeting = make(), Meeting()
    app.layout = html.Div([html.Div(id="in"), html.Div(id="plain"), html.Div(id="async")])
    app.callback(Output("async", "children"), Input("in", "children"))(meeting.arrive)
    return app, meeting


async def meet(client: Any, meeting: Meeting, first: Any) -> Any:
    """Await ``first``, and send the asynchronous callback as soon as its plain function waits."""
    task = asyncio.ensure_future(first)
    while not meeting.waiting:  # noqa: ASYNC110 - a thread sets it, or a blocked loop
        await asyncio.sleep(0.001)
    await post(client, "async.children", {"in.children": 1})
    return await task


@check
async def plain_callbacks_do_not_block_the_loop(make: Any) -> None:
    app, meeting = meeting_app(make)
    app.callback(Output("plain", "children"), Input("in", "children"))(meeting.wait)
    async with serving(app) as client:
        assert await meet(client, meeting, value_of(client, "plain.children", {"in.children": 1})) == "met"


@check
async def plain_api_endpoints_do_not_block_the_loop(make: Any) -> None:
    app, meeting = meeting_app(make)
    app.callback(Output("plain", "children"), Input("in", "children"), api_endpoint="/wait")(meeting.wait)
    app.setup_apis()
    async with serving(app) as client:
        response = await meet(client, meeting, client.post("/wait", json={}))
        assert await response.get_json() == "met"


@check
async def api_endpoints_lie_below_the_prefix(make: Any) -> None:
    app = make(url_base_pathname="/sales/")
    app.layout = html.Div()

    @app.callback(Output("out", "children"), Input("in", "children"), api_endpoint="/double")
    async def double(number: int) -> int:
        return 2 * number

    app.setup_apis()
    async with serving(app) as client:
        response = await client.post("/sales/double", json={"number": 21})
        assert (response.status_code, await response.get_json()) == (200, 42)


@check
async def a_layout_may_be_async(make: Any) -> None:
    app = make()

    async def layout() -> Any:
        await asyncio.sleep(0)
        return html.Div("from the loop")

    app.layout = layout
    async with serving(app) as client:
        response = await client.get("/_dash-layout")
        assert (await response.get_json())["props"]["children"] == "from the loop"


@contextlib.contextmanager
def page(layout: Any, **details: Any) -> Any:
    """An app's only page."""
    known = dict(page_registry)
    page_registry.clear()
    try:
        yield lambda: register_page("tests.page", path="/", layout=layout, **details)
    finally:
        page_registry.clear()
        page_registry.update(known)


def pages_app(make: Any, **options: Any) -> Any:
    app = make(use_pages=True, **options)
    app.layout = html.Div([page_container, html.Div(id="in"), html.Div(id="async")])
    return app


ROUTER = "..._pages_content.children..._pages_store.data..".replace("...", "..", 1)


async def routed(client: Any) -> Any:
    response = await post(client, ROUTER, {"_pages_location.pathname": "/", "_pages_location.search": ""})
    assert response.status_code == 200, await response.get_data()
    return (await response.get_json(force=True))["response"]


@check
async def page_layouts_may_be_async(make: Any) -> None:
    async def layout() -> Any:
        await asyncio.sleep(0)
        return html.Div("a page")

    with page(layout) as register:
        app = pages_app(make)
        register()
        async with serving(app) as client:
            assert (await routed(client))["_pages_content"]["children"]["props"]["children"] == "a page"


@check
async def page_titles_and_descriptions_may_be_async(make: Any) -> None:
    async def title() -> str:
        return "Slow title"

    async def description() -> str:
        return "Slow description"

    with page(html.Div(), title=title, description=description) as register:
        app = pages_app(make)
        register()
        async with serving(app) as client:
            index = await (await client.get("/")).get_data(as_text=True)
            assert "Slow title" in index and "Slow description" in index
            assert (await routed(client))["_pages_store"]["data"] == {"title": "Slow title"}


@check
async def plain_page_layouts_do_not_block_the_loop(make: Any) -> None:
    meeting = Meeting()
    with page(html.Div()) as register:
        app = pages_app(make)
        register()
        app.callback(Output("async", "children"), Input("in", "children"))(meeting.arrive)
        async with serving(app) as client:
            await client.get("/")
            page_registry["tests.page"]["layout"] = meeting.wait
            content = (await meet(client, meeting, routed(client)))["_pages_content"]["children"]
            assert content == "met"


@check
async def pages_know_themselves_below_a_prefix(make: Any) -> None:
    with page(html.Div(), title="Below", description="Below a prefix") as register:
        app = pages_app(make, url_base_pathname="/sales/")
        register()
        async with serving(app) as client:
            assert "Below a prefix" in await (await client.get("/sales/")).get_data(as_text=True)


@check
async def on_error_may_be_async(make: Any) -> None:
    async def of_app(error: Exception) -> str:
        return f"app: {error}"

    async def of_callback(error: Exception) -> str:
        return f"callback: {error}"

    app = make(on_error=of_app)
    app.layout = html.Div()

    @app.callback(Output("a", "children"), Input("in", "children"))
    async def async_one(_: Any) -> None:
        raise ValueError("one")

    @app.callback(Output("b", "children"), Input("in", "children"), on_error=of_callback)
    def plain_one(_: Any) -> None:
        raise ValueError("two")

    async with serving(app) as client:
        assert await value_of(client, "a.children", {"in.children": 1}) == "app: one"
        assert await value_of(client, "b.children", {"in.children": 1}) == "callback: two"


@contextlib.contextmanager
def hooked() -> Any:
    """Dash's hooks, put back afterwards: they are the process's."""
    names = {name: list(known) for name, known in hooks._ns.items()}
    try:
        yield
    finally:
        for name, known in names.items():
            hooks._ns[name] = known


@check
async def hooks_may_be_async(make: Any) -> None:
    with hooked():

        @hooks.layout()
        async def more(layout: Any) -> Any:
            return html.Div([layout, html.Div("hooked layout")])

        @hooks.index()
        async def stamp(index: str) -> str:
            return index.replace("</body>", "<!-- hooked index --></body>")

        @hooks.error()
        async def note(error: Exception) -> str:
            return "hooked error"

        app = make()
        app.layout = html.Div()

        @app.callback(Output("out", "children"), Input("in", "children"))
        def fail(_: Any) -> None:
            raise ValueError

        async with serving(app) as client:
            assert "hooked layout" in await (await client.get("/_dash-layout")).get_data(as_text=True)
            assert "hooked index" in await (await client.get("/")).get_data(as_text=True)
            assert await value_of(client, "out.children", {"in.children": 1}) == "hooked error"


@check
async def custom_data_hooks_may_be_async(make: Any) -> None:
    with hooked():

        @hooks.custom_data("team")
        async def team(context: Any) -> str:
            return "blue"

        app = make()
        app.layout = html.Div()

        @app.callback(Output("out", "children"), Input("in", "children"))
        def show(_: Any) -> Any:
            return dash.ctx.custom_data.team

        async with serving(app) as client:
            assert await value_of(client, "out.children", {"in.children": 1}) == "blue"


@check
async def setup_hooks_may_be_async(make: Any) -> None:
    seen = []
    with hooked():

        @hooks.setup()
        async def prepare(app: Any) -> None:
            seen.append(app)

        app = make()
        app.layout = html.Div()
        async with serving(app) as client:
            await client.get("/_dash-layout")
            assert seen == [app]


@check
async def an_async_route_hook_answers(make: Any) -> None:
    with hooked():

        @hooks.route("hello")
        async def hello() -> str:
            return "hi"

        app = make()
        app.layout = html.Div()
        async with serving(app) as client:
            assert await (await client.get("/hello")).get_data() == b"hi"


@check
async def concurrent_first_requests_set_up_once(make: Any) -> None:
    app = make()
    calls = []

    def layout() -> Any:
        calls.append(1)
        time.sleep(0.1)  # Time for the other requests to arrive.
        return html.Div()

    app.config.suppress_callback_exceptions = True  # Plain Dash would call the function at once.
    app.layout = layout

    @dash.callback(Output("out", "children"), Input("in", "children"))
    async def show(value: Any) -> Any:
        return value

    client = app.server.test_client()  # No lifespan: the first request sets the app up.
    responses = await together(client, 4, "out.children", {"in.children": 1})
    assert [response.status_code for response in responses] == [200] * 4
    assert len(calls) == 1


@check
async def a_failing_first_layout_poisons_nothing(make: Any) -> None:
    app = make()
    app.layout = html.Div()
    up = []

    def layout() -> Any:
        if not up:
            raise ConnectionError("database is down")
        return html.Div("up")

    app.config.suppress_callback_exceptions = True  # Plain Dash would call the function at once.
    app.layout = layout

    @dash.callback(Output("out", "children"), Input("in", "children"))
    async def show(value: Any) -> Any:
        return value

    client = app.server.test_client()
    assert (await client.get("/_dash-dependencies")).status_code in (500, 503)
    up.append(1)
    assert await value_of(client, "out.children", {"in.children": "works"}) == "works"
    assert len(await (await client.get("/_dash-dependencies")).get_json()) == 1


@check
async def an_error_in_a_declaration_ends_the_start(make: Any) -> None:
    app = make()
    app.layout = html.Div([html.Div(id="twice"), html.Div(id="twice")])
    with pytest.raises(LifespanError, match="Duplicate component id"):
        async with serving(app):
            pass


@check
async def two_apps_fit_on_one_server(make: Any) -> None:
    server = Quart("shared")
    apps = [make(server=server, url_base_pathname=f"/{name}/") for name in ("one", "two")]
    for app in apps:
        app.layout = html.Div()

        def show(_: Any, app: Any = app) -> bool:
            return get_app() is app

        app.callback(Output("out", "children"), Input("in", "children"))(show)
    async with serving(apps[0]) as client:
        assert await value_of(client, "out.children", {"in.children": 1}, prefix="/one/") is True
        assert await value_of(client, "out.children", {"in.children": 1}, prefix="/two/") is True


@check
async def bodies_over_16_mib_are_taken(make: Any) -> None:
    app = make()
    app.layout = html.Div()

    @app.callback(Output("out", "children"), Input("in", "children"))
    async def length(text: str) -> int:
        return len(text)

    async with serving(app) as client:
        assert await value_of(client, "out.children", {"in.children": "x" * (17 << 20)}) == 17 << 20


@check
async def bundles_are_compressed_with_an_etag(make: Any) -> None:
    app = make(compress=True)
    app.layout = html.Div()
    async with serving(app) as client:
        index = await (await client.get("/")).get_data(as_text=True)
        path = next(part for part in index.split('"') if "dash_renderer" in part and part.endswith(".js"))
        response = await client.get(path, headers={"Accept-Encoding": "br, gzip"})
        assert response.headers["Content-Encoding"] == "br"
        assert response.headers["ETag"] and "immutable" in response.headers["Cache-Control"]
        again = await client.get(path, headers={"Accept-Encoding": "br", "If-None-Match": response.headers["ETag"]})
        assert again.status_code == 304


@check
async def abort_keeps_its_status_while_debugging(make: Any) -> None:
    app = make()
    app.layout = html.Div()
    app.enable_dev_tools(debug=True, dev_tools_hot_reload=False)

    @app.callback(Output("out", "children"), Input("in", "children"))
    async def forbid(_: Any) -> None:
        abort(403)

    async with serving(app) as client:
        assert (await post(client, "out.children", {"in.children": 1})).status_code == 403


@check
async def guards_may_set_context_variables(make: Any) -> None:
    tenant: contextvars.ContextVar[str] = contextvars.ContextVar("tenant", default="nobody")
    app = make()
    app.layout = html.Div()

    @app.server.before_request
    def guard() -> None:
        tenant.set("acme")

    @app.callback(Output("out", "children"), Input("in", "children"))
    async def show(_: Any) -> str:
        return tenant.get()

    async with serving(app) as client:
        assert await value_of(client, "out.children", {"in.children": 1}) == "acme"


@check
async def a_function_that_raises_stop_iteration_is_answered(make: Any) -> None:
    app = make()
    app.layout = html.Div()

    @app.server.before_request
    def guard() -> None:
        next(iter(()))

    async with serving(app) as client:
        logging.getLogger(app.server.name).disabled = True
        response = await asyncio.wait_for(client.get("/_dash-layout"), 1)
        assert response.status_code == 500


@check
async def malformed_requests_are_refused(make: Any) -> None:
    app = make()
    app.layout = html.Div()

    @app.callback(Output("out", "children"), Input("in", "children"))
    async def show(value: Any) -> Any:
        return value

    async with serving(app) as client:
        logging.getLogger(app.server.name).disabled = True
        for bad in ({}, {"output": 1}, {**body("out.children"), "inputs": 3}, {**body("no.such"), "inputs": []}):
            response = await client.post("/_dash-update-component", json=bad)
            assert 400 <= response.status_code < 500


@check
async def callbacks_without_outputs_have_ids_of_their_own(make: Any) -> None:
    app = make()
    app.layout = html.Div()
    heard: list[str] = []
    app.callback(Input("in", "children"))(lambda value: heard.append("first"))
    app.callback(Input("in", "children"))(lambda value: heard.append("second"))
    async with serving(app) as client:
        declared = await (await client.get("/_dash-dependencies")).get_json()
        for each in declared:
            response = await post(client, each["output"], {"in.children": 1})
            assert response.status_code == 204
        assert sorted(heard) == ["first", "second"]


@contextlib.contextmanager
def off_the_loop(*functions: tuple[Any, str]) -> Any:
    """Make functions that block note where they are called; one of them is, and not on the loop."""
    called, loop_thread = [], threading.get_ident()

    def noted(original: Any) -> Any:
        def note(*args: Any, **kwargs: Any) -> Any:
            called.append(threading.get_ident() != loop_thread)
            return original(*args, **kwargs)

        return note

    with pytest.MonkeyPatch.context() as patched:
        for owner, name in functions:
            patched.setattr(owner, name, noted(getattr(owner, name)))
        yield
    assert called and all(called)


@check
async def the_index_is_made_off_the_loop(make: Any) -> None:
    app = make()
    app.layout = html.Div()
    async with serving(app) as client:
        await client.get("/")
        with off_the_loop((app, "interpolate_index")):
            assert (await client.get("/")).status_code == 200


@check
async def bundles_are_read_off_the_loop(make: Any) -> None:
    app = make()
    app.layout = html.Div()
    async with serving(app) as client:
        index = await (await client.get("/")).get_data(as_text=True)
        path = next(part for part in index.split('"') if "dash_renderer" in part and part.endswith(".js"))
        with off_the_loop((pkgutil, "get_data")):
            assert (await client.get(path)).status_code == 200


@check
async def dynamic_responses_are_compressed_off_the_loop(make: Any) -> None:
    app = make(compress=True)
    app.layout = html.Div("x" * 10_000)
    async with serving(app) as client:
        with off_the_loop((gzip, "compress"), (gzip.GzipFile, "write")):
            response = await client.get("/_dash-layout", headers={"Accept-Encoding": "gzip"})
            assert response.headers["Content-Encoding"] == "gzip"


@check
async def background_managers_are_asked_off_the_loop(make: Any) -> None:
    manager = Manager(None)
    app = make(background_callback_manager=manager)
    app.layout = html.Div()

    @app.callback(Output("out", "children"), Input("in", "children"), background=True)
    def work(_: Any) -> str:
        return "done"

    async with serving(app) as client:
        with off_the_loop((manager, "call_job_fn")):
            assert (await post(client, "out.children", {"in.children": 1})).status_code == 200


def live_app(make: Any, **options: Any) -> Any:
    """An app with one callback over the WebSocket, which gives back what it is given."""
    app = make(**options)
    app.layout = html.Div()

    @app.callback(Output("out", "children"), Input("in", "children"), websocket=True)
    async def echo(value: Any) -> Any:
        return value

    return app


@contextlib.asynccontextmanager
async def worker_of(app: Any, **headers: str) -> Any:
    """Dash's own worker, connected to an app, with one page."""
    worker = DashWorker(InProcess(app, headers=headers))
    await worker.connect()
    try:
        yield worker, worker.page()
    finally:
        await worker.cut()


async def asked(worker: Any, page: str, value: Any = 1) -> Any:
    return await asyncio.wait_for(worker.call(page, "out.children", {"in.children": value}), 3)


@check
async def what_guards_pages_guards_the_websocket(make: Any) -> None:
    app = live_app(make)

    @app.server.before_request
    async def guard() -> None:
        abort(401)

    async with app.server.test_app():
        with pytest.raises(Refused):
            async with worker_of(app) as (worker, page):
                await asked(worker, page)


@check
async def websocket_callbacks_know_who_asks(make: Any) -> None:
    app = make()
    app.layout = html.Div()

    @app.callback(Output("out", "children"), Input("in", "children"), websocket=True)
    async def who(_: Any) -> Any:
        context = dash.callback_context
        return [context.cookies.get("a"), context.headers.get("X-Team"), context.origin, context.remote]

    async with app.server.test_app(), worker_of(app, Cookie="a=1", **{"X-Team": "blue"}) as (worker, page):
        assert await asked(worker, page) == ["1", "blue", "http://localhost", "127.0.0.1"]


@check
async def custom_data_hooks_can_read_the_websocket(make: Any) -> None:
    with hooked():

        @hooks.custom_data("team")
        def team(context: Any) -> Any:
            return context.headers["X-Team"] and websocket.headers["X-Team"]

        app = make()
        app.layout = html.Div()

        @app.callback(Output("out", "children"), Input("in", "children"), websocket=True)
        async def show(_: Any) -> Any:
            return dash.ctx.custom_data.team

        async with app.server.test_app(), worker_of(app, **{"X-Team": "blue"}) as (worker, page):
            assert await asked(worker, page) == "blue"


@check
async def websocket_errors_tell_no_secrets(make: Any) -> None:
    app = make()
    app.layout = html.Div()

    @app.callback(Output("out", "children"), Input("in", "children"), websocket=True)
    async def fail(_: Any) -> None:
        raise RuntimeError("postgres://admin:secret@db")

    async with app.server.test_app(), worker_of(app) as (worker, page):
        name = await worker.request(page, "out.children", {"in.children": 1})
        answer = await worker.until(lambda: worker.answer(name), seconds=3)
        assert answer["status"] == "error" and "secret" not in str(answer)


@check
async def a_malformed_frame_ends_no_callback(make: Any) -> None:
    app, go_on = make(), asyncio.Event()
    app.layout = html.Div()

    @app.callback(Output("out", "children"), Input("in", "children"), websocket=True)
    async def wait(value: Any) -> Any:
        await go_on.wait()
        return value

    async with app.server.test_app(), worker_of(app) as (worker, page):
        take = worker._take

        async def take_all_but_errors(message: Any) -> None:
            if message["type"] != "error":  # Dash's worker knows them, and logs them.
                await take(message)

        worker._take = take_all_but_errors
        name = await worker.request(page, "out.children", {"in.children": 5})
        await worker.send({"type": "callback_request", "requestId": 3, "rendererId": page})
        await worker.send_raw("no JSON")
        go_on.set()
        answer = await worker.until(lambda: worker.answer(name), seconds=3)
        assert answer["data"]["response"]["out"]["children"] == 5 and worker.connected


@check
async def plain_websocket_callbacks_have_more_than_four_threads(make: Any) -> None:
    app, together = make(), threading.Barrier(8)
    app.layout = html.Div()

    @app.callback(Output("out", "children"), Input("in", "children"), websocket=True)
    def meet(_: Any) -> str:
        together.wait(2)
        return "met"

    async with app.server.test_app(), worker_of(app) as (worker, page):
        assert await asyncio.gather(*(asked(worker, page) for _ in range(8))) == ["met"] * 8


@check
async def a_reader_that_has_stalled_costs_no_more_than_its_share(make: Any) -> None:
    app, sent = make(), []
    app.layout = html.Div()

    @app.callback(Output("out", "children"), Input("in", "children"), websocket=True)
    async def flood(_: Any) -> None:
        websocket = dash.callback_context.websocket
        for number in range(3000):
            patch = dash.Patch()
            patch.append("x" * 1000)
            await websocket.set_prop("out", "children", patch)
            sent.append(number)
            await asyncio.sleep(0)

    async with app.server.test_app(), worker_of(app) as (worker, page):
        worker.socket.stall()
        await worker.request(page, "out.children", {"in.children": 1})
        await worker.until(lambda: not worker.connected, seconds=10)
        assert worker.closes == [4408] and len(sent) < 2000


@check
async def two_apps_on_one_server_have_a_websocket_each(make: Any) -> None:
    server = Quart("shared")
    apps = [live_app(make, server=server, url_base_pathname=f"/{name}/") for name in ("one", "two")]
    async with server.test_app():
        for app in apps:
            async with worker_of(app) as (worker, page):
                assert await asked(worker, page, "here") == "here"


class Manager(BaseBackgroundCallbackManager):
    """A manager that takes jobs and runs none."""

    def make_job_fn(self, fn: Any, progress: Any, key: Any = None) -> Any:
        return fn

    def call_job_fn(self, key: Any, job_fn: Any, args: Any, context: Any) -> int:
        return 1

    def get_or_create_signing_secret(self, generate: Any) -> Any:
        return generate()


@pytest.fixture(autouse=True)
def no_leftovers() -> Any:
    """The callbacks that a failing app did not claim are the process's: they go."""
    yield
    for waiting in (dash._callback.GLOBAL_CALLBACK_MAP, dash._callback.GLOBAL_CALLBACK_LIST):
        waiting.clear()


@pytest.mark.parametrize("name", CHECKS)
def test_flash_holds(name: str) -> None:
    run(lambda: CHECKS[name](flash_app))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CHECKS)
def test_plain_dash_does_not(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checks can fail: on plain Dash they do."""
    if name in MENDED and DASH_4_5:
        pytest.skip("mended in Dash 4.5")
    if name == "callbacks_without_outputs_have_ids_of_their_own":
        # The one replacement that plain Dash apps of the process profit from.
        monkeypatch.setattr("dash._callback.create_callback_id", dash._utils.create_callback_id)
    with pytest.raises((Exception, asyncio.CancelledError, pytest.fail.Exception)) as failure:
        run(lambda: CHECKS[name](quart_dash))
    del failure
    gc.collect()  # The coroutines that plain Dash never awaited.
