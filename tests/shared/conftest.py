"""An app's file in a process, and windows that show it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ..live.conftest import LiveServer, Page
from .windows import Window

WATCHED = Path(__file__).with_name("watched.py")
EXAMPLES = Path(__file__).parents[2] / "examples" / "dash-devices"

Start = Callable[..., LiveServer]
Open = Callable[..., Window]


@pytest.fixture
def start_app(tmp_path: Path) -> Iterator[Start]:
    """Start an example of dash_devices by its name, or another file, with environment variables.

    At the end of the test it must come to a clean end, and must have warned of nothing.
    """
    started: list[LiveServer] = []

    def start(name: str | Path, **environment: str) -> LiveServer:
        app = name if isinstance(name, Path) else EXAMPLES / f"{name}.py"
        environment = {"APP": str(app), "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "error", **environment}
        server = LiveServer(tmp_path / f"{app.stem}-{len(started)}.log", environment, WATCHED)
        started.append(server)
        server.start()
        return server

    yield start
    for server in started:
        assert server.stop() == 0, server.log
        assert not re.search(r"WARNING|ERROR|Traceback|Warning:", server.log), server.log


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    """A browser, which the tests of a file share. Each opens windows of its own."""
    page = Page()
    yield page
    page.close()


@pytest.fixture
def another_browser(browser: Page) -> Iterator[Page]:
    """A browser of its own, with a profile of its own."""
    page = Page()
    yield page
    page.close()


@pytest.fixture
def open_window(start_app: Start, browser: Page) -> Iterator[Open]:
    """Open a window at an address, in the browser or in another one. At the end none may have seen an error."""
    windows: list[Window] = []

    def open_(address: str, page: Page = browser) -> Window:
        windows.append(Window(page, address))
        return windows[-1]

    yield open_
    errors = [error for window in windows for error in window.close()]
    assert errors + browser.errors() == []
