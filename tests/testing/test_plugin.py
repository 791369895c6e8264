"""The pytest plugin: its fixtures, Dash's own fixtures with Flash apps, and what is left behind: nothing."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import quart
from flask.testing import FlaskClient
from quart.testing import QuartClient

from flash import Flash, Input, Output, dcc, html
from flash.exceptions import ConfigurationError, FlashError
from flash.testing import servers

from ..apps import body, flash_app
from .running import run_pytest, run_python


@pytest.fixture
def app() -> Flash:
    app = flash_app()
    app.layout = html.Div([dcc.Input(id="in", value="x"), html.Div(id="out")])

    @app.callback(Output("out", "children"), Input("in", "value"))
    async def show(value: str) -> str:
        return f"{value} from process {os.getpid()}"

    return app


def read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as response:
        text: str = response.read().decode()
        return text


def call(url: str, value: Any) -> str:
    """The value of the app's output, by HTTP."""
    data = json.dumps(body("out.children", {"in.value": value})).encode()
    request = urllib.request.Request(f"{url}/_dash-update-component", data, {"Content-Type": "application/json"})
    text: str = json.loads(read(request))["response"]["out"]["children"]  # type: ignore[arg-type]
    return text


def wait_until(condition: Callable[[], Any], seconds: float = 10) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, f"not within {seconds} seconds"
        time.sleep(0.02)


def is_served(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def other() -> Flash:
    app = flash_app()
    app.layout = html.Div("other", id="other")
    return app


# The client.


@pytest.fixture
def running() -> Iterator[set[str]]:
    """What runs; when all other fixtures have ended, nothing may."""
    running: set[str] = set()
    yield running
    assert not running


def test_flash_client_starts_apps_and_stops_them(
    running: set[str], flash_client: Any, app: Flash, other: Flash
) -> None:
    for each in (app, other):
        each.server.before_serving(partial(running.add, each.config.name))
        each.server.after_serving(partial(running.discard, each.config.name))
    client = flash_client(app, headers={"X-Test": "yes"})
    assert client.call("out.children", {"in.value": 1})["out.children"].startswith("1 from")
    assert client.headers == {"X-Test": "yes"}
    assert flash_client(other).open()["other"]["children"] == "other"
    assert len(running) == 2


# Servers.


def test_a_server_in_a_thread_has_a_free_port_and_ends(app: Flash, other: Flash) -> None:
    threads = set(threading.enumerate())
    with servers.ThreadServer(app) as server, servers.ThreadServer(other) as second:
        assert server.port != second.port
        assert call(server.url, "v") == f"v from process {os.getpid()}"
        assert "other" in read(f"{second.url}/_dash-layout")
    assert not is_served(server.port)
    wait_until(lambda: not set(threading.enumerate()) - threads)
    server.stop()


def test_a_server_in_a_process_takes_along_what_it_has_started(app: Flash, tmp_path: Path) -> None:
    @app.server.get("/start")
    async def start() -> str:
        return str((await asyncio.create_subprocess_exec("sleep", "100")).pid)

    with servers.ProcessServer(app) as server:
        pid = int(call(server.url, "v").rpartition(" ")[2])
        assert pid != os.getpid()
        child = int(read(f"{server.url}/start"))
        assert is_running(child)
    assert not is_served(server.port) and not is_running(pid)
    wait_until(lambda: not is_running(child))
    server.stop()


def test_the_fixture_starts_both_kinds(flash_server: Any, app: Flash, other: Flash) -> None:
    assert call(flash_server(app).url, "v").endswith(str(os.getpid()))
    port = free_port()
    server = flash_server(other, process=True, port=port, debug=True, use_reloader=False)
    assert server.url == f"http://127.0.0.1:{port}"
    assert '"ui":true' in read(server.url)


@pytest.mark.parametrize("kind", [servers.ThreadServer, servers.ProcessServer])
def test_what_keeps_an_app_from_starting_is_shown(kind: type[servers.AppServer]) -> None:
    app = flash_app(use_pages=True)
    app.layout = html.Div("a layout that has no place for pages")
    with pytest.raises(Exception, match="page_container` not found in the layout") as raised, kind(app):
        pass
    assert isinstance(raised.value, FlashError) is (kind is servers.ProcessServer), "in a thread it is the original"


@pytest.mark.parametrize("kind", [servers.ThreadServer, servers.ProcessServer])
def test_a_server_that_hangs_is_reported(
    app: Flash, kind: type[servers.AppServer], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(servers, "_BEFORE_HANGING", 0.3)
    began, end = tmp_path / "began", threading.Event()

    @app.server.get("/block")
    async def block() -> str:
        began.touch()
        end.wait(60)
        return ""

    server = kind(app, graceful_timeout=0.1, shutdown_timeout=0.1)
    server.start()
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"GET /block HTTP/1.1\r\nHost: localhost\r\n\r\n")
        wait_until(began.exists)
        where = r"blocks its event loop, here:[\s\S]*end.wait\(60\)"
        with pytest.raises(FlashError, match=where if kind is servers.ThreadServer else "was killed"):
            server.stop()
    end.set()
    server.stop()
    assert not is_served(server.port)


def test_a_server_ends_when_the_process_of_the_tests_dies(tmp_path: Path) -> None:
    script = """
        import os
        from flash import Flash, html
        from flash.testing import ProcessServer
        app = Flash("dies", assets_folder="no-assets")
        app.layout = html.Div()
        server = ProcessServer(app)
        server.start()
        print(server.port, flush=True)
        os._exit(1)
    """
    code = "\n".join(line.strip() for line in script.splitlines())
    ran = run_python("-c", code, folder=tmp_path)
    assert ran.stdout, ran.stderr
    wait_until(lambda: not is_served(int(ran.stdout)))


@pytest.mark.parametrize(
    ("options", "sentence"), [({"workers": 2}, "one process"), ({"keep_alive": 3}, "Did you mean 'keep_alive_timeout'")]
)
def test_settings_that_a_server_cannot_have(app: Flash, options: Any, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        servers.ThreadServer(app, **options)


def test_a_server_that_was_not_started_says_so(app: Flash) -> None:
    server = servers.ThreadServer(app)
    server.stop()
    with pytest.raises(RuntimeError, match="has not been started"):
        _ = server.url


# Browsers.


def interact(duo: Any) -> None:
    duo.wait_for_contains_text("#out", "x from process")
    duo.find_element("#in").send_keys("yz")
    duo.wait_for_contains_text("#out", "xyz from process")
    assert duo.get_logs() == []


def test_flash_duo(flash_duo: Any, app: Flash, other: Flash) -> None:
    flash_duo.start_server(app, debug=True)
    assert flash_duo.server_url == flash_duo.server.url
    interact(flash_duo)
    assert flash_duo.find_element("#out").text.endswith(str(os.getpid()))
    flash_duo.start_server(other)
    flash_duo.wait_for_text_to_equal("#other", "other")


def test_flash_duo_mp(processes: list[int], flash_duo_mp: Any, app: Flash) -> None:
    flash_duo_mp.start_server(app)
    interact(flash_duo_mp)
    processes.append(int(flash_duo_mp.find_element("#out").text.rpartition(" ")[2]))
    assert processes != [os.getpid()]


def test_dash_duo(dash_duo: Any, app: Flash) -> None:
    dash_duo.start_server(app, port=free_port())
    interact(dash_duo)
    thread = dash_duo.server.thread
    dash_duo.driver.get("about:blank")
    began = time.monotonic()
    dash_duo.server.stop()
    assert not thread.is_alive()
    assert time.monotonic() - began < dash_duo.server.stop_timeout


@pytest.fixture
def processes() -> Iterator[list[int]]:
    """Processes that have ended when all other fixtures have."""
    processes: list[int] = []
    yield processes
    assert not any(map(is_running, processes))


def test_dash_duo_mp(processes: list[int], dash_duo_mp: Any, app: Flash) -> None:
    dash_duo_mp.start_server(app, port=free_port())
    interact(dash_duo_mp)
    processes.append(dash_duo_mp.server.proc.pid)


# Whole runs of pytest.


def run_test(folder: Path, test: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the code of a test with the plugin in a process of its own."""
    (folder / "test_it.py").write_text("from flash import *\n" + test)
    return run_pytest(*arguments, "test_it.py", folder=folder)


FAILING = """
import os, pathlib

def test_fails(flash_duo_mp):
    app = Flash(__name__)
    app.layout = html.Div("shown", id="out")
    script = "function() {throw new Error('in the console')}"
    app.clientside_callback(script, Output("out", "title"), Input("out", "id"))
    flash_duo_mp.start_server(app)
    flash_duo_mp.wait_for_text_to_equal("#out", "shown")
    pathlib.Path("process").write_text(str(flash_duo_mp.server._server._process.pid))
    assert False, "on purpose"
"""


def test_a_test_that_fails_shows_its_browser_and_leaves_nothing(tmp_path: Path) -> None:
    ran = run_test(tmp_path, FAILING, "--basetemp", str(tmp_path / "base"))
    assert "1 failed" in ran.stdout and "error" not in ran.stdout.splitlines()[-1], ran.stdout
    assert "flash_duo_mp" in ran.stdout and "in the console" in ran.stdout
    screenshot = ran.stdout.partition("Screenshot: ")[2].split("\n")[0]
    assert Path(screenshot).stat().st_size > 1000
    assert not is_running(int((tmp_path / "process").read_text()))


def test_without_a_browser_kit_only_the_browser_fixtures_fail(tmp_path: Path) -> None:
    missing = "import sys\nsys.modules['selenium'] = None\n"
    test = """
def test_client(flash_client):
    app = Flash(__name__)
    app.layout = html.Div("fine")
    assert flash_client(app).open().layout["props"]["children"] == "fine"

def test_browser(flash_duo): ...
"""
    (tmp_path / "without_kit.py").write_text(missing)
    ran = run_test(tmp_path, test, "-p", "without_kit")
    assert "1 passed" in ran.stdout and "1 error" in ran.stdout, ran.stdout + ran.stderr
    assert "flash_duo needs Dash's test kit, which is not installed: pip install 'dash-flash[testing]'" in ran.stdout


# Flask's test client.


def test_apps_with_flask_compat_give_plain_tests_flasks_client() -> None:
    app = flash_app(flask_compat=True)
    app.layout = html.Div("shown")
    client = app.server.test_client()
    assert isinstance(client, FlaskClient)
    assert client.get("/_dash-layout").get_json()["props"]["children"] == "shown"

    async def in_a_loop() -> Any:
        return app.server.test_client()

    assert isinstance(asyncio.run(in_a_loop()), QuartClient)
    assert isinstance(flash_app().server.test_client(), QuartClient)
    assert isinstance(quart.Quart("plain").test_client(use_cookies=False), QuartClient)


def test_the_setting_leaves_quarts_client(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nflash_flask_test_client = false\n")
    test = """
def test_it():
    client = Flash(__name__, flask_compat=True).server.test_client()
    assert type(client).__name__ == "QuartClient"
"""
    ran = run_test(tmp_path, test)
    assert "1 passed" in ran.stdout, ran.stdout
