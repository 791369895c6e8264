"""One task that asks for all calls that wait. It rests when none does."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from ..pool import Pool
from .jobs import MOST_UNWANTED, Jobs, State

logger = logging.getLogger("flash")

#: Seconds between two questions: after news, and after a long silence.
FIRST, LAST, SLOWER = 0.05, 1.0, 1.5

#: Seconds for which the backend may fail to answer before the calls are told.
OUTAGE = 10.0

#: Seconds for which the last word of an unwanted task is waited for, to be forgotten too.
AFTERMATH = 60.0

#: A state of our own: nobody can say.
UNREACHABLE = "UNREACHABLE"

ENDED = frozenset({"SUCCESS", "FAILURE", "REVOKED"})


class Watch:
    """One task, as a call sees it.

    Attributes:
        last: The text of the last state that was read.
    """

    def __init__(self) -> None:
        self.last: bytes | None = None
        self._newest: State | None = None
        self._news = asyncio.Event()

    def put(self, state: State) -> None:
        """The task has another state."""
        self.last, self._newest = state.text, state
        self._news.set()

    async def next(self) -> State:
        """The next state. Of several that came meanwhile it is the newest."""
        await self._news.wait()
        self._news.clear()
        assert self._newest is not None
        return self._newest


class Watcher:
    """Asks the result backend, with one question for all tasks, and tells each call of a change.

    Args:
        jobs: Where it asks.
        pool: In whose threads.

    Attributes:
        failing: Whether the last question has found no answer.
    """

    def __init__(self, jobs: Jobs, pool: Pool) -> None:
        self._jobs = jobs
        self._pool = pool
        self._watches: dict[str, Watch] = {}
        self._unwanted: dict[str, float] = {}
        self._arrived = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._silent_since: float | None = None

    @property
    def failing(self) -> bool:
        return self._silent_since is not None

    def watch(self, job_id: str) -> Watch:
        """Begin to ask for a task."""
        watch = self._watches[job_id] = Watch()
        self._wake()
        return watch

    def leave(self, job_id: str, *, unwanted: bool) -> None:
        """The call has gone. Of an ``unwanted`` task the worker still says that it was revoked: that is forgotten."""
        del self._watches[job_id]
        if unwanted:
            self._unwanted[job_id] = asyncio.get_running_loop().time() + AFTERMATH
            if len(self._unwanted) > MOST_UNWANTED:
                # The oldest. Celery forgets it after a day.
                del self._unwanted[next(iter(self._unwanted))]
            self._wake()

    def _wake(self) -> None:
        self._arrived.set()
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())

    async def _run(self) -> None:
        pause = FIRST
        self._silent_since = None
        while self._watches or self._unwanted:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._arrived.wait()
                pause = FIRST
                await asyncio.sleep(pause)
            self._arrived.clear()
            news = await self._ask()
            pause = FIRST if news else min(pause * SLOWER, LAST)

    async def _ask(self) -> bool:
        """One question. Returns whether there were news."""
        asked = asyncio.get_running_loop().time()
        known: dict[str, bytes | None] = {job_id: watch.last for job_id, watch in self._watches.items()}
        try:
            async with asyncio.timeout(OUTAGE):
                states = await self._pool.run(self._jobs.read, {**dict.fromkeys(self._unwanted), **known})
                await self._forget(states)
        except Exception as error:
            self._note_silence(error, asked)
            return False
        self._silent_since = None
        news = states.keys() & self._watches.keys()
        for job_id in news:
            self._watches[job_id].put(states[job_id])
        return bool(news)

    async def _forget(self, states: dict[str, State]) -> None:
        now = asyncio.get_running_loop().time()
        ended = {job_id for job_id, state in states.items() if state.name in ENDED}
        last = [job_id for job_id, until in self._unwanted.items() if job_id in ended or now > until]
        if last:
            await self._pool.run(self._jobs.forget, last)
        for job_id in last:
            del self._unwanted[job_id]

    def _note_silence(self, error: Exception, asked: float) -> None:
        if self._silent_since is None:
            self._silent_since = asked
            logger.warning("Celery's result backend does not answer: %s: %s", type(error).__name__, error)
        if asyncio.get_running_loop().time() - self._silent_since >= OUTAGE:
            for watch in self._watches.values():
                watch.put(State(UNREACHABLE, None, None, b""))
            self._unwanted.clear()
