"""What is asked of Celery, in its own words. Every function here waits for the network: call them in a thread."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..exceptions import ConfigurationError

#: A state of our own: what the backend holds is not JSON.
GARBLED = "GARBLED"

#: For the connections that send tasks: one that hangs would keep its thread, and Celery's default is to hang for ever.
IMPATIENT = {
    "socket_connect_timeout": 5,
    "socket_timeout": 5,
    "max_retries": 2,
    "interval_start": 0,
    "interval_step": 0.2,
    "interval_max": 0.2,
}

#: Tasks that wait to be revoked while the broker is away, and those whose last word is waited for.
MOST_UNWANTED = 10_000


@dataclass(frozen=True, slots=True)
class State:
    """What the result backend says of a task.

    Attributes:
        name: Celery's word for it, ``"SUCCESS"`` for one, or a word of the task's own.
        value: The result, what was reported with the state, or the error as Celery writes errors.
        traceback: Of a failure.
        text: All that, as it is stored.
    """

    name: str
    value: Any
    traceback: str | None
    text: bytes


class Jobs:
    """Tasks of one Celery app, known by their ids.

    Args:
        app: The ``celery.Celery`` app.
        queue: Where tasks are sent; None as the app routes them.

    Raises:
        ImportError: The extra ``celery`` is not installed.
        ConfigurationError: ``app`` cannot give results, or not as JSON.
    """

    def __init__(self, app: Any, queue: str | None) -> None:
        _check_app(app)
        self._app = app
        self._options = {} if queue is None else {"queue": queue}
        self._mine = threading.local()
        self._unwanted: deque[str] = deque(maxlen=MOST_UNWANTED)

    def send(self, name: str, fields: dict[str, Any], job_id: str, expires: float) -> None:
        """Send a task by its name, as JSON. A worker that gets it later than ``expires`` seconds drops it."""
        connection = getattr(self._mine, "connection", None)
        if connection is None:
            connection = self._mine.connection = self._app.connection_for_write(transport_options=IMPATIENT)
        try:
            self._app.send_task(
                name,
                kwargs=fields,
                task_id=job_id,
                serializer="json",
                expires=expires,
                connection=connection,
                # Said to Celery here, and the contrary to the worker: with a result to come, Celery asks the result
                # backend to tell it, on one more connection of each thread, before it sends, and hangs with it.
                ignore_result=True,
                headers={"ignore_result": False},
                **self._options,
            )
        except BaseException:
            self._mine.connection = None
            connection.release()
            raise

    def read(self, known: Mapping[str, bytes | None]) -> dict[str, State]:
        """What has become of tasks.

        Args:
            known: For each id the text of the last state that was read.

        Returns:
            Those whose state is another now.
        """
        backend = self._app.backend
        keys = [backend.get_key_for_task(job_id) for job_id in known]
        texts = zip(known.items(), _values(backend, keys), strict=True)
        return {job_id: _state(text) for (job_id, last), text in texts if text and text != last}

    def unwant(self, job_id: str) -> None:
        """Have the next :meth:`revoke` revoke a task. Does not wait."""
        self._unwanted.append(job_id)

    def revoke(self) -> None:
        """Revoke all tasks that are not wanted, with one message, and end those that run."""
        jobs = []
        while self._unwanted:
            jobs.append(self._unwanted.popleft())
        if jobs:
            self._app.control.revoke(jobs, terminate=True)

    def forget(self, jobs: Iterable[str]) -> None:
        """Delete what the backend holds of tasks."""
        for job_id in jobs:
            self._app.AsyncResult(job_id).forget()


def _check_app(app: Any) -> None:
    try:
        import celery
        from celery.backends.base import BaseKeyValueStoreBackend
    except ImportError as error:
        raise ImportError('Remote.celery needs an extra: pip install "dash-flash[celery]"') from error
    if not isinstance(app, celery.Celery):
        raise ConfigurationError(
            f"The first argument of Remote.celery is a celery.Celery app, not a {type(app).__name__}: "
            "write Remote.celery(celery.Celery(broker=..., backend=...))."
        )
    if not isinstance(app.backend, BaseKeyValueStoreBackend):
        raise ConfigurationError(
            f"The Celery app {app.main!r} has no result backend of keys and values, so its results cannot be fetched: "
            "write Celery(..., backend='redis://localhost/0')."
        )
    for setting in ("task_serializer", "result_serializer"):
        if app.conf[setting] != "json":
            raise ConfigurationError(
                f"Remote.celery speaks JSON only, and the Celery app {app.main!r} has "
                f"{setting}={app.conf[setting]!r}: write {setting}='json', for its workers too."
            )


def _values(backend: Any, keys: list[Any]) -> Iterable[Any]:
    try:
        values = backend.mget(keys)
    except NotImplementedError:
        return map(backend.get, keys)
    return map(values.get, keys) if isinstance(values, dict) else values


def _state(text: str | bytes) -> State:
    """Read as JSON whatever the app accepts: a pickle is never loaded."""
    from kombu.serialization import loads  # type: ignore[import-untyped]

    stored = text if isinstance(text, bytes) else text.encode()
    try:
        meta = loads(stored, "application/json", "utf-8")
        return State(str(meta["status"]), meta["result"], meta.get("traceback"), stored)
    except Exception as error:
        # JSON's errors, kombu's for types it does not know, and those of JSON that is no state.
        return State(GARBLED, f"{type(error).__name__}: {error}", None, stored)
