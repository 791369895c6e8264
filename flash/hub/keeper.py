"""Keeping one app in the state that is wanted: its host is started, watched, ended, and started again."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from enum import StrEnum
from typing import Any

from .host import Host, HostFailed
from .spec import Spec
from .uses import GOING_AWAY, Uses

logger = logging.getLogger("flash.hub")

#: An app that crashes has pauses between its starts, in seconds, each twice the one before.
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 60.0

#: So many crashes within so many seconds, and the app is not started again by itself.
CRASHES = 5
WITHIN = 60.0

#: Seconds between the request to end and the end by force, once all requests are over.
GRACE = 5.0


class AppState(StrEnum):
    """What an app is doing."""

    OFF = "off"
    STARTING = "starting"
    RUNNING = "running"
    DRAINING = "draining"
    SLEEPING = "sleeping"
    BACKOFF = "backoff"
    FAILED = "failed"


class Keeper:
    """Keeps one app on, off or asleep. One task does all of it; the others only say what is wanted.

    Args:
        spec: The app.
        uses: What is under way at it.
        make_host: Makes the host of the next start.
        on_enter: Called with each state that is entered, and what there is to say about it.
        slots: How many apps may start at once.
        asleep: Whether the app waits for its first request.
    """

    def __init__(
        self,
        spec: Spec,
        uses: Uses,
        make_host: Callable[[], Host],
        on_enter: Callable[[AppState, str], None],
        slots: asyncio.Semaphore,
        *,
        wanted: bool,
        asleep: bool,
    ) -> None:
        self.spec = spec
        self.state = AppState.OFF
        self.since = time.time()
        #: Whether the app is to be on.
        self.wanted = wanted
        #: The host while the app runs or starts.
        self.host: Host | None = None
        #: Why it ended last, when it was not asked to.
        self.error: str | None = None
        #: How often it was started anew after a crash.
        self.restarts = 0
        #: Set while the app can be given requests.
        self.ready = asyncio.Event()
        self._uses = uses
        self._make_host = make_host
        self._on_enter = on_enter
        self._slots = slots
        self._asleep = asleep
        self._failed = False
        self._again = False
        self._changed = asyncio.Event()
        self._moved = asyncio.Event()
        self._crashes: deque[float] = deque(maxlen=CRASHES)
        self._pauses = 0
        self._ending: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None

    # What is wanted.

    def begin(self, take_over: Callable[[], Awaitable[Host | None]] | None = None) -> None:
        """Begin to keep the app.

        Args:
            take_over: Finds a host that runs already, if there is one. Others do not wait for it.
        """
        self._task = asyncio.create_task(self._keep(take_over), name=f"flash-hub-{self.spec.name}")

    def want(self, on: bool) -> None:
        """Have the app on or off. Switched on by hand, a failed one is tried anew."""
        self.wanted = on
        self._forgive()
        if on:
            self._asleep = False
        self._changed.set()

    def want_at_start(self, on: bool) -> None:
        """Have the app as it was wanted when the last hub ended; before :meth:`begin`."""
        self.wanted = on

    def want_again(self) -> None:
        """Have the app ended and started."""
        self._forgive()
        self._again = self.host is not None
        self._asleep = False
        self._changed.set()

    def wake(self) -> None:
        """Start the app if it sleeps."""
        if self._asleep:
            self._asleep = False
            self._changed.set()

    async def until(self, *states: AppState) -> None:
        """Wait until the app is in one of some states and nothing else is wanted of it, or it is switched by others."""
        wanted = self.wanted
        while self.wanted == wanted and (self.state not in states or self._again or self._changed.is_set()):
            await self._moved.wait()

    async def next_move(self) -> None:
        """Wait until it enters another state, or takes up what is wanted of it, or can be given requests."""
        await self._moved.wait()

    async def close(self, leave: bool) -> None:
        """End the keeping and, unless it is to be left running, the app. Who waits for it learns that it is off."""
        self.wanted = False
        self._tell_waiting()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        # What is being ended is ended, and what runs in this process cannot outlive it.
        if self.host is not None and leave and self._ending is None and self.host.pid is not None:
            await self.host.leave()
        elif self.host is not None:
            await self._end(self.host)

    # The task.

    async def _keep(self, take_over: Callable[[], Awaitable[Host | None]] | None) -> None:
        host = None if take_over is None else await take_over()
        self._asleep = self._asleep and host is None
        while True:
            if host is None:
                await self._until_wanted()
            await self._run(host)
            host = None

    async def _until_wanted(self) -> None:
        while not self.wanted or self._asleep or self._failed:
            if not self._failed:
                self._enter(AppState.SLEEPING if self.wanted else AppState.OFF)
            await self._changed.wait()
            self._note_change()

    async def _run(self, taken_over: Host | None) -> None:
        """Start a host, or take one that runs already, watch over it, and end it."""
        began = time.monotonic()
        crash = None
        try:
            host = self.host = taken_over or self._make_host()
            if taken_over is not None or await self._started(host):
                self._open()
                crash = await self._watch(host)
        except HostFailed as failed:
            crash = str(failed)
        except Exception as error:
            logger.exception("The app %r could not be started.", self.spec.name)
            crash = f"{type(error).__name__}: {error}"
        self.ready.clear()
        if crash is None:
            self._enter(AppState.DRAINING)
            await self._uses.drain(self.spec.drain_timeout, GOING_AWAY)
        if self.host is not None:
            await self._end(self.host)
        self._again = False
        if crash is not None:
            await self._pause(crash, time.monotonic() - began)

    async def _started(self, host: Host) -> bool:
        """Start a host; False: something else was wanted before it was ready."""
        self._enter(AppState.STARTING)
        return await self._done_while_wanted(self._start_in_turn(host))

    async def _start_in_turn(self, host: Host) -> None:
        async with self._slots:
            await host.start()

    def _open(self) -> None:
        self._uses.rest()
        self.ready.set()
        self._enter(AppState.RUNNING)

    async def _watch(self, host: Host) -> str | None:
        """Why the host ended by itself; None when it is to end."""
        ended = asyncio.ensure_future(host.ended())
        try:
            while self._stays():
                changed = asyncio.ensure_future(self._changed.wait())
                await asyncio.wait({ended, changed}, timeout=self._until_idle(), return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
                self._note_change()
                if ended.done():
                    return ended.result()
                idle = self.spec.idle_timeout
                self._asleep = self._asleep or (idle is not None and self._uses.idle_for() >= idle)
            return None
        finally:
            ended.cancel()

    def _until_idle(self) -> float | None:
        idle = self.spec.idle_timeout
        return None if idle is None else max(idle - self._uses.idle_for(), 0.01)

    def _stays(self) -> bool:
        return self.wanted and not self._again and not self._asleep

    async def _done_while_wanted(self, work: Coroutine[Any, Any, None]) -> bool:
        """Wait for work, and cancel it when something else is wanted; whether it was done."""
        task = asyncio.ensure_future(work)
        try:
            while not task.done() and self._stays():
                changed = asyncio.ensure_future(self._changed.wait())
                await asyncio.wait({task, changed}, return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
                self._note_change()
            if task.done():
                task.result()
            return task.done()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _end(self, host: Host) -> None:
        # When the hub ends meanwhile, :meth:`close` goes on with it.
        self._ending = self._ending or asyncio.ensure_future(host.stop(GRACE))
        try:
            await asyncio.shield(self._ending)
        except Exception:
            logger.exception("The app %r could not be ended.", self.spec.name)
        self._ending = None
        self.host = None

    async def _pause(self, crash: str, lived: float) -> None:
        """After a crash: wait longer each time, or give up."""
        self.error = crash
        self._crashes.append(time.monotonic())
        self._pauses = 0 if lived > WITHIN else self._pauses + 1
        if len(self._crashes) == CRASHES and self._crashes[-1] - self._crashes[0] <= WITHIN:
            self._failed = True
            self._enter(AppState.FAILED, crash)
            return
        self._enter(AppState.BACKOFF, crash)
        self.restarts += 1
        pause = min(FIRST_PAUSE * 2 ** max(self._pauses - 1, 0), LONGEST_PAUSE)
        changed = asyncio.ensure_future(self._changed.wait())
        await asyncio.wait({changed}, timeout=pause)
        changed.cancel()
        self._note_change()

    def _note_change(self) -> None:
        """Take up what is wanted now."""
        self._changed.clear()
        self._tell_waiting()

    def _tell_waiting(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    def _forgive(self) -> None:
        self._failed = False
        self._crashes.clear()
        self._pauses = 0

    def _enter(self, state: AppState, text: str = "") -> None:
        if state is self.state:
            return
        self.state, self.since = state, time.time()
        self._tell_waiting()
        self._on_enter(state, text)
