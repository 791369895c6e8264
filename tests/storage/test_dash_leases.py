"""Leases in a storage of Dash's, where another process comes in between at the worst moment."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import dash
import pytest

from flash.storage.dash_leases import DashLeases

pytestmark = pytest.mark.skipif(not hasattr(dash, "LocalSharedStorage"), reason="Dash 4.4 has no shared storage.")


class Interrupted:
    """Dash's storage, and what another process does just before one of its calls."""

    def __init__(self, storage: Any) -> None:
        self._storage = storage
        self.before: dict[str, Callable[[], None]] = {}

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> Any:
            interruption = self.before.pop(name, None)
            if interruption is not None:
                interruption()
            return getattr(self._storage, name)(*arguments)

        return call


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def time(self) -> float:
        return self.now

    def time_ns(self) -> int:
        return int(self.now * 1e9)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("flash.storage.dash_leases.time", clock)
    return clock


@pytest.fixture
def storage() -> Iterator[Any]:
    storage = dash.LocalSharedStorage(namespace=secrets.token_hex(8))
    storage.start()
    yield storage
    storage.close()


def test_of_two_claims_the_first_wins(storage: Any, clock: Clock) -> None:
    slow, two = Interrupted(storage), DashLeases(storage)
    one = DashLeases(slow)
    tokens: list[int | None] = []

    def claim_and_die() -> None:
        # Without the record that a holder writes: it has only just claimed.
        storage.publish("flash:lease:leader:0", ["two", 5, clock.now + 10], 100)

    slow.before["publish"] = claim_and_die
    assert one.acquire("leader", "one", 10) is None
    assert one.acquire("leader", "one", 10) is None
    tokens.append(two.acquire("leader", "two", 10))
    assert tokens == [5]
    clock.now += 11
    following = one.acquire("leader", "one", 10)
    assert following is not None and following > 5


def test_a_holder_that_was_followed_while_it_renewed_does_not_hold_it(storage: Any, clock: Clock) -> None:
    slow = Interrupted(storage)
    one, two = DashLeases(slow), DashLeases(storage)
    token = one.acquire("leader", "one", 10)
    followers: list[int | None] = []

    def end_and_follow() -> None:
        clock.now += 11
        followers.append(two.acquire("leader", "two", 10))

    slow.before["set"] = end_and_follow
    assert one.renew("leader", "one", 30) is False
    assert followers[0] is not None and token is not None and followers[0] > token
    # The late renewal has overwritten the record: neither holds it until that is over, and then it goes on.
    assert one.renew("leader", "one", 10) is False
    assert one.acquire("leader", "one", 10) is None
    clock.now += 31
    following = two.acquire("leader", "two", 10)
    assert following is not None and following > followers[0]


def test_who_claims_while_the_holder_renews_waits_for_it(storage: Any, clock: Clock) -> None:
    slow = Interrupted(storage)
    one, two = DashLeases(storage), DashLeases(slow)
    token = one.acquire("leader", "one", 10)
    assert token is not None
    clock.now += 11

    def renew_late() -> None:
        clock.now -= 2
        assert one.renew("leader", "one", 10) is True
        clock.now += 2

    slow.before["publish"] = renew_late
    assert two.acquire("leader", "two", 30) is None
    assert one.renew("leader", "one", 10) is False
    clock.now += 20
    following = two.acquire("leader", "two", 10)
    assert following is not None and following > token
    assert one.acquire("leader", "one", 10) is None
