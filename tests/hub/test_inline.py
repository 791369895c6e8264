"""Several apps in one process: what Dash keeps once per process is each app's own."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from ..apps import body, run
from ..live.tab import tab_of
from .hosted import KINDS, Hosted, both, hosted, source, write

every_kind = pytest.mark.parametrize("kind", KINDS)

CALLBACK = """
import data

@callback(Output("out", "children"), Input("in", "value"))
def tell(value):
    import lazy
    return [data.NAME, lazy.NAME, get_app() is app, get_relative_path("/x"), get_asset_url("x.css")]

clientside_callback("() => 'script of " + data.NAME + "'", Output("other", "title"), Input("in", "value"))
"""


def twins(folder: Path, kind: str, rest: str, options: str = "", **files: str) -> tuple[str, str]:
    """Two apps of equal source, in folders ``a`` and ``b``, whose ``data`` and ``lazy`` modules have a ``NAME``."""
    files = {"app": source(kind, rest, options), **files}
    return tuple(  # type: ignore[return-value]
        write(folder / name, **files, data=f"NAME = {name!r}", lazy=f"NAME = {name!r}") for name in "ab"
    )


@every_kind
def test_callbacks_that_are_declared_without_an_app_are_those_of_the_app_that_is_loaded(
    tmp_path: Path, kind: str
) -> None:
    async def main() -> None:
        async with both(*twins(tmp_path, kind, CALLBACK)) as (a, b):
            # The second answers first: Dash gives all callbacks to the app that is asked first.
            assert await b.value() == ["b", "b", True, "/b/x", "/b/assets/x.css"]
            assert await a.value() == ["a", "a", True, "/a/x", "/a/assets/x.css"]
            assert await a.outputs() == await b.outputs() == ["out.children", "other.title"]
            assert ["script of a" in await each.text() for each in (a, b)] == [True, False]
            assert ["script of b" in await each.text() for each in (a, b)] == [False, True]

    run(main)


@every_kind
def test_one_file_can_be_two_apps(tmp_path: Path, kind: str) -> None:
    target = twins(tmp_path, kind, CALLBACK)[0]

    async def main() -> None:
        async with both(target, target) as (a, b):
            assert await a.value() == ["a", "a", True, "/a/x", "/a/assets/x.css"]
            assert await b.value() == ["a", "a", True, "/b/x", "/b/assets/x.css"]
            assert await a.outputs() == await b.outputs() == ["out.children", "other.title"]

    run(main)


ALIKE = """
from dash import callback

def declare(tell):
    callback()(tell)
"""
WITHOUT_IDS = """
import {helper}
import data

told = []
{helper}.declare(lambda: told.append(data.NAME))

@callback(Output("out", "children"), Input("in", "value"))
def tell(value):
    return told
"""


@every_kind
def test_callbacks_that_are_known_by_the_line_that_declares_them_are_told_apart(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = f"declares_{tmp_path.name.replace('-', '_')}"
    write(tmp_path / "installed", **{helper: ALIKE})
    monkeypatch.syspath_prepend(str(tmp_path / "installed"))

    async def main() -> None:
        async with both(*twins(tmp_path, kind, WITHOUT_IDS.format(helper=helper))) as (a, b):
            ids = [[each for each in await app.outputs() if each != "out.children"] for app in (b, a)]
            assert ids[0] == ids[1] and len(ids[0]) == 1
            for app, name in ((b, "b"), (a, "a")):
                response = await app.post(ids[0][0], {})
                assert response.status_code in (200, 204), response.text
                assert await app.value() == [name]

    run(main)


PAGE = """
import dash
from dash import html
import data
dash.register_page(__name__, path="/", title="home of " + data.NAME)
layout = html.Div("this is home of " + data.NAME)
"""
PAGES = """
@callback(Output("out", "children"), Input("in", "value"))
def tell(value):
    return [[module, page["relative_path"], page["title"]] for module, page in dash.page_registry.items()]
"""


@every_kind
def test_pages_of_the_same_name_and_path_are_told_apart(tmp_path: Path, kind: str) -> None:
    options = "use_pages=True, suppress_callback_exceptions=True"
    layout = {"app": source(kind, PAGES, options, "app.layout = html.Div([page_container, html.Div(id='in')])")}

    async def content(app: Hosted) -> str:
        inputs = {"_pages_location.pathname": f"{app.prefix}/", "_pages_location.search": ""}
        known = (await app.client.get("/_dash-dependencies")).json()
        output = next(each["output"] for each in known if "_pages_content.children" in each["output"])
        response = await app.client.post("/_dash-update-component", json=body(output, inputs))
        assert response.status_code == 200, response.text
        return response.text

    async def main() -> None:
        targets = twins(tmp_path, kind, "", **layout, pages__home=PAGE, pages__more=PAGE.replace('"/"', '"/more"'))
        async with both(*targets) as (a, b):
            for app, name in ((b, "b"), (a, "a")):
                rows = [["pages.home", "/"], ["pages.more", "/more"]]
                expected = [[module, app.prefix + path, f"home of {name}"] for module, path in rows]
                assert await app.value() == expected
                assert f"this is home of {name}" in await content(app)
                assert f'content="home of {name}"' in await app.text("/more")
            assert not [name for name in sys.modules if name.startswith("pages.") or name == "data"]

    run(main)


HOOKS = """
from dash import hooks
import data

@hooks.layout(final=True)
def add(layout):
    return [layout, html.P("hook of " + data.NAME)]

@hooks.index(final=True)
def index(page):
    return page.replace("</title>", " hooked by " + data.NAME + "</title>")
"""


@every_kind
def test_hooks_of_one_app_change_no_other(tmp_path: Path, kind: str) -> None:
    async def main() -> None:
        a, _ = twins(tmp_path, kind, HOOKS)
        plain = write(tmp_path / "plain", app=source(kind, ""))
        for _ in range(2):  # Dash refuses a second final hook, so the second start must begin anew.
            async with both(a, plain) as (hooked, other):
                assert "hook of a" in await hooked.text("/_dash-layout")
                assert "hooked by a" in await hooked.text()
                assert "hook of" not in await other.text("/_dash-layout")
                assert "hooked by" not in await other.text()

    run(main)


ENDPOINT = """
import data

@callback(Output("out", "children"), Input("in", "value"), api_endpoint="/api/" + data.NAME)
def tell(value):
    return data.NAME

app.setup_apis()
"""


@every_kind
def test_api_endpoints_are_those_of_their_app(tmp_path: Path, kind: str) -> None:
    async def main() -> None:
        # Dash gives all endpoints to the app that sets its own up first; this one never does.
        other = source(kind, ENDPOINT.replace("app.setup_apis()", "").replace("data.NAME", "'never'"))
        never = write(tmp_path / "never", app=other, data="")
        async with hosted(never, "/n"), both(*twins(tmp_path, kind, ENDPOINT)) as (a, b):
            for app, name, of_other in ((b, "b", "a"), (a, "a", "b")):
                response = await app.client.post(f"/api/{name}", json={"value": 1})
                assert response.status_code == 200 and name in response.text, response.text
                for path in (f"/api/{of_other}", "/api/never"):
                    assert (await app.client.post(path, json={"value": 1})).status_code in (404, 405)

    run(main)


BACKGROUND = """
import time
import diskcache
from {module} import DiskcacheManager
import data

app._background_manager = DiskcacheManager(diskcache.Cache({cache!r}))

@callback(
    Output("out", "children"), Input("in", "value"), Input("cancel", "n_clicks"),
    background=True, manager=app._background_manager, cancel=[Input("cancel", "n_clicks")],
)
def work(value, clicks):
    time.sleep(0.3)
    return [data.NAME, value]
"""


async def result_of_job(app: Hosted) -> Any:
    """Start the background job of an app and poll until its result is there."""
    inputs = {"in.value": 1, "cancel.n_clicks": None}
    started = (await app.post("out.children", inputs)).json()
    query = f"?cacheKey={started['cacheKey']}&job={started['job']}"
    async with asyncio.timeout(25):
        while True:
            answer = (await app.post("out.children", inputs, query)).json()
            if "response" in answer:
                return answer["response"]["out"]["children"]
            await asyncio.sleep(0.05)


@every_kind
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_background_callbacks_of_equal_source_run_their_own_function(tmp_path: Path, kind: str) -> None:
    rest = BACKGROUND.format(module="flash" if kind == "flash" else "dash", cache=str(tmp_path / "cache"))

    async def main() -> None:
        # With one cache, and at once: a job is also found by its arguments.
        async with both(*twins(tmp_path, kind, rest)) as (a, b):
            assert await asyncio.gather(result_of_job(a), result_of_job(b)) == [["a", 1], ["b", 1]]

    run(main)


LIBRARY = """
from dash.development.base_component import Component

class Widget(Component):
    _namespace, _type, _prop_names = "lib_{name}", "Widget", ["id"]
    _children_props, _base_nodes, available_properties = [], [], ["id"]
    available_wildcard_properties = []

_js_dist = [{{"external_url": "https://example.com/{name}.js", "relative_package_path": "x.js", "namespace": "{name}"}}]
__version__ = "1"

from dash import hooks

@hooks.layout()
def add(layout):
    from dash import html
    return html.Div([layout, html.P("library {name}")])
"""
WAITING = """
import asyncio

@callback(Output("out", "children"), Input("in", "value"))
async def wait(value):
    app.entered.set()
    await app.leave.wait()
    return "done"

app.entered, app.leave = asyncio.Event(), asyncio.Event()
"""


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An installed component library that brings a hook, not yet imported."""
    name = f"library_{tmp_path.name.replace('-', '_')}"
    write(tmp_path / "installed", **{name: LIBRARY.format(name=name)})
    (tmp_path / "installed" / "x.js").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path / "installed"))
    return name


@pytest.mark.parametrize("kind", ["dash-quart", "flash"])
def test_a_component_library_is_part_of_the_apps_that_import_it(tmp_path: Path, kind: str, library: str) -> None:
    waiting = write(tmp_path / "waiting", app=source(kind, WAITING))
    importing = write(tmp_path / "importing", app=source(kind, f"import {library}"))
    through = write(tmp_path / "through", app=source(kind, "import helper"), helper=f"import {library}")

    loads = f"_dash-component-suites/{library}/x."

    async def main() -> None:
        async with hosted(waiting, "/a") as a:
            running = asyncio.create_task(a.value())
            app = a.host.dash
            await asyncio.wait(
                {running, entered := asyncio.ensure_future(app.entered.wait())}, return_when="FIRST_COMPLETED"
            )
            assert entered.done()
            async with hosted(importing, "/b") as b, hosted(through, "/c") as c:
                app.leave.set()
                assert await running == "done"
                assert [loads in await each.text() for each in (a, b, c)] == [False, True, True]
                layouts = [await each.text("/_dash-layout") for each in (a, b, c)]
                assert [f"library {library}" in each for each in layouts] == [False, True, True]
            async with hosted(importing, "/b") as again:
                assert loads in await again.text()
                assert f"library {library}" in await again.text("/_dash-layout")

    run(main)


@every_kind
def test_a_page_loads_plotly_once_however_many_apps_there_were(tmp_path: Path, kind: str) -> None:
    target = write(tmp_path / "a", app=source(kind, "", "eager_loading=True"))

    async def main() -> None:
        for _ in range(3):
            async with hosted(target, "/a") as app:
                assert (await app.text()).count("package_data/plotly") == 1

    run(main)


def test_the_react_version_is_that_of_one_app(tmp_path: Path) -> None:
    old = write(
        tmp_path / "old",
        app=source("dash-flask", "from dash import _dash_renderer\n_dash_renderer._set_react_version('18.2.0')"),
    )
    new = write(tmp_path / "new", app=source("flash", ""))

    async def main() -> None:
        async with both(old, new) as (a, b):
            # A file's version stands after the first dot of its name.
            assert re.search(r"react@18\.\w+\.2\.0\.min\.js", await a.text())
            assert re.search(r"react@18\.\w+\.3\.1\.min\.js", await b.text())

    run(main)


TOOLS = """
from dash.mcp import mcp_enabled
import data

@mcp_enabled(name="tool_of_" + data.NAME)
def tool(x: int) -> int:
    return x
"""


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "dash-fastapi"])  # Where Dash 4.4 answers 500.
def test_mcp_tools_are_those_of_their_app(tmp_path: Path, kind: str) -> None:
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}

    async def main() -> None:
        async with both(*twins(tmp_path, kind, TOOLS, "enable_mcp=True")) as (a, b):
            for app, name, other in ((b, "b", "a"), (a, "a", "b")):
                text = (await app.client.post("/_mcp", json=asked)).text
                assert f"tool_of_{name}" in text and f"tool_of_{other}" not in text, text

    run(main)


LIVE = """
import data

@callback(Output("out", "children"), Input("in", "value"), websocket=True)
async def stream(value):
    for number in range(3):
        yield f"{data.NAME} {number}"

@callback(Output("other", "children"), Input("in", "value"), websocket=True)
def plain(value):
    return [data.NAME, get_relative_path("/x"), get_app() is app, len(app.clients)]
"""


def test_live_connections_lead_to_their_own_app(tmp_path: Path) -> None:
    async def main() -> None:
        async with both(*twins(tmp_path, "flash", LIVE, "live=True")) as (a, b):
            async with tab_of(a) as in_a, tab_of(b) as in_b:
                for app, tab, name in ((a, in_a, "a"), (b, in_b, "b")):
                    assert await tab.call("other.children", {"in.value": 1}) == [name, f"/{name}/x", True, 1]
                    await tab.request("out.children", {"in.value": 1})
                    await tab.until(lambda tab=tab, name=name: tab.value("out.children") == f"{name} 2")
                    app.host.dash.push_mods({"in": {"title": name}})
                await in_a.until(lambda: in_a.value("in.title") == "a")
                await in_b.until(lambda: in_b.value("in.title") == "b")

    run(main)


SHARED = """
@app.callback_shared(Output("out", "children"), Input("in", "value"))
def tell(value):
    return f"{value} of {get_relative_path('/')}"
"""


def test_shared_callbacks_share_nothing_between_apps(tmp_path: Path) -> None:
    target = write(tmp_path / "a", app=source("flash", SHARED))

    async def main() -> None:
        async with both(target, target) as (a, b), tab_of(a) as one, tab_of(a) as other, tab_of(b) as stranger:
            await one.request("out.children", {"in.value": 7})
            await other.until(lambda: other.value("out.children") == "7 of /a/")
            await stranger.request("out.children", {"in.value": 8})
            await stranger.until(lambda: stranger.value("out.children") == "8 of /b/")
            assert other.value("out.children") == "7 of /a/"

    run(main)
