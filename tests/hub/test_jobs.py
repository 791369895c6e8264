"""Background jobs of Dash's own manager in the hub's process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dash
import diskcache
import pytest
from dash.background_callback.managers import BaseBackgroundCallbackManager

from flash import DiskcacheManager
from flash.background.forks import ForkGate
from flash.background.processes import creation_time, find_process
from flash.hub.jobs import end_jobs, guard

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class SlowCache(diskcache.Cache):
    """A cache in which a look-up can be held up."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder))
        self.entered, self.leave = threading.Event(), threading.Event()

    def get(self, key: Any, *args: Any, **kwargs: Any) -> Any:
        if key == "slow":
            self.entered.set()
            assert self.leave.wait(20)
        return super().get(key, *args, **kwargs)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Any]:
    made = dash.DiskcacheManager(SlowCache(tmp_path))
    guard(made)
    yield made
    end_jobs(made)
    BaseBackgroundCallbackManager.managers.remove(made)


def start(manager: Any, key: str, seconds: float) -> int:
    """Start a job that sleeps, and has its key for a result."""
    pid: int = manager.call_job_fn(key, manager.make_job_fn(lambda: time.sleep(seconds) or key, False), [], {})
    return pid


def test_a_job_does_not_begin_while_the_cache_is_used(manager: Any) -> None:
    looking = threading.Thread(target=manager.result_ready, args=("slow",))
    looking.start()
    assert manager.handle.entered.wait(20)
    pids: list[int] = []
    starting = threading.Thread(target=lambda: pids.append(start(manager, "job", 0)))
    starting.start()
    starting.join(0.3)
    assert not pids
    manager.handle.leave.set()
    starting.join(20)
    looking.join(20)
    assert pids


def test_many_jobs_end_while_their_results_are_asked_for(manager: Any) -> None:
    ended: list[str] = []

    def work(key: str) -> None:
        start(manager, key, 0)
        while not manager.result_ready(key) and time.monotonic() < deadline:
            manager.get_progress(key)
        ended.append(key)

    deadline = time.monotonic() + 20
    threads = [threading.Thread(target=work, args=(f"job {number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(ended) == 6 and time.monotonic() < deadline


def test_the_jobs_of_an_app_end_with_it(manager: Any) -> None:
    pid = start(manager, "job", 600)
    created = creation_time(pid)
    assert find_process(pid, created)
    end_jobs(manager)
    deadline = time.monotonic() + 20
    while find_process(pid, created):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_managers_are_guarded_once_and_those_of_flash_not_at_all(manager: Any, tmp_path: Path) -> None:
    before = manager.call_job_fn
    guard(manager)
    assert manager.call_job_fn is before
    own = DiskcacheManager(diskcache.Cache(str(tmp_path / "own")))
    guard(own)
    assert "call_job_fn" not in vars(own)
    end_jobs(own)
    BaseBackgroundCallbackManager.managers.remove(own)


def test_a_fork_waits_for_imports_and_lets_operations_through() -> None:
    gate = ForkGate()
    forked = threading.Event()

    def fork() -> None:
        with gate.fork():
            forked.set()

    with gate.imports():
        forking = threading.Thread(target=fork)
        forking.start()
        with gate.operation():
            assert not forked.wait(0.3)
    forking.join(20)
    assert forked.is_set()


def test_operations_of_one_thread_hold_others_while_a_fork_waits() -> None:
    gate = ForkGate()
    forked = threading.Event()

    def fork() -> None:
        with gate.fork():
            forked.set()

    with gate.operation():
        forking = threading.Thread(target=fork)
        forking.start()
        assert not forked.wait(0.3)
        began = time.monotonic()
        with gate.operation():
            assert time.monotonic() - began < 5
        assert not forked.is_set()
    forking.join(20)
    assert forked.is_set()
