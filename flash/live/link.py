"""One transport between a tab and the server. A connection outlives its links."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Any, Protocol

from . import protocol

#: Seconds in which a close frame must be written; a reader that has stopped reading never takes it.
_CLOSE_SECONDS = 1.0


class LinkLost(Exception):
    """Nothing can be sent over a link any more."""


@dataclass(slots=True)
class Handshake:
    """What is known of a browser from the request that opened its link.

    Attributes:
        cookies: By name.
        headers: By name, capitalised.
        address: The browser's address, as the server sees it.
        user: Who it is, as the guard's request says.
        context: The context variables in which callbacks run: Quart's ``websocket`` or ``request`` among them.
        still_passes: Asks the guards again, with the same headers; for peers that bring no tickets.
    """

    cookies: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    address: str | None = None
    user: str | None = None
    context: Context = field(default_factory=copy_context)
    still_passes: Callable[[], Awaitable[bool]] | None = None

    @property
    def origin(self) -> str | None:
        """The origin of the page."""
        return self.headers.get("Origin")


class Link(Protocol):
    """What a connection needs of a transport."""

    handshake: Handshake

    async def send(self, frame: bytes) -> None:
        """Send one frame. Waits while the other end does not read. Raises LinkLost when there is no other end."""

    def close(self, code: int, reason: str = "") -> None:
        """Close the link, without waiting for the other end."""


class SocketLink:
    """A WebSocket of an ASGI server.

    Args:
        send: The ``send`` of the ASGI connection, which has been accepted.
        handshake: What is known of the browser.
    """

    __slots__ = ("_closing", "_reader", "_send", "closed", "handshake")

    def __init__(self, send: Callable[[dict[str, Any]], Awaitable[None]], handshake: Handshake) -> None:
        self._send = send
        self._reader = asyncio.current_task()
        self._closing: asyncio.Task[None] | None = None
        self.handshake = handshake
        self.closed = False

    async def send(self, frame: bytes) -> None:
        """Send one frame."""
        if self.closed:
            raise LinkLost()
        try:
            await self._send({"type": "websocket.send", "text": frame.decode()})
        except Exception as error:
            # Servers raise what they like when the other end is gone.
            self.end()
            raise LinkLost() from error

    def close(self, code: int, reason: str = "") -> None:
        """Close the socket, and end the task that reads from it."""
        if not self.closed:
            self.closed = True
            self._closing = asyncio.get_running_loop().create_task(self._close(code, reason))

    async def finish(self, code: int, reason: str = "") -> None:
        """Close the socket, from the task that reads from it."""
        if not self.closed:
            self.closed = True
            await self._close(code, reason)

    async def _close(self, code: int, reason: str) -> None:
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._send({"type": "websocket.close", "code": code, "reason": reason})
        except Exception:
            pass  # The other end does not read, or is gone: the server drops the connection when its task ends.
        finally:
            self._cancel_reader()

    def end(self) -> None:
        """End the task that reads from the socket; nothing can be said to the other end."""
        if not self.closed:
            self.closed = True
            self._cancel_reader()

    def _cancel_reader(self) -> None:
        if self._reader is not None and self._reader is not asyncio.current_task():
            self._reader.cancel()

    def forget_reader(self) -> None:
        """Say that the task that reads has ended."""
        self._reader = None
        self.closed = True


class WorkerLink:
    """One page behind Dash's worker, which speaks for several pages over one link.

    Args:
        link: The worker's link.
        renderer_id: The page's name.
    """

    __slots__ = ("_link", "_renderer_id", "handshake")

    def __init__(self, link: Link, renderer_id: str) -> None:
        self._link = link
        self._renderer_id = renderer_id
        self.handshake = link.handshake

    async def send(self, frame: bytes) -> None:
        """Send one frame, or each of a list of messages, addressed to the page."""
        await self._link.send(protocol.addressed(frame, self._renderer_id))

    def close(self, code: int, reason: str = "") -> None:
        """Close the worker's link; its other pages lose it too."""
        self._link.close(code, reason)
