"""Remote callbacks that a Celery worker answers, which knows nothing of the dashboard."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Coroutine
from math import inf
from typing import Any, TypeVar
from weakref import WeakKeyDictionary, finalize

from ..exceptions import ConfigurationError, PoolFull
from ..pool import Pool
from .backend import Backend, Progress, Result, Task
from .errors import Reason, RemoteError
from .jobs import GARBLED, Jobs, State
from .turns import Turns
from .watcher import ENDED, UNREACHABLE, Watcher

T = TypeVar("T")

logger = logging.getLogger("flash")

#: Seconds after which a broker that has not taken a task counts as unreachable.
SENDING = 10.0

#: Seconds that a call which is over waits, at most, until its task is revoked or forgotten.
CLEANING = 5.0

MOST_LOGGED = 10_000

REASONS: dict[str, Reason] = {
    "FAILURE": "failed",
    "REVOKED": "revoked",
    GARBLED: "garbled",
    UNREACHABLE: "unreachable",
}


class CeleryRemote(Backend):
    """Calls Celery tasks by their names. Made by ``Remote.celery(app)``.

    Args:
        app: A ``celery.Celery`` app with a broker, and a result backend of keys and values: Redis, Memcached, the file
            system and others, but neither a database nor ``rpc://``. It needs no tasks.
        timeout: Seconds after which a call is given up and its task revoked.
        limit: How many tasks of each process may be under way. Ten times as many calls wait; one more fails as
            ``"busy"``.
        queue: Where tasks are sent; by default as the app routes them.
        threads: How many threads talk to Celery, whatever the number of calls.

    Raises:
        ImportError: The extra ``celery`` is not installed.
        ConfigurationError: ``app`` cannot give results, or not as JSON; or a number is not above 0.

    Example:
        >>> jobs = Remote.celery(celery.Celery(broker="redis://localhost/0", backend="redis://localhost/1"))
        >>> @api_callback(jobs / "calc.multiply", Output("out", "children"), inputs=dict(a=Input("a", "value")))
        ... def show(data, a):
        ...     return data["product"]
    """

    def __init__(
        self,
        app: Any,
        *,
        timeout: float = 300,
        limit: int = 256,
        queue: str | None = None,
        threads: int = 4,
    ) -> None:
        self._jobs = Jobs(app, queue)
        for name, value in {"timeout": timeout, "limit": limit, "threads": threads}.items():
            if not value > 0:
                raise ConfigurationError(f"Remote.celery(..., {name}=) is a number above 0, not {value!r}.")
        self._timeout = timeout
        self._limit = limit
        self._pool = Pool(threads, "flash-celery")
        # While the broker is away, Celery waits for it, to revoke: by itself, in a thread that nothing else needs.
        self._revoking = Pool(1, "flash-celery-revoke")
        self._traffic: WeakKeyDictionary[asyncio.AbstractEventLoop, _Traffic] = WeakKeyDictionary()
        # The threads hold their pools, which would stay when the backend of an app that was unloaded is forgotten.
        for pool in (self._pool, self._revoking):
            finalize(self, pool.close)

    def __truediv__(self, name: str) -> Task:
        """The task with a name, such as ``"calc.multiply"``.

        Raises:
            ConfigurationError: It is no name.
        """
        if not isinstance(name, str) or not name:
            raise ConfigurationError(f"A Celery task has a name, such as 'calc.multiply', not {name!r}.")
        return Task(self, name)

    async def call(
        self,
        name: str,
        fields: dict[str, Any],
        *,
        call_id: str,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> AsyncGenerator[Progress | Result, None]:
        """Send the task with this name, whose id is that of the call. See :meth:`.Backend.call`."""
        loop = asyncio.get_running_loop()
        traffic = self._traffic.setdefault(loop, _Traffic(self))
        deadline = loop.time() + (self._timeout if timeout is None else timeout)
        async with traffic.turns.turn(deadline, lambda told: RemoteError("busy", call_id)):
            job = _Job(name, fields, call_id, deadline)
            watch = traffic.watcher.watch(call_id)
            try:
                await self._send(job)
                while not job.ended:
                    if (event := job.event_of(await job.within(watch.next()))) is not None:
                        yield event
            except TimeoutError:
                logger.warning("Call %s of the Celery task %r: no result in time.", call_id, name)
                raise RemoteError("unreachable" if traffic.watcher.failing else "timeout", call_id) from None
            finally:
                job.wanted = job.ended
                traffic.watcher.leave(call_id, unwanted=job.sent and not job.ended)
                await self._clean(job)

    async def _send(self, job: _Job) -> None:
        from kombu.exceptions import OperationalError  # type: ignore[import-untyped]

        try:
            await job.within(self._pool.run(self._send_in_thread, job), SENDING)
        except PoolFull as error:
            raise RemoteError("busy", job.id) from error
        except (OperationalError, OSError) as error:
            # TimeoutError, when the broker is silent, is one: such a task may arrive yet, and is to be revoked.
            job.sent = isinstance(error, TimeoutError)
            logger.warning("Call %s of the Celery task %r cannot be sent: %s", job.id, job.name, error)
            raise RemoteError("unreachable", job.id) from error

    def _send_in_thread(self, job: _Job) -> None:
        job.sent = True
        self._jobs.send(job.name, job.fields, job.id, max(job.left, 1))
        if not job.wanted:
            # The call did not wait for the broker, and has revoked the task too early.
            self._jobs.unwant(job.id)
            self._jobs.revoke()

    async def _clean(self, job: _Job) -> None:
        """Leave nothing: neither a task that runs, nor a result."""
        if job.ended:
            await self._finish(job, self._pool.run(self._jobs.forget, [job.id]))
        elif job.sent:
            self._jobs.unwant(job.id)
            await self._finish(job, self._revoking.run(self._jobs.revoke))

    async def _finish(self, job: _Job, cleaning: Coroutine[Any, Any, None]) -> None:
        """Wait for a thread, for a moment. It runs to its end even when nobody waits any more."""
        running = asyncio.ensure_future(cleaning)
        try:
            async with asyncio.timeout(min(CLEANING, max(job.left, 0.1))):
                await asyncio.shield(running)
        except PoolFull:
            pass  # What waits in the pool revokes this one too; and Celery forgets a result after a day.
        except TimeoutError:
            running.add_done_callback(_log_failure)
        except Exception:
            _log_failure(running)


class _Traffic:
    """What the calls on one event loop share."""

    def __init__(self, remote: CeleryRemote) -> None:
        self.watcher = Watcher(remote._jobs, remote._pool)
        self.turns = Turns(remote._limit)


class _Job:
    """One call.

    Attributes:
        wanted: Whether somebody waits for it, or its result is there.
        sent: Whether the broker may have it.
        ended: Whether Celery is done with it.
    """

    def __init__(self, name: str, fields: dict[str, Any], call_id: str, deadline: float) -> None:
        self.name = name
        self.fields = fields
        self.id = call_id
        self.wanted = True
        self.sent = self.ended = False
        self._loop = asyncio.get_running_loop()
        self._deadline = deadline

    @property
    def left(self) -> float:
        """Seconds until it is given up."""
        return self._deadline - self._loop.time()

    async def within(self, waiting: Coroutine[Any, Any, T], most: float = inf) -> T:
        """Wait for something, no longer than the call may take.

        Raises:
            TimeoutError: It took longer.
        """
        # Not asyncio.wait_for: in Python 3.11 one that is cancelled as it ends goes on as if it was not.
        async with asyncio.timeout(min(most, self.left)):
            return await waiting

    def event_of(self, state: State) -> Progress | Result | None:
        """What a state tells the caller.

        Raises:
            RemoteError: There is no result.
        """
        reported = state.value if isinstance(state.value, dict) else {}
        if state.name == "SUCCESS":
            self.ended = True
            return Result(state.value)
        if state.name in REASONS:
            self.ended = state.name in ENDED
            error = f"{reported.get('exc_type')}: {reported.get('exc_message')}" if reported else state.value
            logger.warning(
                "Call %s of the Celery task %r: %s",
                *(self.id, self.name, str(state.traceback or error or state.name)[-MOST_LOGGED:]),
            )
            unknown = reported.get("exc_type") == "NotRegistered"
            raise RemoteError("refused" if unknown else REASONS[state.name], self.id)
        return Progress(reported["progress"]) if "progress" in reported else None


def _log_failure(running: asyncio.Future[None]) -> None:
    if not running.cancelled() and (error := running.exception()) is not None:
        logger.warning("A Celery task could not be revoked or forgotten: %s: %s", type(error).__name__, error)
