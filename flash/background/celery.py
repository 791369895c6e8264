"""Background jobs in Celery's workers, with Celery's result backend as the store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dash

from ..exceptions import ConfigurationError
from .job import CacheEntry, run_job
from .manager import LosslessManager
from .runs import Record, State, read_record


class CeleryManager(LosslessManager, dash.CeleryManager):
    """Runs background callbacks as Celery tasks, and loses nothing of what they send.

    The arguments are those of ``dash.CeleryManager``, and so are the names of the tasks; docs/background.md lists
    where it differs.

    Args:
        celery_app: A ``celery.Celery`` app whose result backend keeps keys and values: Redis, Memcached, the file
            system and others, but neither a database nor ``rpc://``.
        cache_by: Functions without arguments. With them results are kept, and a later call with the same inputs and
            the same values of these functions is served without running.
        expire: How many seconds after its last use a kept result is forgotten; by default as the backend does it.

    Raises:
        ImportError: The extra ``celery`` is not installed.
        ConfigurationError: ``celery_app`` is no Celery app, or has no result backend of that kind.

    Example:
        >>> import celery
        >>> jobs = celery.Celery("jobs", broker="redis://localhost/0", backend="redis://localhost/1")
        >>> app = Flash(__name__, background_callback_manager=CeleryManager(jobs))
    """

    def __init__(
        self,
        celery_app: Any,
        cache_by: Callable[[], Any] | list[Callable[[], Any]] | None = None,
        expire: float | None = None,
    ) -> None:
        try:
            import celery
        except ImportError as error:
            raise ImportError('flash.CeleryManager needs an extra: pip install "dash-flash[celery]"') from error
        if not isinstance(celery_app, celery.Celery):
            raise ConfigurationError(
                f"The first argument of CeleryManager is a celery.Celery app, not a {type(celery_app).__name__}: "
                "write CeleryManager(celery.Celery('jobs', broker=..., backend=...))."
            )
        if not all(hasattr(celery_app.backend, name) for name in ("get", "set", "delete")):
            raise ConfigurationError(
                f"The Celery app {celery_app.main!r} has no result backend of keys and values: write "
                "Celery(..., backend='redis://localhost/0')."
            )
        self.store = _BackendStore(celery_app)
        super().__init__(celery_app, cache_by, expire)  # type: ignore[no-untyped-call]

    def make_job_fn(self, fn: Callable[..., Any], progress: bool, key: str | None = None) -> Any:
        """Declare the Celery task of a callback, under the name that Dash gives it."""
        store = self.store

        def job(run_key: str, args: Any, context: Any, entry: tuple[str, float | None] | None = None) -> None:
            record = read_record(store, run_key)
            if record is None or record.state is not State.CANCELLED:
                kept = None if entry is None else CacheEntry(*entry)
                run_job(fn, store, run_key, args, context, has_progress=progress, entry=kept)

        # Not ignored, whatever the app's default is: how a task has ended is told by its state.
        return self.handle.task(name=f"background_callback_{key}", ignore_result=False)(job)

    def get_or_create_signing_secret(self, generate: Callable[[], bytes]) -> Any:
        """The secret that all workers with this backend share.

        In Redis the first worker's stays, for good. Dash's way, which other backends get, lets it expire with the
        results, and two workers that start at once may get two.
        """
        client: Any = getattr(self.handle.backend, "client", None)
        if not (hasattr(client, "setnx") and hasattr(client, "persist")):
            return super().get_or_create_signing_secret(generate)  # type: ignore[no-untyped-call]
        client.setnx(self.SIGNING_SECRET_KEY, generate())
        client.persist(self.SIGNING_SECRET_KEY)
        return client.get(self.SIGNING_SECRET_KEY)

    def start_job(self, key: str, job_fn: Any, args: Any, context: Any, entry: CacheEntry | None) -> dict[str, Any]:
        """Send the task. Its id is the key of the run."""
        job_fn.apply_async((key, args, context), {"entry": entry and list(entry)}, task_id=key)
        return {"task": key}

    def stop_job(self, key: str, job: dict[str, Any]) -> None:
        """Revoke the task, and end it if it runs."""
        self.handle.control.terminate(key)

    def end_of_job(self, key: str, record: Record | None) -> str | None:
        """How a task has ended; None while it waits or runs, or when Celery knows nothing of it."""
        result = self.handle.AsyncResult(key)
        state = result.state
        if state == "FAILURE":
            return f"The Celery task {key} failed before it had a result: {result.result}"
        if state == "REVOKED":
            return f"The Celery task {key} was revoked before it had a result."
        return f"The Celery task {key} ended, and its result is gone." if state == "SUCCESS" else None

    def record_of(self, key: str) -> Record | None:
        """The state of a run. One that has outlived its record counts as started: Celery knows the rest."""
        return super().record_of(key) or Record(State.STARTED, {"task": key})


class _BackendStore:
    """The entries of runs in Celery's result backend, which forgets them by its own setting ``result_expires``."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def get(self, key: str) -> str | bytes | None:
        text: str | bytes | None = self._app.backend.get(key)
        return text

    def set(self, key: str, text: str) -> None:
        self._app.backend.set(key, text)

    def keep(self, key: str, text: str, expire: float | None) -> None:
        self.set(key, text)
        self.touch(key, expire)

    def touch(self, key: str, expire: float | None) -> None:
        if expire is not None:
            self._app.backend.expire(key, expire)

    def delete(self, *keys: str) -> None:
        for key in keys:
            self._app.backend.delete(key)
