"""What a backend over HTTP has on one event loop: its connections, and how many calls may run at once."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING

from .retries import Failure
from .turns import Turns

if TYPE_CHECKING:
    import httpx2

#: Shorter than servers keep idle connections (Gunicorn 2 s, others 5 s), so that a call meets none that is closing.
_IDLE_SECONDS = 1.5
_CONNECT_SECONDS = 10.0


class Connections:
    """The connections of one backend on one event loop.

    Args:
        client: The HTTP client.
        limit: How many calls run at once. Ten times as many may wait; one more is refused.
    """

    def __init__(self, client: httpx2.AsyncClient, limit: int) -> None:
        self.client = client
        self._turns = Turns(limit)

    @asynccontextmanager
    async def turn(self, deadline: float) -> AsyncIterator[httpx2.AsyncClient]:
        """Wait until a call may run.

        Args:
            deadline: When it is given up, in the loop's time.

        Raises:
            Failure: Too many wait, or it took too long.
        """
        async with self._turns.turn(deadline, lambda told: Failure("busy", told=told)):
            yield self.client


class ConnectionsByLoop:
    """The connections of one backend, by the event loop: made when they are first needed, closed with the loop.

    Args:
        transport: As httpx2 takes it.
        limit: How many calls run at once on each loop.
    """

    def __init__(self, transport: httpx2.AsyncBaseTransport | None, limit: int) -> None:
        self._transport = transport
        self._limit = limit
        self._kept: dict[asyncio.AbstractEventLoop, tuple[Connections, AsyncGenerator[Connections, None]]] = {}

    async def here(self) -> Connections:
        """Those of the running loop."""
        loop = asyncio.get_running_loop()
        if loop not in self._kept:
            self._forget_closed()
            keeper = _keep(self._make(), weakref.ref(self))
            self._kept[loop] = await anext(keeper), keeper
        return self._kept[loop][0]

    async def aclose(self) -> None:
        """Close those of the running loop. The next call makes new ones."""
        if (kept := self._kept.get(asyncio.get_running_loop())) is not None:
            await kept[1].aclose()

    def forget(self, loop: asyncio.AbstractEventLoop) -> None:
        """Those of a loop are closed."""
        self._kept.pop(loop, None)

    def _make(self) -> Connections:
        import httpx2

        # Without a memory for cookies, which one user's call would get and another's would send.
        cookies = CookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
        client = httpx2.AsyncClient(
            transport=self._transport,
            cookies=cookies,
            follow_redirects=False,
            timeout=httpx2.Timeout(None, connect=_CONNECT_SECONDS),
            limits=httpx2.Limits(
                max_connections=self._limit,
                max_keepalive_connections=self._limit,
                keepalive_expiry=_IDLE_SECONDS,
            ),
        )
        return Connections(client, self._limit)

    def _forget_closed(self) -> None:
        """A loop that was closed without its ``shutdown_asyncgens`` has closed nothing of ours."""
        for loop in list(self._kept):
            if loop.is_closed():
                self.forget(loop)


async def _keep(connections: Connections, by_loop: weakref.ref[ConnectionsByLoop]) -> AsyncGenerator[Connections, None]:
    """Hold connections. As a generator, because a loop that ends closes the generators that it runs, and waits.

    Who forgets the backend forgets this too, and then the loop closes it: so nothing here holds the backend.
    """
    try:
        yield connections
    finally:
        if (kept := by_loop()) is not None:
            kept.forget(asyncio.get_running_loop())
        await connections.client.aclose()
