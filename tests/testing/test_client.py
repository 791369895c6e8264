"""The in-process client: errors of the app, guards and cookies, pages, background callbacks, both faces."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
from quart import abort, redirect, request, session

from flash import (
    ALL,
    Flash,
    Input,
    Output,
    Patch,
    State,
    ctx,
    dcc,
    html,
    page_container,
    register_page,
    set_props,
)
from flash._dash import page_registry
from flash.testing import CallbackFailed, Client, Failure, PageFailed

from ..apps import flash_app, run
from .rows import echo, row, rows_app


@pytest.fixture
def app() -> Flash:
    return rows_app()


def wait_for_the_end_of_threads(but: set[threading.Thread]) -> None:
    ends = time.monotonic() + 5
    while left := set(threading.enumerate()) - but:
        assert time.monotonic() < ends, left
        left.pop().join(0.1)


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
    never = asyncio.Event()  # Held here: a task that waits for what nobody else holds can be collected.

    @app.callback(Output("out", "children"), Input("in", "value"))
    async def wait(value: Any) -> None:
        await never.wait()

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


def test_a_client_that_was_not_entered_says_so(app: Flash) -> None:
    with pytest.raises(RuntimeError, match="Write `with Client"):
        run(Client(app).open)
