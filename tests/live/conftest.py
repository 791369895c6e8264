"""The app of the browser scenarios in a process, browsers, and a proxy between them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver import Chrome, ChromeOptions

from ..examples.running import free_port
from .proxy import Proxy, proxy_beside

APP = Path(__file__).with_name("browser_app.py")
SECONDS = 30.0


class LiveServer:
    """An app in a process that can be killed and started again on its port: that of ``browser_app.py``, or another."""

    def __init__(self, log: Path, environment: dict[str, str], app: Path = APP) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._log = log
        self._app = app
        self._environment = {**os.environ, "PORT": str(self.port), "PYTHONPATH": str(APP.parents[2]), **environment}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, **environment: str) -> None:
        """Start it, with further environment variables, and wait until it answers."""
        self._environment.update(environment)
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, str(self._app)], env=self._environment, stdout=output, stderr=subprocess.STDOUT
            )
        wait_until(self._answers)

    def _answers(self) -> bool:
        assert self._process is not None and self._process.poll() is None, self.log
        try:
            self.do("1")
            return True
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def do(self, expression: str) -> Any:
        """Evaluate an expression in the server's process."""
        request = urllib.request.Request(f"{self.address}/do", expression.encode(), {"Content-Type": "text/plain"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    def stall(self) -> None:
        """Stop the process without ending it."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let a stalled process go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it as a crash does."""
        self._signal(signal.SIGKILL)

    def stop(self) -> int:
        """End it as a service manager does. Returns its exit code."""
        return self._signal(signal.SIGTERM)

    def _signal(self, number: int) -> int:
        if self._process is None:
            return 0
        self._process.send_signal(number)
        code = self._process.wait(20)
        self._process = None
        return code

    @property
    def log(self) -> str:
        """What it has written."""
        return self._log.read_text()


class Page:
    """One browser with one tab or several."""

    def __init__(self, *scripts: str) -> None:
        options = ChromeOptions()
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1000,800"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = Chrome(options=options)
        for script in scripts:
            self.before_load(script)

    def before_load(self, script: str) -> None:
        """Run a script in every page before its own scripts."""
        self.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": script})

    def open(self, address: str) -> Page:
        """Load a page and wait until its first callback has been answered."""
        self.driver.get(address)
        return self

    def new_tab(self, address: str) -> str:
        """Open a page in another tab of this browser, and look at it."""
        self.driver.switch_to.new_window("tab")
        self.driver.get(address)
        handle: str = self.driver.current_window_handle
        return handle

    def click(self, name: str) -> None:
        """Click a component."""
        self.driver.find_element("id", name).click()

    def text(self, name: str) -> str:
        """What a component shows."""
        try:
            text: str = self.driver.find_element("id", name).text
            return text
        except (NoSuchElementException, StaleElementReferenceException):
            return ""

    def shows(self, name: str, text: str) -> None:
        """Wait until a component shows a text."""
        wait_until(lambda: self.text(name) == text, lambda: f"#{name} shows {self.text(name)!r}, not {text!r}")

    @property
    def state(self) -> dict[str, Any]:
        """The state of the page's connection."""
        state: dict[str, Any] = self.run("return window.FlashLive.connection.state")
        return state

    def comes_to(self, status: str) -> None:
        """Wait until the connection has a status."""
        wait_until(lambda: self.state["status"] == status, lambda: f"The state is {self.state}, not {status!r}")

    def run(self, script: str, *args: Any) -> Any:
        """Run JavaScript in the page."""
        return self.driver.execute_script(script, *args)

    def errors(self) -> list[str]:
        """What the browser's console says of errors."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]

    def freeze(self) -> None:
        """Stop the processes that run the browser's pages."""
        for process in self._renderers():
            process.suspend()

    def thaw(self) -> None:
        """Let them go on."""
        for process in self._renderers():
            process.resume()

    def _renderers(self) -> list[psutil.Process]:
        driver = psutil.Process(self.driver.service.process.pid)
        return [each for each in driver.children(recursive=True) if "--type=renderer" in each.cmdline()]

    def close(self) -> None:
        """End the browser."""
        self.driver.quit()


def wait_until(
    condition: Callable[[], Any], describe: Callable[[], str] = lambda: "", seconds: float = SECONDS
) -> None:
    """Wait for a condition; fail with a description when it does not come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(describe() or "The condition did not come true.")
        time.sleep(0.02)


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., LiveServer]]:
    """Start the app of the scenarios, with settings of its live connection and environment variables."""
    started: list[LiveServer] = []

    def start(live: dict[str, Any] | None = None, **environment: str) -> LiveServer:
        server = LiveServer(tmp_path / f"server-{len(started)}.log", {"LIVE": json.dumps(live or {}), **environment})
        started.append(server)
        server.start()
        return server

    yield start
    for server in started:
        server.kill()


@pytest.fixture
def proxy_for() -> Iterator[Callable[[LiveServer], Proxy]]:
    """A proxy before a server."""
    with ExitStack() as stack:
        yield lambda server: stack.enter_context(proxy_beside(server.port))


@pytest.fixture
def open_page() -> Iterator[Callable[..., Page]]:
    """Open a page in a browser of its own, with scripts to run before the page's own."""
    opened: list[Page] = []

    def open_(address: str, *scripts: str) -> Page:
        page = Page(*scripts)
        opened.append(page)
        return page.open(address)

    yield open_
    for page in opened:
        page.close()


@pytest.fixture
def browser() -> None:
    """Marks a test that drives a browser; see the tests' first conftest."""
