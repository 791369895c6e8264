"""Guessing gets slower, and remembering it has a bound."""

from __future__ import annotations

import pytest

from flash.hub.signin import throttle
from flash.hub.signin.throttle import FREE, LONGEST_FOR_ADDRESS, LONGEST_FOR_USER, Throttle, network_of


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def wrong(tries: Throttle, clock: Clock, address: str, user: str, count: int) -> float:
    """Try as often as asked, after each wait; the last wait."""
    wait = 0.0
    for _ in range(count):
        clock.now += tries.wait(address, user)
        assert tries.begin(address, user) == 0.0
        wait = tries.wait(address, user)
    return wait


def test_the_first_are_free_and_then_waits_grow(clock: Clock) -> None:
    tries = Throttle(clock)
    assert wrong(tries, clock, "192.0.2.1", "ann", FREE - 1) == 0.0
    assert [wrong(tries, clock, "192.0.2.1", "ann", 1) for _ in range(4)] == [1, 2, 4, 8]
    assert tries.begin("192.0.2.1", "ann") == 8
    clock.now += 5
    assert tries.begin("192.0.2.1", "ann") == 3, "What is refused does not count."


def test_an_address_cannot_try_many_users(clock: Clock) -> None:
    tries = Throttle(clock)
    for number in range(FREE):
        tries.begin("192.0.2.1", f"user{number}")
    assert tries.wait("192.0.2.1", "another") == 1
    assert tries.wait("192.0.2.2", "another") == 0


def test_many_addresses_cannot_try_one_user_nor_lock_out_for_long(clock: Clock) -> None:
    tries = Throttle(clock)
    for number in range(100):
        clock.now += tries.wait(f"192.0.2.{number}", "ann")
        tries.begin(f"192.0.2.{number}", "ann")
    assert tries.wait("198.51.100.1", "ann") == LONGEST_FOR_USER


def test_the_longest_wait_of_an_address(clock: Clock) -> None:
    tries = Throttle(clock)
    assert wrong(tries, clock, "192.0.2.1", "ann", 100) == LONGEST_FOR_ADDRESS


def test_a_right_password_frees_the_user_but_not_the_address(clock: Clock) -> None:
    tries = Throttle(clock)
    wrong(tries, clock, "192.0.2.1", "ann", FREE - 1)
    tries.begin("192.0.2.1", "eve")
    tries.passed("192.0.2.1", "eve")
    tries.begin("192.0.2.1", "bob")
    assert tries.wait("192.0.2.1", "carl") == 1, "Guessing goes on beside an account of one's own."
    assert tries.wait("192.0.2.9", "eve") == 0


def test_after_an_hour_all_is_forgotten(clock: Clock) -> None:
    tries = Throttle(clock)
    wrong(tries, clock, "192.0.2.1", "ann", FREE + 3)
    clock.now += throttle.FORGOTTEN + 1
    assert wrong(tries, clock, "192.0.2.1", "ann", FREE - 1) == 0


def test_one_client_has_a_whole_network_of_addresses(clock: Clock) -> None:
    tries = Throttle(clock)
    for number in range(FREE):
        tries.begin(f"2001:db8:1:2::{number}", f"user{number}")
    assert tries.wait("2001:db8:1:2:ffff::1", "another") == 1
    assert tries.wait("2001:db8:1:3::1", "another") == 0
    assert network_of("::ffff:192.0.2.1") == "192.0.2.1"


def test_what_is_remembered_has_a_bound(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "REMEMBERED", 100)
    tries = Throttle(clock)
    for number in range(1000):
        tries.begin(f"10.0.{number // 250}.{number % 250}", f"user{number}")
    assert len(tries._addresses._counted) == len(tries._users._counted) == 100
