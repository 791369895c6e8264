"""The pytest plugin: fixtures ``flash_client``, ``flash_server``, ``flash_duo`` and ``flash_duo_mp``.

It is active wherever Flash is installed. Every name is Flash's own, so it goes together with Dash's plugin.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import quart

from ..server.flask_shadow import shadow_of
from .browser import browser_and_server, describe
from .client import Client, SyncClient
from .flask_client import install_flask_test_client
from .servers import AppServer, ProcessServer, ThreadServer

if TYPE_CHECKING:
    from dash.testing.composite import DashComposite

_BROWSERS = ("flash_duo", "flash_duo_mp")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the plugin's setting."""
    parser.addini(
        "flash_flask_test_client",
        "Apps with flask_compat=True give plain tests Flask's synchronous client by app.server.test_client().",
        type="bool",
        default=True,
    )


def pytest_configure(config: pytest.Config) -> None:
    """Give unit tests that were written for Flask the client that they expect."""
    if config.getini("flash_flask_test_client"):
        config.add_cleanup(_give_flask_clients())


def _give_flask_clients() -> Callable[[], None]:
    """Have apps with ``flask_compat`` give Flask's test client, and every other server Quart's."""
    quarts_client: Any = quart.Quart.test_client
    undo = install_flask_test_client(quart.Quart)
    flasks_client: Any = quart.Quart.test_client

    def test_client(server: quart.Quart, *args: Any, **options: Any) -> Any:
        client = quarts_client if shadow_of(server) is None else flasks_client
        return client(server, *args, **options)

    setattr(quart.Quart, "test_client", test_client)  # noqa: B010 - a method, for every server
    return undo


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to the report of a failed test what its browser showed."""
    report = yield
    if report.when == "call" and report.failed:
        arguments = getattr(item, "funcargs", {})
        for name in _BROWSERS:
            if name in arguments:
                report.sections.append((name, _described(arguments[name], arguments["tmp_path"] / f"{name}.png")))
    return report


def _described(browser: Any, screenshot: Path) -> str:
    try:
        return describe(browser, screenshot)
    except Exception as error:
        return f"The browser does not answer: {error}"


@pytest.fixture
def flash_client() -> Iterator[Callable[..., SyncClient]]:
    """Clients for apps in this process: ``client = flash_client(app)``. Takes what :class:`Client` takes."""
    with ExitStack() as stack:

        def enter(app: Any, **options: Any) -> SyncClient:
            return stack.enter_context(Client(app, **options))

        yield enter


@pytest.fixture
def flash_server() -> Iterator[Callable[..., AppServer]]:
    """Servers on free ports: ``flash_server(app).url``. In a thread, or with ``process=True`` in a process.

    Further arguments are those of ``app.run()``.
    """
    with ExitStack() as stack:

        def start(app: Any, *, process: bool = False, **options: Any) -> AppServer:
            server = (ProcessServer if process else ThreadServer)(app, **options)
            return stack.enter_context(server)

        yield start


@pytest.fixture
def flash_duo(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DashComposite]:
    """Dash's ``dash_duo`` for Flash: a browser, and apps served in a thread on a free port."""
    with browser_and_server("flash_duo", ThreadServer, request.config, tmp_path) as browser:
        yield browser


@pytest.fixture
def flash_duo_mp(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DashComposite]:
    """Dash's ``dash_duo_mp`` for Flash: a browser, and apps served in a process of their own on a free port."""
    with browser_and_server("flash_duo_mp", ProcessServer, request.config, tmp_path) as browser:
        yield browser
