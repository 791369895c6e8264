"""Background jobs in the hub's process that Dash's own ``DiskcacheManager`` starts.

It forks while other threads use SQLite, and now and then a job hangs in its first lines for ever: see
:mod:`flash.background.forks`. Among the threads of several apps that is often, and such a job would also keep the hub
from ending. So its forks and its uses of the cache pass the gate of Flash's own manager.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable
from functools import wraps
from typing import Any

import dash

from ..background import DiskcacheManager
from ..background.forks import gate
from ..background.processes import creation_time, find_process, kill

#: What a manager does with its cache in the hub's process.
_OPERATIONS = (
    "terminate_job",
    "clear_cache_entry",
    "get_or_create_signing_secret",
    "get_progress",
    "result_ready",
    "get_result",
    "get_updated_props",
)


def guard(manager: Any) -> None:
    """Let a manager fork only while no thread uses SQLite or imports modules. Does nothing for any other manager."""
    if not isinstance(manager, dash.DiskcacheManager) or isinstance(manager, DiskcacheManager):
        return
    if isinstance(manager.call_job_fn, _Starter):
        return
    for name in _OPERATIONS:
        setattr(manager, name, _operating(getattr(manager, name)))
    setattr(manager, "call_job_fn", _Starter(manager.call_job_fn))  # noqa: B010


def end_jobs(manager: Any) -> None:
    """End the background jobs of an app, and what would end them with the process and hold the app until then."""
    if isinstance(manager, DiskcacheManager):
        manager.stop_jobs()
        atexit.unregister(manager.stop_jobs)
    elif isinstance(starter := getattr(manager, "call_job_fn", None), _Starter):
        starter.end_jobs()


def _operating(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def operate(*args: Any, **kwargs: Any) -> Any:
        with gate.operation():
            return function(*args, **kwargs)

    return operate


class _Starter:
    """Starts the jobs of one manager, and knows which run."""

    def __init__(self, start: Callable[..., int]) -> None:
        self._start = start
        self._created: dict[int, float] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> int:
        with gate.fork():
            pid = self._start(*args, **kwargs)
        running = {pid: created for pid, created in self._created.items() if find_process(pid, created)}
        self._created = {**running, pid: creation_time(pid)}
        return pid

    def end_jobs(self) -> None:
        for pid, created in self._created.items():
            if (process := find_process(pid, created)) is not None:
                kill(process)
        self._created = {}
