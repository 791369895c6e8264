"""Whose a callback over HTTP is: the tab's that proves it, or the user's who may speak for the tab."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from flash import Flash, ctx

from ..apps import body, run
from .asgi import callback, eventually, in_process, live_app
from .sites import InProcess
from .tab import Tab, tab_of
from .test_fallback import Browser, request_of


def asking_app(**options: Any) -> Flash:
    """An app whose ``out.children`` says who asks. Users are named by the header ``X-User``."""
    app = live_app({"identify": lambda request: request.headers.get("X-User"), **options})

    @callback(app)
    async def who(value: Any) -> Any:
        return [ctx.client.id, ctx.client.user, ctx.client.live]

    return app


async def token_of(site: InProcess) -> str:
    """The token of a new page, as its configuration has it."""
    index = (await site.get(""))[1].decode()
    return index.split('"end_id":')[1].split('"')[1]


async def asked(site: InProcess, token: str = "", user: str | None = None, **headers: str) -> list[Any]:
    """What ``out.children`` says over HTTP."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    client = site.app.server.test_client()
    response = await client.post(
        "/_dash-update-component" + (f"?endId={token}" if token else ""),
        json=body("out.children", {"in.value": 1}),
        headers={**named, **({"X-User": user} if user else {})},
    )
    said: list[Any] = (await response.get_json(force=True))["response"]["out"]["children"]
    return said


def test_the_token_of_a_page_speaks_for_its_tab_only_by_its_user() -> None:
    async def main() -> None:
        app = asking_app()
        async with in_process(app, headers={"X-User": "ann"}) as site:
            token = await token_of(site)
            async with tab_of(site, end_id=token) as tab:
                assert await asked(site, token, "ann") == [tab.client, "ann", True]
                for other in (None, "bob"):
                    client_id, user, live = await asked(site, token, other)
                    assert client_id != tab.client and (user, live) == (other, False)
                assert app.clients[0].user == "ann"

    run(main)


def test_a_tab_of_nobody_is_that_of_the_user_who_signs_in() -> None:
    async def main() -> None:
        app = asking_app()
        async with in_process(app) as site:
            token = await token_of(site)
            async with tab_of(site, end_id=token) as tab:
                assert await asked(site, token) == [tab.client, None, True]
                assert tab.client and tab.key
                # The token stands in addresses and logs; only the key proves that it is this tab that has signed in.
                assert (await asked(site, token, "ann"))[1:] == ["ann", False]
                proof = {"Flash_Client": tab.client, "Flash_Key": tab.key}
                assert await asked(site, token, "ann", **proof) == [tab.client, "ann", True]
                assert await asked(site, token, "bob") != [tab.client, "bob", True]
                assert app.clients.of_user("ann") == 1 and app.clients[0].user == "ann"
                assert (await asked(site, token))[1:] == [None, False]
            await eventually(lambda: not app.clients)
            assert app.clients.of_user("ann") == 0

    run(main)


def test_id_and_key_name_the_tab_without_a_token() -> None:
    async def main() -> None:
        app = asking_app()
        async with in_process(app, headers={"X-User": "ann"}) as site:
            async with tab_of(site) as tab, tab_of(site, end_id=await token_of(site)) as other:
                assert tab.client and tab.key and other.end_id
                proof = {"Flash_Client": tab.client, "Flash_Key": tab.key}
                assert await asked(site, "", "ann", **proof) == [tab.client, "ann", True]
                # The token is of another server's run, or of another page.
                for token in ("forged", other.end_id):
                    assert await asked(site, token, "ann", **proof) == [tab.client, "ann", True]
                assert (await asked(site, "", "bob", **proof))[1:] == ["bob", False]

    run(main)


@pytest.mark.parametrize("key", ["", "wrong", "é"])
def test_an_id_without_its_key_names_nobody(key: str) -> None:
    async def main() -> None:
        app = asking_app()
        async with in_process(app, headers={"X-User": "ann"}) as site:
            token = await token_of(site)
            tab = await Tab(site, end_id=token).open()
            assert tab.client
            headers = {"Flash_Client": tab.client, **({"Flash_Key": key} if key else {})}
            assert (await asked(site, token, "ann", **headers))[1:] == ["ann", False]
            assert (await asked(site, token, "ann", Flash_Client="nobody", Flash_Key=tab.key))[2] is False
            await tab.leave()

    run(main)


def test_a_tab_that_leaves_while_its_user_is_asked_for_is_not_counted() -> None:
    async def main() -> None:
        asked_for, go_on = asyncio.Event(), asyncio.Event()

        async def identify(request: Any) -> Any:
            if "X-User" in request.headers:
                asked_for.set()
                await go_on.wait()
            return request.headers.get("X-User")

        app = asking_app(identify=identify)
        async with in_process(app) as site:
            token = await token_of(site)
            tab = await Tab(site, end_id=token).open()
            asking = asyncio.create_task(asked(site, token, "ann"))
            await asked_for.wait()
            await tab.leave()
            await eventually(lambda: not app.clients)
            go_on.set()
            assert (await asking)[1:] == ["ann", False]
            assert app.clients.of_user("ann") == 0

    run(main)


def test_over_a_stream_the_user_is_known_from_the_hello() -> None:
    async def main() -> None:
        times = []

        async def identify(request: Any) -> str:
            times.append(request.path)
            return "ann"

        app = asking_app(identify=identify)
        async with in_process(app) as site:
            browser = Browser(site)
            await browser.listen()
            tab = await browser.arrive()
            known = list(times)
            await browser.post(request_of("r", 1, "out.children"), client=tab["client"], key=tab["key"])
            await eventually(lambda: browser.messages(tab["client"]))
            answer = browser.messages(tab["client"])[0]["payload"]["data"]["response"]["out"]["children"]
            assert answer == [tab["client"], "ann", True] and times == known
            await browser.stop()

    run(main)
