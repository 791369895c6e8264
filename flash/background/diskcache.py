"""Background jobs in processes of their own, with Diskcache as the store."""

from __future__ import annotations

import atexit
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import dash

from ..exceptions import ConfigurationError
from .forks import gate
from .job import CacheEntry, run_job
from .manager import LosslessManager
from .processes import creation_time, find_process, kill, leave_server
from .runs import RETENTION, STATE, Record, State, failure

logger = logging.getLogger("flash.background")


class DiskcacheManager(LosslessManager, dash.DiskcacheManager):
    """Runs background callbacks in processes of their own, and loses nothing of what they send.

    The arguments are those of ``dash.DiskcacheManager``, and so are most of its ways; docs/background.md lists where
    it differs. Several workers of one machine may share a cache.

    Args:
        cache: A ``diskcache.Cache`` or ``diskcache.FanoutCache``; by default a new one in a temporary directory,
            which serves one process only.
        cache_by: Functions without arguments. With them results are kept, and a later call with the same inputs and
            the same values of these functions is served without running.
        expire: How many seconds after its last use a kept result is forgotten; by default never.

    Raises:
        ImportError: The extra ``diskcache`` is not installed.
        ConfigurationError: ``cache`` is not a cache of Diskcache.

    Example:
        >>> import diskcache
        >>> manager = DiskcacheManager(diskcache.Cache("./cache"))
        >>> app = Flash(__name__, background_callback_manager=manager)
    """

    def __init__(
        self,
        cache: Any = None,
        cache_by: Callable[[], Any] | list[Callable[[], Any]] | None = None,
        expire: float | None = None,
    ) -> None:
        try:
            import diskcache
            import multiprocess.util  # noqa: F401
            import psutil  # noqa: F401
        except ImportError as error:
            raise ImportError('flash.DiskcacheManager needs an extra: pip install "dash-flash[diskcache]"') from error
        if cache is not None and not isinstance(cache, (diskcache.Cache, diskcache.FanoutCache)):
            raise ConfigurationError(
                "The first argument of DiskcacheManager is a diskcache.Cache or diskcache.FanoutCache, "
                f"not a {type(cache).__name__}: write DiskcacheManager(diskcache.Cache('./cache'))."
            )
        cache = diskcache.Cache() if cache is None else cache
        # Forks wait while the server uses the cache. A job's process has the lock of that gate in an unknown state.
        self.store = _DiskStore(cache, gate.operation)
        self._children: dict[str, _Child] = {}
        super().__init__(cache, cache_by, expire)  # type: ignore[no-untyped-call]
        # After the import of multiprocess.util, so that it comes before that library waits for its processes.
        atexit.register(self.stop_jobs)

    def make_job_fn(self, fn: Callable[..., Any], progress: bool, key: str | None = None) -> _Job:
        """What the process of a job calls."""
        return _Job(fn, progress, _DiskStore(self.handle), f"background_callback_{key}")

    def get_or_create_signing_secret(self, generate: Callable[[], bytes]) -> Any:
        """The secret that all workers with this cache share."""
        with gate.operation():
            self.handle.add(self.SIGNING_SECRET_KEY, generate(), retry=True)
            return self.handle.get(self.SIGNING_SECRET_KEY, retry=True)

    def stop_jobs(self, grace: float = 0.0) -> None:
        """End the jobs that this process has started. Called when the process ends; the pages get an error.

        Args:
            grace: How many seconds the jobs are given to end by themselves.
        """
        deadline = time.monotonic() + grace
        own = {key: child for key, child in list(self._children.items()) if child.parent == os.getpid()}
        for child in own.values():
            child.process.join(max(0.0, deadline - time.monotonic()))
        for key, child in own.items():
            if (process := find_process(child.process.pid, child.created)) is not None:
                self._leave_error(key, "The server of the job ended before it had a result.")
                kill(process)

    def start_job(self, key: str, job_fn: Any, args: Any, context: Any, entry: CacheEntry | None) -> dict[str, Any]:
        """Start the process of a job, and a thread that waits for its end so that it leaves no zombie."""
        import multiprocess

        process = multiprocess.Process(target=job_fn, args=(key, args, context, entry))
        with gate.fork():
            process.start()
        created = creation_time(process.pid)
        self._children[key] = _Child(os.getpid(), process, created)
        threading.Thread(
            target=self._reap, args=(key, process, job_fn.function), name="flash-background-end", daemon=True
        ).start()
        return {"pid": process.pid, "created": created, "host": socket.gethostname()}

    def stop_job(self, key: str, job: dict[str, Any]) -> None:
        """Kill the process of a job, and what it has started, if it is still the same process."""
        if job["host"] == socket.gethostname():
            process = find_process(job["pid"], job["created"])
            if process is not None:
                kill(process)

    def end_of_job(self, key: str, record: Record | None) -> str | None:
        """How the process of a job has ended; None while it runs, or runs where it cannot be seen from here."""
        if record is None:
            return "Nothing is known of the job: the cache was cleared, or it has thrown the job out."
        job = record.job
        is_own = key in self._children and self._children[key].parent == os.getpid()
        # The thread that waits for the end of an own job leaves an error itself, and knows the exit code.
        if is_own or job["host"] != socket.gethostname() or find_process(job["pid"], job["created"]) is not None:
            # The record of a job that a page waits for never gets old.
            self.store.touch(key + STATE, RETENTION)
            return None
        return _end_text(None)

    def _reap(self, key: str, process: Any, function: Callable[..., Any]) -> None:
        """Wait for the end of a job's process, and leave an error where it left no result."""
        process.join()
        end = _end_text(process.exitcode)
        try:
            if self._leave_error(key, end):
                logger.error("Background callback %s: %s", getattr(function, "__qualname__", function), end)
            with gate.operation():
                # Closes this thread's connection to the cache only.
                self.handle.close()
        except Exception:
            logger.exception("The end of a background job could not be noted: the cache does not answer.")
        finally:
            self._children.pop(key, None)

    def _leave_error(self, key: str, end: str) -> bool:
        """Leave an error as the result of a run that still waits for one. Returns whether it does."""
        record = self.record_of(key)
        # Without a record: the job has ended before its start was noted.
        waits = (record is None or record.state is State.STARTED) and self.store.get(key) is None
        if waits:
            self.store.set(key, failure(end))
        return waits


class _Child(NamedTuple):
    """A job's process that this process, or the one that it was forked from, has started."""

    parent: int
    process: Any
    created: float


class _Job:
    """What the process of a job calls. Travels to the process, so it holds what can be pickled."""

    def __init__(self, function: Callable[..., Any], has_progress: bool, store: _DiskStore, name: str) -> None:
        self.function = function
        self.has_progress = has_progress
        self.store = store
        self.name = name

    def __call__(self, key: str, args: Any, context: Any, entry: CacheEntry | None) -> None:
        leave_server()
        run_job(self.function, self.store, key, args, context, has_progress=self.has_progress, entry=entry)


class _DiskStore:
    """The entries of runs in a cache of Diskcache, as text: nothing is pickled.

    With ``retry``, because a ``FanoutCache`` that is busy otherwise says that there is nothing, or writes nothing.
    """

    def __init__(self, cache: Any, guard: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        self._cache = cache
        self._guard = guard

    def get(self, key: str) -> str | bytes | None:
        with self._guard():
            text: str | bytes | None = self._cache.get(key, retry=True)
        return text

    def set(self, key: str, text: str) -> None:
        self.keep(key, text, RETENTION)

    def keep(self, key: str, text: str, expire: float | None) -> None:
        with self._guard():
            self._cache.set(key, text, expire=expire, retry=True)

    def touch(self, key: str, expire: float | None) -> None:
        with self._guard():
            self._cache.touch(key, expire=expire, retry=True)

    def delete(self, *keys: str) -> None:
        with self._guard():
            for key in keys:
                self._cache.delete(key, retry=True)


def _end_text(exit_code: int | None) -> str:
    """How a process without a result has ended, as a sentence."""
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name if -exit_code in set(signal.Signals) else "unknown"
        return f"The process of the job was ended by signal {-exit_code} ({name}) before it had a result."
    code = "" if exit_code is None else f" with exit code {exit_code}"
    return f"The process of the job ended{code} before it had a result."
