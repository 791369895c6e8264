"""One process: readings become versions, and are read from everywhere."""

from __future__ import annotations

import asyncio
import threading
from contextlib import AsyncExitStack
from typing import Any

import pytest

from flash.data import Snapshot, SourceError, asks
from flash.data import leader as leaders
from flash.data.engine import Engine
from flash.data.stores import MemorySnapshots, SqliteSnapshots
from flash.exceptions import ConfigurationError
from flash.storage import MemoryStorage

from .engines import Readings, declared, run, running, threads, until


def test_before_the_first_version_there_is_a_false_snapshot() -> None:
    orders = declared(lambda: 1, name="orders", max_stale="1h")
    snapshot = orders.get()
    assert not snapshot and snapshot.version == 0 and snapshot.value is None and snapshot.stale
    assert orders.version == 0 and orders.status.version == 0 and not orders.status.running
    assert orders() == 1
    for use in (orders.refresh, orders.history):
        with pytest.raises(ConfigurationError, match=r"flash\.data\.start"):
            use()
    with pytest.raises(ConfigurationError, match="orders"):
        run(lambda: orders.first(1))


@pytest.mark.parametrize("kind", ["plain", "asynchronous", "asynchronous behind a plain one"])
def test_a_source_is_read_at_the_start_and_what_it_gives_is_a_version(kind: str) -> None:
    seen: list[Any] = []

    def plain() -> dict[str, int]:
        seen.append(threading.current_thread())
        return {"total": 1}

    async def asynchronous() -> dict[str, int]:
        return plain()

    func = {"plain": plain, "asynchronous": asynchronous}.get(kind, lambda: asynchronous())

    async def main() -> None:
        orders = declared(func, name="orders")
        async with running(orders) as engine:
            snapshot = await orders.first(10)
            assert engine.leads and (seen[0] is threading.main_thread()) is (kind != "plain")
            assert snapshot and snapshot.version == 1 and snapshot.value == {"total": 1} and not snapshot.stale
            assert snapshot.at is not None and snapshot.age is not None and 0 <= snapshot.age < 10
            await until(lambda: not orders.status.running, "end of the run")
            status = orders.status
            assert status.version == 1 and status.at == snapshot.at and status.error is None
            assert status.next is not None and status.next > snapshot.at
        assert orders.get().value == {"total": 1}, "what is known stays"
        assert not orders.engine

    run(main)


def test_without_on_start_it_waits_for_its_tick() -> None:
    readings = Readings(1)

    async def main() -> None:
        later = declared(readings.next, name="later", on_start=False)
        soon = declared(lambda: 1, name="soon")
        async with running(later, soon):
            await soon.first(10)
            assert (later.version, readings.calls, later.status.checked) == (0, 0, None)
            assert (await later.refresh()).version == 1

    run(main)


def test_a_new_version_only_when_the_data_have_changed() -> None:
    readings = Readings({"a": 1}, {"a": 1}, {"a": 2})

    async def main() -> None:
        orders = declared(readings.next, name="orders")
        async with running(orders):
            first = await orders.first(10)
            await until(lambda: not orders.status.running, "end of the run")
            same = await orders.refresh()
            assert same.version == 1 and same.at is not None and first.at is not None and same.at > first.at
            assert (await orders.refresh()).version == 2
            assert [each.version for each in await orders.history()] == [2, 1]
            assert [each.value for each in await orders.history(1)] == [{"a": 2}]

    run(main)


def test_only_so_many_snapshots_are_kept() -> None:
    async def main() -> None:
        numbers = iter(range(10))
        orders = declared(lambda: next(numbers), name="orders", keep=2)
        async with running(orders):
            for _ in range(5):
                await orders.refresh()
            assert len(await orders.history(10)) == 2

    run(main)


def test_each_snapshot_has_a_value_of_its_own() -> None:
    async def main() -> None:
        orders = declared(lambda: {"rows": [1]}, name="orders")
        async with running(orders):
            one, other = await orders.first(10), orders.get()
            one.value["rows"].append(2)
            assert one.value == {"rows": [1, 2]} and other.value == orders.get().value == {"rows": [1]}

    run(main)


def test_reading_works_in_every_thread_and_in_other_loops() -> None:
    async def main() -> None:
        numbers = iter(range(100))
        orders = declared(lambda: next(numbers), name="orders")

        def in_thread() -> list[Any]:
            return [orders.get().version > 0, orders.refresh().version > 1, len(orders.history()) > 1]

        async def on_another_loop() -> list[Any]:
            snapshot = await orders.refresh()
            return [(await orders.at_least(snapshot.version, 5)).version >= snapshot.version, await orders.history(1)]

        async with running(orders):
            await orders.first(10)
            assert await asyncio.to_thread(in_thread) == [True, True, True]
            reached, history = await asyncio.to_thread(lambda: asyncio.run(on_another_loop()))
            assert reached and history

    run(main)


def test_at_least_waits_for_a_version_and_no_longer_than_it_is_told() -> None:
    async def main() -> None:
        numbers = iter(range(100))
        orders = declared(lambda: next(numbers), name="orders", on_start=False)
        async with running(orders):
            assert not await orders.first(0.05)
            waiting = asyncio.create_task(orders.at_least(2))
            await orders.refresh()
            assert (await orders.at_least(2, 0.05)).version == 1 and not waiting.done()
            await orders.refresh()
            assert (await waiting).version == 2

    run(main)


def test_on_change_is_called_for_each_version_and_its_errors_harm_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        numbers = iter(range(100))
        orders = declared(lambda: next(numbers), name="orders")
        plain: list[int] = []
        asynchronous: list[int] = []

        @orders.on_change
        def fails(snapshot: Snapshot) -> None:
            raise ValueError("a fault of the listener")

        @orders.on_change
        def first(snapshot: Snapshot) -> None:
            assert threading.current_thread() is not threading.main_thread()
            plain.append(snapshot.version)

        @orders.on_change
        async def second(snapshot: Snapshot) -> None:
            asynchronous.append(snapshot.value)

        async with running(orders):
            await orders.first(10)
            await orders.refresh()
            await orders.refresh()
            await until(lambda: len(asynchronous) == orders.version, "calls")
            assert plain == [each + 1 for each in asynchronous] == list(range(1, orders.version + 1))

    run(main)
    assert "a fault of the listener" in caplog.text


@pytest.mark.parametrize("ending", [SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError()])
def test_nothing_that_a_function_of_on_change_raises_stops_anything(ending: BaseException) -> None:
    async def main() -> None:
        numbers = iter(range(100))
        orders = declared(lambda: next(numbers), name="orders", on_start=False)
        seen: list[int] = []

        @orders.on_change
        async def fails(snapshot: Snapshot) -> None:
            await asyncio.sleep(0.01)
            raise ending

        @orders.on_change
        async def sees(snapshot: Snapshot) -> None:
            seen.append(snapshot.version)

        async with running(orders):
            await orders.refresh()
            await orders.refresh()
            await until(lambda: seen == [1, 2], "calls")

    run(main)


def test_a_listener_to_the_news_that_fails_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        orders = declared(lambda: 1, name="orders")
        seen: list[str] = []

        def fails(source: Any) -> None:
            raise ValueError("a fault of the listener")

        async with running(orders) as engine:
            engine.on_news.extend([fails, lambda source: seen.append(source.name)])
            await orders.refresh()
            assert seen

    run(main)
    assert "a fault of the listener" in caplog.text


def test_a_refresh_while_it_runs_waits_for_that_run() -> None:
    async def main() -> None:
        goes = asyncio.Event()
        calls = 0

        async def slow() -> int:
            nonlocal calls
            calls += 1
            await goes.wait()
            return calls

        orders = declared(slow, name="orders")
        async with running(orders):
            await until(lambda: calls, "run")
            refreshes = [asyncio.create_task(orders.refresh()) for _ in range(3)]
            await asyncio.sleep(0.05)
            goes.set()
            assert [(await each).value for each in refreshes] == [1, 1, 1] and calls == 1

    run(main)


def test_a_refresh_may_take_longer_than_silence_is_borne(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asks, "SILENCE_SECONDS", 0.5)
    monkeypatch.setattr(asks, "ASKS_AGAIN", 0.1)

    async def main() -> None:
        calls = 0

        async def slow() -> int:
            nonlocal calls
            calls += 1
            await asyncio.sleep(1.5)
            return calls

        orders = declared(slow, name="orders", on_start=False)
        async with running(orders):
            assert (await orders.refresh()).value == 1

    run(main)


def test_a_source_keeps_its_data_and_its_place_in_a_file(tmp_path: Any) -> None:
    """SQLite, and a process that is started again: its data are there at once, and nothing is read too soon."""
    readings = Readings({"a": 1}, {"a": 2})

    async def main(expected: int) -> None:
        orders = declared(readings.next, name="orders", every="1d")
        async with running(orders, store=SqliteSnapshots(tmp_path / "data.db")):
            assert (await orders.first(10)).value == {"a": 1}
            await until(lambda: not orders.status.running and orders.status.next, "end of the run")
            assert readings.calls == expected

    run(lambda: main(1))
    run(lambda: main(1))


def test_one_engine_runs_a_source() -> None:
    async def main() -> None:
        orders = declared(lambda: 1, name="orders")
        async with running(orders):
            with pytest.raises(ConfigurationError, match="run in this process already"):
                async with running(orders):
                    pass
            assert (await orders.refresh()).version == 1, "the first one goes on"
        async with running(orders):
            assert (await orders.refresh()).version >= 1

    run(main)


def test_close_ends_runs_threads_and_who_waits() -> None:
    async def main() -> None:
        began = threading.Event()

        async def asynchronous() -> None:
            began.set()
            await asyncio.sleep(3600)

        endless = declared(asynchronous, name="endless")
        plain = declared(lambda: 1, name="plain")
        never = declared(lambda: 1, name="never", on_start=False)
        async with running(endless, plain, never):
            await until(began.is_set, "run")
            await plain.first(10)
            refreshing = asyncio.create_task(endless.refresh())
            waiting = asyncio.create_task(never.first())
            await asyncio.sleep(0.05)
        with pytest.raises(SourceError, match="ends"):
            await refreshing
        assert not await waiting
        await until(lambda: not threads("flash-data"), "end of the threads")

    run(main)


def test_close_without_start_and_twice_is_harmless() -> None:
    async def main() -> None:
        engine = Engine([], storage=MemoryStorage(), store=MemorySnapshots(), name="x")
        await engine.close()
        await engine.start()
        await engine.close()
        await engine.close()

    run(main)


def test_who_leads_after_a_loss_of_data_is_followed_though_versions_begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store is empty, and the process that leads then is a new one, which knows nothing."""
    monkeypatch.setattr(leaders, "LEASE_INTERVAL", 0.05)

    async def main() -> None:
        storage, store = MemoryStorage(), MemorySnapshots()
        options = {"storage": storage, "store": store, "name": "shop"}
        old, seen, new = [declared(Readings(*values).next, name="orders") for values in ([1, 2, 3], [0], [7, 8])]
        leading, following, last = (Engine([each], **options) for each in (old, seen, new))
        async with AsyncExitStack() as open_engines:
            for engine in (leading, following):
                open_engines.push_async_callback(engine.close)
                await engine.start()
            await old.refresh()
            await old.refresh()
            await seen.at_least(3, 5)
            assert leading.leads and not following.leads
            storage.release("data:shop:leads", leading._process)
            assert storage.acquire("data:shop:leads", "nobody", 60) is not None
            await until(lambda: not leading.leads, "end of the term")
            store._kept.clear()
            store._states.clear()
            open_engines.push_async_callback(last.close)
            await last.start()
            monkeypatch.setattr(leaders, "LEASE_INTERVAL", 60)
            await asyncio.sleep(0.2)
            storage.release("data:shop:leads", "nobody")
            last._leader.look()
            await until(lambda: last.leads and new.version, "new leader")
            for each in (old, seen):
                await until(lambda each=each: each.get().value == 7, "what it has read")
                assert each.get().tag == new.get().tag and each.get().at == new.get().at
            await new.refresh()
            await until(lambda: seen.get().value == old.get().value == 8, "next version")

    run(main)
