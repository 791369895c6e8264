"""HTTP Basic: passwords with each request, checked once."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest

from flash.hub.signin import Basic, passwords
from flash.hub.signin import basic as module
from flash.hub.signin.throttle import FREE
from flash.hub.signin.users import UserFile

from ...apps import run
from ...live.asgi import eventually
from .site import PASSWORD, QUICK, Handshake, browser, hub_with, users_in, who


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that were hashed. The file is looked at often."""
    monkeypatch.setattr(module, "LOOK", 0.02)
    checked: list[str] = []
    hasher = type(passwords.new_hasher())
    verify = hasher.verify

    def note(self: Any, hashed: str, password: str) -> bool:
        checked.append(password)
        return verify(self, hashed, password)

    monkeypatch.setattr(hasher, "verify", note)
    return checked


def of(name: str, password: str = PASSWORD) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def test_a_password_is_checked_once(tmp_path: Path, checks: list[str]) -> None:
    async def main() -> None:
        async with hub_with(Basic(users_in(tmp_path, ann="finance")), tmp_path) as hub:
            async with browser(hub, authorization=of("ann")) as ann:
                answers = await asyncio.gather(*(ann.get(f"/app/{number}") for number in range(20)))
                assert {answer.json()["user"] for answer in answers} == {"ann"}
                assert "authorization" not in answers[0].json()["headers"], "No app gets a password."
                assert (await ann.get("/finance/")).status_code == 200
                socket = Handshake(hub, "/app/", {"authorization": of("ann")})
                assert await socket.answered() == 101
                await socket.leave()

    run(main)
    assert checks == [PASSWORD]


def test_who_is_unknown_is_asked_by_the_browser(tmp_path: Path, checks: list[str]) -> None:
    async def main() -> None:
        async with hub_with(Basic(users_in(tmp_path, ann=""), realm='Our "apps"\r\n'), tmp_path) as hub:
            async with browser(hub) as nobody:
                answer = await nobody.get("/app/", headers={"accept": "text/html"})
                assert answer.status_code == 401
                assert answer.headers["www-authenticate"] == 'Basic realm="Our apps", charset="UTF-8"'
                assert await Handshake(hub, "/app/", {}).answered() == 401
                for sent in (of("ann", "wrong"), of("eve"), "Basic", "Basic %%%", "Basic /w==", "Bearer x"):
                    answer = await nobody.get("/app/", headers={"authorization": sent})
                    assert answer.status_code == 401, sent
                pair = [("authorization", of("ann")), ("authorization", of("ann"))]
                assert (await nobody.get("/app/", headers=pair)).status_code == 401
                assert await who(nobody, "/open/") is None

    run(main)


def test_an_app_with_tokens_of_its_own_gets_them(tmp_path: Path) -> None:
    async def main() -> None:
        async with hub_with(Basic(users_in(tmp_path, ann="")), tmp_path) as hub, browser(hub) as program:
            told = (await program.get("/open/", headers={"authorization": "Bearer x"})).json()
            assert told["headers"]["authorization"] == "Bearer x"

    run(main)


def test_guessing_slows_down(tmp_path: Path, checks: list[str]) -> None:
    async def main() -> None:
        async with hub_with(Basic(users_in(tmp_path, ann="")), tmp_path) as hub, browser(hub) as eve:
            for number in range(FREE):
                headers = {"authorization": of("ann", f"wrong{number}")}
                assert (await eve.get("/app/", headers=headers)).status_code == 401 + 28 * (number == FREE - 1)
            answer = await eve.get("/app/", headers={"authorization": of("ann")})
            assert answer.status_code == 429 and int(answer.headers["retry-after"]) >= 1

    run(main)
    assert len(checks) == FREE


def test_what_is_changed_in_the_file_counts_at_once(tmp_path: Path, checks: list[str]) -> None:
    async def main() -> None:
        users = users_in(tmp_path, ann="finance", bob="")
        async with hub_with(Basic(users), tmp_path) as hub, browser(hub, authorization=of("ann")) as ann:
            sockets = [Handshake(hub, "/app/", {"authorization": of(name)}) for name in ("ann", "bob")]
            assert [await socket.answered() for socket in sockets] == [101, 101]
            assert (await ann.get("/finance/")).status_code == 200
            UserFile(users).change("ann", password=QUICK.hash("another"))
            assert await sockets[0].closed == 1008
            assert await who(ann) == "refused"
            assert not sockets[1].closed.done()
            UserFile(users).remove("bob")
            assert await sockets[1].closed == 1008
            ann.headers["authorization"] = of("ann", "another")
            await eventually(lambda: who_is(ann, "ann"))

    async def who_is(client: Any, name: str) -> bool:
        return await who(client) == name

    run(main)
