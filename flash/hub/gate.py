"""The way of a request into the hub: its path, its origin, who asks, and which app it is for."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from . import notices
from .host import Receive, Scope, Send
from .routing import PEER, BadPath, Proxies, checked_path, child_scope, client_of, slash_redirect
from .signin import foreign
from .spec import RESERVED
from .visitor import ADMIN, NOBODY, Visitor

if TYPE_CHECKING:
    from .hub import Hub
    from .mount import Mount

#: Who sits at the machine of a hub that nobody signs in to.
LOCAL = Visitor(None, frozenset({ADMIN}))

_OWN = f"/{RESERVED}/"
#: What proxies tell of their clients, one or the other.
_OF_PROXIES = (b"x-forwarded", b"forwarded", b"x-real-ip", b"via", b"cf-", b"x-client-ip", b"true-client-ip")
_LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")


class Gate:
    """Lets requests into a hub.

    Args:
        hub: The hub.
        trusted_proxies: Addresses and networks whose forwarding headers are believed.
    """

    def __init__(self, hub: Hub, trusted_proxies: Iterable[str]) -> None:
        self._hub = hub
        self._proxies = Proxies(trusted_proxies)

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request or a WebSocket, or refuse it."""
        try:
            path = checked_path(scope)
            scope = self._as_sent(scope)
            mount = self._hub.routes.match(path)
            if foreign(scope, mount.spec.allowed_origins if mount else ()):
                await self._hub.notify(notices.FOREIGN, scope, receive, send)
            elif path.startswith(_OWN) or (mount is None and path == "/"):
                visitor = await self.visitor(scope)
                await self._hub.front.serve(scope, receive, self._renewing(visitor, scope, send), visitor)
            elif mount is None:
                await self._not_found(scope, receive, send)
            else:
                await self._into(mount, path, scope, receive, send)
        except BadPath:
            await self._hub.notify(notices.BAD_PATH, scope, receive, send)

    def _as_sent(self, scope: Scope) -> Scope:
        """The scope with scheme, client and host as the browser knows them."""
        if not self._proxies.trust_peer(scope):
            return scope
        scheme, client, host = client_of(scope, self._proxies)
        headers = [(b"host", host.encode()), *(pair for pair in scope["headers"] if pair[0] != b"host")]
        return {**scope, PEER: scope.get("client"), "scheme": scheme, "client": client, "headers": headers}

    async def visitor(self, scope: Scope) -> Visitor:
        """Who asks for what the hub itself has to say."""
        if self._hub.signin.open:
            return LOCAL if self._hub.local_control and _is_local(scope) else NOBODY
        return await self._hub.signin.identify(scope)

    async def _into(self, mount: Mount, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        hub = self._hub
        visitor, session = NOBODY, None
        if not hub.signin.open:
            visitor, session = await hub.signin.identify(scope), hub.signin.session_key(scope)
            send = self._renewing(visitor, scope, send)
        if not mount.allows(visitor):
            if visitor.known or hub.signin.open:
                await hub.notify(notices.FORBIDDEN, scope, receive, send, visitor=visitor)
            else:
                await hub.signin.challenge(scope, receive, send)
        elif path == mount.spec.prefix and scope["type"] == "http":
            await _redirect(send, slash_redirect(scope))
        else:
            await mount.serve(child_scope(scope, mount.spec.prefix), receive, send, visitor=visitor, session=session)

    def _renewing(self, visitor: Visitor, scope: Scope, send: Send) -> Send:
        """As ``send``; the answer also carries what the session of the visitor needs."""
        if scope["type"] != "http" or not (renewed := self._hub.signin.refresh_headers(visitor, scope)):
            return send

        async def send_renewed(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *renewed]}
            await send(message)

        return send_renewed

    async def _not_found(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Only who may be here learns what is not here; what every browser asks for by itself, it gets."""
        if scope["path"] == "/favicon.ico" and scope["type"] == "http":
            await _redirect(send, b"/_hub/assets/icon.svg")
            return
        visitor = await self.visitor(scope)
        if visitor.known or self._hub.signin.open or not self._hub.mounts:
            await self._hub.notify(notices.NOT_FOUND, scope, receive, send)
        else:
            await self._hub.signin.challenge(scope, receive, send)


async def _redirect(send: Send, location: bytes) -> None:
    headers = [(b"location", location), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 307, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _is_local(scope: Scope) -> bool:
    """Whether a request comes from this machine, from a browser that means this machine.

    A page elsewhere can have its own name resolve to this machine; then the Host header holds that name. A proxy on
    this machine tells of its clients, or speaks HTTP/1.0, as no browser does.
    """
    client = scope.get("client")
    host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
    forwarded = any(name.startswith(_OF_PROXIES) for name, _ in scope["headers"])
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    try:
        address = client and ip_address(client[0])
        speaks_for_others = forwarded or scope["http_version"] == "1.0"
        return bool(address and address.is_loopback and not speaks_for_others and name in _LOCAL_NAMES)
    except ValueError:
        return False
