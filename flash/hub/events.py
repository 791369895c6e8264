"""What happens on a hub, told to whoever listens."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

logger = logging.getLogger("flash.hub")

#: A listener that does not read loses the oldest of more events than this.
WAITING = 256


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to an app.

    Attributes:
        app: Its name.
        kind: The state it entered: ``starting``, ``running``, ``draining``, ``off``, ``sleeping``, ``backoff``,
            ``failed``; or ``added``, ``removed``.
        text: What there is to say, for those who may see the app's log.
        at: When, in seconds since 1970.
    """

    app: str
    kind: str
    text: str = ""
    at: float = field(default_factory=time.time)


class Subscription:
    """The events from now on, for one listener. Iterate over it."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[Event] = asyncio.Queue(WAITING)

    def put(self, event: Event) -> None:
        """Add an event, and drop the oldest when too many wait."""
        if self._waiting.full():
            self._waiting.get_nowait()
        self._waiting.put_nowait(event)

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            yield await self._waiting.get()


class Events:
    """The events of one hub.

    Example:
        >>> @hub.on("failed")
        ... async def tell(event):
        ...     await post_to_chat(f"{event.app}: {event.text}")
    """

    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()
        self._handlers: list[tuple[str | None, Callable[[Event], Awaitable[None] | None]]] = []
        self._tasks: set[asyncio.Future[None]] = set()

    @contextmanager
    def subscribe(self) -> Iterator[Subscription]:
        """Listen while the block runs."""
        subscription = Subscription()
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def handle(self, kind: str | None, handler: Callable[[Event], Awaitable[None] | None]) -> None:
        """Call a plain (and quick) or asynchronous function for each event of a kind; None: for all."""
        self._handlers.append((kind, handler))

    def publish(self, event: Event) -> None:
        """Tell all who listen."""
        for subscription in self._subscriptions:
            subscription.put(event)
        for kind, handler in self._handlers:
            if kind in (None, event.kind):
                task = asyncio.ensure_future(_call(handler, event))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Cancel the handlers that still run."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _call(handler: Callable[[Event], Awaitable[None] | None], event: Event) -> None:
    try:
        called = handler(event)
        if called is not None:
            await called
    except Exception:
        logger.exception("A handler of the hub's events failed for %r.", event)
