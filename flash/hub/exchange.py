"""One request or WebSocket between a browser and the host of an app: its headers, its limits, its end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from . import notices
from .draining import is_endless
from .headers import Headers, answer_headers, child_headers, content_length
from .host import AppUnreachable, Host, Receive, Scope, Send
from .notices import Notice
from .spec import Spec
from .uses import SIGNED_OUT, Use
from .visitor import EXTENSION, Visitor, cookie_name

if TYPE_CHECKING:
    from .hub import Hub


#: Seconds for which the end of an answer waits for a browser that does not read.
_FAREWELL = 1.0


class Exchange:
    """One request or WebSocket of an app.

    Args:
        hub: The hub.
        spec: The app.
        scope: As the hub hands it over; its headers are still the browser's.
        receive: As in ASGI.
        send: As in ASGI.

    Attributes:
        address: The browser's.
        status: The status of the answer; 0 while there is none.
        begun: Whether an answer has begun.
        use: How it counts among what is under way.
    """

    __slots__ = (
        "_cookie",
        "_ended",
        "_host",
        "_hub",
        "_patience",
        "_receive",
        "_received",
        "_scope",
        "_send",
        "_spec",
        "_too_large",
        "address",
        "begun",
        "status",
        "use",
    )

    def __init__(self, hub: Hub, spec: Spec, scope: Scope, receive: Receive, send: Send) -> None:
        self._hub = hub
        self._spec = spec
        self._scope = scope
        self._receive = receive
        self._send = send
        self._host = ""
        for name, value in scope["headers"]:
            if name == b"host":
                self._host = value.decode("latin-1")
                break
        self._cookie = cookie_name(scope["scheme"])
        self._received = 0
        self._too_large = False
        self._ended = False
        self._patience: asyncio.Timeout | None = None
        self.address: str = (scope.get("client") or ("",))[0]
        self.status = 0
        self.begun = False
        self.use: Use | None = None

    async def run(self, host: Host, visitor: Visitor) -> Notice | None:
        """Hand the request to a host.

        Args:
            host: What runs the app.
            visitor: Who asks.

        Returns:
            What to say when there is no answer.
        """
        self._tell_who(visitor, host.forwards)
        spec, receive = self._spec, self._receive
        try:
            if spec.max_body is not None:
                self._refuse_large(content_length(self._scope["headers"]) or 0)
                receive = self._counted
            if spec.timeout is None or self._scope["type"] == "websocket":
                await host.serve(self._scope, receive, self.send)
            else:
                await self._within(spec.timeout, host.serve(self._scope, receive, self.send))
        except AppUnreachable:
            return None if self.begun else notices.UNREACHABLE
        except _TooLarge:
            pass
        except TimeoutError:
            return None if self.begun else notices.TIMEOUT
        too_large, self._too_large = self._too_large, False
        return notices.TOO_LARGE if too_large and not self.begun else None

    async def send(self, message: Any) -> None:
        """What the app sends, with its headers made fit for the hub's origin."""
        if self._too_large and not self.begun:
            return  # What the app makes of its unreadable body is not what the browser has to know.
        kind = message["type"]
        if kind == "http.response.body":
            self._ended = not message.get("more_body")
        elif kind in ("http.response.start", "websocket.http.response.start"):
            message = self._begin(message)
        elif kind == "websocket.accept":
            self.begun = True
            self.status = 101
            self._hub.metrics.connected(self._spec.name)
            message = {**message, "headers": self._for_browsers(message.get("headers", ()))}
        elif kind == "websocket.close":
            self.begun = self._ended = True
        await self._send(message)

    async def break_off(self, code: int) -> Notice | None:
        """End what was under way.

        Args:
            code: The close code for a WebSocket.

        Returns:
            What to say when nothing had been answered.
        """
        if self._ended:
            return None
        if self.status == 101:
            await self._say_last({"type": "websocket.close", "code": code, "reason": ""})
            return None
        if self.begun:
            await self._say_last({"type": "http.response.body", "body": b"", "more_body": False})
            return None
        return notices.FORBIDDEN if code == SIGNED_OUT else notices.OFF

    async def _say_last(self, message: Any) -> None:
        """A browser that does not read keeps no app from its end."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL):
                await self._send(message)

    def _begin(self, message: Any) -> Any:
        """The beginning of an answer as the browser gets it."""
        self.begun = True
        if self._patience is not None:
            self._patience.reschedule(None)
        self.status = message["status"]
        headers = self._for_browsers(message.get("headers", ()))
        if self.use is not None and is_endless(headers):
            self.use.endless = True
        return {**message, "headers": headers}

    def _for_browsers(self, headers: Any) -> Headers:
        redirects = 300 <= self.status < 400
        return answer_headers(
            headers,
            self._spec.prefix,
            self._cookie,
            rewrite_location=redirects and not self._leads_elsewhere(headers),
            host=self._host,
        )

    def _leads_elsewhere(self, headers: Any) -> bool:
        """Whether a redirect leads to another app or to the hub itself."""
        place = next((value for name, value in headers if name.lower() == b"location"), b"")
        try:
            return self._hub.owns(urlsplit(place.decode("latin-1")).path)
        except ValueError:
            return False  # It leads nowhere.

    def _tell_who(self, visitor: Visitor, forwarded: bool) -> None:
        """Put who asks into the headers and the extensions that the app sees."""
        scope, spec = self._scope, self._spec
        told = {"user": visitor.name, "roles": sorted(visitor.roles), "app": spec.name, "prefix": spec.prefix}
        scope["extensions"] = {**(scope.get("extensions") or {}), EXTENSION: told}
        scope["headers"] = child_headers(
            self._hub.signin.headers_for_apps(scope["headers"]),
            visitor,
            spec.prefix,
            scope["scheme"],
            self._host,
            scope.get("client"),
            self._cookie,
            forwarded,
        )

    def _refuse_large(self, length: int) -> None:
        if (limit := self._spec.max_body) is not None and length > limit:
            self._too_large = True
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
