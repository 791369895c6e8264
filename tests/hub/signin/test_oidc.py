"""Signing in at a provider of identities, which may lie, and what comes back from it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from flash.exceptions import ConfigurationError
from flash.hub.hub import Hub
from flash.hub.signin import OIDC
from flash.hub.signin import provider as module

from ...apps import run
from .provider import CLIENT_ID, CLIENT_SECRET, ISSUER, Provider, arguments_of, key_called
from .site import OWN_FORM, PAGE, Handshake, browser, cookie_of, hub_with, who


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Provider:
    """A provider, that the hub reaches."""
    provider = Provider()
    client = httpx.AsyncClient
    monkeypatch.setattr(
        httpx, "AsyncClient", lambda **options: client(**{"transport": provider.transport(), **options})
    )
    return provider


def hub_at(provider: Provider, folder: Path, **options: Any) -> AbstractAsyncContextManager[Hub]:
    return hub_with(OIDC(ISSUER, CLIENT_ID, provider.secret, **options), folder)


async def come_in(client: httpx.AsyncClient, provider: Provider, path: str = "/app/?x=1") -> httpx.Response:
    """Follow the redirects from an app to the provider and back to the hub; the answer there."""
    answer = await client.get(path, headers=PAGE)
    assert answer.status_code == 303, answer.text
    answer = await client.get(answer.headers["location"], headers=PAGE)
    assert answer.status_code == 303, answer.text
    back = urlsplit(await provider.visit(answer.headers["location"]))
    return await client.get(f"{back.path}?{back.query}", headers={**PAGE, "sec-fetch-site": "cross-site"})


def test_signing_in_and_out(provider: Provider, tmp_path: Path) -> None:
    provider.claims["groups"] = ["finance", "hub-admins"]

    async def main() -> None:
        options = {"roles_claim": "groups", "role_names": {"hub-admins": "admin"}}
        async with hub_at(provider, tmp_path, **options) as hub, browser(hub) as ann:
            answer = await come_in(ann, provider)
            assert (answer.status_code, answer.headers["location"]) == (303, "/app/?x=1")
            told = (await ann.get("/app/")).json()
            assert (told["user"], told["roles"]) == ("ann@example.com", ["admin", "finance"])
            assert [cookie.name for cookie in ann.cookies.jar] == ["__Host-flash-hub"]
            assert (await ann.get("/finance/")).status_code == 200

            cookies = cookie_of(ann)
            socket = Handshake(hub, "/app/", {"cookie": cookies})
            assert await socket.answered() == 101
            page = await ann.post("/_hub/logout", headers=OWN_FORM)
            assert await socket.closed == 1008
            onward = re.findall(r'content="0;url=([^"]*)"', page.text)[0].replace("&amp;", "&")
            told = arguments_of(onward)
            assert onward.startswith(f"{ISSUER}/end?") and told["client_id"] == CLIENT_ID
            assert told["post_logout_redirect_uri"] == "https://hub.example/_hub/signed-out"
            assert len(told["id_token_hint"].split(".")) == 3
            assert (await ann.get("/_hub/signed-out")).status_code == 200
            async with browser(hub, cookie=cookies) as again:
                assert await who(again) == "refused"

    run(main)


def test_what_the_browser_is_sent_with(provider: Provider, tmp_path: Path) -> None:
    async def main() -> None:
        async with hub_at(provider, tmp_path) as hub, browser(hub) as ann:
            sent = [(await ann.get("/_hub/login?again=1")).headers["location"] for _ in range(2)]
            first, second = map(arguments_of, sent)
            assert first["redirect_uri"] == "https://hub.example/_hub/oidc/callback"
            assert (first["code_challenge_method"], first["prompt"]) == ("S256", "select_account")
            for name in ("state", "nonce", "code_challenge"):
                assert len(first[name]) >= 32 and first[name] != second[name]
            assert CLIENT_SECRET not in sent[0]

    run(main)


def test_two_tabs_may_be_under_way(provider: Provider, tmp_path: Path) -> None:
    async def main() -> None:
        async with hub_at(provider, tmp_path) as hub, browser(hub) as ann:
            backs = []
            for goal in ("/app/1", "/app/2"):
                sent = await ann.get("/_hub/login", params={"next": goal})
                backs.append(urlsplit(await provider.visit(sent.headers["location"])))
            for back, goal in zip(backs, ("/app/1", "/app/2"), strict=True):
                assert (await ann.get(f"{back.path}?{back.query}")).headers["location"] == goal

    run(main)


def test_nobody_comes_in_with_somebody_elses_answer(provider: Provider, tmp_path: Path) -> None:
    """Who has not begun cannot end it, however good the code is; and nobody can twice."""

    async def main() -> None:
        async with hub_at(provider, tmp_path) as hub, browser(hub) as eve, browser(hub) as victim:
            sent = await eve.get("/_hub/login")
            back = urlsplit(await provider.visit(sent.headers["location"]))
            await victim.get("/_hub/login")
            assert (await victim.get(f"{back.path}?{back.query}")).status_code == 400
            for query in ("", "state=x&code=y", f"{back.query}&state=x".replace("state=", "state=x", 1)):
                assert (await victim.get(f"{back.path}?{query}")).status_code == 400
            assert await who(victim) == "refused"
            state = arguments_of(sent.headers["location"])["state"]
            query = back.query.replace(state, state[:-4] + "xxxx")
            assert (await eve.get(f"{back.path}?{query}")).status_code == 400
            cookies = cookie_of(eve)
            assert (await eve.get(f"{back.path}?{back.query}")).status_code == 303
            async with browser(hub, cookie=cookies) as again:
                assert (await again.get(f"{back.path}?{back.query}")).status_code == 502, "The code is used up."

    run(main)


def test_the_cookie_of_a_sign_in_is_signed_and_short_lived(
    provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with hub_at(provider, tmp_path) as hub, browser(hub) as ann:
            sent = await ann.get("/_hub/login?next=//evil.example")
            cookie = sent.headers["set-cookie"]
            for part in ("Max-Age=600", "Path=/_hub/oidc/callback", "HttpOnly", "SameSite=Lax", "Secure"):
                assert part in cookie
            back = urlsplit(await provider.visit(sent.headers["location"]))
            name, _, value = cookie.partition(";")[0].partition("=")
            forged = {"cookie": f"{name}={value[:-1]}{'A' if value[-1] != 'A' else 'B'}"}
            async with browser(hub, **forged) as other:
                assert (await other.get(f"{back.path}?{back.query}")).status_code == 400
            monkeypatch.setattr(time, "time", lambda now=time.time: now() + 700)
            assert (await ann.get(f"{back.path}?{back.query}")).status_code == 400
            monkeypatch.undo()

    run(main)


LIES: dict[str, Callable[[Provider], Any]] = {
    "issuer": lambda provider: provider.claims.update(iss="https://evil.example"),
    "audience": lambda provider: provider.claims.update(aud="another"),
    "audiences without azp": lambda provider: provider.claims.update(aud=[CLIENT_ID, "another"]),
    "azp": lambda provider: provider.claims.update(aud=[CLIENT_ID, "another"], azp="another"),
    "expired": lambda provider: provider.claims.update(exp=int(time.time()) - 120),
    "of tomorrow": lambda provider: provider.claims.update(iat=int(time.time()) + 86_400),
    "no expiry": lambda provider: provider.claims.update(exp=None),
    "no subject": lambda provider: provider.claims.update(sub=None),
    "nonce": lambda provider: provider.claims.update(nonce="another"),
    "no nonce": lambda provider: provider.claims.update(nonce=None),
    "key": lambda provider: setattr(provider, "key", key_called("first", 2)),
    "no signature": lambda provider: setattr(provider, "algorithm", "none"),
    "signed with the public key": lambda provider: setattr(provider, "algorithm", "HS256"),
}


@pytest.mark.parametrize("lie", LIES)
def test_what_cannot_be_believed_is_not(
    provider: Provider, tmp_path: Path, lie: str, caplog: pytest.LogCaptureFixture
) -> None:
    LIES[lie](provider)

    async def main() -> None:
        async with hub_at(provider, tmp_path) as hub, browser(hub) as eve:
            answer = await come_in(eve, provider)
            assert answer.status_code == 502 and "id_token" not in answer.text
            assert await who(eve) == "refused"

    run(main)
    assert "The id_token" in caplog.text


def test_keys_are_changed_now_and_then(provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with hub_at(provider, tmp_path) as hub:
            async with browser(hub) as ann:
                assert (await come_in(ann, provider)).status_code == 303
            provider.key = key_called("second")
            provider.keys = [provider.key]
            async with browser(hub) as ann:
                assert (await come_in(ann, provider)).status_code == 502, "Not everybody makes it ask again."
                monkeypatch.setattr(module, "KEYS_AGAIN", 0.0)
                assert (await come_in(ann, provider)).status_code == 303
            assert provider.asked.count("/keys") == 2
            assert provider.asked.count("/.well-known/openid-configuration") == 1

    run(main)


@pytest.mark.parametrize(
    ("options", "claims", "told", "expected"),
    [
        ({}, {}, {}, ("ann@example.com", [])),
        ({}, {"email_verified": False}, {}, None),
        ({}, {"email_verified": None}, {}, ("ann@example.com", [])),
        ({"allowed_domains": ["Example.com"]}, {}, {}, ("ann@example.com", [])),
        ({"allowed_domains": ["example.com"]}, {"email_verified": None}, {}, None),
        ({"allowed_domains": ["example.com"]}, {"email": "eve@evil-example.com"}, {}, None),
        ({"allowed_domains": ["example.com"]}, {"email": "eve@example.com@evil.com"}, {}, None),
        ({"allowed_domains": ["example.com"]}, {"email": "eve@sub.example.com"}, {}, None),
        ({"user_claim": "preferred_username"}, {"preferred_username": "ann"}, {}, ("ann", [])),
        ({"user_claim": "preferred_username"}, {}, {"preferred_username": "ann"}, ("ann", [])),
        ({"user_claim": "preferred_username"}, {}, {"preferred_username": "eve", "sub": "other"}, None),
        ({"user_claim": "preferred_username"}, {}, {}, None),
        ({"user_claim": "name"}, {"name": "a\nb"}, {}, None),
        ({"user_claim": "name"}, {"name": ["ann"]}, {}, None),
        ({"roles_claim": "groups"}, {"groups": ["b", "a", 1]}, {}, ("ann@example.com", ["a", "b"])),
        ({"roles_claim": "groups"}, {"groups": "a b"}, {}, ("ann@example.com", ["a", "b"])),
        ({"roles_claim": "groups"}, {}, {"groups": ["a"]}, ("ann@example.com", ["a"])),
        (
            {"roles_claim": "realm_access.roles"},
            {"realm_access": {"roles": ["a"]}},
            {},
            ("ann@example.com", ["a"]),
        ),
        ({"roles_claim": "a.b.c"}, {"a": "b"}, {}, ("ann@example.com", [])),
        ({"roles_claim": "https://x.y/roles"}, {"https://x.y/roles": ["a"]}, {}, ("ann@example.com", ["a"])),
        ({"admins": ["ann@example.com"]}, {}, {}, ("ann@example.com", ["admin"])),
        ({}, {}, {"email": "eve@example.com", "groups": ["admin"]}, ("ann@example.com", [])),
    ],
)
def test_names_and_roles(
    provider: Provider, tmp_path: Path, options: Any, claims: Any, told: Any, expected: tuple[str, list[str]] | None
) -> None:
    provider.claims.update(claims)
    provider.told.update(told)

    async def main() -> None:
        async with hub_at(provider, tmp_path, **options) as hub, browser(hub) as client:
            answer = await come_in(client, provider)
            if expected is None:
                assert answer.status_code in (403, 502)
                assert await who(client) == "refused"
            else:
                found = (await client.get("/app/")).json()
                assert (found["user"], found["roles"]) == expected

    run(main)


def test_a_client_without_a_secret(provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    provider.secret = None

    async def main() -> None:
        async with hub_at(provider, tmp_path) as hub, browser(hub) as ann:
            assert (await come_in(ann, provider)).status_code == 303

    run(main)
    provider.secret = CLIENT_SECRET
    monkeypatch.setenv("FLASH_OIDC_CLIENT_SECRET", CLIENT_SECRET)

    async def from_environment() -> None:
        async with hub_with(OIDC(ISSUER, CLIENT_ID), tmp_path) as hub, browser(hub) as ann:
            assert (await come_in(ann, provider)).status_code == 303

    run(from_environment)


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://login.example/token"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": None},
    ],
)
def test_a_provider_that_is_not_what_it_should_be(provider: Provider, tmp_path: Path, change: dict[str, Any]) -> None:
    good = dict(provider.metadata)
    provider.metadata.update(change)

    async def main() -> None:
        async with hub_at(provider, tmp_path) as hub, browser(hub) as ann:
            answer = await ann.get("/_hub/login")
            assert answer.status_code == 502 and "sign-in service" in answer.text
            provider.metadata = good
            assert (await come_in(ann, provider)).status_code == 303, "It is asked again."

    run(main)


def test_the_provider_refuses(provider: Provider, tmp_path: Path) -> None:
    async def main() -> None:
        async with hub_at(provider, tmp_path) as hub, browser(hub) as ann:
            sent = arguments_of((await ann.get("/_hub/login")).headers["location"])
            callback = {"state": sent["state"], "error": "access_denied", "error_description": "<script>"}
            answer = await ann.get("/_hub/oidc/callback", params=callback)
            assert answer.status_code == 403 and "<script>" not in answer.text
            callback = {"state": sent["state"], "code": "x", "iss": "https://evil.example"}
            assert (await ann.get("/_hub/oidc/callback", params=callback)).status_code == 502

    run(main)


def test_sessions_outlive_the_hub(provider: Provider, tmp_path: Path) -> None:
    provider.claims["groups"] = ["finance"]

    async def main() -> None:
        async with hub_at(provider, tmp_path, roles_claim="groups") as hub, browser(hub) as ann:
            await come_in(ann, provider)
            cookies = cookie_of(ann)
        async with hub_at(provider, tmp_path) as hub, browser(hub, cookie=cookies) as ann:
            assert (await ann.get("/finance/")).status_code == 200

    run(main)


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (("http://login.example", "hub"), {}),
        (("login.example", "hub"), {}),
        ((ISSUER, "hub"), {"scope": "email"}),
        ((ISSUER, "hub"), {"allowed_domains": "example.com"}),
        ((ISSUER, "hub"), {"admins": "ann"}),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(arguments: Any, options: Any) -> None:
    with pytest.raises(ConfigurationError):
        OIDC(*arguments, **options)
