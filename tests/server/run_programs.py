"""Programs for the tests of ``run()``: started as processes of their own, or in a thread of this one."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from flash import Flash, html

#: No wait of these tests is longer, in seconds. On a busy machine a process may take long to start.
PATIENCE = 60.0

#: A port of the system's choice, which the server's log tells.
ANY_PORT = "127.0.0.1:0"

#: What most programs begin with.
PREAMBLE = """
import asyncio, os, signal, sys, time
from flash import Flash, Input, Output, html

app = Flash(__name__, assets_folder="no-assets")
app.layout = html.Div([html.Button(id="button"), html.Div(id="plain"), html.Div(id="async"), html.Div(id="stuck")])

@app.server.route("/pid")
async def pid():
    return str(os.getpid())
"""


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    """Wait until a condition is true, and return its value."""
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"Waited in vain for {what}.")
        time.sleep(0.02)
    return value


class Program:
    """A program in a process of its own, whose output can be waited for."""

    def __init__(self, arguments: list[str], folder: Path, **environment: str) -> None:
        search = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
        surroundings = {**os.environ, "PYTHONPATH": search, "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=folder,
            env={**surroundings, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def output(self) -> str:
        return "".join(self.lines)

    def says(self, pattern: str, times: int = 1) -> re.Match[str]:
        """Wait until its output has a text; returns the last match."""

        def said() -> list[re.Match[str]] | None:
            found = list(re.finditer(pattern, self.output))
            if len(found) < times and self.process.poll() is not None:
                self._reader.join(PATIENCE)
                if len(list(re.finditer(pattern, self.output))) < times:
                    raise AssertionError(f"It ended without {pattern!r}:\n{self.output}")
            return found if len(found) >= times else None

        try:
            found: list[re.Match[str]] = wait_for(said, pattern)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.output}") from None
        return found[-1]

    def address(self, times: int = 1) -> tuple[str, int]:
        """Where it listens, once it does; ``times`` counts its starts."""
        host, port = self.says(r"Running on https?://(.+):(\d+) ", times).groups()
        return host.strip("[]"), int(port)

    def ends(self) -> int:
        """Wait for its end, and return its exit code."""
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code

    def ends_after(self, number: signal.Signals) -> int:
        """Send a signal and wait for the end."""
        self.process.send_signal(number)
        return self.ends()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            self.lines.extend(iter(output.readline, ""))


@contextmanager
def program(
    source: str, folder: Path, *arguments: str, name: str = "program.py", **environment: str
) -> Iterator[Program]:
    """Write a script and run it."""
    (folder / name).write_text(source)
    with started([name, *arguments], folder, **environment) as running:
        yield running


@contextmanager
def started(arguments: list[str], folder: Path, **environment: str) -> Iterator[Program]:
    """Run Python with arguments; whatever happens, no process is left behind."""
    running = Program(arguments, folder, **environment)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            # Those of Flash's own end with it, by their lifelines; those of Gunicorn do not.
            children = psutil.Process(running.process.pid).children(recursive=True)
            running.process.kill()
            running.process.wait(PATIENCE)
            for child in children:
                with suppress(psutil.NoSuchProcess):
                    child.kill()


def get(
    address: tuple[str, int], path: str, context: ssl.SSLContext | None = None, within: float = PATIENCE
) -> tuple[int, str]:
    """Send a GET request; returns status and text."""
    return _request(_connection(address, within, context), "GET", path)


def call(address: tuple[str, int], output: str, within: float = PATIENCE) -> tuple[int, str]:
    """Call a callback as the renderer does; the button is its only input."""
    component, prop = output.split(".")
    body = {
        "output": output,
        "outputs": {"id": component, "property": prop},
        "inputs": [{"id": "button", "property": "n_clicks", "value": 1}],
        "changedPropIds": ["button.n_clicks"],
    }
    return _request(_connection(address, within), "POST", "/_dash-update-component", body)


def _connection(
    address: tuple[str, int], within: float, context: ssl.SSLContext | None = None
) -> http.client.HTTPConnection:
    if context is not None:
        return http.client.HTTPSConnection(*address, timeout=within, context=context)
    return http.client.HTTPConnection(*address, timeout=within)


def _request(connection: http.client.HTTPConnection, method: str, path: str, body: Any = None) -> tuple[int, str]:
    headers = {"Connection": "close"} | ({} if body is None else {"Content-Type": "application/json"})
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def simple_app() -> Flash:
    """An app for a server in this process."""
    app = Flash(f"app_{uuid.uuid4().hex}", assets_folder="no-assets", pages_folder="", use_pages=False)
    app.layout = html.Div("Hello")

    @app.server.route("/hello")
    async def hello() -> str:
        return "hello"

    return app


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nothing listens on at the moment."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def thread_running(app: Flash, **options: Any) -> Iterator[threading.Thread]:
    """Call ``app.run()`` in a thread, and end it by the app's stop event."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            app.run(**options)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        wait_for(lambda: failures or _serving_loop(app), "the server's loop")
        if not failures:
            yield thread
    finally:
        stop(app)
        thread.join(PATIENCE)
    assert not thread.is_alive()
    if failures:
        raise failures[0]


def stop(app: Flash) -> None:
    """End a server as Dash's test runner does: by its event, from another thread."""
    loop, event = _serving_loop(app), app.backend.stop_event
    if loop is not None and event is not None and not loop.is_closed():
        loop.call_soon_threadsafe(event.set)


def _serving_loop(app: Flash) -> Any:
    return getattr(app.backend.stop_event, "_loop", None)


def answers(port: int, host: str = "127.0.0.1") -> tuple[str, int]:
    """Wait until something listens on a port; returns its address."""

    def connected() -> bool:
        try:
            socket.create_connection((host, port), timeout=PATIENCE).close()
        except OSError:
            return False
        return True

    wait_for(connected, f"a server on port {port}")
    return host, port
