"""The cookies of the hub's own, read from requests and written into answers."""

from __future__ import annotations

from ..host import Scope


def cookies_of(scope: Scope, name: str) -> list[str]:
    """The values of all cookies with a name, the one with the shortest path last.

    Args:
        scope: Of a request or a WebSocket.
        name: The cookie's name.
    """
    wanted = name.encode()
    found = []
    for key, value in scope["headers"]:
        if key == b"cookie" and wanted in value:
            for pair in value.split(b";"):
                word, _, content = pair.strip().partition(b"=")
                if word == wanted:
                    found.append(content.decode("latin-1"))
    return found


def set_cookie(name: str, value: str, scope: Scope, *, path: str = "/", seconds: float, same_site: str = "Lax") -> str:
    """A ``Set-Cookie`` header's value: for the hub alone, and out of the reach of scripts.

    Args:
        name: The cookie's name.
        value: What it holds; of letters, digits and ``-_.~=``.
        scope: The request that is answered; over TLS, the cookie goes over TLS only.
        path: Below which it is sent.
        seconds: How long it is kept; 0 removes it.
        same_site: Whether pages of other sites cause it to be sent: ``"Lax"`` or ``"Strict"``.

    Example:
        >>> set_cookie("flash-hub", "", {"scheme": "http"}, seconds=0)
        'flash-hub=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax'
    """
    secure = "; Secure" if is_secure(scope) else ""
    return f"{name}={value}; Max-Age={int(seconds)}; Path={path}; HttpOnly; SameSite={same_site}{secure}"


def is_secure(scope: Scope) -> bool:
    """Whether a request came over TLS, at least to the proxy that is believed."""
    return scope.get("scheme") in ("https", "wss")
