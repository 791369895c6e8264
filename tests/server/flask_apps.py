"""Quart servers with Flask's contexts, for the tests of ``flask_compat``."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any

import pytest
import quart

from flash.server.compat import install_flask_compat


def compat_server(**config: Any) -> quart.Quart:
    """A Quart server with Flask's contexts and a secret key."""
    server = quart.Quart("shop")
    server.config.update(config)
    install_flask_compat(server)
    # After the installation, as users do it: the configuration is one.
    server.secret_key = "secret"
    return server


def both(function: Any) -> Any:
    """Run a test with plain and with asynchronous functions; its argument ``kind`` makes a function of either."""
    return pytest.mark.parametrize("kind", [plain, awaited], ids=["plain", "async"])(function)


def plain(func: Callable[..., Any]) -> Callable[..., Any]:
    """The function as it is, which the server runs in a thread."""
    return func


def awaited(func: Callable[..., Any]) -> Callable[..., Any]:
    """An asynchronous function that does the same after a turn of the loop."""

    @functools.wraps(func)
    async def run(*args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(0)
        return func(*args, **kwargs)

    return run


async def text_of(response: Any) -> str:
    """The body of a response of Quart's test client."""
    text: str = await response.get_data(as_text=True)
    return text
