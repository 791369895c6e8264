"""Serving an app over real sockets, in the loop of the test."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[int]:
    """Serve a Flash app with Hypercorn; gives the port on 127.0.0.1."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    port: int = listener.getsockname()[1]
    config = Config()
    # The server closes it.
    config.bind = [f"fd://{listener.detach()}"]
    config.graceful_timeout = 5
    config.loglevel = "WARNING"
    stop = asyncio.Event()
    task = asyncio.create_task(serve(app.server, config, shutdown_trigger=stop.wait))
    try:
        yield port
    finally:
        stop.set()
        await task
