"""A proxy says who asks; nobody else does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flash.exceptions import ConfigurationError
from flash.hub.signin import Forwarded

from ...apps import run
from .site import PAGE, Handshake, browser, hub_with, who

PROXY = "10.0.0.5"
SENT = {"x-forwarded-user": "ann", "x-forwarded-groups": "finance, staff"}


def test_the_proxy_is_believed_and_nobody_else(tmp_path: Path) -> None:
    async def main() -> None:
        async with hub_with(Forwarded([PROXY]), tmp_path) as hub:
            async with browser(hub, PROXY, **SENT) as ann, browser(hub, "203.0.113.9", **SENT) as eve:
                told = (await ann.get("/app/")).json()
                assert (told["user"], told["roles"]) == ("ann", ["finance", "staff"])
                assert not set(SENT) & set(told["headers"])
                assert (await ann.get("/finance/")).status_code == 200
                assert await who(eve) == "refused"
                assert await who(eve, "/open/") is None
            assert await Handshake(hub, "/app/", SENT, address="203.0.113.9").answered() == 401
            socket = Handshake(hub, "/app/", SENT, address=PROXY)
            assert await socket.answered() == 101
            await socket.leave()

    run(main)


@pytest.mark.parametrize("address", [PROXY, "203.0.113.9"])
def test_the_proxy_is_who_is_at_the_other_end(tmp_path: Path, address: str) -> None:
    """Also where the hub believes it about addresses, so that the client is the browser's."""

    async def main() -> None:
        async with hub_with(Forwarded([PROXY]), tmp_path, trusted_proxies=[PROXY]) as hub:
            for claimed in ("198.51.100.1", PROXY, f"{PROXY}, {PROXY}"):
                sent = {**SENT, "x-forwarded-for": claimed, "x-forwarded-proto": "https"}
                async with browser(hub, address, **sent) as client:
                    assert await who(client) == ("ann" if address == PROXY else "refused")

    run(main)


def test_a_header_that_came_twice_is_nobodys(tmp_path: Path) -> None:
    async def main() -> None:
        async with hub_with(Forwarded([PROXY], user="Remote-User", roles=None), tmp_path) as hub:
            async with browser(hub, PROXY) as client:
                twice = [("remote-user", "ann"), ("remote-user", "eve")]
                assert (await client.get("/app/", headers=twice)).status_code == 401
                for empty in ("", "  "):
                    assert (await client.get("/app/", headers={"remote-user": empty})).status_code == 401
                told = (await client.get("/app/", headers={"remote-user": "Zoë".encode(), "remote_user": "eve"})).json()
                assert told["user"] == "Zoë"
                assert not {"remote-user", "remote_user"} & set(told["headers"])

    run(main)


def test_administrators_by_name_and_the_page_of_the_proxy(tmp_path: Path) -> None:
    async def main() -> None:
        signin = Forwarded([PROXY], admins=["ann"], sign_in_url="/oauth2/start")
        async with hub_with(signin, tmp_path) as hub, browser(hub, PROXY) as client:
            assert (await client.get("/app/", headers=SENT)).json()["roles"] == ["admin", "finance", "staff"]
            answer = await client.get("/app/", headers=PAGE)
            assert (answer.status_code, answer.headers["location"]) == (303, "/oauth2/start")
            assert (await client.get("/app/")).status_code == 401

    run(main)


def test_a_unix_socket_is_trusted_by_its_name(tmp_path: Path) -> None:
    async def main() -> None:
        for trusted, user in ((["unix"], "ann"), ([PROXY], None)):
            scope: dict[str, Any] = {"type": "http", "client": None}
            scope["headers"] = [(name.encode(), value.encode()) for name, value in SENT.items()]
            assert (await Forwarded(trusted).identify(scope)).name == user

    run(main)


@pytest.mark.parametrize("trusted", [[], ["nonsense"], "10.0.0.5"])
def test_without_an_address_nobody_can_be_believed(trusted: Any) -> None:
    with pytest.raises(ConfigurationError):
        Forwarded(trusted)
