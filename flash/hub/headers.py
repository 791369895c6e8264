"""The headers between browsers and the apps of a hub: what an app is told, and what it may tell.

Headers are lists of pairs of bytes, as ASGI has them; names that repeat stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from urllib.parse import quote

from .visitor import Visitor

Headers = list[tuple[bytes, bytes]]

#: Headers that mean one connection and not the message.
HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)

#: Headers that only a hub may set. A WSGI app reads ``x_hub_user`` as ``x-hub-user``.
_CLAIMS = (b"x-hub-", b"x-forwarded-")

#: What the header ``connection`` commonly names, none of it passed on anyway.
_OF_CONNECTIONS = HOP_BY_HOP | {b"close"}

#: The server in front has answered ``expect`` itself; the others are set anew.
_NOT_PASSED = HOP_BY_HOP | {b"expect", b"forwarded", b"host", b"cookie", b"x-forwarded"}


def child_headers(
    headers: Iterable[tuple[bytes, bytes]],
    visitor: Visitor,
    prefix: str,
    scheme: str,
    host: str,
    client: tuple[str, int] | None,
    cookie_name: str,
    forwarded: bool = True,
) -> Headers:
    """The headers of a request as an app gets them: nothing that a client could forge, and who asks.

    Args:
        headers: As the browser sent them.
        visitor: Who asks.
        prefix: Where the app is mounted: ``"/sales"``, or ``""``.
        scheme: The browser's: http, https, ws or wss.
        host: The browser's Host header, or what a trusted proxy says that it was.
        client: The browser's address; None when unknown.
        cookie_name: The hub's own cookie, which no app gets.
        forwarded: Whether the app has to be told where its browser is; in the hub's process the scope says it.

    Example:
        >>> child_headers([(b"x-hub-user", b"eve")], Visitor("Zoë"), "/sales", "wss", "example.com", None, "hub")[1]
        (b'x-hub-user', b'Zo%C3%AB')
    """
    address = host.encode("latin-1")
    passed: Headers = [(b"host", address)]
    passed += _identity(visitor)
    if forwarded:
        passed.append((b"x-forwarded-host", address))
        passed += _mounting(prefix, scheme)
        if client is not None:
            passed.append((b"x-forwarded-for", client[0].encode("latin-1")))
    cookies, hops = [], set[bytes]()
    for pair in headers:
        what = _what_is(pair[0])
        if what is None:
            passed.append(pair)
        elif what == b"cookie":
            cookies.append(pair[1])
        elif what == b"connection":
            hops.update(each.strip().lower() for each in pair[1].split(b","))
        elif what == b"transfer-encoding":
            hops.add(b"content-length")  # Of the two, the other one counts: this one may say anything.
    if not hops <= _OF_CONNECTIONS:
        passed = [pair for pair in passed if pair[0].lower() not in hops or _is_claim(pair[0].lower())]
    if cookies and (cookie := _other_cookies(cookies, cookie_name.encode())):
        passed.append((b"cookie", cookie))
    return passed


def answer_headers(
    headers: Iterable[tuple[bytes, bytes]],
    prefix: str,
    cookie_name: str,
    *,
    rewrite_location: bool,
    host: str | None = None,
) -> Headers:
    """The headers of an app's answer as the browser gets them: the app keeps to its own part of the site.

    Cookies reach no further than the prefix and never carry the hub's name; no answer clears or controls what belongs
    to other apps. Cookies whose name begins with ``__Host-`` keep ``Path=/``, without which browsers refuse them.

    Args:
        headers: As the app sent them.
        prefix: Where the app is mounted: ``"/sales"``, or ``""``.
        cookie_name: The hub's own cookie, which no app sets.
        rewrite_location: Whether redirects to paths of the app get the prefix: for an app that does not know it.
        host: With ``rewrite_location``: the browser's Host header, so that redirects to whole urls are told apart.

    Example:
        >>> answer_headers([(b"set-cookie", b"a=1; Path=/")], "/sales", "hub", rewrite_location=False)
        [(b'set-cookie', b'a=1; Path=/sales/')]
    """
    passed: Headers = []
    root, hubs = prefix.encode(), cookie_name.encode()
    for pair in headers:
        name = pair[0].lower()
        if name == b"location":
            passed.append((name, _location(pair[1], root, host)) if rewrite_location else pair)
        elif (rewrite := _LIMITED.get(name)) is None:
            passed.append(pair)
        elif (value := rewrite(pair[1], root, hubs)) is not None:
            passed.append((name, value))
    return passed


def end_to_end(headers: Iterable[tuple[bytes, bytes]], *, without: frozenset[bytes] = frozenset()) -> Headers:
    """The headers that concern the message and not the connection that it came by.

    Args:
        headers: As they came; a ``connection`` header among them may name more that end here.
        without: Further names to leave out.
    """
    headers = list(headers)
    hops = HOP_BY_HOP | _named_by_connection(headers) | without
    return [pair for pair in headers if pair[0].lower() not in hops]


def content_length(headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    """How many bytes a body is said to have; None when nothing, or no number, says it.

    Args:
        headers: With names in lower case.
    """
    for name, value in headers:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return None


def _named_by_connection(headers: Headers) -> set[bytes]:
    return {
        each.strip().lower() for name, value in headers if name.lower() == b"connection" for each in value.split(b",")
    }


@lru_cache(maxsize=4096)
def _what_is(name: bytes) -> bytes | None:
    """A header's name in lower case; None when it is passed on."""
    name = name.lower()
    return name if _is_claim(name) else None


def _is_claim(name: bytes) -> bool:
    """Whether a header of a client's is not passed on, whatever it holds."""
    if b"_" in name:
        name = name.replace(b"_", b"-")
    return name in _NOT_PASSED or name.startswith(_CLAIMS)


@lru_cache(maxsize=1024)
def _identity(visitor: Visitor) -> Headers:
    told: Headers = []
    if visitor.name is not None:
        told.append((b"x-hub-user", quote(visitor.name, safe="@").encode()))
    if visitor.roles:
        told.append((b"x-hub-roles", ",".join(quote(role, safe="@") for role in sorted(visitor.roles)).encode()))
    return told


@lru_cache(maxsize=1024)
def _mounting(prefix: str, scheme: str) -> Headers:
    safe = scheme in ("https", "wss")
    return [(b"x-forwarded-prefix", prefix.encode()), (b"x-forwarded-proto", b"https" if safe else b"http")]


def _other_cookies(sent_apart: list[bytes], hubs: bytes) -> bytes:
    """All cookies but the hub's, in one header: HTTP/2 sends several, HTTP/1.1 has one."""
    sent = b"; ".join(sent_apart)
    if _without_tls(hubs) not in sent:
        return sent
    return b"; ".join(each for part in sent.split(b";") if (each := part.strip()) and not _is_of_hub(each, hubs))


def _is_of_hub(pair: bytes, hubs: bytes) -> bool:
    """Whether a cookie is the hub's, with TLS or without: browsers send the one without in both cases."""
    # Browsers send the cookie "=hub=x", which has no name, as "hub=x".
    return _without_tls(pair.lstrip(b"= \t").partition(b"=")[0].strip()) == _without_tls(hubs)


def _without_tls(name: bytes) -> bytes:
    return name.removeprefix(b"__Host-")


def _cookie(value: bytes, root: bytes, hubs: bytes) -> bytes | None:
    pair, *attributes = (part.strip() for part in value.split(b";"))
    if _is_of_hub(pair, hubs):
        return None
    kept, path = [pair], None
    for attribute in attributes:
        word, _, setting = attribute.partition(b"=")
        key = word.strip().lower()
        if key == b"path":
            path = setting.strip()
        elif key != b"domain" and attribute:
            kept.append(attribute)
    if path is not None:
        keeps = pair.lower().startswith(b"__host-") or _is_below(path, root)
        kept.append(b"Path=" + (path if keeps else root + b"/"))
    return b"; ".join(kept)


def _worker_scope(value: bytes, root: bytes, hubs: bytes) -> bytes:
    # Browsers resolve "..", which may be written in other ways, before they compare.
    plain = not any(part in value for part in (b"..", b"%", b"\\"))
    return value if plain and _is_below(value.strip(), root) else root + b"/"


def _nothing(value: bytes, root: bytes, hubs: bytes) -> None:
    return None


#: What is done to headers that reach further than one app.
_LIMITED: dict[bytes, Callable[[bytes, bytes, bytes], bytes | None]] = {
    b"set-cookie": _cookie,
    b"clear-site-data": _nothing,
    b"service-worker-allowed": _worker_scope,
    # Browsers keep these for the whole host: what is encrypted, where it is, and who is told what is asked for.
    b"strict-transport-security": _nothing,
    b"alt-svc": _nothing,
    b"nel": _nothing,
    b"report-to": _nothing,
}

_WHOLE_URL = re.compile(rb"(https?://([^/?#]*))(.*)", re.IGNORECASE | re.DOTALL)


def _location(value: bytes, root: bytes, host: str | None) -> bytes:
    if value.startswith(b"/"):
        return value if value.startswith(b"//") else _moved(value, root)
    whole = _WHOLE_URL.fullmatch(value) if host else None
    if whole is None or host is None or whole[2].lower() != host.lower().encode("latin-1"):
        return value
    return whole[1] + _moved(whole[3] if whole[3].startswith(b"/") else b"/" + whole[3], root)


def _moved(path: bytes, root: bytes) -> bytes:
    return path if _is_below(path, root) else root + path


def _is_below(path: bytes, root: bytes) -> bool:
    """Whether a path, which a query may follow, is the prefix or below it."""
    return path.startswith(root) and path[len(root) : len(root) + 1] in (b"/", b"?", b"#", b"")
