"""Sources in processes of their own: what dies or hangs there harms nothing here."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import psutil
import pytest

from flash.data import SourceError
from flash.data.processes import Process

from . import heavy
from .engines import children, run, running, until


class Orders:
    """Tells the functions of the other processes what to do."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def do(self, what: str) -> None:
        self._path.write_text(what)

    @property
    def sleeper(self) -> int | None:
        """The process that sleeps."""
        path = Path(f"{self._path}.sleeps")
        text = path.read_text() if path.exists() else ""
        return int(text) if text else None


@pytest.fixture
def orders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Orders:
    monkeypatch.setenv(heavy.PLACE, str(tmp_path / "what"))
    told = Orders(tmp_path / "what")
    told.do("pid")
    return told


def test_it_runs_in_a_process_of_its_own_which_is_used_again(orders: Orders) -> None:
    async def main() -> None:
        async with running(heavy.heavy):
            pid = (await heavy.heavy.refresh()).value
            assert pid != os.getpid() and psutil.pid_exists(pid)
            assert (await heavy.heavy.refresh()).version == heavy.heavy.version
            assert heavy.heavy.get().value == pid and len(children()) == 1
        assert not psutil.pid_exists(pid)

    run(main)


def test_asynchronous_functions_are_awaited_there() -> None:
    async def main() -> None:
        async with running(heavy.asynchronous):
            assert (await heavy.asynchronous.refresh()).value != os.getpid()

    run(main)


def test_it_is_given_the_values_of_what_it_follows() -> None:
    async def main() -> None:
        async with running(heavy.doubled):
            assert (await heavy.doubled.first(20)).value == [2, 4, 6]

    run(main)


@pytest.mark.parametrize(
    ("what", "reason"), [("exit", "has ended (exit code 3)"), ("kill", "has ended (signal SIGKILL)")]
)
def test_a_process_that_dies_is_a_failure_and_the_next_run_has_a_new_one(
    orders: Orders, what: str, reason: str
) -> None:
    async def main() -> None:
        async with running(heavy.heavy):
            before = (await heavy.heavy.refresh()).value
            orders.do(what)
            with pytest.raises(SourceError) as told:
                await heavy.heavy.refresh()
            assert reason in str(told.value) and heavy.heavy.get().value == before
            orders.do("pid")
            assert (await heavy.heavy.refresh()).value != before

    run(main)


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("told", "The shop is closed."),
        ("error", "The run failed."),
        ("system exit", "The run failed."),
        ("unkept", "What the run gave cannot be kept."),
    ],
)
def test_errors_come_from_there_with_their_tracebacks_for_the_log(
    orders: Orders, what: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with running(heavy.heavy):
            orders.do(what)
            with pytest.raises(SourceError) as told:
                await heavy.heavy.refresh()
            assert str(told.value) == reason
            first = children()
            orders.do("pid")
            assert await heavy.heavy.refresh() and children() == first, "the process goes on"

    run(main)
    assert "In its process:" in caplog.text and len([each for each in caplog.records if each.levelname == "ERROR"]) == 1


def test_what_takes_too_long_is_killed_and_nothing_else(orders: Orders) -> None:
    async def main() -> None:
        async with running(heavy.limited, heavy.heavy):
            other = (await heavy.heavy.refresh()).value
            await heavy.limited.refresh()
            orders.do("sleep")
            with pytest.raises(SourceError, match=r"^The run took longer than 5 s\.$"):
                await heavy.limited.refresh()
            sleeper = orders.sleeper
            assert sleeper is not None
            await until(lambda: not psutil.pid_exists(sleeper), "end of the process")
            orders.do("pid")
            assert (await heavy.heavy.refresh()).value == other, "the other source has its process still"
            assert (await heavy.limited.refresh()).value not in (sleeper, other)

    run(main)


def test_a_process_that_is_killed_from_outside_in_mid_run_is_a_failure(orders: Orders) -> None:
    async def main() -> None:
        async with running(heavy.heavy):
            orders.do("sleep")
            refreshing = asyncio.create_task(heavy.heavy.refresh())
            await until(lambda: orders.sleeper, "run")
            os.kill(orders.sleeper or 0, signal.SIGKILL)
            with pytest.raises(SourceError, match="SIGKILL"):
                await refreshing

    run(main)


def test_no_process_is_left_when_it_is_closed_in_mid_run(orders: Orders) -> None:
    async def main() -> None:
        async with running(heavy.heavy):
            orders.do("sleep")
            refreshing = asyncio.create_task(heavy.heavy.refresh())
            await until(lambda: orders.sleeper, "run")
        with pytest.raises(SourceError):
            await refreshing
        await until(lambda: not psutil.pid_exists(orders.sleeper or 0), "end of the process")

    run(main)


def test_runs_beside_each_other_have_a_process_each_and_are_ended_each_for_itself(orders: Orders) -> None:
    async def main() -> None:
        async with running(heavy.beside):
            orders.do("sleep")
            sleeping = asyncio.create_task(heavy.beside.refresh())
            await until(lambda: orders.sleeper, "first run")
            orders.do("wait")
            waiting = asyncio.create_task(heavy.beside.refresh())
            await until(lambda: len(children()) == 2, "second process")
            with pytest.raises(SourceError, match="longer than 8 s"):
                await sleeping
            orders.do("pid")
            assert (await waiting).value != orders.sleeper

    run(main)


def test_many_runs_one_after_the_other_use_one_process(orders: Orders) -> None:
    async def main() -> None:
        async with running(heavy.heavy):
            assert len({(await heavy.heavy.refresh()).value for _ in range(10)}) == 1

    run(main)


def test_a_process_that_has_ended_between_two_runs_is_replaced(orders: Orders) -> None:
    async def main() -> None:
        async with running(heavy.heavy):
            pid = (await heavy.heavy.refresh()).value
            os.kill(pid, signal.SIGKILL)
            await until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie", "its end")
            assert (await heavy.heavy.refresh()).value != pid

    run(main)


def test_what_is_gone_may_be_killed_again(orders: Orders) -> None:
    """As when all is closed while a process ends by itself."""
    process = Process(heavy.heavy)
    process.ask([])
    process.kill()
    assert process.end() == "signal SIGKILL"
    process.kill()
