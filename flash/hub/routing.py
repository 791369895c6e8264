"""Which app a path belongs to, what of it the app gets to see, and whom the request really comes from.

Servers decode paths, and decode them differently: what decides between apps here is the path as it was sent, decoded
once and strictly. A path that can be read in two ways is refused, and never guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Generic, TypeVar
from urllib.parse import quote, unquote_to_bytes

from ..exceptions import ConfigurationError, FlashError
from .host import Scope
from .spec import RESERVED

T = TypeVar("T")

#: Stands for a peer that has no address, among the proxies that are trusted: it came by a unix socket.
UNIX = "unix"

#: The key of a scope whose ``client`` is the browser's, as a trusted proxy told: who is at the other end.
PEER = "flash.hub.peer"

#: Segments that mean what they say: nothing encoded, none empty, none that begins with a dot.
_PLAIN = re.compile(r"(?:/[\w~!$&'()*+,;=:@-][\w.~!$&'()*+,;=:@-]*)*/?", re.ASCII)
_WRONG_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")

_X_FORWARDED = {b"x-forwarded-for": "for", b"x-forwarded-proto": "proto", b"x-forwarded-host": "host"}
_TELLING = frozenset((*_X_FORWARDED, b"forwarded", b"host"))

#: What characters a path may hold unencoded.
_UNENCODED = "/~!$&'()*+,;=:@"


class BadPath(FlashError):
    """A path can be read in more than one way. Answered with 400."""


class Routes(Generic[T]):
    """Things by the prefix below which they are found; the longest prefix counts.

    Example:
        >>> routes = Routes()
        >>> routes.add("/sales", "sales")
        >>> routes.match("/sales/2024"), routes.match("/sales-old/")
        ('sales', None)
    """

    def __init__(self) -> None:
        self._routes: dict[str, T] = {}
        self._depth = 0

    def __contains__(self, prefix: str) -> bool:
        return prefix in self._routes

    def add(self, prefix: str, value: T) -> None:
        """Add a thing.

        Args:
            prefix: As :class:`~flash.hub.spec.Spec` has it: ``"/sales"``, or ``""`` for all that nothing else takes.
            value: What :meth:`match` returns.

        Raises:
            ConfigurationError: Something else has this prefix.
        """
        if prefix in self._routes:
            raise ConfigurationError(f"Two apps cannot both be found at {prefix or '/'!r}: give one another prefix.")
        self._routes[prefix] = value
        self._measure()

    def remove(self, prefix: str) -> None:
        """Remove what was added for a prefix, if there is anything."""
        self._routes.pop(prefix, None)
        self._measure()

    def match(self, path: str) -> T | None:
        """What a path belongs to; a prefix ends at a slash, or where the path ends.

        Args:
            path: As :func:`checked_path` returns it.
        """
        segments = path.split("/", self._depth + 1)[: self._depth + 1]
        while segments:
            found = self._routes.get("/".join(segments))
            if found is not None:
                return found
            segments.pop()
        return None

    def _measure(self) -> None:
        self._depth = max((prefix.count("/") for prefix in self._routes), default=0)


# Paths. ---------------------------------------------------------------------------------------------------------------


def checked_path(scope: Scope) -> str:
    """The path by which a request is routed: decoded, from the hub's own root on.

    Args:
        scope: Of a request or a WebSocket.

    Returns:
        ``"/sales/2024"``; ``""`` for the hub's root without its slash. A backslash in the path has become a slash, so
        that what some readers would take for a prefix is found, and then refused by :func:`child_scope`.

    Raises:
        BadPath: It leaves its folder (``..``), begins with two slashes, or holds a NUL, an incomplete escape or
            something that is no UTF-8, in whatever spelling.
    """
    path, raw = _own_path(scope)
    if _is_plain(path, raw):
        return path
    _refuse_ambiguous(raw)
    routed = path.replace("\\", "/")
    segments = routed.split("/")
    if (segments[0] or routed.startswith("//")) or ".." in segments or "\0" in routed:
        raise BadPath("The path leaves its folder, or begins with two slashes.")
    if segments[1:2] == [RESERVED] and raw.split(b"/", 2)[1] != RESERVED.encode():
        raise BadPath("A page of the hub is written in another way than its own.")
    return routed


def child_scope(scope: Scope, prefix: str) -> dict[str, Any]:
    """The scope of a request as the app below a prefix gets it: its paths begin after the prefix.

    Args:
        scope: Of a request whose path :func:`checked_path` has accepted.
        prefix: Where the app is, ``"/sales"``: what :meth:`Routes.match` found.

    Returns:
        A copy with other ``path``, ``raw_path`` and ``root_path``. An encoded slash after the prefix stays encoded.

    Raises:
        BadPath: A slash of the prefix is encoded or a backslash, or two slashes follow it.
    """
    path, raw = _own_path(scope)
    rest, raw_rest = path[len(prefix) :], raw[len(prefix) :]
    if not _is_plain(path, raw):
        raw_rest = _after(raw, prefix)
        if rest.startswith(("//", "/\\")):
            raise BadPath("Two slashes follow the prefix.")
    return {**scope, "path": rest or "/", "raw_path": raw_rest or b"/", "root_path": ""}


def slash_redirect(scope: Scope) -> bytes:
    """Where a request to ``/sales`` is sent, with 307: to ``/sales/``, query included.

    Args:
        scope: Of a request whose path is a prefix, or the hub's root, without the slash.

    Returns:
        The ``Location``. It is relative to the last segment, so it leads nowhere else, whatever was asked for.

    Example:
        >>> slash_redirect({"path": "/team/sales", "query_string": b"year=2024"})
        b'./sales/?year=2024'
    """
    last = scope["path"].replace("\\", "/").rpartition("/")[2]
    query = scope.get("query_string", b"")
    return b"./" + quote(last, safe="").encode() + b"/" + (b"?" + query if query else b"")


def _own_path(scope: Scope) -> tuple[str, bytes]:
    """Path and raw path below the path at which another ASGI application has mounted the hub."""
    path: str = scope["path"]
    raw: bytes | None = scope.get("raw_path")
    root: str = scope.get("root_path", "")
    if not root or root == "/":
        if raw is None:
            return path, _encoded(path)
        return (path, raw) if _means(raw, path) else (path, _encoded(path))
    root = root.rstrip("/")
    if path == root or path.startswith(root + "/"):
        return _own_path({"path": path[len(root) :], "raw_path": _without(raw, root)})
    return _own_path({"path": path, "raw_path": _without(raw, root)})


def _without(raw: bytes | None, root: str) -> bytes | None:
    encoded = _encoded(root)
    if raw is not None and (raw == encoded or raw.startswith(encoded + b"/")):
        return raw[len(encoded) :]
    return raw


def _encoded(path: str) -> bytes:
    return quote(path, safe=_UNENCODED, errors="replace").encode()


def _means(raw: bytes, path: str) -> bool:
    """Whether a raw path is that of a path; whoever mounts the hub may have changed one and not the other."""
    return raw == path.encode("utf-8", "replace") or unquote_to_bytes(raw).decode("utf-8", "replace") == path


def _is_plain(path: str, raw: bytes) -> bool:
    return _PLAIN.fullmatch(path) is not None and len(raw) == len(path)


def _refuse_ambiguous(raw: bytes) -> None:
    if _WRONG_ESCAPE.search(raw):
        raise BadPath("The path holds an incomplete escape.")
    try:
        unquote_to_bytes(raw).decode()
    except UnicodeDecodeError:
        raise BadPath("The path is no UTF-8.") from None


def _after(raw: bytes, prefix: str) -> bytes:
    """What follows a prefix in a raw path, whose segments may be encoded, but not the slashes between them."""
    wanted = prefix.encode().split(b"/")
    segments = raw.split(b"/", len(wanted))
    if [unquote_to_bytes(each) for each in segments[: len(wanted)]] != wanted:
        raise BadPath("A slash of the prefix is not written as one.")
    return b"/" + segments[len(wanted)] if len(segments) > len(wanted) else b""


# Proxies. -------------------------------------------------------------------------------------------------------------


class Proxies:
    """The proxies whose word about a request counts.

    Args:
        trusted: Addresses and networks, ``"10.0.0.0/8"``; ``"unix"`` for whoever comes by a unix socket.

    Raises:
        ConfigurationError: One of them is neither.

    Example:
        >>> Proxies(["10.0.0.0/8", "::1"]).trust("10.1.2.3")
        True
    """

    def __init__(self, trusted: Iterable[str] = ()) -> None:
        if isinstance(trusted, str):
            raise ConfigurationError(f"Trusted proxies are a list: write [{trusted!r}].")
        named = set(trusted)
        self._unix = UNIX in named
        self._networks = tuple(_network(each) for each in sorted(named - {UNIX}))
        self.trust = lru_cache(maxsize=1024)(self._trust)

    def __bool__(self) -> bool:
        return self._unix or bool(self._networks)

    def trust_peer(self, scope: Scope) -> bool:
        """Whether the other end of the connection itself is trusted."""
        client = scope.get("client")
        return self.trust(client[0] if client else None)

    def _trust(self, address: str | None) -> bool:
        """Whether an address is trusted; None is that of a unix socket."""
        if address is None:
            return self._unix
        parsed = _address(address)
        return parsed is not None and any(parsed in network for network in self._networks)


def client_of(scope: Scope, proxies: Proxies) -> tuple[str, tuple[str, int] | None, str]:
    """Scheme, address and host of a request as its browser knows them.

    Only trusted proxies are believed: the address is the last one that is none of theirs. ``X-Forwarded-For``,
    ``-Proto`` and ``-Host`` are read, and ``Forwarded`` (RFC 7239) where there is none of them.

    Args:
        scope: Of a request or a WebSocket, as the server made it.
        proxies: Who is believed.

    Returns:
        The scheme (``http``, ``https``, ``ws`` or ``wss``), the client's address and port (0 when a proxy told it;
        None when unknown), and the value for the ``Host`` header (empty when what was sent cannot be one).
    """
    scheme: str = scope.get("scheme", "http")
    client = scope.get("client")
    peer = (client[0], client[1]) if client else None
    if not proxies or not proxies.trust(peer[0] if peer else None):
        return scheme, peer, _checked_host(_header(scope, b"host"))
    sent = _sent(scope)
    hops = _x_forwarded(sent) or _forwarded(sent)
    address, hop = _first_untrusted(hops, proxies)
    told_scheme = _scheme(hop.get("proto", ""), scope["type"] == "websocket")
    host = _checked_host(hop.get("host", "")) or _checked_host(sent.get(b"host", ""))
    return told_scheme or scheme, (address, 0) if address else peer, host


def _first_untrusted(hops: list[dict[str, str]], proxies: Proxies) -> tuple[str | None, dict[str, str]]:
    """The address of the last hop that no trusted proxy stands at, and what was told of it."""
    known: tuple[str | None, dict[str, str]] = None, hops[-1] if hops else {}
    for hop in reversed(hops):
        address = _address(hop.get("for", ""))
        if address is None:
            break
        known = str(address), hop
        if not proxies.trust(known[0]):
            break
    return known


def _sent(scope: Scope) -> dict[bytes, str]:
    """The headers that tell of hops; those that came several times as one list."""
    sent: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        if name in _TELLING:
            written = value.decode("latin-1")
            sent[name] = f"{sent[name]},{written}" if name in sent else written
    return sent


def _x_forwarded(sent: dict[bytes, str]) -> list[dict[str, str]]:
    """What was told of each hop, the client's first."""
    told = {name: _list(sent[header]) for header, name in _X_FORWARDED.items() if header in sent}
    length = len(told.get("for", "1")) if told else 0
    # A list of another length tells of other hops: its last entry is from the proxy that is nearest.
    return [
        {name: values[index if len(values) == length else -1] for name, values in told.items()}
        for index in range(length)
    ]


def _forwarded(sent: dict[bytes, str]) -> list[dict[str, str]]:
    hops = []
    for element in _list(sent[b"forwarded"]) if b"forwarded" in sent else ():
        pairs = (pair.partition("=") for pair in element.split(";"))
        hops.append({name.strip().lower(): value.strip().strip('"') for name, _, value in pairs})
    return hops


def _list(written: str) -> list[str]:
    return [each.strip() for each in written.split(",")]


def _header(scope: Scope, name: bytes) -> str:
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return ""


@lru_cache(maxsize=256)
def _checked_host(host: str) -> str:
    return host if _HOST.fullmatch(host) else ""


def _scheme(told: str, websocket: bool) -> str | None:
    secure = {"http": False, "ws": False, "https": True, "wss": True}.get(told.lower())
    if secure is None:
        return None
    return ("wss" if secure else "ws") if websocket else ("https" if secure else "http")


def _network(written: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(written)
    except ValueError:
        raise ConfigurationError(
            f"{written!r} is no proxy to trust. Write an address or a network, like '127.0.0.1' or '10.0.0.0/8', "
            f"or {UNIX!r} for unix sockets."
        ) from None


@lru_cache(maxsize=1024)
def _address(written: str) -> IPv4Address | IPv6Address | None:
    """An address as it stands in headers, perhaps with brackets and a port."""
    if written.startswith("["):
        written = written[1:].partition("]")[0]
    elif written.count(":") == 1:
        written = written.partition(":")[0]
    try:
        address = ip_address(written)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
