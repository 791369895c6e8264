"""Whose a callback over HTTP is: the tab's that proves it, or the user's who may speak for the tab."""

from __future__ import annotations

from typing import Any

import pytest

from flash import Flash, ctx

from ..apps import body, run
from .asgi import callback, eventually, in_process, live_app
from .sites import InProcess
from .tab import Tab, tab_of


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
                assert await asked(site, token, "ann") == [tab.client, "ann", True]
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
