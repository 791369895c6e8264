"""Examples as a user runs them, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from dash.testing.browser import Browser
from selenium.webdriver import ChromeOptions

from .running import Example, Open, Start


@pytest.fixture
def start_example(tmp_path: Path) -> Iterator[Start]:
    """Start examples: takes a name and environment variables, and returns the address of the server.

    At the end of the test each must end with exit code 0, and with nothing bad in its log.
    """
    running: list[Example] = []

    def start(name: str, **environment: str) -> str:
        example = Example(name, tmp_path / f"{name}-{len(running)}.txt", environment)
        running.append(example)
        example.wait_until_ready()
        return example.address

    yield start
    for example in running:
        example.stop()


@pytest.fixture
def browser(start_example: Start) -> Iterator[Browser]:
    """A fresh browser, which goes before the servers do. At the end its console must hold no error."""
    options = ChromeOptions()
    options.add_argument("--window-size=1200,1000")
    with Browser("chrome", headless=True, options=[options], percy_run=False, wait_timeout=30) as browser:
        yield browser
        logs = browser.get_logs()
    assert logs == []


@pytest.fixture
def open_example(start_example: Start, browser: Browser) -> Open:
    """Start an example and show a path of it in the browser."""

    def open_(name: str, path: str = "/", **environment: str) -> str:
        address = start_example(name, **environment)
        browser.driver.get(address + path)
        return address

    return open_
