"""The in-process client: pages, callbacks by their outputs, errors, cookies, both faces."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
from quart import abort, redirect, request, session

from flash import (
    ALL,
    ALLSMALLER,
    MATCH,
    Flash,
    Input,
    Output,
    Patch,
    State,
    ctx,
    dcc,
    exceptions,
    html,
    no_update,
    page_container,
    register_page,
    set_props,
)
from flash._dash import page_registry
from flash.exceptions import ConfigurationError
from flash.testing import CallbackFailed, Client, Failure, PageFailed

from ..apps import flash_app, run


def row(index: Any) -> dict[str, Any]:
    return {"type": "row", "index": index}


@pytest.fixture
def app() -> Flash:
    app = flash_app()
    app.layout = html.Div(
        [
            dcc.Input(id="in", value="typed"),
            dcc.Store(id="store", data=[1]),
            html.Div(id="out"),
            html.Div(id="other"),
            *[html.Div(id=row(index), title=f"title {index}") for index in range(3)],
        ]
    )
    return app


def echo(app: Flash, *args: Any, **options: Any) -> None:
    """Declare a callback that returns what it was called with, and what triggered it."""
    app.callback(Output("out", "children"), *args, **options)(lambda *values: [*values, list(ctx.triggered_prop_ids)])


def wait_for_the_end_of_threads(but: set[threading.Thread]) -> None:
    ends = time.monotonic() + 5
    while left := set(threading.enumerate()) - but:
        assert time.monotonic() < ends, left
        left.pop().join(0.1)


# Values of inputs and states.


def test_a_callback_is_called_by_its_output_with_inputs_and_state(app: Flash) -> None:
    echo(app, Input("in", "value"), State("store", "data"))
    with Client(app) as client:
        result = client.call("out.children", inputs={"in.value": 3}, state={"store.data": {"a": 1}})
        assert result["out.children"] == [3, {"a": 1}, ["in.value"]]
        assert result[Output("out", "children")] == result.outputs["out.children"]
        assert (result.status, result.prevented, result.error) == (200, False, None)


def test_without_a_page_what_is_not_given_is_none(app: Flash) -> None:
    echo(app, Input("in", "value"), State("store", "data"), State(row(ALL), "title"))
    with Client(app) as client:
        assert client.call("out.children")["out.children"] == [None, None, [], []]


def test_with_an_open_page_what_is_not_given_comes_from_its_layout(app: Flash) -> None:
    echo(app, Input("in", "value"), State("store", "data"), State(row(ALL), "title"))
    with Client(app) as client:
        client.open("/")
        result = client.call("out.children", {"in.value": "new"}, {Input(row(1), "title"): "given"})
        assert result["out.children"] == ["new", [1], ["title 0", "given", "title 2"], ["in.value"]]


def test_triggered_can_be_told_apart_from_the_inputs_that_are_given(app: Flash) -> None:
    echo(app, Input("in", "value"), Input("store", "data"))
    with Client(app) as client:
        values = {"in.value": 1, "store.data": 2}
        assert client.call("out.children", values)["out.children"][-1] == ["in.value", "store.data"]
        assert client.call("out.children", values, triggered="store.data")["out.children"][-1] == ["store.data"]
        assert client.call("out.children", values, triggered=[])["out.children"][-1] == []


# Outputs.


def test_several_outputs_and_those_that_are_not_updated(app: Flash) -> None:
    @app.callback(Output("out", "children"), Output("other", "children"), Input("in", "value"))
    def two(value: Any) -> Any:
        return value, no_update

    with Client(app) as client:
        for target in ("out.children", "other.children", ["out.children", "other.children"], two):
            result = client.call(target, {"in.value": 1})
            assert result.outputs == {"out.children": 1}
            assert "other.children" not in result
        with pytest.raises(KeyError, match="did not update 'other.children'. It updated out.children"):
            result["other.children"]


def test_prevented_updates(app: Flash) -> None:
    @app.callback(Output("out", "children"), Input("in", "value"))
    async def nothing(value: Any) -> Any:
        if value:
            raise exceptions.PreventUpdate
        return no_update

    with Client(app) as client:
        for value, status in ((True, 204), (False, 200)):
            result = client.call("out.children", {"in.value": value})
            assert (result.prevented, result.status) == (value, status)
            assert (result.outputs, result.error) == ({}, None)


def test_pattern_matching_ids(app: Flash) -> None:
    @app.callback(
        Output(row(MATCH), "children"),
        Input(row(MATCH), "title"),
        State(row(ALLSMALLER), "title"),
        State(row(ALL), "id"),
    )
    def of_row(title: str, smaller: list[str], ids: list[Any]) -> Any:
        return [title, smaller, [each["index"] for each in ids]]

    with Client(app) as client:
        result = client.call(Output(row(1), "children"), {Input(row(1), "title"): "one"})
        assert result[Output(row(1), "children")] == ["one", [], []]
        client.open("/")
        assert client.call('{"type": "row", "index": 2}.children').outputs == {
            '{"index":2,"type":"row"}.children': ["title 2", ["title 0", "title 1"], [0, 1, 2]]
        }
        by_input = client.call(Output(row(MATCH), "children"), {Input(row(0), "title"): "zero"})
        assert by_input[Output(row(0), "children")][0] == "zero"
        with pytest.raises(ConfigurationError, match="does not say for which index"):
            client.call(Output(row(MATCH), "children"))


def test_all_rows_as_outputs(app: Flash) -> None:
    @app.callback(Output(row(ALL), "children"), Input("in", "value"))
    def fill(value: Any) -> Any:
        return [f"{value} {output['id']['index']}" for output in ctx.outputs_list]

    with Client(app) as client:
        without_page = client.call([Output(row(5), "children"), Output(row(7), "children")], {"in.value": "x"})
        assert list(without_page.outputs.values()) == ["x 5", "x 7"]
        client.open("/")
        result = client.call(Output(row(ALL), "children"), {"in.value": "x"})
        assert list(result.outputs.values()) == ["x 0", "x 1", "x 2"]


def test_ids_with_dots(app: Flash) -> None:
    dotted = {"type": "a.b", "index": "c..d"}
    app.callback(Output(dotted, "children"), Output("out", "children"), Input("in", "value"))(lambda v: (v, v))
    with Client(app) as client:
        assert client.call(Output(dotted, "children"), {"in.value": 1})[Output(dotted, "children")] == 1


def test_one_output_of_several_callbacks_is_told_apart_by_inputs_or_by_function(app: Flash) -> None:
    @app.callback(Output("out", "children"), Input("in", "value"))
    def first(value: Any) -> str:
        return "first"

    @app.callback(Output("out", "children", allow_duplicate=True), Input("store", "data"), prevent_initial_call=True)
    def second(data: Any) -> str:
        return "second"

    with Client(app) as client:
        assert client.call("out.children", {"in.value": 1})["out.children"] == "first"
        assert client.call("out.children", {"store.data": 1}).outputs == {"out.children": "second"}
        assert client.call(second)["out.children"] == "second"
        with pytest.raises(ConfigurationError, match="2 callbacks could be meant: out.children <- in.value; "):
            client.call("out.children")


def test_callbacks_without_outputs_and_side_updates(app: Flash) -> None:
    @app.callback(Input("in", "value"))
    async def one(value: Any) -> None:
        set_props("out", {"children": value, "title": "side"})
        set_props(row(1), {"children": value})

    @app.callback(Input("store", "data"))
    def nothing(data: Any) -> None: ...

    with Client(app) as client:
        page = client.open("/")
        result = client.call(inputs={"in.value": 1})
        assert result.side_updates == {"out.children": 1, "out.title": "side", '{"index":1,"type":"row"}.children': 1}
        assert result.outputs == {}
        assert (page["out"]["children"], page[row(1)]["children"]) == (1, 1)
        assert client.call(nothing).side_updates == {}


# Wrong calls.


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda call: call("out.childen"), r"No callback writes 'out.childen'. Did you mean 'out.children'\?"),
        (lambda call: call("elsewhere.data"), "No callback writes 'elsewhere.data'. There are: other.title, out.child"),
        (lambda call: call("out"), "'out' names no property. Write the id, a dot and the property"),
        (lambda call: call("{nonsense.children"), "is not JSON"),
        (lambda call: call([3]), "3 names no property"),
        (lambda call: call("out.children", {"in.valeu": 1}), r"has no input 'in.valeu'. Did you mean 'in.value'\?"),
        (
            lambda call: call("out.children", {"store.data": 1}),
            "'store.data' is given in the wrong place. .* in state=",
        ),
        (lambda call: call("out.children", state={"in.value": 1}), "in the wrong place. Give it in inputs="),
        (lambda call: call("out.children", triggered="store.data"), "has no triggered input 'store.data'"),
        (lambda call: call("out.children", {Input(row(ALL), "title"): 1}), "is a pattern. Give a value for each"),
        (lambda call: call(["out.children", "other.title"]), "No callback writes all of out.children, other.title"),
        (lambda call: call(), "No callback of this app is without outputs"),
        (lambda call: call(print), "declared with this function"),
        (lambda call: call("other.title"), "is a clientside callback: it runs in a browser only"),
    ],
)
def test_a_wrong_call_says_what_to_write(app: Flash, call: Any, sentence: str) -> None:
    echo(app, Input("in", "value"), Input(row(ALL), "title"), State("store", "data"))
    app.clientside_callback("function(x) {return x}", Output("other", "title"), Input("in", "value"))
    with Client(app) as client, pytest.raises(ConfigurationError, match=sentence):
        call(client.call)


def test_a_client_that_was_not_entered_says_so(app: Flash) -> None:
    with pytest.raises(RuntimeError, match="Write `with Client"):
        run(Client(app).open)


# Errors of the app.


@pytest.mark.parametrize("switch", ["plain", "debug", "testing"])
@pytest.mark.parametrize("is_async", [True, False])
def test_a_callback_that_fails_shows_the_exception_that_was_raised(app: Flash, switch: str, is_async: bool) -> None:
    async def fail_async(value: Any) -> None:
        raise LookupError("no such fruit")

    def fail(value: Any) -> None:
        raise LookupError("no such fruit")

    app.callback(Output("out", "children"), Input("in", "value"))(fail_async if is_async else fail)
    if switch == "debug":
        app.enable_dev_tools(debug=True, dev_tools_hot_reload=False)
    app.server.testing = switch == "testing"
    with Client(app) as client:
        with pytest.raises(CallbackFailed, match="out.children failed: status 500, LookupError: no such") as failed:
            client.call("out.children")
        assert isinstance(failed.value.__cause__, LookupError)
        error = client.call("out.children", check=False).error
    assert isinstance(error, Failure)
    assert error.traceback.count("  File ") == 1, "the server's own frames are left out"
    assert 'raise LookupError("no such fruit")' in error.traceback
    assert failed.value.result.status == 500
    if switch == "plain":
        assert error.error_id is not None and error.error_id in error.traceback
        assert "fruit" not in error.message, "the browser is told an id"


def test_errors_of_calls_that_run_at_once_are_not_mixed_up(app: Flash) -> None:
    barrier = threading.Barrier(4, timeout=10)

    @app.callback(Output("out", "children"), Input("in", "value"))
    def fail(value: Any) -> None:
        barrier.wait()
        raise LookupError(value)

    async def main() -> None:
        async with Client(app) as client:
            calls = [client.call("out.children", {"in.value": number}, check=False) for number in range(4)]
            errors = [result.error for result in await asyncio.gather(*calls)]
        assert [str(error.exception) for error in errors if error] == ["0", "1", "2", "3"]

    run(main)


def test_an_error_that_on_error_takes_is_none(app: Flash) -> None:
    @app.callback(Output("out", "children"), Input("in", "value"), on_error=lambda error: f"caught {error}")
    def fail(value: Any) -> None:
        raise LookupError("x")

    with Client(app) as client:
        assert client.call("out.children")["out.children"] == "caught x"


def test_a_callback_that_takes_too_long(app: Flash) -> None:
    @app.callback(Output("out", "children"), Input("in", "value"))
    async def wait(value: Any) -> None:
        await asyncio.Event().wait()

    with (
        Client(app, timeout=0.5) as client,
        pytest.raises(TimeoutError, match="out.children took longer than .* 0.5 s"),
    ):
        client.call("out.children")


def test_what_keeps_an_app_from_starting_is_raised() -> None:
    app = flash_app(use_pages=True)
    app.layout = html.Div("a layout that has no place for pages")
    threads = set(threading.enumerate())
    with pytest.raises(Exception, match="page_container` not found in the layout"), Client(app):
        pass
    wait_for_the_end_of_threads(threads)


# Guards, cookies, headers.


@pytest.fixture
def guarded(app: Flash) -> Flash:
    app.server.secret_key = "for tests"

    @app.server.before_request
    async def guard() -> Any:
        if request.path == "/login":
            return None
        if request.headers.get("X-Token") == "secret" or "user" in session:
            return None
        return redirect("/login") if request.path == "/" else abort(401)

    @app.server.post("/login")
    async def login() -> str:
        session["user"] = (await request.form)["name"]
        return "welcome"

    @app.callback(Output("out", "children"), Input("in", "value"))
    async def who(value: Any) -> str:
        ctx.response.set_cookie("last", str(value))
        ctx.response.set_header("X-Answer", "yes")
        return str(session.get("user", "nobody"))

    return app


def test_guards_sessions_and_cookies_are_those_of_a_browser(guarded: Flash) -> None:
    with Client(guarded) as client:
        page = client.open("/")
        assert (page.status, page.headers["Location"], page.layout, page.error) == (302, "/login", None, None)
        refused = client.call("out.children", check=False)
        assert refused.status == 401 and refused.error is not None and refused.error.status == 401
        with pytest.raises(CallbackFailed, match="status 401"):
            client.call("out.children")
        with pytest.raises(PageFailed, match="The page '/deep' failed: status 401"):
            client.open("/deep")
        assert client.request("login", "POST", form={"name": "ann"}).text == "welcome"
        result = client.call("out.children", {"in.value": 1})
        assert result["out.children"] == "ann"
        assert (result.cookies["last"], result.headers["X-Answer"]) == ("1", "yes")
        assert set(client.cookies) == {"session", "last"}
        assert client.open("/").layout is not None


def test_headers_for_one_call_and_for_all(guarded: Flash) -> None:
    with Client(guarded) as client:
        assert client.call("out.children", headers={"X-Token": "secret"})["out.children"] == "nobody"
        assert client.call("out.children", check=False).status == 401
        client.headers["X-Token"] = "secret"
        assert client.call("out.children").status == 200
    with Client(guarded, headers={"X-Token": "secret"}) as client:
        assert client.open("/").status == 200


def test_the_token_against_forged_requests_is_sent_as_the_renderer_sends_it(app: Flash) -> None:
    app.callback(Output("out", "children"), Input("in", "value"))(lambda _: ctx.headers.get("X-Csrftoken"))
    with Client(app) as client:
        client.set_cookie("_csrf_token", "abc")
        assert client.call("out.children")["out.children"] == "abc"


# Pages.


def test_opening_a_page_gives_its_components() -> None:
    app = flash_app(url_base_pathname="/app/", title="My app")

    async def layout() -> Any:
        return html.Div([dcc.Location(id="url"), html.Div("text", id="out"), html.Div(id=row(1), title="one")])

    app.layout = layout
    echo(app, Input("url", "pathname"), State("url", "search"))
    with Client(app) as client:
        page = client.open("/deep?a=1#end")
        assert client.page is page
        assert (page.status, page.title, page.path) == (200, "My app", "/deep?a=1#end")
        assert (page["out"]["children"], page[row(1)]["title"]) == ("text", "one")
        assert page.ids() == ["url", "out", row(1)]
        assert page["url"] == {
            "id": "url", "pathname": "/app/deep", "search": "?a=1", "hash": "#end",
            "href": "http://localhost/app/deep?a=1#end",
        }  # fmt: skip
        assert client.call("out.children")["out.children"] == ["/app/deep", "?a=1", []]
        assert "nowhere" not in page
        with pytest.raises(KeyError, match=r"has the id 'uot'. Did you mean 'out'\?"):
            page["uot"]


def test_a_layout_that_fails_is_raised(app: Flash) -> None:
    fails: list[Exception] = []

    async def layout() -> Any:
        if fails:
            raise fails[0]
        return html.Div(id="out")

    app.layout = layout
    with Client(app) as client:
        assert client.open("/").error is None
        fails.append(LookupError("no database"))
        with pytest.raises(PageFailed, match="LookupError: no database") as failed:
            client.open("/")
        assert failed.value.__cause__ is fails[0]
        page = client.open("/", check=False)
        assert page.error is not None and page.error.exception is fails[0]
        assert page.layout is None


@pytest.fixture
def pages_app() -> Any:
    app = flash_app(use_pages=True)
    app.layout = html.Div([html.Div(id="out"), page_container])
    page_registry.clear()
    yield app
    page_registry.clear()


def test_pages_are_opened_by_their_path(pages_app: Flash) -> None:
    async def report(name: str = "", year: str = "") -> Any:
        if name == "broken":
            raise LookupError("no report")
        return html.Div(f"{name} of {year}", id="report")

    async def title(name: str = "") -> str:
        return f"Report {name}"

    register_page("home", path="/", layout=html.Div("Home", id="home"), title="Home")
    register_page("report", path_template="/reports/<name>", layout=report, title=title)
    echo(pages_app, Input("report", "children"))
    with Client(pages_app) as client:
        home = client.open("/")
        assert (home["home"]["children"], home.title) == ("Home", "Home")
        page = client.open("/reports/sales?year=2007")
        assert (page["report"]["children"], page.title) == ("sales of 2007", "Report sales")
        assert client.call("out.children")["out.children"] == ["sales of 2007", []]
        with pytest.raises(PageFailed, match="no report"):
            client.open("/reports/broken")


def test_a_page_changes_as_a_browsers_does(app: Flash) -> None:
    @app.callback(Output("out", "children"), Input("in", "value"), State("out", "children"))
    async def grow(value: Any, children: Any) -> Any:
        if children is None:
            return [html.Div(id=row("new"), title="new")]
        patch = Patch()
        patch.append(f"{value} after {len(children)}")
        return patch

    app.callback(Output("other", "children"), Input(row(ALL), "title"))(lambda titles: titles)
    with Client(app) as client:
        page = client.open("/")
        client.call("out.children", {"in.value": "first"})
        assert page["in"]["value"] == "first"
        assert client.call("out.children")["out.children"]["operations"], "a result holds what the server has sent"
        assert page["out"]["children"][1] == "first after 1"
        assert client.call("other.children")["other.children"] == ["new", "title 0", "title 1", "title 2"]
        assert client.open("/")["out"]["children"] is None, "a page is opened anew"


# Background callbacks, other requests.


def test_a_background_callback_is_followed_to_its_end(app: Flash, tmp_path: Any) -> None:
    import diskcache

    from flash import DiskcacheManager

    def work(set_progress: Any, value: Any) -> Any:
        set_progress("half")
        set_props("other", {"children": "working"})
        if value == "bad":
            raise LookupError("no such fruit")
        return f"did {value}"

    with diskcache.Cache(tmp_path) as cache:
        app.callback(
            Output("out", "children"),
            Input("in", "value"),
            background=True,
            manager=DiskcacheManager(cache),
            progress=Output("out", "title"),
        )(work)
        with Client(app) as client:
            page = client.open("/")
            result = client.call("out.children", {"in.value": "it"})
            assert result["out.children"] == "did it"
            assert result.side_updates == {"other.children": "working"}
            assert page["out"]["children"] == "did it"
            with pytest.raises(CallbackFailed, match="no such fruit"):
                client.call("out.children", {"in.value": "bad"})


def test_other_requests(app: Flash) -> None:
    @app.server.get("/health")
    async def health() -> Any:
        return {"ok": True}

    with Client(app) as client:
        answer = client.request("/health", headers={"Accept": "application/json"})
        assert (answer.status, answer.json()) == (200, {"ok": True})
        assert client.request("/_dash-nothing", "POST").status == 405


# The two faces, the start and the end.


def test_the_app_is_started_and_stopped(app: Flash) -> None:
    happened: list[str] = []

    @app.server.before_serving
    async def start() -> None:
        happened.append("start")

    @app.server.after_serving
    async def stop() -> None:
        happened.append("stop")

    async def main() -> None:
        async with Client(app) as client:
            await client.open("/")
            assert happened == ["start"]

    run(main)
    assert happened == ["start", "stop"]
    with Client(app) as client:
        client.open("/")
    assert happened == ["start", "stop"] * 2
    with pytest.raises(ZeroDivisionError), Client(app):
        raise ZeroDivisionError
    assert happened == ["start", "stop"] * 3


def test_two_visitors_of_one_app(app: Flash) -> None:
    echo(app, Input("in", "value"))
    with Client(app) as ann, Client(app) as bob:
        ann.set_cookie("user", "ann")
        assert bob.cookies == {}
        assert ann.call("out.children", {"in.value": 1})["out.children"][0] == 1
        assert bob.call("out.children", {"in.value": 2})["out.children"][0] == 2


def test_the_plain_face_works_where_a_loop_runs_and_leaves_no_thread(app: Flash) -> None:
    echo(app, Input("in", "value"))
    threads = set(threading.enumerate())

    async def main() -> None:
        with Client(app) as client:
            client.call("out.children")

    run(main)
    wait_for_the_end_of_threads(threads)
