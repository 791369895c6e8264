"""Examples as a user runs them, in a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from dash.testing.browser import Browser
from selenium.webdriver import ChromeOptions

from .running import Example, Open, Start


@pytest.fixture
def start_example(tmp_path: Path) -> Iterator[Start]:
    """Start examples: takes a name, a file of it, and environment variables, and returns the server's address.

    At the end of the test each must end with exit code 0, and with nothing bad in its log.
    """
    running: list[Example] = []

    def start(name: str, file: str = "app.py", **environment: str) -> str:
        example = Example(name, tmp_path / f"{name}-{len(running)}.txt", environment, file)
        running.append(example)
        example.wait_until_ready()
        return example.address

    yield start
    for example in running:
        example.stop()


@contextmanager
def fresh_browser() -> Iterator[Browser]:
    """A browser of its own. At the end its console must hold no error."""
    options = ChromeOptions()
    options.add_argument("--window-size=1200,1000")
    with Browser("chrome", headless=True, options=[options], percy_run=False, wait_timeout=30) as browser:
        yield browser
        logs = browser.get_logs()
    assert logs == []


@pytest.fixture
def browser(start_example: Start) -> Iterator[Browser]:
    """A fresh browser, which goes before the servers do. At the end its console must hold no error."""
    with fresh_browser() as browser:
        yield browser


@pytest.fixture
def another_browser(start_example: Start) -> Iterator[Callable[[str], Browser]]:
    """Further browsers: takes the address that each shows, and returns it. They are as fresh as the first."""
    with ExitStack() as stack:

        def open_(address: str) -> Browser:
            browser = stack.enter_context(fresh_browser())
            browser.driver.get(address)
            return browser

        yield open_


@pytest.fixture
def open_example(start_example: Start, browser: Browser) -> Open:
    """Start an example and show a path of it in the browser."""

    def open_(name: str, path: str = "/", **environment: str) -> str:
        address = start_example(name, **environment)
        browser.driver.get(address + path)
        return address

    return open_
