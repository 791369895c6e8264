"""Signing in at a proxy, which tells the hub in headers who asks."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable

from ...exceptions import ConfigurationError
from ..host import Receive, Scope, Send
from ..routing import PEER, Proxies
from ..visitor import NOBODY, Visitor
from .base import Headers, SignIn, answer, is_navigation, refuse


class Forwarded(SignIn):
    """Believes a proxy. Whoever reaches the hub in another way is nobody, whatever the headers say.

    The proxy must set these headers on each request, and take away what clients send under their names.

    Args:
        trusted: Addresses and networks of the proxy: ``["10.0.0.5"]``; ``"unix"`` when it comes by a unix socket.
        user: The header with the user's name.
        roles: The header with the roles, separated by commas; None when there is none.
        admins: Users who are administrators, whatever their roles.
        sign_in_url: Where to send a tab of somebody unknown; None: the answer is 401.

    Example:
        >>> hub = Hub(signin=Forwarded(trusted=["127.0.0.1"], user="X-Forwarded-User", roles="X-Forwarded-Groups"))
    """

    def __init__(
        self,
        trusted: Iterable[str],
        *,
        user: str = "X-Forwarded-User",
        roles: str | None = "X-Forwarded-Groups",
        admins: Collection[str] = (),
        sign_in_url: str | None = None,
    ) -> None:
        super().__init__()
        self._proxies = Proxies(trusted)
        if not self._proxies:
            raise ConfigurationError(
                "Forwarded() needs the addresses of the proxy, or anybody could say who they are: trusted=['10.0.0.5']."
            )
        self._user = user.lower().encode()
        self._roles = None if roles is None else roles.lower().encode()
        self._admins = frozenset(admins)
        self._sign_in_url = sign_in_url

    async def identify(self, scope: Scope) -> Visitor:
        """See :meth:`SignIn.identify`."""
        # Where the hub believes the proxy, the client has become the browser's; who speaks to us is then told aside.
        peer = scope[PEER] if PEER in scope else scope.get("client")
        if not self._proxies.trust(peer[0] if peer else None):
            return NOBODY
        name = _only(scope, self._user)
        if not name:
            return NOBODY
        told = _only(scope, self._roles) if self._roles is not None else ""
        roles = {role for each in (told or "").split(",") if (role := each.strip())}
        return Visitor(name, frozenset(roles | {"admin"} if name in self._admins else roles))

    def headers_for_apps(self, headers: Headers) -> Headers:
        """See :meth:`SignIn.headers_for_apps`. A WSGI app takes ``Remote_User`` for ``Remote-User``."""
        return [pair for pair in headers if pair[0].replace(b"_", b"-") not in (self._user, self._roles)]

    async def challenge(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See :meth:`SignIn.challenge`."""
        if self._sign_in_url is not None and is_navigation(scope):
            await answer(send, "http", 303, [(b"location", self._sign_in_url.encode())])
        else:
            await refuse(scope, send, 401, "The proxy in front of this hub has not said who you are.")


def _only(scope: Scope, name: bytes) -> str | None:
    """The value of a header; None when it is missing, or came several times, and so not from the proxy alone."""
    values = [value for key, value in scope["headers"] if key == name]
    if len(values) != 1:
        return None
    try:
        written = values[0].decode("utf-8")
    except UnicodeDecodeError:
        written = values[0].decode("latin-1")
    return unicodedata.normalize("NFC", written.strip())
