"""Paths are read in one way, or refused; proxies are believed when they are trusted."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urljoin

import pytest

from flash.exceptions import ConfigurationError
from flash.hub.routing import BadPath, Proxies, Routes, checked_path, child_scope, client_of, slash_redirect


def scope_of(target: str, *, root: str = "", **more: Any) -> dict[str, Any]:
    """The scope of a request, as servers make it."""
    raw, _, query = target.partition("?")
    return {
        "type": "http",
        "scheme": "http",
        "path": unquote(raw),
        "raw_path": raw.encode(),
        "query_string": query.encode(),
        "root_path": root,
        "headers": [(b"host", b"hub.example")],
        "client": ("203.0.113.9", 1234),
        **more,
    }


def routes_of(*prefixes: str) -> Routes[str]:
    routes: Routes[str] = Routes()
    for prefix in prefixes:
        routes.add(prefix, prefix or "root")
    return routes


# Routes.


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/sales", "/sales"),
        ("/sales/", "/sales"),
        ("/sales/2024/q1", "/sales"),
        ("/sales/eu", "/sales/eu"),
        ("/sales/eu/x", "/sales/eu"),
        ("/sales/eux", "/sales"),
        ("/sales-old/", None),
        ("/salesx", None),
        ("/sales.html", None),
        ("/Sales/", None),
        ("/", None),
        ("", None),
        ("/x/sales/", None),
        ("//sales/", None),
    ],
)
def test_the_longest_prefix_that_ends_at_a_slash(path: str, found: str | None) -> None:
    assert routes_of("/sales", "/sales/eu", "/salesman").match(path) == found


def test_the_root_takes_what_nothing_else_does() -> None:
    routes = routes_of("", "/sales")
    assert [routes.match(path) for path in ("/", "", "/sales-old/", "/sales/")] == ["root", "root", "root", "/sales"]


def test_a_prefix_can_be_taken_once_and_again_when_it_is_free() -> None:
    routes = routes_of("/sales")
    with pytest.raises(ConfigurationError, match="/sales"):
        routes.add("/sales", "other")
    routes.remove("/sales")
    routes.remove("/sales")
    assert routes.match("/sales/") is None
    routes.add("/sales", "other")
    assert routes.match("/sales/") == "other"


# Paths.


@pytest.mark.parametrize(
    "target",
    [
        "/sales/../admin/",
        "/sales/..",
        "/../etc/passwd",
        "/sales/%2e%2e/admin/",
        "/sales/.%2e/admin/",
        "/sales/%2E./admin/",
        "/sales/..%2fadmin",
        "/sales/%2e%2e%2fadmin",
        "/sales/..%5cadmin",
        "/sales/..\\admin",
        "/sales/x%00.html",
        "/%00",
        "/sales/%c0%ae%c0%ae/",
        "/sales/%ff",
        "/sales/%e2%82",
        "/sales/%",
        "/sales/%2",
        "/sales/%zz",
        "/sales/%u002e%u002e/",
        "//evil.example/",
        "//sales/",
        "/%2fevil.example/",
        "/\\evil.example/",
        "/%5Cevil.example/",
        "/%5fhub/api/apps",
        "/_hub%2flogin",
        "/_hub\\login",
        "http://evil.example/",
        "*",
        "sales",
    ],
)
def test_a_path_that_can_be_read_in_two_ways_is_refused(target: str) -> None:
    with pytest.raises(BadPath):
        checked_path(scope_of(target))


@pytest.mark.parametrize("target", ["/sales%2fx", "/sales%2F", "/sales%5cx", "/sales\\x", "/sales//x", "/sales/%2fx/"])
def test_a_prefix_is_written_with_slashes(target: str) -> None:
    scope = scope_of(target)
    assert routes_of("/sales").match(checked_path(scope)) == "/sales"
    with pytest.raises(BadPath):
        child_scope(scope, "/sales")


@pytest.mark.parametrize("target", ["/team%2fsales/", "/team%2Fsales/x", "/team%5csales/"])
def test_the_slashes_within_a_prefix_too(target: str) -> None:
    scope = scope_of(target)
    assert routes_of("/team/sales").match(checked_path(scope)) == "/team/sales"
    with pytest.raises(BadPath):
        child_scope(scope, "/team/sales")


@pytest.mark.parametrize(
    ("target", "path", "raw_path"),
    [
        ("/sales/", "/", b"/"),
        ("/sales/2024", "/2024", b"/2024"),
        ("/sales/a%20b", "/a b", b"/a%20b"),
        ("/sales/a%2Fb", "/a/b", b"/a%2Fb"),
        ("/sales/a%5Cb", "/a\\b", b"/a%5Cb"),
        ("/sales/Z%C3%BCrich", "/Zürich", b"/Z%C3%BCrich"),
        ("/sales/%252e%252e/", "/%2e%2e/", b"/%252e%252e/"),
        ("/sales/.well-known/x", "/.well-known/x", b"/.well-known/x"),
        ("/sales/a...b/..c", "/a...b/..c", b"/a...b/..c"),
        ("/sales/a//b", "/a//b", b"/a//b"),
        ("/%73ales/x", "/x", b"/x"),
        ("/sales", "/", b"/"),
    ],
)
def test_an_app_gets_what_follows_its_prefix_as_it_was_sent(target: str, path: str, raw_path: bytes) -> None:
    scope = scope_of(target)
    assert routes_of("/sales").match(checked_path(scope)) == "/sales"
    child = child_scope(scope, "/sales")
    assert (child["path"], child["raw_path"], child["root_path"]) == (path, raw_path, "")
    assert scope["path"] == unquote(target), "The server's own scope stays as it is."


@pytest.mark.parametrize("target", ["/hub/sales/a%2Fb", "/sales/a%2Fb"])
def test_a_hub_that_is_mounted_itself(target: str) -> None:
    """Servers and frameworks differ: with a root path, the path holds it or does not."""
    scope = scope_of(target, root="/hub")
    assert checked_path(scope) == "/sales/a/b"
    child = child_scope(scope, "/sales")
    assert (child["path"], child["raw_path"], child["root_path"]) == ("/a/b", b"/a%2Fb", "")


def test_a_path_that_was_changed_without_its_raw_path() -> None:
    scope = scope_of("/hub/sales/x")
    scope["path"], scope["root_path"] = "/sales/x", "/hub"
    assert (checked_path(scope), child_scope(scope, "/sales")["raw_path"]) == ("/sales/x", b"/x")
    scope["raw_path"] = b"/elsewhere"
    assert (checked_path(scope), child_scope(scope, "/sales")["raw_path"]) == ("/sales/x", b"/x")
    del scope["raw_path"]
    scope["path"] = "/sales/50%"
    assert (checked_path(scope), child_scope(scope, "/sales")["raw_path"]) == ("/sales/50%", b"/50%25")


@pytest.mark.parametrize(
    ("target", "root", "url"),
    [
        ("/sales", "", "http://hub.example/sales/"),
        ("/sales?year=2024&x=//evil.example", "", "http://hub.example/sales/?year=2024&x=//evil.example"),
        ("/team/sales", "", "http://hub.example/team/sales/"),
        ("/hub", "/hub", "http://hub.example/hub/"),
        ("//evil.example", "", None),
        ("/http:evil.example", "", "http://hub.example/http%3Aevil.example/"),
        ("/\\evil.example", "", None),
    ],
)
def test_the_redirect_to_the_slash_stays_on_the_site(target: str, root: str, url: str | None) -> None:
    location = slash_redirect(scope_of(target, root=root)).decode()
    assert location.startswith("./")
    if url is not None:
        assert urljoin("http://hub.example" + target, location) == url


# Proxies.


def told(*headers: tuple[str, str], client: Any = ("10.0.0.1", 5), **more: Any) -> dict[str, Any]:
    pairs = [(name.encode(), value.encode()) for name, value in (("host", "inner:8050"), *headers)]
    return scope_of("/", client=client, headers=pairs, **more)


TRUSTED = Proxies(["10.0.0.0/8", "fd00::/8"])


@pytest.mark.parametrize(
    ("headers", "client", "expected"),
    [
        ([], ("10.0.0.1", 5), ("http", ("10.0.0.1", 5), "inner:8050")),
        (
            [("x-forwarded-for", "203.0.113.9"), ("x-forwarded-proto", "https"), ("x-forwarded-host", "hub.example")],
            ("10.0.0.1", 5),
            ("https", ("203.0.113.9", 0), "hub.example"),
        ),
        # Nobody who is not trusted is believed.
        ([("x-forwarded-for", "1.1.1.1"), ("x-forwarded-proto", "https")], ("203.0.113.9", 5), None),
        ([("forwarded", "for=1.1.1.1;proto=https;host=evil.example")], ("203.0.113.9", 5), None),
        ([("x-forwarded-for", "1.1.1.1")], None, None),
        # What the client itself has sent stands to the left of what the proxies have added.
        ([("x-forwarded-for", "6.6.6.6, 203.0.113.9, 10.9.9.9")], ("10.0.0.1", 5), (..., ("203.0.113.9", 0), ...)),
        ([("x-forwarded-for", "10.6.6.6, 203.0.113.9")], ("10.0.0.1", 5), (..., ("203.0.113.9", 0), ...)),
        ([("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "203.0.113.9")], None, None),
        ([("x-forwarded-for", "6.6.6.6, nonsense")], ("10.0.0.1", 5), (..., ("10.0.0.1", 5), ...)),
        ([("x-forwarded-for", "6.6.6.6, nonsense, 10.2.2.2")], ("10.0.0.1", 5), (..., ("10.2.2.2", 0), ...)),
        ([("x-forwarded-for", "10.3.3.3, 10.2.2.2")], ("10.0.0.1", 5), (..., ("10.3.3.3", 0), ...)),
        ([("x-forwarded-for", "[2001:db8::1]:80")], ("fd00::1", 5), (..., ("2001:db8::1", 0), ...)),
        ([("x-forwarded-for", "203.0.113.9:4711")], ("::ffff:10.0.0.1", 5), (..., ("203.0.113.9", 0), ...)),
        # What is told of several hops is taken for the client's.
        (
            [("x-forwarded-for", "203.0.113.9, 10.2.2.2"), ("x-forwarded-proto", "https, http")],
            ("10.0.0.1", 5),
            ("https", ("203.0.113.9", 0), ...),
        ),
        (
            [("x-forwarded-for", "203.0.113.9"), ("x-forwarded-proto", "http, https")],
            ("10.0.0.1", 5),
            ("https", ("203.0.113.9", 0), ...),
        ),
        ([("x-forwarded-proto", "javascript")], ("10.0.0.1", 5), ("http", ("10.0.0.1", 5), ...)),
        ([("x-forwarded-host", "evil.example/path")], ("10.0.0.1", 5), (..., ..., "inner:8050")),
        ([("x-forwarded-host", "hub.example:8443")], ("10.0.0.1", 5), (..., ..., "hub.example:8443")),
        (
            [("forwarded", 'for=6.6.6.6, for="[2001:db8::7]:99";proto=https;host="hub.example"')],
            ("10.0.0.1", 5),
            ("https", ("2001:db8::7", 0), "hub.example"),
        ),
        # A proxy that knows only one of them lets the other through as it came.
        (
            [("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=6.6.6.6;host=evil.example")],
            ("10.0.0.1", 5),
            ("http", ("203.0.113.9", 0), "inner:8050"),
        ),
    ],
)
def test_what_proxies_tell(headers: list[tuple[str, str]], client: Any, expected: Any) -> None:
    scope = told(*headers, client=client)
    found = client_of(scope, TRUSTED)
    if expected is None:
        expected = ("http", client, "inner:8050")
    assert all(want is ... or got == want for got, want in zip(found, expected, strict=True)), found


def test_a_websocket_has_a_scheme_of_its_own() -> None:
    scope = told(("x-forwarded-proto", "https"), type="websocket", scheme="ws")
    assert client_of(scope, TRUSTED)[0] == "wss"


def test_nobody_is_trusted_unless_it_is_said() -> None:
    scope = told(("x-forwarded-for", "1.1.1.1"), client=("127.0.0.1", 5))
    assert client_of(scope, Proxies())[1] == ("127.0.0.1", 5)


def test_a_unix_socket_is_trusted_by_its_name() -> None:
    scope = told(("x-forwarded-for", "203.0.113.9"), client=None)
    assert client_of(scope, Proxies(["unix"]))[1] == ("203.0.113.9", 0)
    assert client_of(scope, Proxies(["127.0.0.1"]))[1] is None


@pytest.mark.parametrize("host", ["hub.example/x", "hub example", "a@b", "", "[::1", "hub.example:99999999"])
def test_a_host_that_is_none(host: str) -> None:
    scope = scope_of("/", headers=[(b"host", host.encode())])
    assert client_of(scope, Proxies())[2] == ""


@pytest.mark.parametrize("trusted", [["nonsense"], ["10.0.0.1/8"], "127.0.0.1"])
def test_proxies_that_are_none(trusted: Any) -> None:
    with pytest.raises(ConfigurationError):
        Proxies(trusted)
