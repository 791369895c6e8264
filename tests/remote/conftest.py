"""Backends in a thread, whose answers the test gives, and pages in processes and browsers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from dash.testing.browser import Browser

from ..examples.conftest import fresh_browser
from ..examples.running import free_port


class Held:
    """An ASGI app before another one: it holds the answers back until the test lets them go.

    Attributes:
        asked: How many requests have come.
        left: How many clients did not wait for their answer.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._gate = threading.Event()
        self.asked = 0
        self.left = 0

    def release(self) -> None:
        """Let the answers go, those to come too."""
        self._gate.set()

    def hold(self) -> None:
        """Hold those that come from now on."""
        self._gate.clear()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked += 1
        messages = []
        while not messages or messages[-1].get("more_body"):
            messages.append(await receive())
        leaving = asyncio.ensure_future(receive())
        while not self._gate.is_set() and not leaving.done():
            await asyncio.wait({leaving}, timeout=0.01)
        if leaving.done():
            self.left += 1
            return
        replay = iter(messages)

        async def again() -> Any:
            return next(replay, None) or await leaving

        await self._app(scope, again, send)
        leaving.cancel()


Serve = Callable[[Any], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve ASGI apps with Uvicorn, each in a thread; takes one and returns its address."""
    with ExitStack() as stack:

        def start(app: Any) -> str:
            server = uvicorn.Server(
                uvicorn.Config(app, port=free_port(), log_config=None, lifespan="off", timeout_graceful_shutdown=5)
            )
            thread = threading.Thread(target=lambda: asyncio.run(server._serve()), daemon=True)
            thread.start()
            stack.callback(thread.join, 20)
            stack.callback(setattr, server, "should_exit", True)
            while not server.started:
                assert thread.is_alive()
                thread.join(0.01)
            return f"http://127.0.0.1:{server.config.port}"

        yield start


@pytest.fixture
def browser(serve: Serve, tmp_path: Path) -> Iterator[Browser]:
    """A fresh browser, which goes before the servers do. At the end its console must hold no error."""
    with fresh_browser() as browser:
        yield browser
