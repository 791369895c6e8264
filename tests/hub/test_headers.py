"""What apps are told in headers, and what they may tell."""

from __future__ import annotations

import random
from http.cookies import SimpleCookie
from urllib.parse import unquote

import pytest

from flash.hub.headers import answer_headers, child_headers, end_to_end
from flash.hub.visitor import NOBODY, Visitor

ANN = Visitor("ann", frozenset({"finance", "ops"}))


def told(*sent: tuple[bytes, bytes], visitor: Visitor = ANN, scheme: str = "https") -> list[tuple[bytes, bytes]]:
    return child_headers(sent, visitor, "/sales", scheme, "hub.example:8000", ("203.0.113.5", 4711), "hub")


def answered(name: bytes, value: bytes, prefix: str = "/sales", **options: object) -> list[tuple[bytes, bytes]]:
    options.setdefault("rewrite_location", False)
    return answer_headers([(name, value)], prefix, "hub", **options)  # type: ignore[arg-type]


def test_an_app_is_told_who_asks_and_how() -> None:
    assert dict(told()) == {
        b"host": b"hub.example:8000",
        b"x-hub-user": b"ann",
        b"x-hub-roles": b"finance,ops",
        b"x-forwarded-for": b"203.0.113.5",
        b"x-forwarded-proto": b"https",
        b"x-forwarded-host": b"hub.example:8000",
        b"x-forwarded-prefix": b"/sales",
    }


@pytest.mark.parametrize("scheme,proto", [("http", b"http"), ("https", b"https"), ("ws", b"http"), ("wss", b"https")])
def test_the_scheme_is_that_of_http(scheme: str, proto: bytes) -> None:
    assert dict(told(scheme=scheme))[b"x-forwarded-proto"] == proto


def test_somebody_unknown_has_no_name_and_no_address() -> None:
    headers = dict(child_headers([], NOBODY, "", "http", "localhost", None, "hub"))
    assert not {b"x-hub-user", b"x-hub-roles", b"x-forwarded-for"} & set(headers)
    assert headers[b"x-forwarded-prefix"] == b""


@pytest.mark.parametrize("name", ["Zoë Müller", "a,b", "x\r\nx-hub-roles: admin", "ann@example.com", "%2C", ""])
def test_names_arrive_as_they_are(name: str) -> None:
    headers = dict(told(visitor=Visitor(name, frozenset({name, "other"}))))
    assert unquote(headers[b"x-hub-user"].decode("ascii")) == name
    assert {unquote(each) for each in headers[b"x-hub-roles"].decode("ascii").split(",")} == {name, "other"}
    assert not any(mark in value for value in headers.values() for mark in (b"\r", b"\n"))


@pytest.mark.parametrize(
    "name",
    [
        b"x-hub-user",
        b"x-hub-roles",
        b"x-hub-secret",
        b"X-Hub-User",
        b"x_hub_user",
        b"x-hub_user",
        b"X_HUB_SECRET",
        b"x-forwarded-for",
        b"x_forwarded_for",
        b"x-forwarded-user",
        b"x-forwarded",
        b"forwarded",
        b"Forwarded",
        b"host",
        b"connection",
        b"transfer-encoding",
        b"proxy-authorization",
        b"expect",
    ],
)
def test_what_a_client_claims_is_not_passed_on(name: bytes) -> None:
    assert told((name, b"forged")) == told()


def test_other_headers_are_passed_on_in_order_and_repeated() -> None:
    sent = [(b"accept", b"a"), (b"x-many", b"1"), (b"x-many", b"2"), (b"x-hubs", b"no claim"), (b"origin", b"http://x")]
    assert told(*sent)[-len(sent) :] == sent


def test_a_connection_header_removes_only_what_the_client_sent() -> None:
    headers = told((b"connection", b"close, X-Hub-User, x-forwarded-for, X-Mine"), (b"x-mine", b"1"), (b"x-kept", b"2"))
    assert headers == told((b"x-kept", b"2"))


@pytest.mark.parametrize(
    "sent,passed",
    [
        ([b"a=1; hub=secret; b=2"], b"a=1; b=2"),
        ([b"hub=secret"], None),
        ([b"hub = secret;a=1"], b"a=1"),
        ([b"=hub=secret"], None),
        ([b"hub"], None),
        ([b"a=1", b"b=hub", b"hub=secret", b"c=3"], b"a=1; b=hub; c=3"),
        ([b"hub2=x; a=hub=1; myhub=1"], b"hub2=x; a=hub=1; myhub=1"),
        ([b'a="x; hub=secret"; b=2'], b'a="x; b=2'),
        ([b"a=1;b=2"], b"a=1;b=2"),
    ],
)
def test_the_hubs_cookie_stays_with_the_hub(sent: list[bytes], passed: bytes | None) -> None:
    cookies = [value for name, value in told(*((b"cookie", each) for each in sent)) if name == b"cookie"]
    assert cookies == ([passed] if passed else [])


@pytest.mark.parametrize(
    "cookie,rewritten",
    [
        (b"session=1; Path=/", b"session=1; Path=/sales/"),
        (b"session=1", b"session=1"),
        (b"session=1; HttpOnly; path=/; SameSite=Lax", b"session=1; HttpOnly; SameSite=Lax; Path=/sales/"),
        (b"a=1; Path=/sales", b"a=1; Path=/sales"),
        (b"a=1; Path=/sales/deep", b"a=1; Path=/sales/deep"),
        (b"a=1; Path=/salesforce", b"a=1; Path=/sales/"),
        (b"a=1; Path=/login", b"a=1; Path=/sales/"),
        (b"a=1; Path=", b"a=1; Path=/sales/"),
        (b"a=1; Path=/sales/; PATH=/", b"a=1; Path=/sales/"),
        (b"a=1; Domain=example.com; Path=/sales/x", b"a=1; Path=/sales/x"),
        (b"a=1; DOMAIN=.example.com", b"a=1"),
        (b"a=1; Expires=Wed, 09 Jun 2027 10:18:14 GMT; Secure", b"a=1; Expires=Wed, 09 Jun 2027 10:18:14 GMT; Secure"),
        (b"__Host-a=1; Secure; Path=/", b"__Host-a=1; Secure; Path=/"),
        (b"__Host-a=1; Secure; Path=/; Domain=example.com", b"__Host-a=1; Secure; Path=/"),
        (b"__Secure-a=1; Secure; Path=/", b"__Secure-a=1; Secure; Path=/sales/"),
        (b"hub=1; Path=/sales/", None),
        (b" hub =1", None),
        (b"=hub=1", None),
        (b"hub", None),
        (b"hubs=1", b"hubs=1"),
    ],
)
def test_cookies_keep_to_the_prefix(cookie: bytes, rewritten: bytes | None) -> None:
    expected = [] if rewritten is None else [(b"set-cookie", rewritten)]
    assert answered(b"Set-Cookie", cookie) == expected


def test_no_written_form_of_a_cookie_leaves_the_prefix() -> None:
    chance = random.Random(5)
    parts = [
        b"Path",
        b"pAtH",
        b"=",
        b"/",
        b"/sales",
        b"/sales/",
        b"Domain",
        b"hub",
        b"a",
        b";",
        b" ",
        b"\t",
        b",",
        b'"',
    ]
    for _ in range(20_000):
        cookie = b"a=1;" + b"".join(chance.choices(parts, k=chance.randrange(12)))
        ((_, value),) = answered(b"set-cookie", cookie)
        attributes = [each.strip().lower().partition(b"=") for each in value.split(b";")[1:]]
        paths = [setting.strip() for key, _, setting in attributes if key.strip() == b"path"]
        assert all(path == b"/sales" or path.startswith(b"/sales/") for path in paths), cookie
        assert not any(key.strip() == b"domain" for key, _, _ in attributes), cookie


def test_several_cookies_stay_several() -> None:
    cookies = SimpleCookie({"a": "1", "b": "2"})
    sent = [(b"set-cookie", morsel.OutputString().encode() + b"; Path=/") for morsel in cookies.values()]
    rewritten = answer_headers(sent, "/sales", "hub", rewrite_location=False)
    assert rewritten == [(b"set-cookie", b"a=1; Path=/sales/"), (b"set-cookie", b"b=2; Path=/sales/")]


def test_an_app_at_the_root_has_the_whole_site() -> None:
    assert answered(b"set-cookie", b"a=1; Path=/x", prefix="") == [(b"set-cookie", b"a=1; Path=/x")]
    assert answered(b"location", b"/x", prefix="", rewrite_location=True) == [(b"location", b"/x")]


@pytest.mark.parametrize(
    "location,rewritten",
    [
        (b"/login", b"/sales/login"),
        (b"/", b"/sales/"),
        (b"/sales", b"/sales"),
        (b"/sales?next=/x", b"/sales?next=/x"),
        (b"/sales/x", b"/sales/x"),
        (b"/salesforce", b"/sales/salesforce"),
        (b"x/y", b"x/y"),
        (b"?page=2", b"?page=2"),
        (b"//other.example/x", b"//other.example/x"),
        (b"https://other.example/x", b"https://other.example/x"),
        (b"http://hub.example/login", b"http://hub.example/sales/login"),
        (b"HTTP://HUB.example/login?a=b", b"HTTP://HUB.example/sales/login?a=b"),
        (b"http://hub.example", b"http://hub.example/sales/"),
        (b"http://hub.example?a=1", b"http://hub.example/sales/?a=1"),
        (b"http://hub.example/sales/x", b"http://hub.example/sales/x"),
        (b"http://hub.example.evil/x", b"http://hub.example.evil/x"),
        (b"http://hub.example:8000/x", b"http://hub.example:8000/x"),
    ],
)
def test_redirects_get_the_prefix_that_an_app_does_not_know(location: bytes, rewritten: bytes) -> None:
    options = {"host": "hub.example"}
    assert answered(b"location", location, rewrite_location=True, **options) == [(b"location", rewritten)]
    assert answered(b"location", location, **options) == [(b"location", location)]


@pytest.mark.parametrize(
    "name,value,passed",
    [
        (b"Clear-Site-Data", b'"*"', None),
        (b"Service-Worker-Allowed", b"/", b"/sales/"),
        (b"Service-Worker-Allowed", b"/sales/../", b"/sales/"),
        (b"Service-Worker-Allowed", b"/sales/%2e%2e/", b"/sales/"),
        (b"Service-Worker-Allowed", b"/sales/x/", b"/sales/x/"),
        (b"Strict-Transport-Security", b"max-age=0", None),
        (b"Alt-Svc", b'h2="evil.example:443"', None),
        (b"NEL", b"{}", None),
        (b"Report-To", b"{}", None),
    ],
)
def test_no_answer_reaches_the_apps_beside_it(name: bytes, value: bytes, passed: bytes | None) -> None:
    assert answered(name, value) == ([(name.lower(), passed)] if passed else [])


def test_of_two_lengths_of_a_body_only_the_true_one_is_told() -> None:
    """A chunked body is as long as its chunks, whatever the client says besides (RFC 9112, 6.3)."""
    lengths = [(b"content-length", b"5"), (b"transfer-encoding", b"chunked")]
    assert not {name for name, _ in told(*lengths)} & {b"content-length", b"transfer-encoding"}
    assert (b"content-length", b"5") in told((b"content-length", b"5"))


@pytest.mark.parametrize("of_scheme", ["hub", "__Host-hub"])
def test_the_cookie_of_the_other_scheme_is_the_hubs_too(of_scheme: str) -> None:
    cookie = (b"cookie", b"hub=1; a=2; __Host-hub=3")
    passed = dict(child_headers([cookie], ANN, "/sales", "https", "hub.example", None, of_scheme))
    assert passed[b"cookie"] == b"a=2"
    for name in (b"hub", b"__Host-hub"):
        given = [(b"set-cookie", name + b"=x; Path=/; Secure")]
        assert answer_headers(given, "/sales", of_scheme, rewrite_location=False) == []


def test_headers_of_one_connection_end_there() -> None:
    headers = [
        (b"Connection", b"keep-alive, X-Hop"),
        (b"Keep-Alive", b"timeout=5"),
        (b"X-Hop", b"1"),
        (b"transfer-encoding", b"chunked"),
        (b"date", b"today"),
        (b"etag", b"a"),
        (b"etag", b"b"),
    ]
    assert end_to_end(headers, without=frozenset({b"date"})) == [(b"etag", b"a"), (b"etag", b"b")]
