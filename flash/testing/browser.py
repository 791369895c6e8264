"""Dash's browser for tests, with a server of Flash's on a free port."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .servers import AppServer

if TYPE_CHECKING:
    from ..app import Flash


class Runner:
    """Serves apps for a browser, one at a time, with the face of Dash's runners.

    Args:
        kind: The class of the servers.
    """

    def __init__(self, kind: type[AppServer]) -> None:
        self._kind = kind
        self._server: AppServer | None = None

    def __call__(self, app: Flash, **options: Any) -> None:
        """Serve an app in the place of the one before."""
        self.stop()
        server = self._kind(app, **options)
        server.start()
        self._server = server

    @property
    def url(self) -> str:
        """The address of the app that is served."""
        if self._server is None:
            raise RuntimeError("Nothing is served yet. Call start_server(app) first.")
        return self._server.url

    def stop(self) -> None:
        """Stop the server."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()


@contextmanager
def browser_and_server(fixture: str, kind: type[AppServer], config: pytest.Config, folder: Path) -> Iterator[Any]:
    """A browser that serves the apps that it shows: a :class:`dash.testing.composite.DashComposite`.

    Args:
        fixture: The name of the fixture, for what it says when something is missing.
        kind: The class of its servers.
        config: The options of Dash's plugin are read from it.
        folder: Where downloads go.
    """
    setup_options = getattr(config.hook, "pytest_setup_options", list)
    runner = Runner(kind)
    try:
        with _start_browser(
            fixture,
            server=runner,
            browser=config.getoption("webdriver", "Chrome"),
            remote=config.getoption("remote", False),
            remote_url=config.getoption("remote_url", None),
            headless=config.getoption("headless", False) or not _has_display(),
            options=setup_options(),
            download_path=str(folder),
            percy_assets_root=config.getoption("percy_assets", ""),
            percy_finalize=config.getoption("nopercyfinalize", True),
            pause=config.getoption("pause", False),
        ) as browser:
            yield browser
    finally:
        runner.stop()


def _start_browser(fixture: str, **options: Any) -> Any:
    missing = ""
    try:
        from dash.testing.composite import DashComposite
        from dash.testing.errors import TestingTimeoutError
    except ImportError:
        missing = "Dash's test kit, which is not installed: pip install 'dash-flash[testing]'"
    else:
        composite: Any = DashComposite
        try:
            return composite(**options)
        except TestingTimeoutError:
            missing = "Chrome or Chromium with its driver, which could not be started; the log says why"
    pytest.fail(f"{fixture} needs {missing}.", pytrace=False)


def describe(browser: Any, screenshot: Path) -> str:
    """What a browser shows and says: the path of a picture, and the errors in its console."""
    browser.driver.save_screenshot(str(screenshot))
    errors = [entry["message"] for entry in browser.driver.get_log("browser")]
    return "\n".join([f"Address: {browser.driver.current_url}", f"Screenshot: {screenshot}", *errors])


def _has_display() -> bool:
    """Whether there is a screen to show a window on."""
    return sys.platform in ("win32", "darwin") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
