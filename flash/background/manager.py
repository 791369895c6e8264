"""What Flash's background managers have in common: how a page follows a run, and how runs are cached."""

from __future__ import annotations

import secrets
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import orjson
from dash.background_callback.managers import BaseBackgroundCallbackManager

from .job import CacheEntry
from .runs import (
    PROGRESS,
    READ,
    UPDATES,
    Record,
    State,
    Store,
    failure,
    is_failure,
    must_wait,
    read_record,
    read_updates,
    write_record,
)


class LosslessManager(BaseBackgroundCallbackManager):
    """The part of a manager that Dash calls for every start, poll and cancel, over a :class:`~.runs.Store`.

    One poll of Dash's asks for progress, then the result, then whether the job runs, then the updates. The job goes on
    between the questions, so each answer here holds whatever happens after it: as long as a result or an error is
    still to be collected, the job counts as running.

    A job has the key of its run as its name.
    """

    store: Store
    cache_by: list[Callable[[], Any]] | None
    expire: float | None

    # What differs.

    @abstractmethod
    def start_job(self, key: str, job_fn: Any, args: Any, context: Any, entry: CacheEntry | None) -> dict[str, Any]:
        """Start a job; return what is needed to find it again."""

    @abstractmethod
    def stop_job(self, key: str, job: dict[str, Any]) -> None:
        """End a job, if it still runs. Does not wait for its end."""

    @abstractmethod
    def end_of_job(self, key: str, record: Record | None) -> str | None:
        """How a job without a result has ended, as a sentence; None while it may still run."""

    # Start and cancel.

    def build_cache_key(self, *args: Any, **kwargs: Any) -> str:
        """The key of a new run. Its first part is the same for the same function, arguments and ``cache_by`` values."""
        return f"{super().build_cache_key(*args, **kwargs)}.{secrets.token_hex(16)}"  # type: ignore[no-untyped-call]

    def call_job_fn(self, key: str, job_fn: Any, args: Any, context: Any) -> str:
        """Start a job, unless the cache has its result already.

        Args:
            key: What :meth:`build_cache_key` gave. Each run has its own.
            job_fn: What :meth:`make_job_fn` gave.
            args: The arguments of the callback's function, by position or by name.
            context: What ``ctx`` is to show in the job.

        Returns:
            The name of the job for the other methods.
        """
        entry = self._entry_of(key, job_fn)
        if entry is not None and self._serve_from_cache(key, entry):
            write_record(self.store, key, State.STARTED, {})
        else:
            write_record(self.store, key, State.STARTED, self.start_job(key, job_fn, args, context, entry))
        return key

    def terminate_job(self, job: str | None) -> None:
        """Cancel a job. What it has sent until now still arrives, and the page hears nothing of its end."""
        if job is None or self.store.get(job) is not None:
            return
        record = self.record_of(job)
        if record is not None and record.state is State.STARTED:
            write_record(self.store, job, State.CANCELLED, record.job)
            if record.job:
                self.stop_job(job, record.job)

    def terminate_unhealthy_job(self, job: str) -> bool:
        """Cancel a job that has ended without a result. Returns whether there was one."""
        record = self.record_of(job)
        if record is None or record.state is not State.STARTED or not record.job or self.store.get(job) is not None:
            return False
        if self.end_of_job(job, record) is None:
            return False
        self.terminate_job(job)
        return True

    # Polls.

    def get_progress(self, key: str) -> list[Any] | None:
        """The newest progress, once; None when there is nothing new."""
        values = read_updates(self.store, key + PROGRESS).get("", {})
        return [values[index] for index in sorted(values, key=int)] or None

    def result_ready(self, key: str) -> bool:
        """Whether a result, or an error, waits to be collected."""
        return not self._is_over(key) and self._result_text(key) is not None

    def get_result(self, key: str, job: str | None) -> Any:
        """The result, once; ``UNDEFINED`` while there is none.

        A result waits for the next poll when progress came after this poll has asked for it. So does an error while
        there are updates: Dash answers an error without them, and an ``on_error`` that sets properties in their place.
        """
        if self._is_over(key):
            return self.UNDEFINED
        text = self._result_text(key)
        if text is None or must_wait(self.store, key + PROGRESS):
            return self.UNDEFINED
        result = orjson.loads(text)
        if is_failure(result) and must_wait(self.store, key + UPDATES):
            return self.UNDEFINED
        write_record(self.store, key, State.COLLECTED, {})
        self.store.delete(key, key + PROGRESS, key + PROGRESS + READ)
        return result

    def job_running(self, job: str | None) -> bool:
        """Whether the page has to go on asking: until a result or an error is collected, or the job is cancelled."""
        record = None if job is None else self.record_of(job)
        return record is not None and record.state is State.STARTED

    def get_updated_props(self, key: str | None) -> dict[str, dict[str, Any]]:
        """What the job has set since the last poll: properties by component id."""
        if key is None:
            return {}
        updates = read_updates(self.store, key + UPDATES)
        if self._is_over(key):
            self.store.delete(key + UPDATES, key + UPDATES + READ)
        return updates

    def record_of(self, key: str) -> Record | None:
        """The state of a run; None when nothing is known of it."""
        return read_record(self.store, key)

    def _is_over(self, key: str) -> bool:
        """Whether the run is cancelled or its result is collected, so that nothing comes any more."""
        record = self.record_of(key)
        return record is not None and record.state is not State.STARTED

    def _result_text(self, key: str) -> str | bytes | None:
        text = self.store.get(key)
        if text is not None:
            return text
        record = self.record_of(key)
        if record is not None and not record.job:
            return failure("The cache has thrown out the result before the page has fetched it.")
        end = self.end_of_job(key, record)
        # The job may have written its result between the two questions.
        return None if end is None else self.store.get(key) or failure(end)

    # Cache.

    def _entry_of(self, key: str, job_fn: Any) -> CacheEntry | None:
        if self.cache_by is None:
            return None
        # Dash 4.4 leaves the callback out of the key: two callbacks of the same source text would share results.
        return CacheEntry(f"{key.rpartition('.')[0] or key}.{job_fn.name}", self.expire)

    def _serve_from_cache(self, key: str, entry: CacheEntry) -> bool:
        text = self.store.get(entry.key)
        if text is None:
            return False
        updates = self.store.get(entry.key + UPDATES)
        for each in (entry.key, entry.key + UPDATES):
            self.store.touch(each, entry.expire)
        if updates is not None:
            self.store.set(key + UPDATES, _as_text(updates))
        self.store.set(key, _as_text(text))
        return True


def _as_text(stored: str | bytes) -> str:
    return stored if isinstance(stored, str) else stored.decode()
