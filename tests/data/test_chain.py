"""What follows what: each follower runs once for versions that belong together."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from flash.data import Source, SourceError
from flash.data import lane as lanes
from flash.data.chain import Made, consistent, in_order
from flash.data.stores import MemorySnapshots, SqliteSnapshots
from flash.storage import MemoryStorage

from .engines import Readings, declared, run, running, until


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "FIRST_PAUSE", 0.01)


async def quiet(*sources: Source) -> None:
    """Wait until nothing of them runs, and nothing is behind."""
    calm = 0
    while calm < 20:
        busy = any(each.status.running for each in sources) or any(not each.known.state.roots for each in sources)
        calm = 0 if busy else calm + 1
        await asyncio.sleep(0.005)


def test_versions_that_belong_together() -> None:
    ahead = [Made(3, {"a": 3}), Made(2, {"a": 2}), Made(1, {"a": 1})]
    behind = [Made(5, {"a": 2}), Made(4, {"a": 1})]
    assert consistent([ahead, behind]) == [ahead[1], behind[0]]
    assert consistent([behind, ahead]) == [behind[0], ahead[1]]
    assert consistent([ahead[:1], behind]) is None
    assert consistent([ahead, []]) is None
    assert consistent([ahead]) == [ahead[0]]
    unlike = [Made(9, {"b": 9})]
    assert consistent([ahead, unlike, behind]) == [ahead[1], unlike[0], behind[0]]
    # What one has in common with a second, and the second with a third.
    first, second = [Made(1, {"a": 2}), Made(0, {"a": 1})], [Made(1, {"a": 1, "b": 2}), Made(0, {"a": 1, "b": 1})]
    assert consistent([first, second, [Made(1, {"b": 1})]]) == [first[1], second[1], Made(1, {"b": 1})]


def test_each_stands_after_those_that_it_follows() -> None:
    orders = declared(lambda: 1, name="orders")
    clean = declared(lambda a: a, name="clean", after=orders)
    both = declared(lambda a, b: a, name="both", after=[clean, orders])
    assert in_order([both, clean]) == [orders, clean, both]


def test_a_follower_is_given_values_in_order_and_notes_what_it_was_made_of() -> None:
    async def main() -> None:
        numbers = iter(range(1, 100))
        orders = declared(lambda: next(numbers), name="orders")
        prices = declared(lambda: 10, name="prices")

        async def multiply(price: int, order: int) -> list[int]:
            return [price, order]

        total = declared(multiply, name="total", after=[prices, orders])
        store = MemorySnapshots()
        async with running(total, store=store) as engine:
            assert engine.sources == [prices, orders, total]
            assert (await total.first(10)).value == [10, 1]
            await orders.refresh()
            assert (await total.at_least(2, 5)).value == [10, 2]
            newest = await store.newest("total")
            assert newest is not None and newest.derived == {"prices": 1, "orders": 2}
            assert total.status.next is None

    run(main)


def test_unchanged_data_run_nothing_but_confirm_what_was_made_of_them() -> None:
    async def main() -> None:
        orders = declared(lambda: {"a": 1}, name="orders")
        clean = Readings({"b": 1})
        follower = declared(lambda given: clean.next(), name="clean", after=orders)
        async with running(follower):
            await follower.first(10)
            await quiet(orders, follower)
            read = (await orders.refresh()).at
            await until(lambda: follower.get().at == read, "confirmation of the follower")
            await quiet(orders, follower)
            assert clean.calls == 1 and orders.version == follower.version == 1

    run(main)


def test_a_diamond_runs_once_for_versions_that_belong_together() -> None:
    async def main() -> None:
        numbers = iter(range(1, 100))
        orders = declared(lambda: next(numbers), name="orders")
        pairs: list[tuple[int, int]] = []

        async def slow(given: int) -> int:
            await asyncio.sleep(0.05)
            return given

        async def join(left: int, right: int) -> list[int]:
            pairs.append((left, right))
            return [left, right]

        left = declared(lambda given: given, name="left", after=orders)
        right = declared(slow, name="right", after=orders)
        both = declared(join, name="both", after=[left, right])
        async with running(both):
            await both.first(10)
            for _ in range(3):
                await orders.refresh()
                await quiet(orders, left, right, both)
            assert pairs == [(1, 1), (2, 2), (3, 3), (4, 4)]
            # Faster than the slow branch: some are passed over, and none is mixed.
            for _ in range(10):
                await orders.refresh()
                await asyncio.sleep(0.02)
            await quiet(orders, left, right, both)
            assert pairs[-1] == (14, 14) and all(one == other for one, other in pairs)
            assert len(pairs) == len(set(pairs))

    run(main)


def test_a_branch_that_gives_the_same_does_not_hold_up_the_join() -> None:
    async def main() -> None:
        numbers = iter(range(1, 100))
        orders = declared(lambda: next(numbers), name="orders")
        left = declared(lambda given: given, name="left", after=orders)
        parity = declared(lambda given: given > 0, name="parity", after=orders)
        both = declared(lambda one, other: [one, other], name="both", after=[left, parity])
        async with running(both):
            await both.first(10)
            await orders.refresh()
            assert (await both.at_least(2, 5)).value == [2, True] and parity.version == 1

    run(main)


def test_the_failure_of_one_keeps_the_rest() -> None:
    async def main() -> None:
        numbers = iter(range(1, 100))
        orders = declared(lambda: next(numbers), name="orders")
        fails = Readings(1, ValueError("x"), ValueError("x"), 2)
        left = declared(lambda given: given, name="left", after=orders)
        right = declared(lambda given: fails.next(), name="right", after=orders, retry=1)
        both = declared(lambda one, other: [one, other], name="both", after=[left, right])
        async with running(both):
            assert (await both.first(10)).value == [1, 1]
            await quiet(orders, left, right, both)
            await orders.refresh()
            await until(lambda: fails.calls == 3 and not right.status.running, "both tries")
            await quiet(orders, left, right, both)
            assert left.get().value == 2 and right.get().value == 1 and right.status.error is not None
            assert both.get().value == [1, 1] and both.status.error is None, (
                "what does not belong together is not mixed"
            )
            await asyncio.sleep(0.1)
            assert fails.calls == 3, "it waits for something new"
            await orders.refresh()
            assert (await both.at_least(2, 5)).value == [3, 2]

    run(main)


def test_a_follower_cannot_be_refreshed_before_what_it_follows_has_been_read() -> None:
    async def main() -> None:
        orders = declared(lambda: 1, name="orders", on_start=False)
        clean = declared(lambda given: given, name="clean", after=orders)
        async with running(clean):
            with pytest.raises(SourceError, match="'clean' cannot run before 'orders'"):
                await clean.refresh()
            await orders.refresh()
            await clean.first(5)
            assert (await clean.refresh()).value == 1

    run(main)


@pytest.mark.parametrize("behind", ["never ran", "behind", "failed", "up to date"])
def test_what_is_behind_at_a_start_is_run(tmp_path: Any, behind: str) -> None:
    async def main() -> None:
        store = SqliteSnapshots(tmp_path / "data.db")
        numbers = iter(range(1, 100))
        readings = Readings(1, ValueError("x")) if behind == "failed" else Readings(1)

        def sources(follower: Any) -> tuple[Source, Source]:
            orders = declared(lambda: next(numbers), name="orders")
            return orders, declared(follower, name="clean", after=orders, retry=0)

        orders, clean = sources(lambda given: readings.next())
        async with running(*([orders] if behind == "never ran" else [orders, clean]), store=store):
            await orders.first(10)
            await quiet(*([orders] if behind == "never ran" else [orders, clean]))
            if behind == "failed":
                await orders.refresh()
                await until(lambda: clean.status.error, "failure")
                await quiet(orders, clean)
        if behind == "behind":
            orders, _ = sources(lambda given: 0)
            async with running(orders, store=store):
                await orders.refresh()
        again = Readings(["new"])
        orders, clean = sources(lambda given: again.next())
        async with running(orders, clean, store=store):
            if behind == "up to date":
                await quiet(orders, clean)
                assert again.calls == 0 and clean.get().value == 1
            else:
                await until(lambda: clean.get().value == ["new"], "run")
                await quiet(orders, clean)
                assert again.calls == 1

    run(main)


def test_what_is_behind_at_a_take_over_is_run() -> None:
    async def main() -> None:
        storage, store = MemoryStorage(), MemorySnapshots()
        stuck, calls = asyncio.Event(), Readings(["done"])

        async def waits(given: int) -> Any:
            await stuck.wait()

        async def works(given: int) -> Any:
            return calls.next()

        first = declared(lambda: 1, name="orders")
        options = {"storage": storage, "store": store, "name": "shop"}
        second = declared(lambda: 1, name="orders")
        follower = declared(works, name="clean", after=second)
        hangs = declared(waits, name="clean", after=first)
        async with running(hangs, **options) as leading:
            await until(lambda: hangs.status.running, "run")
            async with running(follower, **options) as next_one:
                assert leading.leads and not next_one.leads and second.version == 1
                await leading.close()
                assert (await follower.first(10)).value == ["done"] and next_one.leads

    run(main)
