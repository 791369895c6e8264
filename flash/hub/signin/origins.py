"""Whether a request was made by a page of another site."""

from __future__ import annotations

from collections.abc import Collection

from ...live.origin import allowed_origin
from ..host import Scope

#: Methods that change nothing, so that any page may cause them: links and pictures do.
SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS", "TRACE"))

#: What ``Sec-Fetch-Site`` says of requests by the site's own pages, and of addresses that were typed.
_OWN = (b"same-origin", b"none")


def foreign(scope: Scope, allowed: Collection[str] = ()) -> bool:
    """Whether a request that may change something, or a handshake, comes from a page of another site.

    Browsers say where a request comes from, and pages cannot change what they say: in ``Sec-Fetch-Site`` (which old
    browsers, and sites without TLS, do not have) and in ``Origin``. What sends neither is no browser, and passes.

    Args:
        scope: Of a request or a WebSocket, with the scheme and the Host header of the browser.
        allowed: Further origins whose pages may send: ``"https://example.com"``, or ``"*"``.

    Example:
        >>> foreign({"type": "http", "method": "POST", "scheme": "https",
        ...          "headers": [(b"host", b"hub.example"), (b"origin", b"https://evil.example")]})
        True
    """
    if scope["type"] == "http" and scope["method"] in SAFE_METHODS:
        return False
    site = origin = host = None
    for name, value in scope["headers"]:
        if name == b"sec-fetch-site":
            site = value
        elif name == b"origin":
            origin = value
        elif name == b"host":
            host = value
    if site in _OWN or (site is None and origin is None) or "*" in allowed:
        return False
    written = _text(origin)
    if site is not None:
        return written is None or written == "null" or written not in allowed
    return not allowed_origin(written, _text(host), scope["scheme"], allowed)


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")
