"""Apps with short times, and the servers that serve them in the test's own loop: what the tests of the server share.

Example:
    >>> app = live_app(heartbeat=0.05)
    >>> async with in_process(app) as site, tab_of(site) as tab:
    ...     assert len(app.clients) == 1
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from hypercorn.asyncio import serve as serve_hypercorn
from hypercorn.config import Config

from flash import Flash, Input, Output, html

from ..apps import flash_app
from ..server.run_programs import free_port
from .sites import InProcess, Network

#: No wait of these tests is longer, in seconds.
PATIENCE = 20.0


def live_app(options: dict[str, Any] | None = None, **live: Any) -> Flash:
    """An app with two live callbacks: ``echo.children`` and, plain, ``plain.children`` give back ``in.value``.

    Args:
        options: Of the app.
        **live: Settings of the live connection.
    """
    app = flash_app(live=live or True, **(options or {}))
    app.layout = html.Div([html.Div(id=name) for name in ("in", "echo", "plain", "out")])

    @app.callback(Output("echo", "children"), Input("in", "value"), websocket=True)
    async def echo(value: Any) -> Any:
        return value

    @app.callback(Output("plain", "children"), Input("in", "value"), websocket=True)
    def plain(value: Any) -> Any:
        return value

    return app


def callback(app: Flash, output: str = "out.children", **options: Any) -> Callable[[Any], Any]:
    """Declare a live callback from ``in.value`` to one output."""
    component, prop = output.rsplit(".", 1)
    return app.callback(Output(component, prop), Input("in", "value"), **{"websocket": True, **options})


@asynccontextmanager
async def in_process(app: Flash, **options: Any) -> AsyncIterator[InProcess]:
    """The app's site, while its server runs without a network."""
    async with app.server.test_app():
        yield InProcess(app, **options)


@asynccontextmanager
async def on_hypercorn(app: Flash, *, loads_app: Any = None) -> AsyncIterator[Network]:
    """The app's site, served by Hypercorn in this loop."""
    config, stop = Config(), asyncio.Event()
    config.bind = [f"127.0.0.1:{free_port()}"]
    config.accesslog = config.errorlog = logging.getLogger("tests.hypercorn")
    serving = asyncio.create_task(serve_hypercorn(loads_app or app.server, config, shutdown_trigger=stop.wait))
    try:
        yield await _answering(app, config.bind[0])
    finally:
        stop.set()
        await serving


@asynccontextmanager
async def on_uvicorn(app: Flash, *, loads_app: Any = None) -> AsyncIterator[Network]:
    """The app's site, served by Uvicorn in this loop."""
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(loads_app or app.server, port=port, log_config=None, ws="websockets-sansio", lifespan="on")
    )
    serving = asyncio.create_task(server._serve())  # `serve` would take the signals of the process.
    try:
        yield await _answering(app, f"127.0.0.1:{port}")
    finally:
        server.should_exit = True
        await serving


SERVERS = {"hypercorn": on_hypercorn, "uvicorn": on_uvicorn}


async def _answering(app: Flash, address: str) -> Network:
    """The site once its server accepts connections."""
    host, port = address.split(":")
    await eventually(lambda: _reachable(host, int(port)))
    return Network(f"http://{address}{app.config.routes_pathname_prefix}")


async def _reachable(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True


async def eventually(condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Wait until a condition holds, which may be a coroutine function, and return its value."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        value = condition()
        if asyncio.iscoroutine(value):
            value = await value
        if value:
            return value
        assert asyncio.get_running_loop().time() < deadline, "Waited in vain."
        await asyncio.sleep(0.005)
