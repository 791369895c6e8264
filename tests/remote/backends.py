"""Backends on real sockets, in the loop of the test."""

from __future__ import annotations

import asyncio
import types
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from ..server.run_programs import free_port


@asynccontextmanager
async def backend_of(app: Any) -> AsyncIterator[str]:
    """Serve an ASGI app with Uvicorn; gives its address."""
    server = uvicorn.Server(uvicorn.Config(app, port=free_port(), log_config=None, lifespan="off"))
    serving = asyncio.create_task(server._serve())  # `serve` would take the signals of the process.
    try:
        while not server.started:
            assert not serving.done()
            await asyncio.sleep(0.005)
        yield f"http://127.0.0.1:{server.config.port}"
    finally:
        server.should_exit = True
        await serving


def module_of(code: str, name: str) -> types.ModuleType:
    """The module that a program is, with a name of its own."""
    module = types.ModuleType(name)
    exec(compile(code, name, "exec"), vars(module))
    return module
