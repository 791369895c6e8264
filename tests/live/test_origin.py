"""Which pages may connect: by table, and by real handshakes, which get 403 before the upgrade."""

from __future__ import annotations

from typing import Any

import pytest

from flash.live.origin import allowed_origin

from ..apps import run
from .asgi import SERVERS, live_app
from .sites import Network, Refused
from .tab import Tab

ALLOWED = [
    ("https://example.com", "example.com", "wss"),
    ("https://example.com:443", "example.com", "wss"),
    ("https://example.com", "example.com:443", "wss"),
    ("https://EXAMPLE.com", "example.COM", "wss"),
    ("http://example.com", "example.com", "ws"),
    ("http://example.com:8050", "example.com:8050", "ws"),
    ("http://127.0.0.1:8050", "127.0.0.1:8050", "ws"),
    ("http://[::1]:8050", "[::1]:8050", "ws"),
    # TLS ends at a proxy.
    ("https://example.com", "example.com", "ws"),
    ("http://example.com", "example.com", "http"),
]
REFUSED = [
    (None, "example.com", "wss"),
    ("", "example.com", "wss"),
    ("null", "example.com", "wss"),
    ("https://evil.org", "example.com", "wss"),
    ("https://example.com.evil.org", "example.com", "wss"),
    ("https://evilexample.com", "example.com", "wss"),
    ("https://sub.example.com", "example.com", "wss"),
    ("https://example.com:8443", "example.com", "wss"),
    ("https://example.com", "example.com:8443", "wss"),
    ("http://example.com:8051", "example.com:8050", "ws"),
    ("http://example.com", "example.com", "wss"),
    ("http://example.com", "example.com", "https"),
    ("https://example.com@evil.org", "example.com", "wss"),
    ("https://example.com/", "example.com", "wss"),
    ("https://example.com?x", "example.com", "wss"),
    ("https://example.com#x", "example.com", "wss"),
    ("https://example.com", None, "wss"),
    ("https://example.com", "", "wss"),
    ("https://", "", "wss"),
    ("file://", "", "ws"),
    ("file://example.com", "example.com", "ws"),
    ("chrome-extension://example.com", "example.com", "ws"),
    ("example.com", "example.com", "wss"),
    ("https://example.com:port", "example.com", "wss"),
    ("https://[::1", "[::1]", "wss"),
    ("https://example.com, https://evil.org", "example.com", "wss"),
]


@pytest.mark.parametrize(("origin", "host", "scheme"), ALLOWED)
def test_the_own_origin_is_allowed(origin: str, host: str, scheme: str) -> None:
    assert allowed_origin(origin, host, scheme)


@pytest.mark.parametrize(("origin", "host", "scheme"), REFUSED)
def test_others_are_not(origin: Any, host: Any, scheme: str) -> None:
    assert not allowed_origin(origin, host, scheme)


def test_further_origins_are_allowed_as_a_whole() -> None:
    allowed = ["https://partner.org", "https://other.org:8443"]
    assert allowed_origin("https://partner.org", "example.com", "wss", allowed)
    assert allowed_origin("https://other.org:8443", "example.com", "wss", allowed)
    for foreign in ("https://partner.org.evil.com", "https://partner.or", "http://partner.org", "https://other.org"):
        assert not allowed_origin(foreign, "example.com", "wss", allowed)


@pytest.mark.parametrize("server", SERVERS)
def test_a_foreign_page_gets_403_before_the_upgrade(server: str) -> None:
    async def main() -> None:
        app = live_app({"websocket_allowed_origins": ["https://partner.org"]})
        async with SERVERS[server](app) as own:
            port = own.address.rstrip("/").rsplit(":", 1)[1]
            foreign = [
                "null",
                "https://evil.org",
                f"http://127.0.0.1.evil.org:{port}",
                "http://127.0.0.1",
                f"http://127.0.0.1:{int(port) - 1}",
                f"http://localhost:{port}",
                "https://partner.org.evil.com",
                f"ftp://127.0.0.1:{port}",
            ]
            for origin in foreign:
                with pytest.raises(Refused) as refused:
                    await Network(own.address, origin=origin).socket()
                assert refused.value.status == 403, origin
            missing = Network(own.address)
            missing.origin = None  # type: ignore[assignment]
            with pytest.raises(Refused) as refused:
                await missing.socket()
            assert refused.value.status == 403
            for origin in (own.origin, "https://partner.org"):
                tab = await Tab(Network(own.address, origin=origin)).open()
                await tab.leave()

    run(main)
