"""Leases: one holder at a time, each with a greater token."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from flash.storage import Storage

from ..apps import run
from .servers import wait_until

Make = Callable[[], Storage]


def test_a_lease_has_one_holder_until_it_is_given_back(make: Make) -> None:
    one, two = make(), make()
    token = one.acquire("leader", "one", 30)
    assert token is not None and token > 0
    assert two.acquire("leader", "two", 30) is None
    assert one.acquire("leader", "one", 30) == token
    assert two.renew("leader", "two", 30) is False
    two.release("leader", "two")
    assert one.renew("leader", "one", 30) is True
    one.release("leader", "one")
    assert one.renew("leader", "one", 30) is False
    following = two.acquire("leader", "two", 30)
    assert following is not None and following > token
    assert one.acquire("leader", "one", 30) is None
    assert one.acquire("other", "one", 30) is not None


def test_the_asynchronous_forms(make: Make) -> None:
    async def main() -> None:
        one, two = make(), make()
        token = await one.aacquire("leader", "one", 30)
        assert token is not None
        assert await two.aacquire("leader", "two", 30) is None
        assert await two.arenew("leader", "two", 30) is False
        assert await one.arenew("leader", "one", 30) is True
        await one.arelease("leader", "one")
        following = await two.aacquire("leader", "two", 30)
        assert following is not None and following > token
        await one.aclose()
        await two.aclose()

    run(main)


def test_a_lease_ends_by_itself(make: Make) -> None:
    one, two = make(), make()
    token = one.acquire("leader", "one", 0.3)
    assert token is not None
    tokens: list[int] = []

    def two_has_it() -> bool:
        found = two.acquire("leader", "two", 30)
        tokens.extend([] if found is None else [found])
        return bool(tokens)

    wait_until(two_has_it, "end of the lease")
    assert tokens[0] > token
    assert one.renew("leader", "one", 30) is False
    assert one.acquire("leader", "one", 30) is None


def test_the_same_owner_gets_a_new_token_after_its_lease_has_ended(make: Make) -> None:
    one, two = make(), make()
    token = one.acquire("leader", "one", 0.05)
    assert token is not None
    wait_until(lambda: two.acquire("leader", "two", 0.05) is not None, "end of the lease")
    tokens: list[int | None] = []
    wait_until(lambda: tokens.append(one.acquire("leader", "one", 30)) or tokens[-1] is not None, "end of the other's")
    assert tokens[-1] is not None and tokens[-1] > token


def test_renewing_keeps_a_lease_past_its_first_end(make: Make) -> None:
    one, two = make(), make()
    token = one.acquire("leader", "one", 1)
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        assert one.renew("leader", "one", 1) is True
        assert two.acquire("leader", "two", 1) is None
        time.sleep(0.02)
    assert one.acquire("leader", "one", 1) == token


def test_many_ask_at_once_and_one_gets_it(make: Make) -> None:
    async def main() -> None:
        views = [make() for _ in range(8)]
        last = 0
        for _ in range(10):
            asked = [view.aacquire("leader", f"owner-{index}", 30) for index, view in enumerate(views)]
            tokens = await asyncio.gather(*asked)
            holders = [index for index, token in enumerate(tokens) if token is not None]
            assert len(holders) == 1
            token = tokens[holders[0]]
            assert token is not None and token > last
            last = token
            await views[holders[0]].arelease("leader", f"owner-{holders[0]}")
        for view in views:
            await view.aclose()

    run(main)
