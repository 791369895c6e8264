"""What a hub remembers, and the forks of the hub's process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flash.background.forks import gate
from flash.hub import state as state_module
from flash.hub.state import State

from ..apps import run


def fork_beside(work: Callable[[], Any]) -> tuple[threading.Thread, bool]:
    """Try to fork in a thread of its own; tell whether it waits for ``work``, within which this is called."""
    forked = threading.Event()

    def fork() -> None:
        with gate.fork():
            forked.set()

    thread = threading.Thread(target=fork)
    thread.start()
    waited = not forked.wait(0.3)
    work()
    return thread, waited


def test_a_fork_waits_for_a_transaction(tmp_path: Path) -> None:
    async def main() -> None:
        state = State(tmp_path / "hub.db")
        await state.open()
        forking, waited = await state.run(lambda connection: fork_beside(lambda: connection.execute("SELECT 1")))
        await asyncio.to_thread(forking.join, 20)
        assert waited and not forking.is_alive()
        await state.close()

    run(main)


@pytest.mark.parametrize("name", ["open", "close"])
def test_a_fork_waits_for_the_file_that_is_opened_or_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    tried: list[tuple[threading.Thread, bool]] = []
    connect = state_module.sqlite3.connect

    class Connection(state_module.sqlite3.Connection):
        def close(self) -> None:
            if name == "close":
                tried.append(fork_beside(super().close))
            else:
                super().close()

    def connect_slowly(*args: Any, **kwargs: Any) -> Any:
        made = connect(*args, factory=Connection, **kwargs)
        if name == "open":
            tried.append(fork_beside(lambda: None))
        return made

    monkeypatch.setattr(state_module.sqlite3, "connect", connect_slowly)

    async def main() -> None:
        state = State(tmp_path / "hub.db")
        await state.open()
        await state.close()

    run(main)
    [(forking, waited)] = tried
    forking.join(20)
    assert waited and not forking.is_alive()
