"""One app of a hub: who may use it, whether it can be used now, and what is under way at it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import notices
from .events import Event
from .exchange import Exchange
from .host import Host, Receive, Scope, Send
from .keeper import AppState, Keeper
from .notices import Notice
from .spec import Spec
from .state import remember_desired
from .uses import Uses
from .visitor import Visitor

if TYPE_CHECKING:
    from .hub import Hub


@dataclass(frozen=True, slots=True)
class Status:
    """What an app is doing.

    Attributes:
        name: Its name.
        desired: ``"on"`` or ``"off"``.
        state: ``off``, ``starting``, ``running``, ``draining``, ``sleeping``, ``backoff`` or ``failed``.
        since: Since when, in seconds since 1970.
        pid: Its process; None for one in the hub's own.
        restarts: How often it was started anew after a crash.
        users: Visitors within the last minute.
        connections: Open WebSockets and event streams.
        requests: All requests and connections that are under way.
        error: Why it ended last, when it was not asked to; for those who may see its log.
    """

    name: str
    desired: str
    state: str
    since: float
    pid: int | None
    restarts: int
    users: int
    connections: int
    requests: int
    error: str | None


class Mount:
    """One app of a hub.

    Args:
        hub: The hub.
        spec: What is written about the app.
        make_host: Makes a host for the next start.
        wanted: Whether it is to be on.
    """

    def __init__(self, hub: Hub, spec: Spec, make_host: Callable[[], Host], wanted: bool) -> None:
        self.hub = hub
        self.spec = spec
        self.uses = Uses(spec.max_requests)
        self.keeper = Keeper(spec, self.uses, make_host, self._tell, hub.starting, wanted=wanted, asleep=spec.on_demand)

    # Who may.

    def allows(self, visitor: Visitor) -> bool:
        """Whether a visitor may use the app."""
        access = self.spec.access
        if access == "public" or visitor.is_admin:
            return True
        if access == "signed-in":
            return visitor.known or self.hub.signin.open
        return visitor.is_one_of([access] if isinstance(access, str) else access)

    def may_manage(self, visitor: Visitor) -> bool:
        """Whether a visitor may switch the app, restart it and see its log."""
        return visitor.is_one_of(self.spec.managers)

    # What it does.

    @property
    def host(self) -> Host | None:
        """What runs it now."""
        return self.keeper.host

    def status(self) -> Status:
        """What it is doing now."""
        keeper = self.keeper
        return Status(
            name=self.spec.name,
            desired="on" if keeper.wanted else "off",
            state=keeper.state.value,
            since=keeper.since,
            pid=keeper.host.pid if keeper.host else None,
            restarts=keeper.restarts,
            users=self.uses.users(),
            connections=self.uses.connections,
            requests=len(self.uses),
            error=keeper.error,
        )

    async def switch(self, on: bool) -> None:
        """Switch it on or off, now and after a restart of the hub; returns when that is done or has failed."""
        self.keeper.want(on)
        await self.hub.remember(remember_desired, self.spec.name, "on" if on else "off")
        if on:
            await self.keeper.until(AppState.RUNNING, AppState.BACKOFF, AppState.FAILED)
        else:
            await self.keeper.until(AppState.OFF)

    async def restart(self) -> None:
        """End and start it; its requests wait meanwhile. Without effect while it is off."""
        if not self.keeper.wanted:
            return
        self.keeper.want_again()
        await self.keeper.until(AppState.RUNNING, AppState.BACKOFF, AppState.FAILED)

    def _tell(self, state: AppState, text: str) -> None:
        self.hub.entered(self, Event(self.spec.name, state.value, text))

    # Its requests.

    async def serve(self, scope: Scope, receive: Receive, send: Send, *, visitor: Visitor, session: str | None) -> None:
        """Serve a request or a WebSocket of a visitor who may use the app.

        Args:
            scope: Path, scheme, client and host are as the app is to see them; the headers are the browser's.
            receive: As in ASGI.
            send: As in ASGI.
            visitor: Who asks.
            session: The session of who asks; what it began ends with it.
        """
        if self.uses.full:
            await self._notify(notices.BUSY, visitor, scope, receive, send)
            return
        exchange = Exchange(self.hub, self.spec, scope, receive, send)
        use = self.uses.begin(visitor.name or exchange.address, session, scope["type"] == "websocket")
        exchange.use = use
        began = time.perf_counter()
        try:
            notice = None if self.keeper.ready.is_set() else await self._obstacle()
            if notice is None:
                self.uses.serve(use)
                assert self.keeper.host is not None
                notice = await exchange.run(self.keeper.host, visitor)
        except asyncio.CancelledError:
            if use.broken_off is None:
                raise
            asyncio.current_task().uncancel()  # type: ignore[union-attr]
            notice = await exchange.break_off(use.broken_off)
        finally:
            self.uses.end(use)
        if notice is not None:
            await self._notify(notice, visitor, scope, receive, exchange.send)
        self.hub.metrics.observe(self.spec.name, exchange.status, time.perf_counter() - began)

    async def _obstacle(self) -> Notice | None:
        """Wait until the app can be used; what to say when it cannot."""
        try:
            async with asyncio.timeout(self.hub.patience):
                while not self.keeper.ready.is_set():
                    if (notice := self._hopeless()) is not None:
                        return notice
                    self.keeper.wake()
                    await self.keeper.next_move()
        except TimeoutError:
            return notices.STARTING
        return None

    def _hopeless(self) -> Notice | None:
        """What to say when waiting leads to nothing."""
        if not self.keeper.wanted:
            return notices.OFF
        return {AppState.FAILED: notices.FAILED, AppState.BACKOFF: notices.BACKOFF}.get(self.keeper.state)

    async def _notify(self, notice: Notice, visitor: Visitor, scope: Scope, receive: Receive, send: Send) -> None:
        if self.hub.signin.open:
            visitor = await self.hub.local_visitor(scope)
        crashed = notice in (notices.FAILED, notices.BACKOFF)
        details = self.keeper.error if crashed and self.may_manage(visitor) else None
        await self.hub.notify(notice, scope, receive, send, mount=self, visitor=visitor, details=details)
