"""Runs that fail: the last snapshot stays, users are told what they may know, and nothing stops."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from flash.data import Failure, SourceError
from flash.data import lane as lanes
from flash.data.clock import Clock
from flash.data.stores import MemorySnapshots

from .engines import Readings, declared, run, running, until


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "FIRST_PAUSE", 0.01)


def test_a_failure_keeps_the_snapshot_and_is_told_logged_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    secret = ValueError("the password is hunter2")
    readings = Readings({"a": 1}, secret, SourceError("The shop is closed."), ValueError("x"), {"a": 2})

    async def main() -> None:
        orders = declared(readings.next, name="orders", retry=1)
        seen: list[Failure | None] = []
        async with running(orders) as engine:
            engine.on_news.append(lambda source: seen.append(source.status.error))
            await orders.first(10)
            await until(lambda: not orders.status.running, "end of the run")
            with pytest.raises(SourceError, match=r"^The shop is closed\.$"):
                await orders.refresh()
            snapshot = orders.get()
            assert snapshot.version == 1 and snapshot.value == {"a": 1}
            assert snapshot.error == orders.status.error and snapshot.error is not None
            assert orders.status.checked is not None and orders.status.checked > snapshot.at
            assert [each.reason for each in dict.fromkeys(filter(None, seen))] == [
                "The run failed.",
                "The shop is closed.",
            ]
            assert (await orders.refresh()).value == {"a": 2}, "tried again after the first failure"
            assert orders.status.error is None and orders.get().error is None

    run(main)
    failures = [each for each in caplog.records if each.levelno >= logging.ERROR]
    assert len(failures) == 3 and all(each.exc_info for each in failures)
    assert "hunter2" in caplog.text and "error id" in failures[0].getMessage()


def test_the_pauses_before_it_is_tried_again_double_up_to_a_longest() -> None:
    pauses: list[float] = []

    class Counting(Clock):
        async def sleep(self, seconds: float) -> None:
            if seconds > 60:
                await asyncio.sleep(3600)  # Until the next tick.
            pauses.append(seconds)
            await asyncio.sleep(0)

    async def main() -> None:
        readings = Readings(ValueError("x"))
        orders = declared(readings.next, name="orders", every="1000d", retry=8, on_start=False)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(lanes, "FIRST_PAUSE", 1.0)
            async with running(orders, clock=Counting()):
                pauses.clear()
                with pytest.raises(SourceError):
                    await orders.refresh()
        assert readings.calls == 9 and pauses == [1, 2, 4, 8, 16, 32, 60, 60]

    run(main)


class Panic(BaseException):
    """As Rust's panics, in polars."""


@pytest.mark.parametrize(
    "ending", [SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError(), StopIteration(), Panic()]
)
@pytest.mark.parametrize("kind", ["plain", "asynchronous", "asynchronous behind a plain one"])
def test_nothing_that_a_function_raises_stops_anything(ending: BaseException, kind: str) -> None:
    readings = Readings({"a": 1}, ending, {"a": 2})

    async def asynchronous() -> Any:
        return readings.next()

    async def main() -> None:
        func = {"plain": readings.next, "asynchronous": asynchronous}.get(kind, lambda: asynchronous())
        orders = declared(func, name="orders", retry=0)
        async with running(orders) as engine:
            await orders.first(10)
            await until(lambda: not orders.status.running, "end of the run")
            with pytest.raises(SourceError, match="The run"):
                await orders.refresh()
            assert engine.leads and (await orders.refresh()).version == 2

    run(main)


@pytest.mark.parametrize("value", [None, object(), {1: 2}])
def test_what_cannot_be_kept_is_a_failure_whose_reason_is_in_the_log(
    value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        orders = declared(lambda: value, name="orders", retry=0)
        async with running(orders):
            with pytest.raises(SourceError, match=r"^What the run gave cannot be kept\.$"):
                await orders.refresh()

    run(main)
    assert "SnapshotValueError" in caplog.text


class Faulty(MemorySnapshots):
    """A store that fails as long as it is told to."""

    fails: set[str] = set()

    async def put(self, *args: Any) -> None:
        if "put" in self.fails:
            raise OSError("the disk is full")
        await super().put(*args)

    async def set_state(self, *args: Any) -> None:
        if "set_state" in self.fails:
            raise OSError("the disk is full")
        await super().set_state(*args)


def test_a_store_that_fails_is_a_failure_of_the_run_and_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        numbers = iter(range(100))
        orders = declared(lambda: next(numbers), name="orders", retry=0)
        store = Faulty()
        async with running(orders, store=store) as engine:
            await orders.first(10)
            await until(lambda: not orders.status.running, "end of the run")
            store.fails = {"put", "set_state"}
            with pytest.raises(SourceError, match=r"^The new version could not be stored\.$"):
                await orders.refresh()
            assert orders.get().value == 0 and engine.leads
            store.fails = {"set_state"}
            assert (await orders.refresh()).value == 2
            assert orders.status.error is None
            store.fails = set()
            await engine.renewed()
            state = await store.state("orders")
            assert state is not None and state["version"] == 2 and "error" not in state

    run(main)
    assert caplog.text.count("cannot be kept: the disk is full") == 1
