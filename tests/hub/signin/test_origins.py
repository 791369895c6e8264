"""Which requests are taken for those of another site's page."""

from __future__ import annotations

from typing import Any

import pytest

from flash.hub.signin import foreign


def asked(method: str, scheme: str = "https", **headers: str) -> dict[str, Any]:
    kind = "websocket" if method == "WS" else "http"
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": kind, "method": method, "scheme": scheme, "headers": [(b"host", b"hub.example"), *pairs]}


OWN = "https://hub.example"
EVIL = "https://evil.example"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "WS"])
@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, False),  # No browser.
        ({"sec_fetch_site": "same-origin", "origin": OWN}, False),
        ({"sec_fetch_site": "none"}, False),
        ({"sec_fetch_site": "cross-site", "origin": EVIL}, True),
        ({"sec_fetch_site": "cross-site"}, True),
        ({"sec_fetch_site": "same-site", "origin": "https://other.hub.example"}, True),
        ({"sec_fetch_site": "nonsense", "origin": OWN}, True),
        ({"sec_fetch_site": "", "origin": OWN}, True),
        ({"origin": OWN}, False),
        ({"origin": EVIL}, True),
        ({"origin": "null"}, True),
        ({"origin": ""}, True),
        ({"origin": "http://hub.example"}, True),  # A page without TLS can be anybody's.
        ({"origin": "https://hub.example:8443"}, True),
        ({"origin": "https://hub.example.evil.example"}, True),
        ({"origin": "https://hub.example@evil.example"}, True),
    ],
)
def test_who_may_change_something(method: str, headers: dict[str, str], expected: bool) -> None:
    assert foreign(asked(method, "wss" if method == "WS" else "https", **headers)) is expected


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_what_changes_nothing_may_come_from_anywhere(method: str) -> None:
    assert not foreign(asked(method, sec_fetch_site="cross-site", origin=EVIL))


@pytest.mark.parametrize(
    ("allowed", "headers", "expected"),
    [
        ((EVIL,), {"sec_fetch_site": "cross-site", "origin": EVIL}, False),
        ((EVIL,), {"origin": EVIL}, False),
        ((EVIL,), {"sec_fetch_site": "cross-site", "origin": "https://third.example"}, True),
        ((EVIL,), {"sec_fetch_site": "cross-site"}, True),
        (("null",), {"sec_fetch_site": "cross-site", "origin": "null"}, True),
        (("*",), {"sec_fetch_site": "cross-site", "origin": "null"}, False),
    ],
)
def test_further_origins(allowed: tuple[str, ...], headers: dict[str, str], expected: bool) -> None:
    assert foreign(asked("POST", **headers), allowed) is expected


def test_behind_a_proxy_that_nobody_trusts_old_browsers_pass_too() -> None:
    assert not foreign(asked("POST", "http", origin=OWN))
