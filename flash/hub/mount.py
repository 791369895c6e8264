"""One app of a hub: who may use it, whether it can be used now, and its requests on their way to its host."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from . import notices
from .draining import is_endless
from .events import Event
from .headers import answer_headers, child_headers
from .host import AppUnreachable, Host, Receive, Scope, Send
from .keeper import AppState, Keeper
from .notices import Notice
from .spec import Spec
from .state import remember_desired
from .uses import SIGNED_OUT, Use, Uses
from .visitor import EXTENSION, Visitor, cookie_name

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
        await self.hub.state.run(remember_desired, self.spec.name, "on" if on else "off")
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
        exchange = Exchange(self, scope, receive, send)
        use = self.uses.begin(visitor.name or exchange.address, session, scope["type"] == "websocket")
        exchange.use = use
        began = time.perf_counter()
        try:
            notice = None if self.keeper.ready.is_set() else await self._obstacle()
            if notice is None:
                self.uses.serve(use)
                notice = await exchange.run(visitor)
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


class Exchange:
    """One request or WebSocket between a browser and the host of an app."""

    __slots__ = (
        "_mount",
        "_patience",
        "_receive",
        "_received",
        "_scope",
        "_send",
        "address",
        "begun",
        "ended",
        "host",
        "status",
        "use",
    )

    def __init__(self, mount: Mount, scope: Scope, receive: Receive, send: Send) -> None:
        self._mount = mount
        self._scope = scope
        self._receive = receive
        self._send = send
        self.address: str = (scope.get("client") or ("",))[0]
        #: The status of the answer; 0 while there is none.
        self.status = 0
        self.begun = False
        self.ended = False
        self.use: Use | None = None
        #: The browser's Host header.
        self.host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
        self._received = 0
        self._patience: asyncio.Timeout | None = None

    async def run(self, visitor: Visitor) -> Notice | None:
        """Hand the request to the host; what to say when there is no answer."""
        mount, host = self._mount, self._mount.host
        assert host is not None
        self._tell_who(visitor)
        receive = self._receive if mount.spec.max_body is None else self._counted
        try:
            self._refuse_large(_length(self._scope["headers"]))
            if mount.spec.timeout is None or self._scope["type"] == "websocket":
                await host.serve(self._scope, receive, self.send)
            else:
                await self._within(mount.spec.timeout, host.serve(self._scope, receive, self.send))
        except AppUnreachable:
            return None if self.begun else notices.UNREACHABLE
        except _TooLarge:
            return None if self.begun else notices.TOO_LARGE
        except TimeoutError:
            return None if self.begun else notices.TIMEOUT
        return None

    async def send(self, message: Any) -> None:
        """What the app sends, with its headers made fit for the hub's origin."""
        kind = message["type"]
        if kind == "http.response.start" or kind == "websocket.http.response.start":
            self.begun = True
            if self._patience is not None:
                self._patience.reschedule(None)
            self.status = message["status"]
            spec = self._mount.spec
            headers = list(message.get("headers", ()))
            headers = answer_headers(
                headers,
                spec.prefix,
                cookie_name(self._scope["scheme"]),
                rewrite_location=300 <= self.status < 400 and not self._leads_elsewhere(headers),
                host=self.host,
            )
            message = {**message, "headers": headers}
            if self.use is not None and is_endless(headers):
                self.use.endless = True
        elif kind == "websocket.accept":
            self.begun = True
            self.status = 101
            spec = self._mount.spec
            self._mount.hub.metrics.connected(spec.name)
            headers = list(message.get("headers", ()))
            name = cookie_name(self._scope["scheme"])
            message = {**message, "headers": answer_headers(headers, spec.prefix, name, rewrite_location=False)}
        elif kind == "websocket.close":
            self.begun = self.ended = True
        elif kind == "http.response.body" and not message.get("more_body"):
            self.ended = True
        await self._send(message)

    async def break_off(self, code: int) -> Notice | None:
        """End what was under way; what to say when nothing had been answered."""
        if self.ended:
            return None
        if self._scope["type"] == "websocket":
            if self.status == 101:
                await self._send({"type": "websocket.close", "code": code, "reason": ""})
                return None
        elif self.begun:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
            return None
        return notices.FORBIDDEN if code == SIGNED_OUT else notices.OFF

    def _tell_who(self, visitor: Visitor) -> None:
        """Put who asks into the headers and the extensions that the app sees."""
        scope, spec = self._scope, self._mount.spec
        scope["extensions"] = {
            **(scope.get("extensions") or {}),
            EXTENSION: {
                "user": visitor.name,
                "roles": sorted(visitor.roles),
                "app": spec.name,
                "prefix": spec.prefix,
            },
        }
        scope["headers"] = child_headers(
            self._mount.hub.signin.headers_for_apps(scope["headers"]),
            visitor,
            prefix=spec.prefix,
            scheme=scope["scheme"],
            host=self.host,
            client=scope.get("client"),
            cookie_name=cookie_name(scope["scheme"]),
        )

    def _leads_elsewhere(self, headers: list[tuple[bytes, bytes]]) -> bool:
        """Whether a redirect leads to another app or to the hub itself."""
        place = next((value for name, value in headers if name.lower() == b"location"), b"")
        try:
            return self._mount.hub.owns(urlsplit(place.decode("latin-1")).path)
        except ValueError:
            return False  # It leads nowhere.

    def _refuse_large(self, length: int) -> None:
        if (limit := self._mount.spec.max_body) is not None and length > limit:
            raise _TooLarge

    async def _counted(self) -> Any:
        """A message of the browser.

        Raises:
            _TooLarge: The body is larger than it may be.
        """
        message = await self._receive()
        self._received += len(message.get("body", b""))
        self._refuse_large(self._received)
        return message

    async def _within(self, seconds: float, serving: Coroutine[Any, Any, None]) -> None:
        """Serve, and break off when no answer has begun in time."""
        try:
            async with asyncio.timeout(seconds) as self._patience:
                await serving
        finally:
            self._patience = None


class _TooLarge(Exception):
    """A request body is larger than the app takes."""


def _length(headers: list[tuple[bytes, bytes]]) -> int:
    length = next((value for name, value in headers if name == b"content-length"), b"")
    return int(length) if length.isdigit() else 0
