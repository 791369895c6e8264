"""Starting an example, ending it, and waiting for what it shows."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dash.testing.browser import Browser
from selenium.webdriver.support.wait import WebDriverWait

EXAMPLES = Path(__file__).parents[2] / "examples"
START_SECONDS = 30
STOP_SECONDS = 15

Start = Callable[..., str]
Open = Callable[..., str]


class Example:
    """An example in a process of its own, on a free port."""

    def __init__(self, name: str, log: Path, environment: dict[str, str], file: str = "app.py") -> None:
        self._log = log
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, file],
                cwd=EXAMPLES / name,
                env={**os.environ, "HOST": "127.0.0.1", "PORT": str(port), **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def wait_until_ready(self) -> None:
        until_answered(self.address, self._process, self._log)

    def stop(self) -> None:
        """End the example as a service manager does. It must come to a clean end, with nothing bad in its log."""
        self._process.terminate()
        try:
            code = self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise AssertionError(f"The example did not end in {STOP_SECONDS} seconds:\n{self.log}") from None
        assert code == 0, f"The example ended with {code}:\n{self.log}"
        assert "Traceback" not in self.log, self.log

    @property
    def log(self) -> str:
        return self._log.read_text()


def until_answered(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait for the first answer of a server that has been started."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError(f"The example ended with {process.returncode} at once:\n{log.read_text()}")
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.05)
    raise AssertionError(f"The example did not answer in {START_SECONDS} seconds:\n{log.read_text()}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(browser: Browser, condition: Callable[[Any], Any], seconds: float = 30) -> Any:
    """Wait for a condition of selenium's, or a function of the driver, and return what it gives."""
    return WebDriverWait(browser.driver, seconds, poll_frequency=0.05).until(condition)


def open_tab(browser: Browser, address: str) -> str:
    """Show an address in a further tab of the browser, go there, and return its handle."""
    browser.driver.switch_to.new_window("tab")
    browser.driver.get(address)
    handle: str = browser.driver.current_window_handle
    return handle


def close_tab(browser: Browser) -> None:
    """Close the tab that is shown, as a user does, and go to the first that is left."""
    browser.driver.close()
    browser.driver.switch_to.window(browser.driver.window_handles[0])


def served_layout(address: str) -> str:
    """The JSON of the layout that a page which is opened now would get."""
    with urllib.request.urlopen(f"{address}/_dash-layout", timeout=10) as response:
        return response.read().decode()
