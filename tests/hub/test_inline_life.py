"""An app in the hub's process from its start to its end: what it leaves behind, what it is told, what it is refused."""

from __future__ import annotations

import gc
import logging
import os
import sys
import threading
import weakref
from pathlib import Path
from typing import Any

import dash
import pytest
from dash.background_callback.managers import BaseBackgroundCallbackManager

from flash import Flash
from flash._dash_scopes import current_scope
from flash.exceptions import ConfigurationError
from flash.hub.host import AppUnreachable, HostFailed
from flash.hub.inline import adopt_object

from ..apps import flash_app, run
from ..live.asgi import eventually
from ..live.tab import tab_of
from .hosted import KINDS, LAYOUT, both, host_of, hosted, source, write
from .test_inline import BACKGROUND, CALLBACK, LIVE, WAITING

every_kind = pytest.mark.parametrize("kind", KINDS)


@every_kind
def test_a_new_start_runs_the_files_as_they_are_now(tmp_path: Path, kind: str) -> None:
    def version(name: str) -> str:
        return write(tmp_path, app=source(kind, CALLBACK), data=f"NAME = {name!r}", lazy=f"NAME = {name!r}")

    async def main() -> None:
        for name in "abc":  # Of equal length and within a second: a compiled file would count as current.
            async with hosted(version(name), "/a") as app:
                assert (await app.value())[:3] == [name, name, True]

    run(main)


def own_threads() -> int:
    """All threads but those of the loop's executor, which begins one more whenever the others are busy."""
    return sum(not thread.name.startswith("asyncio_") for thread in threading.enumerate())


@every_kind
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_app_that_ends_leaves_nothing_behind(tmp_path: Path, kind: str) -> None:
    cached = BACKGROUND.format(module="flash" if kind == "flash" else "dash", cache=str(tmp_path / "cache"))
    rest = cached + CALLBACK.replace('"out"', '"more"')
    layout = LAYOUT.replace('"other"', '"other", "more", "cancel"')
    target = write(tmp_path / "a", app=source(kind, rest, layout=layout), data="NAME = 'a'", lazy="NAME = 'a'")
    apps: list[weakref.ref[Any]] = []

    async def once() -> None:
        # Its timer holds a Flash app until it would have been due; the others are not waited for.
        async with hosted(target, "/a", start_timeout=3 if kind == "flash" else 15) as app:
            assert (await app.value("more.children"))[0] == "a"
            apps.append(weakref.ref(app.host.dash))

    def counted() -> list[int]:
        gc.collect()
        managers = BaseBackgroundCallbackManager
        return [
            len(sys.modules),
            len(managers.managers),
            len(managers.functions),
            len(dash.page_registry),
            len(sys.path),
        ]

    async def main() -> None:
        await once()
        before = counted()
        threads = own_threads()
        for _ in range(20):
            await once()
        assert counted() == before
        await eventually(lambda: own_threads() <= threads)
        if kind != "flash":  # FastAPI keeps routes in caches of its own.
            return
        # Timers that were cancelled hold what was current until they would have been due.
        await eventually(lambda: (gc.collect(), not any(each() for each in apps))[1])

    run(main)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("raise OSError('no database')", "no database"),
        ("import sys; sys.exit(3)", "3"),
        ("import is_not_there", "is_not_there"),
        ("print('nothing here')", "app"),
        ("def app(environ):\n    return environ['x']", "app"),
    ],
)
def test_an_app_that_cannot_be_loaded_leaves_no_trace(tmp_path: Path, code: str, says: str) -> None:
    head = "import dash, data\ndash.callback(dash.Output('x', 'y'), dash.Input('x', 'z'))(print)\n"
    target = write(tmp_path, app=head + code, data="").removesuffix(":app")

    async def main() -> None:
        host = host_of(target, "/a")
        modules, path, folder = set(sys.modules), list(sys.path), os.getcwd()
        with pytest.raises(HostFailed, match=says):
            await host.start()
        assert not [name for name in set(sys.modules) - modules if "flash_hub_" in name or name == "data"]
        assert (sys.path, os.getcwd()) == (path, folder)
        assert current_scope.get() is None and not dash._callback.GLOBAL_CALLBACK_MAP
        with pytest.raises(AppUnreachable):
            await host.serve({"type": "http"}, None, None)  # type: ignore[arg-type]
        await host.stop(1)

    run(main)


def test_an_app_that_is_not_ready_in_time_holds_up_nobody_for_ever(tmp_path: Path) -> None:
    slow = write(tmp_path / "slow", app="import flash_test_gate\nflash_test_gate.leave.wait(20)\napp = None")
    gate: Any = type(sys)("flash_test_gate")
    gate.leave = threading.Event()
    sys.modules["flash_test_gate"] = gate
    good = write(tmp_path / "good", app=source("flash", ""))

    async def main() -> None:
        host = host_of(slow, "/slow", start_timeout=0.2)
        with pytest.raises(HostFailed, match="start_timeout"):
            await host.start()
        gate.leave.set()
        async with hosted(good, "/good") as app:
            assert await app.text()
        assert not [name for name in sys.modules if name.startswith("flash_hub_slow")]

    try:
        run(main)
    finally:
        del sys.modules["flash_test_gate"]


def test_the_import_path_and_the_current_folder_stay_what_they_were(tmp_path: Path) -> None:
    rest = f"import os, sys\nsys.path.append('/nowhere')\nos.chdir({str(tmp_path)!r})"
    target = write(tmp_path / "a", app=source("flash", rest))
    path, folder = list(sys.path), os.getcwd()

    async def main() -> None:
        async with hosted(target, "/a"):
            assert (sys.path, os.getcwd()) == (path, folder)

    run(main)


def test_an_error_is_that_of_one_request(tmp_path: Path) -> None:
    failing = write(
        tmp_path, app="async def app(scope, receive, send):\n    1 / 0 if scope['path'] == '/fail' else await x(send)"
    )

    async def main() -> None:
        log = tmp_path / "app.log"
        async with hosted(failing, "/a", log=log) as app:
            response = await app.client.get("/fail")
            assert response.status_code == 500
            error_id = response.text.rpartition(" ")[2]
            assert error_id in log.read_text() and "ZeroDivisionError" in log.read_text()
            assert "ZeroDivisionError" not in response.text

    run(main)


def test_what_an_app_logs_is_in_its_own_log(tmp_path: Path) -> None:
    rest = """
    import logging

    @callback(Output("out", "children"), Input("in", "value"))
    def tell(value):
        logging.getLogger("of.mine").warning("asked for %s", app.config.requests_pathname_prefix)
    """
    target = write(tmp_path, app=source("dash-flask", rest))

    async def main() -> None:
        async with hosted(target, "/a", log=tmp_path / "a.log") as a, hosted(target, "/b", log=tmp_path / "b.log") as b:
            await a.post("out.children", {"in.value": 1})
            await b.post("out.children", {"in.value": 1})
            logging.getLogger("of.mine").warning("of nobody")
        for name in "ab":
            lines = [line for line in (tmp_path / f"{name}.log").read_text().splitlines() if "of.mine" in line]
            assert len(lines) == 1 and lines[0].endswith(f"asked for /{name}/")

    run(main)


def test_the_end_of_an_app_ends_its_connections(tmp_path: Path) -> None:
    target = write(tmp_path, app=source("flash", LIVE, "live=True"), data="NAME = 'a'")

    async def main() -> None:
        async with hosted(target, "/a") as app:
            tab = tab_of(app)
            opened = await tab.__aenter__()
        await opened.until(lambda: not opened.connected)

    run(main)


def test_each_app_finds_its_own_folder(tmp_path: Path) -> None:
    rest = """
    from flash.hub.inside import instance_folder
    at_load = str(instance_folder())

    @callback(Output("out", "children"), Input("in", "value"))
    def tell(value):
        return [at_load, str(instance_folder())]
    """
    target = write(tmp_path, app=source("dash-flask", rest))

    async def main() -> None:
        async with hosted(target, "/a", folder=tmp_path / "1") as a, hosted(target, "/b", folder=tmp_path / "2") as b:
            assert await a.value() == [str(tmp_path / "1")] * 2
            assert await b.value() == [str(tmp_path / "2")] * 2

    run(main)


# Objects -------------------------------------------------------------------------------------------------------------


def test_an_object_is_refused_while_somebodys_callbacks_wait() -> None:
    dash.callback(dash.Output("x", "y"), dash.Input("x", "z"))(print)
    try:
        with pytest.raises(ConfigurationError, match="module:create_app"):
            adopt_object(flash_app(), "/a")
        adopt_object(lambda: flash_app(), "/a")  # A factory declares its own.
    finally:
        dash._callback.GLOBAL_CALLBACK_MAP.clear()
        dash._callback.GLOBAL_CALLBACK_LIST.clear()


def test_objects_and_factories_can_be_started_again() -> None:
    first = flash_app()
    first.layout = dash.html.Div("first")

    @first.callback(dash.Output("out", "children"), dash.Input("in", "value"))
    def tell(value: Any) -> Any:
        return [dash.get_app() is first, dash.get_relative_path("/x")]

    def create_app() -> Flash:
        app = flash_app()
        app.layout = dash.html.Div("second")
        return app

    async def main() -> None:
        for _ in range(2):
            async with both(adopt_object(first, "/a"), adopt_object(create_app, "/b")) as (a, b):
                assert await a.value() == [True, "/a/x"]
                assert "/a/_dash-component-suites/" in await a.text()
                assert "/b/_dash-component-suites/" in await b.text()
                assert "second" in await b.text("/_dash-layout")

    run(main)


@pytest.mark.parametrize("option", [{"env": {"A": "b"}}, {"memory": 1 << 30}, {"python": "/usr/bin/python3"}])
def test_what_only_a_process_of_its_own_can_have_is_refused(option: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="isolation='process'"):
        host_of("module:app", "/a", **option)


def test_apps_outside_of_the_hub_keep_working_beside_it(tmp_path: Path) -> None:
    target = write(tmp_path, app=source("dash-quart", WAITING))

    async def main() -> None:
        async with hosted(target, "/a"):
            app = flash_app()
            app.layout = dash.html.Div(id="out")
            dash.callback(dash.Output("out", "children"), dash.Input("in", "value"))(lambda value: value)
            assert dash.get_app() is app and dash.get_relative_path("/x") == "/x"
            async with app.server.test_app():
                assert "out.children" in app.callback_map

    run(main)
