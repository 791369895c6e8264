"""Whether a page of one origin may connect to a server at another."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def allowed_origin(origin: str | None, host: str | None, scheme: str, allowed: Iterable[str] = ()) -> bool:
    """Whether the origin that a browser sent is the server's own, or one of those that are allowed.

    Host and port must be the same, and a page without TLS may not reach a server with it. The other way round is how a
    server behind a proxy looks that ends TLS, so it is allowed.

    Args:
        origin: The ``Origin`` header.
        host: The ``Host`` header.
        scheme: That of the connection: ``ws``, ``wss``, ``http`` or ``https``.
        allowed: Further origins, written as browsers send them: ``https://example.com``.

    Example:
        >>> allowed_origin("https://example.com", "example.com", "wss")
        True
        >>> allowed_origin("https://example.com.evil.org", "example.com", "wss")
        False
    """
    if not origin or origin == "null":
        return False
    if origin in allowed:
        return True
    try:
        page = urlsplit(origin)
        server = urlsplit(f"//{host or ''}")
        if (
            page.scheme not in ("http", "https")
            or page.username is not None
            or page.path
            or page.query
            or page.fragment
        ):
            return False
        if page.scheme == "http" and scheme in ("wss", "https"):
            return False
        # A host without a port means the port of the page's own scheme: the browser left both out.
        port = _DEFAULT_PORTS[page.scheme]
        return bool(page.hostname) and (page.hostname, page.port or port) == (server.hostname, server.port or port)
    except ValueError:
        return False
