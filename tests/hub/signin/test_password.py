"""Signing in on the hub's page, with users from a file."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from typing import Any

import pytest

from flash.exceptions import ConfigurationError
from flash.hub.signin import PasswordFile, checking, passwords
from flash.hub.signin import browser as browser_module
from flash.hub.signin import password as password_module
from flash.hub.signin.throttle import FREE
from flash.hub.signin.users import UserFile

from ...apps import run
from ...live.asgi import eventually
from .site import OWN_FORM, PAGE, PASSWORD, Handshake, browser, cookie_of, hub_with, sign_in, users_in, who


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is looked at often."""
    monkeypatch.setattr(password_module, "LOOK", 0.02)


def test_signing_in_and_out(tmp_path: Path) -> None:
    async def main() -> None:
        users = users_in(tmp_path, ann="admin,finance", bob="")
        async with hub_with(PasswordFile(users), tmp_path) as hub, browser(hub) as ann, browser(hub) as other:
            assert await who(ann) == "refused"
            answer = await sign_in(ann, "ann", goal="/app/?year=2024")
            assert (answer.status_code, answer.headers["location"]) == (303, "/app/?year=2024")
            told = (await ann.get("/app/")).json()
            assert (told["user"], told["roles"]) == ("ann", ["admin", "finance"])
            assert "cookie" not in told["headers"], "The hub's cookie is the hub's."
            assert await who(other) == "refused"

            await sign_in(other, "bob")
            assert await who(other) == "bob"
            assert (await other.get("/finance/")).status_code == 403
            assert (await ann.get("/finance/")).status_code == 200

            cookies = dict(ann.cookies)
            answer = await ann.post("/_hub/logout", headers=OWN_FORM)
            assert answer.status_code == 303
            assert not [cookie for cookie in ann.cookies.jar if cookie.name == "__Host-flash-hub"]
            ann.cookies.update(cookies)
            assert await who(ann) == "refused", "The old token is worth nothing."
            assert await who(other) == "bob"

    run(main)


def test_the_cookie_is_out_of_reach(tmp_path: Path) -> None:
    async def main() -> None:
        async with hub_with(PasswordFile(users_in(tmp_path, ann="")), tmp_path) as hub:
            async with browser(hub) as ann:
                cookie = (await sign_in(ann, "ann")).headers["set-cookie"]
                assert re.match(r"__Host-flash-hub=[\w-]{43}; Max-Age=604800; Path=/; ", cookie)
                assert cookie.endswith("HttpOnly; SameSite=Lax; Secure")
            async with browser(hub, scheme="http") as ann:
                page = await ann.get("/_hub/login", headers=PAGE)
                assert "Secure" not in page.headers["set-cookie"]
                assert "SameSite=Strict" in page.headers["set-cookie"]
                fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text))
                answer = await ann.post("/_hub/login", data={**fields, "name": "ann", "password": PASSWORD})
                assert re.match(r"flash-hub=[\w-]{43}; .*HttpOnly; SameSite=Lax$", answer.headers["set-cookie"])
                assert await who(ann) == "ann"

    run(main)


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        (PAGE, "page"),
        ({"accept": "text/html,*/*"}, "page"),
        ({"accept": "application/json", "sec-fetch-mode": "cors"}, "json"),
        ({"accept": "text/html", "sec-fetch-mode": "cors"}, "json"),
        ({}, "json"),
    ],
)
def test_who_is_unknown_is_asked_to_sign_in(tmp_path: Path, headers: dict[str, str], kind: str) -> None:
    async def main() -> None:
        async with hub_with(PasswordFile(users_in(tmp_path, ann="")), tmp_path) as hub, browser(hub) as nobody:
            answer = await nobody.get("/app/a%2Fb?x=1&y=%26", headers=headers)
            if kind == "page":
                assert answer.status_code == 303
                assert answer.headers["location"] == "/_hub/login?next=/app/a%252Fb%3Fx%3D1%26y%3D%2526"
                page = await nobody.get(answer.headers["location"])
                assert 'name="next" value="/app/a%2Fb?x=1&amp;y=%26"' in page.text
            else:
                assert (answer.status_code, answer.json()["login"]) == (401, "/_hub/login")
            assert (await nobody.post("/app/_dash-update-component")).status_code == 401
            assert (await nobody.get("/app/assets/a.js")).status_code == 401
            assert await who(nobody, "/open/") is None

    run(main)


def test_a_wrong_password_is_told_and_slows_down(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with hub_with(PasswordFile(users_in(tmp_path, ann="")), tmp_path) as hub, browser(hub) as eve:
            for attempt in range(FREE):
                answer = await sign_in(eve, ("ann", "nobody")[attempt % 2], "wrong")
                assert answer.status_code == 401 and "Name or password is wrong." in answer.text
                assert "__Host-flash-hub" not in answer.headers.get("set-cookie", "")
            answer = await sign_in(eve, "ann", PASSWORD)
            assert answer.status_code == 429 and "Too many attempts" in answer.text
            assert int(answer.headers["retry-after"]) >= 1
            assert await who(eve) == "refused"
            async with browser(hub, "198.51.100.7") as ann:
                assert (await sign_in(ann, "ann")).status_code == 303, "Others are not slowed down."

    run(main)
    assert "'nobody'" in caplog.text and "203.0.113.9" in caplog.text
    assert PASSWORD not in caplog.text and "wrong" not in caplog.text.replace("wrong password", "")


def test_a_user_that_there_is_not_takes_a_hash_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the parameters of the file, so that the time tells nothing."""
    verified: list[str] = []

    def note(self: Any, hashed: str, password: str) -> bool:
        verified.append(hashed.rpartition("$")[0].rpartition("$")[0])
        return verify(self, hashed, password)

    hasher = type(passwords.new_hasher())
    verify = hasher.verify
    monkeypatch.setattr(hasher, "verify", note)

    async def main() -> None:
        async with hub_with(PasswordFile(users_in(tmp_path, ann="")), tmp_path) as hub, browser(hub) as eve:
            await sign_in(eve, "ann", "wrong")
            await sign_in(eve, "nobody", "wrong")

    run(main)
    assert len(verified) == 2 and verified[0] == verified[1]


def test_so_many_passwords_are_checked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "THREADS", 0)
    monkeypatch.setattr(passwords, "WAITING", 0)

    async def main() -> None:
        async with hub_with(PasswordFile(users_in(tmp_path, ann="")), tmp_path) as hub, browser(hub) as ann:
            for _ in range(FREE + 2):
                answer = await sign_in(ann, "ann")
                assert (answer.status_code, answer.headers["retry-after"]) == (429, "5"), "It counts as no attempt."

    run(main)


@pytest.mark.parametrize(
    "goal",
    [
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example/",
        "javascript:alert(1)",
        "/\t/evil.example",
        "/\n/evil.example",
        "/ /evil.example",
        "evil.example",
        "/a\r\nSet-Cookie: a=b",
        "/é",
        "",
        "/" + "a" * 3000,
    ],
)
def test_the_way_back_leads_to_this_site(tmp_path: Path, goal: str) -> None:
    async def main() -> None:
        async with hub_with(PasswordFile(users_in(tmp_path, ann="")), tmp_path) as hub, browser(hub) as ann:
            assert (await sign_in(ann, "ann", goal=goal)).headers["location"] == "/"
            page = await ann.get("/_hub/login", headers=PAGE)
            token = re.findall(r'name="token" value="([^"]*)"', page.text)[0]
            fields = {"next": goal, "token": token, "name": "ann", "password": PASSWORD}
            answer = await ann.post("/_hub/login", data=fields, headers=OWN_FORM)
            assert answer.headers["location"] == "/"

    run(main)


def test_a_form_is_sent_by_the_browser_that_it_was_made_for(tmp_path: Path) -> None:
    async def main() -> None:
        async with hub_with(PasswordFile(users_in(tmp_path, ann="", eve="")), tmp_path) as hub:
            async with browser(hub) as eve, browser(hub) as victim:
                page = await eve.get("/_hub/login", headers=PAGE)
                token = re.findall(r'name="token" value="([^"]*)"', page.text)[0]
                await victim.get("/_hub/login", headers=PAGE)
                for sent in (token, "", "nonsense", token[:-1] + "x"):
                    fields = {"token": sent, "name": "eve", "password": PASSWORD}
                    assert (await victim.post("/_hub/login", data=fields)).status_code == 400
                assert await who(victim) == "refused"
                foreign = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
                fields = {"token": token, "name": "eve", "password": PASSWORD}
                assert (await eve.post("/_hub/login", data=fields, headers=foreign)).status_code == 403
                assert (await eve.post("/_hub/login", data={"name": "x" * 20_000})).status_code == 413

    run(main)


def test_signing_in_begins_a_new_session(tmp_path: Path) -> None:
    """Who has planted a cookie, or had one before, has nothing of it."""

    async def main() -> None:
        async with hub_with(PasswordFile(users_in(tmp_path, ann="", eve="")), tmp_path) as hub, browser(hub) as ann:
            ann.cookies.set("__Host-flash-hub", "planted", domain="hub.example")
            await sign_in(ann, "eve")
            first = ann.cookies.get("__Host-flash-hub", domain="hub.example", path="/")
            assert first != "planted"
            await sign_in(ann, "ann")
            assert ann.cookies.get("__Host-flash-hub", domain="hub.example", path="/") != first
            assert await who(ann) == "ann"
            async with browser(hub, cookie=f"__Host-flash-hub={first}") as eve:
                assert await who(eve) == "refused"

    run(main)


def test_what_is_changed_in_the_file_counts_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        users = users_in(tmp_path, ann="finance", bob="", carl="finance")
        file = UserFile(users)
        async with hub_with(PasswordFile(users), tmp_path) as hub:
            async with browser(hub) as ann, browser(hub) as bob, browser(hub) as carl:
                for client, name in ((ann, "ann"), (bob, "bob"), (carl, "carl")):
                    await sign_in(client, name)
                sockets = [Handshake(hub, "/app/", {"cookie": cookie_of(client)}) for client in (ann, bob, carl)]
                assert [await socket.answered() for socket in sockets] == [101, 101, 101]
                assert (await ann.get("/finance/")).status_code == 200
                file.change("ann", roles=[])
                file.change("bob", password=file.read()["bob"].password.replace("$argon2id", "$argon2i"))
                for socket in sockets[:2]:
                    assert await socket.closed == 1008
                assert (await ann.get("/finance/")).status_code == 403
                assert (await who(ann), await who(bob), await who(carl)) == ("ann", "refused", "carl")
                assert not sockets[2].closed.done()
                file.remove("carl")
                assert await sockets[2].closed == 1008
                assert await who(carl) == "refused"

    run(main)


def test_a_file_that_breaks_changes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        users = users_in(tmp_path, ann="")
        async with hub_with(PasswordFile(users), tmp_path) as hub, browser(hub) as ann:
            await sign_in(ann, "ann")
            users.write_text("broken")
            await eventually(lambda: "no argon2 hash" in caplog.text)
            assert await who(ann) == "ann"

    with caplog.at_level(logging.ERROR):
        run(main)


def test_sessions_outlive_the_hub(tmp_path: Path) -> None:
    async def main() -> None:
        users = users_in(tmp_path, ann="", bob="", eve="")
        cookies = {}
        async with hub_with(PasswordFile(users), tmp_path) as hub:
            for name in ("ann", "bob", "eve"):
                async with browser(hub) as client:
                    await sign_in(client, name)
                    cookies[name] = cookie_of(client)
                    if name == "eve":
                        await client.post("/_hub/logout", headers=OWN_FORM)
        UserFile(users).remove("bob")
        async with hub_with(PasswordFile(users), tmp_path) as hub:
            for name, expected in (("ann", "ann"), ("bob", "refused"), ("eve", "refused")):
                async with browser(hub, cookie=cookies[name]) as client:
                    assert await who(client) == expected

    run(main)


def test_a_session_whose_time_is_over_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser_module, "INTERVAL", 0.02)

    async def main() -> None:
        signin = PasswordFile(users_in(tmp_path, ann=""), idle=0.3)
        async with hub_with(signin, tmp_path) as hub, browser(hub) as ann:
            await sign_in(ann, "ann")
            socket = Handshake(hub, "/app/", {"cookie": cookie_of(ann)})
            assert await socket.answered() == 101
            assert await socket.closed == 1008
            assert await who(ann) == "refused"

    run(main)


def test_a_session_gets_another_token_now_and_then(tmp_path: Path) -> None:
    async def main() -> None:
        signin = PasswordFile(users_in(tmp_path, ann=""))
        async with hub_with(signin, tmp_path) as hub, browser(hub) as ann:
            await sign_in(ann, "ann")
            first = ann.cookies["__Host-flash-hub"]
            await who(ann)
            signin.sessions._turn = 0.0
            assert "set-cookie" not in (await ann.get("/app/assets/a.js")).headers, "A cache may keep it for all."
            answer = await ann.get("/app/", headers=PAGE)
            assert "private" in answer.headers["cache-control"]
            signin.sessions._turn = 900.0
            second = ann.cookies["__Host-flash-hub"]
            assert second != first and await who(ann) == "ann"
            signin.sessions._turn = 0.0
            await sign_in(ann, "ann")
            assert await who(ann) == "ann", "A token of the session before is not set in the place of the new one."

    run(main)


def test_a_configuration_that_cannot_work_is_refused(tmp_path: Path) -> None:
    async def main() -> None:
        async with hub_with(PasswordFile(tmp_path / "none.txt"), tmp_path):
            pass

    with pytest.raises(ConfigurationError, match="flash user add"):
        run(main)
    with pytest.raises(ConfigurationError, match="idle"):
        PasswordFile("users.txt", idle=0)


def test_a_page_says_in_words_how_long_to_wait() -> None:
    assert [checking.in_words(each) for each in (0.2, 2, 90, 91, 900)] == [
        "1 second",
        "2 seconds",
        "90 seconds",
        "2 minutes",
        "15 minutes",
    ]


def test_others_who_can_read_the_file_are_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    users = users_in(tmp_path, ann="")
    os.chmod(users, 0o644)

    async def main() -> None:
        async with hub_with(PasswordFile(users), tmp_path):
            pass

    run(main)
    assert "chmod 600" in caplog.text
