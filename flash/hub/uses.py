"""The requests and connections that an app serves at this moment."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

#: The close codes (RFC 6455) of WebSockets whose app goes away, and whose visitor signs out.
GOING_AWAY = 1001
SIGNED_OUT = 1008

#: A visitor counts among an app's users for so many seconds after the last request.
PRESENT = 60.0

#: So many visitors are remembered; more are counted, but not told apart for long.
REMEMBERED = 10_000


class Use:
    """One request or WebSocket of an app.

    Args:
        session: The session of who asks; what belongs to a session ends with it.
        endless: Whether it does not end by itself: a WebSocket, an event stream.
    """

    __slots__ = ("broken_off", "endless", "served", "session", "task")

    def __init__(self, session: str | None, endless: bool) -> None:
        self.session = session
        self.endless = endless
        #: Whether the app has it; until then it waits for the app, and the app need not wait for it.
        self.served = False
        self.task = asyncio.current_task()
        #: Why the hub ended it: the close code that a WebSocket gets.
        self.broken_off: int | None = None

    def break_off(self, code: int) -> None:
        """End it now: a WebSocket is closed with ``code``, an answer ends where it is."""
        if self.broken_off is None and self.task is not None:
            self.broken_off = code
            self.task.cancel()


class Uses:
    """What is under way at one app.

    Args:
        limit: The most that may run at once.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._uses: set[Use] = set()
        self._served = 0
        self._seen: dict[str, float] = {}
        self._last = time.monotonic()
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._uses)

    @property
    def full(self) -> bool:
        """Whether one more is too many."""
        return len(self._uses) >= self.limit

    @property
    def connections(self) -> int:
        """How many of them are endless."""
        return sum(use.endless for use in self._uses)

    def begin(self, who: str, session: str | None, endless: bool) -> Use:
        """Note that the current task is there for something, of a user's name or an address."""
        use = Use(session, endless)
        self._uses.add(use)
        if who not in self._seen and len(self._seen) >= REMEMBERED:
            self._forget(self._last)
        self._seen[who] = self._last = time.monotonic()
        return use

    def serve(self, use: Use) -> None:
        """Note that the app gets it now."""
        use.served = True
        self._served += 1
        self._empty.clear()

    def end(self, use: Use) -> None:
        """Note that it is over."""
        self._uses.discard(use)
        self._last = time.monotonic()
        if use.served:
            self._served -= 1
            if not self._served:
                self._empty.set()

    def users(self) -> int:
        """How many different visitors were here within the last minute."""
        self._forget(time.monotonic() - PRESENT)
        return len(self._seen)

    def rest(self) -> None:
        """Count idleness from now on: the app could not be used before."""
        self._last = time.monotonic()

    def idle_for(self) -> float:
        """Seconds since the last use; 0 while there is one."""
        return 0.0 if self._uses else time.monotonic() - self._last

    async def drain(self, patience: float, code: int) -> None:
        """End what is endless at once, and all else that the app has after ``patience`` seconds."""
        self.break_off(code, lambda use: use.endless and use.served)
        try:
            await asyncio.wait_for(self._empty.wait(), patience)
        except TimeoutError:
            self.break_off(code, lambda use: use.served)
            await self._empty.wait()

    def break_off(self, code: int, which: Callable[[Use], bool]) -> None:
        """End some of them now."""
        for use in [use for use in self._uses if which(use)]:
            use.break_off(code)

    def _forget(self, before: float) -> None:
        self._seen = {who: seen for who, seen in self._seen.items() if seen >= before}
