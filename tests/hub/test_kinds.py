"""Every kind of app as an ASGI app below a prefix: objects, servers that carry several apps, folders."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import dash
import flask
import httpx
import pytest
from a2wsgi import WSGIMiddleware
from fastapi import FastAPI, Request
from quart import Quart
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from flash import Flash, html
from flash.exceptions import ConfigurationError
from flash.hub.inside import instance_folder, living_in, visitor
from flash.hub.kinds import Application, application_of, is_application, static_folder
from flash.hub.prefixes import apps_of, mounted_at
from flash.server.lifespan import Lifespan

from ..apps import SEPARATE, body, run
from ..live.asgi import eventually

APPS = Path(__file__).parent / "apps"


@asynccontextmanager
async def serving(app: Application) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an app that has started; it sends paths without the prefix."""
    lifespan = Lifespan(app.asgi)
    await lifespan.start(10)
    try:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app.asgi), base_url="http://site.test") as client:
            yield client
    finally:
        await lifespan.stop(10)


def answers(app: Application, *paths: str, **options: Any) -> list[httpx.Response]:
    """What an app answers to several paths."""

    async def main() -> list[httpx.Response]:
        async with serving(app) as client:
            return [await client.get(path, **options) for path in paths]

    result: list[httpx.Response] = run(main)
    return result


def dash_app(backend: str, **options: Any) -> Any:
    """A Dash or Flash app with one callback."""
    if backend == "flash":
        app: Any = Flash(f"made for {backend}", **{**SEPARATE, **options})
    else:
        app = dash.Dash(f"made for {backend}", backend=backend, **{**SEPARATE, **options})
    app.layout = html.Div(id="out")

    @app.callback(dash.Output("out", "children"), dash.Input("in", "value"))
    def show(value: str) -> str:
        return f"{dash.get_app() is app} {value}"

    return app


BACKENDS = ("flash", "flask", "quart", "fastapi")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("own", ["/", "/sales/", "/else/"])
def test_an_app_that_was_made_before_it_came_to_the_hub(backend: str, own: str) -> None:
    app = application_of(dash_app(backend, url_base_pathname=own), "/sales")
    assert app.kind == ("flash" if backend == "flash" else f"dash-{backend}")
    place = "/" if own == "/sales/" else own

    async def main() -> None:
        async with serving(app) as client:
            for path in ("", "_dash-layout", "_dash-dependencies", "deep/link"):
                assert (await client.get(place + path)).status_code == 200, path
            answer = await client.post(f"{place}_dash-update-component", json=body("out.children", {"in.value": "x"}))
            assert answer.json()["response"]["out"]["children"] == "True x"

    run(main)
    expected = "/sales/" if own == "/sales/" else f"/sales{own}"
    assert app.dash.config.requests_pathname_prefix == expected


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "own",
    [
        {},
        {"url_base_pathname": "/own/"},
        {"routes_pathname_prefix": "/own/"},
        {"requests_pathname_prefix": "/own/"},
        {"routes_pathname_prefix": "/a/", "requests_pathname_prefix": "/b/a/"},
    ],
)
def test_an_apps_own_prefix_gives_way(
    backend: str, own: dict[str, str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DASH_URL_BASE_PATHNAME", "/environment/")
    with mounted_at("/team/sales"):
        app = dash_app(backend, **own)
    assert (app.config.routes_pathname_prefix, app.config.requests_pathname_prefix) == ("/", "/team/sales/")
    assert {each.status_code for each in answers(application_of(app, "/team/sales"), "/", "/_dash-layout")} == {200}
    lines = [record for record in caplog.records if record.name == "flash.hub"]
    assert len(lines) == (1 if own else 0)


def test_without_a_hub_prefixes_are_the_apps_own() -> None:
    assert dash_app("flask", url_base_pathname="/own/").config.requests_pathname_prefix == "/own/"
    with mounted_at("/sales"):
        pass
    assert dash_app("flask").config.requests_pathname_prefix == "/"


def test_a_prefix_passed_by_position_gives_way() -> None:
    with mounted_at("/sales"):
        app = dash.Dash("position", True, None, "no", "", False, "assets", "", None, None, False, True, True, "/own/")
    assert app.config.requests_pathname_prefix == "/sales/"


@pytest.mark.parametrize("given", ["server", "init_app"])
def test_apps_on_a_server_of_the_users_keep_their_places(given: str) -> None:
    server = flask.Flask("of the user")
    with mounted_at("/sales"):
        for name in ("one", "two"):
            options: dict[str, Any] = {"server": server if given == "server" else False, **SEPARATE}
            app = dash.Dash(name, routes_pathname_prefix=f"/{name}/", **options)
            app.layout = html.Div(name)
            if given == "init_app":
                app.init_app(server)
            assert app.config.requests_pathname_prefix == f"/sales/{name}/"
    assert [each.config.name for each in apps_of(server)] == ["one", "two"]
    one, two, none = answers(application_of(server, "/sales"), "/one/_dash-layout", "/two/_dash-layout", "/")
    assert (one.json()["props"], two.json()["props"], none.status_code) == (
        {"children": "one"},
        {"children": "two"},
        404,
    )


@pytest.mark.parametrize("larger", ["werkzeug", "fastapi"])
def test_apps_that_a_larger_one_mounts_keep_their_places(larger: str) -> None:
    with mounted_at("/site"):
        inner = dash_app("flask", requests_pathname_prefix="/dash/")
        if larger == "werkzeug":
            outer: Any = DispatcherMiddleware(flask.Flask("outer"), {"/dash": inner.server})
        else:
            outer = FastAPI()
            outer.mount("/dash", WSGIMiddleware(inner.server))
    page = answers(application_of(outer, "/site"), "/dash/")[0]
    assert page.status_code == 200
    assert inner.config.requests_pathname_prefix == "/site/dash/"


def test_a_factory_of_a_site(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("sample_factory", APPS / "factory.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with mounted_at("/site"), living_in(tmp_path / "its own"):
        server = module.create_app()
        home, sales = answers(application_of(server, "/site"), "/", "/sales/")
    assert home.text == f"prod home at /site/, keeps in {tmp_path / 'its own'}"
    assert (tmp_path / "its own").is_dir()
    assert sales.status_code == 200


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_server_of_an_app_is_the_app(backend: str) -> None:
    app = dash_app(backend)
    assert application_of(app.server, "/sales").dash is app


def test_plain_asgi_without_a_lifespan() -> None:
    async def plain(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": (scope["root_path"] + " " + scope["path"]).encode()})

    class Wrapped:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "lifespan":
                await plain(scope, receive, send)

    for target in (plain, Wrapped()):
        app = application_of(target, "/x")
        assert app.kind == "asgi"
        assert answers(app, "/a")[0].text == "/x /a"


def test_an_asgi_lifespan_that_fails_is_not_hidden() -> None:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        raise OSError("no database")
        yield

    inner = FastAPI(lifespan=lifespan)

    async def outer(scope: Any, receive: Any, send: Any) -> None:
        await inner(scope, receive, send)

    for target in (inner, outer):
        with pytest.raises(Exception, match="no database"):
            answers(application_of(target, "/x"), "/")


def test_the_state_of_a_lifespan_reaches_requests() -> None:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        yield {"pool": "a pool"}

    app = FastAPI(lifespan=lifespan)

    @app.get("/")
    async def index(request: Request) -> str:
        return str(request.state.pool)

    made = application_of(app, "/x")

    async def main() -> str:
        started = Lifespan(made.asgi)
        await started.start(5)

        async def with_state(scope: Any, receive: Any, send: Any) -> None:
            await made.asgi({**scope, "state": dict(started.state)}, receive, send)

        async with httpx.AsyncClient(transport=httpx.ASGITransport(with_state), base_url="http://x") as client:
            text = (await client.get("/")).text
        await started.stop(5)
        return text

    assert run(main) == '"a pool"'


def test_plain_wsgi() -> None:
    def plain(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [f"{environ['SCRIPT_NAME']} {environ['PATH_INFO']}".encode()]

    class Wrapped:
        def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            return plain(environ, start_response)

    for target in (plain, Wrapped()):
        app = application_of(target, "/x")
        assert app.kind == "wsgi"
        assert answers(app, "/x/a")[0].text == "/x /x/a"


def test_a_wsgi_stream_ends_when_nobody_reads_it() -> None:
    ended: list[str] = []

    def endless(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("content-type", "text/event-stream")])

        def events() -> Iterable[bytes]:
            try:
                while True:
                    yield b"data: x\n\n"
            finally:
                ended.append("ended")

        return events()

    async def main() -> None:
        app = application_of(endless, "/x").asgi
        for way in ("disconnected", "cancelled"):
            leaving, got = asyncio.Event(), asyncio.Event()

            async def receive(leaving: asyncio.Event = leaving, got: asyncio.Event = got) -> Any:
                if not got.is_set():
                    return {"type": "http.request", "body": b"", "more_body": False}
                await leaving.wait()
                return {"type": "http.disconnect"}

            async def send(message: Any, got: asyncio.Event = got) -> None:
                got.set()
                await asyncio.sleep(0)

            scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [], "root_path": ""}
            request = asyncio.create_task(app({**scope, "http_version": "1.1"}, receive, send))
            await got.wait()
            if way == "cancelled":
                request.cancel()
            leaving.set()
            await asyncio.wait({request}, timeout=10)
            assert request.done()
            await eventually(lambda: ended)
            ended.clear()

    run(main)


def test_a_failing_setup_is_logged_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    app = dash.Dash("without a layout", backend="quart", **SEPARATE)
    assert len(answers(application_of(app, "/x"), "/")) == 1
    assert "The app answers /_dash-dependencies with 500: it cannot be set up." in caplog.text


@pytest.mark.parametrize("target", [3, "nowhere", object(), Flash, lambda: None, len, dash.html.Div()])
def test_what_is_no_app_is_refused(target: Any) -> None:
    with pytest.raises(ConfigurationError):
        application_of(target, "/x")
    assert not is_application(target)


def test_apps_are_told_from_factories() -> None:
    for app in (flask.Flask("a"), Quart("b"), FastAPI(), dash_app("flask"), dash_app("flash")):
        assert is_application(app)
    for other in (lambda: flask.Flask("a"), lambda mode="prod": None, flask.request, flask.Flask):
        assert not is_application(other)


def test_the_visitor_is_known_in_threads_and_nowhere_else() -> None:
    server = flask.Flask("who")
    server.add_url_rule("/", view_func=lambda: {"name": visitor().name, "roles": sorted(visitor().roles)})
    app = application_of(server, "/x").asgi

    async def asked(scope: Any, receive: Any, send: Any) -> None:
        said = {"user": "ann", "roles": ["ops"], "app": "who", "prefix": "/x"}
        await app({**scope, "extensions": {"flash.hub": said}}, receive, send)

    async def main() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(asked), base_url="http://x") as client:
            assert (await client.get("/")).json() == {"name": "ann", "roles": ["ops"]}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
            assert (await client.get("/")).json() == {"name": None, "roles": []}
        assert not visitor().known

    run(main)


def test_an_instance_folder_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLASH_INSTANCE_PATH", raising=False)
    assert instance_folder() == tmp_path / "instance"
    monkeypatch.setenv("FLASH_INSTANCE_PATH", str(tmp_path / "chosen"))
    assert instance_folder() == tmp_path / "chosen" and instance_folder().is_dir()


def test_the_bridge_to_wsgi_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "a2wsgi", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'dash-flash\[hub\]'"):
        application_of(flask.Flask("x"), "/x")


# Static pages --------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    site = tmp_path / "site"
    (site / "part").mkdir(parents=True)
    (site / "empty").mkdir()
    (site / "index.html").write_text("home")
    (site / "part" / "index.html").write_text("part")
    (site / "data.txt").write_text("0123456789")
    (site / ".secret").write_text("secret")
    (tmp_path / "outside.txt").write_text("outside")
    (site / "link.txt").symlink_to(tmp_path / "outside.txt")
    (site / "inner.txt").symlink_to(site / "data.txt")
    return site


def test_static_pages(folder: Path) -> None:
    home, part, text, inner = answers(static(folder), "/", "/part/", "/data.txt", "/inner.txt")
    assert (home.text, part.text, text.text, inner.text) == ("home", "part", "0123456789", "0123456789")
    assert home.headers["content-type"].startswith("text/html")
    piece = answers(static(folder), "/data.txt", headers={"range": "bytes=2-4"})[0]
    assert (piece.status_code, piece.text) == (206, "234")
    again = answers(static(folder), "/data.txt", headers={"if-none-match": text.headers["etag"]})[0]
    assert again.status_code == 304


def test_a_folder_without_its_slash(folder: Path) -> None:
    moved = answers(static(folder), "/part?x=1")[0]
    assert (moved.status_code, moved.headers["location"]) == (308, "part/?x=1")


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/.secret",
        "/empty/",
        "/link.txt",
        "/..%2foutside.txt",
        "/part/..%2f..%2foutside.txt",
        "/%2e%2e/outside.txt",
    ]
    + ["/part/%2e%2e/%2e%2e/outside.txt", "/data.txt/", "/data.txt%00"],
)
def test_what_may_not_be_seen_is_not_found(folder: Path, path: str) -> None:
    assert answers(static(folder), path)[0].status_code == 404


def test_pages_that_route_by_themselves(folder: Path) -> None:
    deep, file, secret = answers(static(folder, spa=True), "/deep/link", "/missing.js", "/.secret")
    assert (deep.text, file.status_code, secret.status_code) == ("home", 404, 404)


def test_a_folder_that_is_not_there() -> None:
    with pytest.raises(ConfigurationError, match="There is no folder 'nowhere'"):
        static_folder("nowhere")


def static(folder: Path, spa: bool = False) -> Application:
    return application_of(static_folder(folder, spa), "/pages")


@pytest.fixture(autouse=True)
def seen_by_caplog(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("flash.hub"), "propagate", True)
