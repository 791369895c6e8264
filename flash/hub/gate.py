"""The way of a request into the hub: its path, its origin, who asks, and which app it is for."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from . import notices
from .host import Receive, Scope, Send
from .routing import BadPath, Peers, checked_path, child_scope, redirect_to_slash
from .signin import foreign
from .spec import RESERVED
from .visitor import ADMIN, Visitor

if TYPE_CHECKING:
    from .hub import Hub

#: Who sits at the machine of a hub that nobody signs in to.
LOCAL = Visitor(None, frozenset({ADMIN}))

_LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")


class Gate:
    """Lets requests into a hub.

    Args:
        hub: The hub.
        trusted_proxies: Addresses and networks whose forwarding headers are believed.
    """

    def __init__(self, hub: Hub, trusted_proxies: Iterable[str]) -> None:
        self._hub = hub
        self._peers = Peers(trusted_proxies)

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request or a WebSocket, or refuse it."""
        hub = self._hub
        try:
            path = checked_path(scope)
        except BadPath:
            await hub.notify(notices.BAD_PATH, scope, receive, send)
            return
        scope = self._peers.resolved(scope)
        mount = hub.routes.match(path)
        if foreign(scope, mount.spec.allowed_origins if mount else ()):
            await hub.notify(notices.FOREIGN, scope, receive, send)
        elif path.startswith(f"/{RESERVED}/") or (mount is None and path == "/"):
            await hub.front.serve(scope, receive, send, await self.visitor(scope))
        elif mount is None:
            await self._not_found(scope, receive, send)
        else:
            await self._into(mount, path, scope, receive, send)

    async def visitor(self, scope: Scope) -> Visitor:
        """Who asks."""
        if self._hub.signin.open:
            return LOCAL if _is_local(scope) else Visitor()
        return await self._hub.signin.identify(scope)

    async def _into(self, mount: Any, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        hub = self._hub
        visitor = await self.visitor(scope)
        if not mount.allows(visitor):
            if visitor.known or hub.signin.open:
                await hub.notify(notices.FORBIDDEN, scope, receive, send)
            else:
                await hub.signin.challenge(scope, receive, send)
        elif path == mount.spec.prefix and scope["type"] == "http":
            await redirect_to_slash(scope, send)
        else:
            session = hub.signin.session_key(scope)
            await mount.serve(child_scope(scope, mount.spec.prefix), receive, send, visitor=visitor, session=session)

    async def _not_found(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Only who may be here learns what is not here."""
        visitor = await self.visitor(scope)
        if visitor.known or self._hub.signin.open or not self._hub.mounts:
            await self._hub.notify(notices.NOT_FOUND, scope, receive, send)
        else:
            await self._hub.signin.challenge(scope, receive, send)


def _is_local(scope: Scope) -> bool:
    """Whether a request comes from this machine, from a browser that means this machine.

    A page elsewhere can have its own name resolve to this machine; then the Host header holds that name.
    """
    client = scope.get("client")
    host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
    forwarded = any(name in (b"x-forwarded-for", b"forwarded") for name, _ in scope["headers"])
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    try:
        return bool(client) and ip_address(client[0]).is_loopback and not forwarded and name in _LOCAL_NAMES
    except ValueError:
        return False
