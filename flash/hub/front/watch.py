"""Watching a hub for the pages that listen: what has changed since each of them was last told.

One task reads the hub's events and measures, for all listeners; it runs while there is one. For a listener that reads
slowly there is no queue but the names of the apps that have changed, so it is never told an old state.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..host import Usage
from ..visitor import Visitor
from .cards import Used, used_of

if TYPE_CHECKING:
    from ..hub import Hub
    from ..mount import Mount

logger = logging.getLogger("flash.hub")

#: Seconds between two measures of what the apps use, and of how many use them.
MEASURE = 2.0

#: The longest that measuring one app may take, in seconds.
PATIENCE = 5.0


class Listener:
    """One page that listens.

    Args:
        visitor: Whose page it is.
        session: The session that it belongs to, and ends with.
    """

    def __init__(self, visitor: Visitor, session: str | None) -> None:
        self.visitor = visitor
        self.session = session
        #: Whether there is nothing more to come: the hub ends, or the session has.
        self.closed = False
        self._changed: set[str] = set()
        self._wake = asyncio.Event()

    def mark(self, app: str) -> None:
        """Note that an app has changed."""
        self._changed.add(app)
        self._wake.set()

    def close(self) -> None:
        """Note that nothing more comes."""
        self.closed = True
        self._wake.set()

    async def changes(self, within: float) -> set[str]:
        """Wait, ``within`` seconds at the most, for changes since the last call. Returns the names of these apps."""
        try:
            await asyncio.wait_for(self._wake.wait(), within)
        except TimeoutError:
            return set()
        self._wake.clear()
        changed, self._changed = self._changed, set()
        return changed


class Watch:
    """Watches the apps of a hub while somebody listens.

    Args:
        hub: The hub.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._listeners: set[Listener] = set()
        self._task: asyncio.Task[None] | None = None
        self._measured: dict[str, tuple[float, Usage]] = {}
        self._shown: dict[str, tuple[object, ...]] = {}
        #: What the apps use, by name, as far as somebody listens who may see it.
        self.used: Mapping[str, Used] = {}

    def __len__(self) -> int:
        return len(self._listeners)

    def pages_of(self, visitor: Visitor) -> int:
        """How many of those who listen are a visitor's."""
        return sum(listener.visitor == visitor for listener in self._listeners)

    @contextmanager
    def listening(self, visitor: Visitor, session: str | None) -> Iterator[Listener]:
        """Listen while the block runs, for a visitor and the session that this belongs to."""
        listener = Listener(visitor, session)
        self._listeners.add(listener)
        if self._task is None:
            self._task = asyncio.create_task(self._watch(), name="flash-hub-watch")
        try:
            yield listener
        finally:
            self._listeners.discard(listener)
            if not self._listeners:
                self._end()

    def end_session(self, session: str) -> None:
        """Tell the listeners of a session that it has ended."""
        for listener in self._listeners:
            if listener.session == session:
                listener.close()

    def _end(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self._task, self.used = None, {}
        self._measured.clear()

    async def _watch(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow_events())
            group.create_task(self._measure())
            group.create_task(self._await_end())

    async def _follow_events(self) -> None:
        with self._hub.events.subscribe() as events:
            async for event in events:
                self._mark(event.app)

    async def _await_end(self) -> None:
        await self._hub.stopping.wait()
        for listener in self._listeners:
            listener.close()

    def _mark(self, app: str) -> None:
        for listener in self._listeners:
            listener.mark(app)

    # Measuring.

    async def _measure(self) -> None:
        while True:
            mounts = list(self._hub.mounts.values())
            used = await asyncio.gather(*(self._use(mount) for mount in mounts if self._is_managed(mount)))
            self.used = {name: each for name, each in used if each is not None}
            for mount in mounts:
                self._compare(mount)
            await asyncio.sleep(MEASURE)

    def _is_managed(self, mount: Mount) -> bool:
        """Whether somebody listens who may see what the app uses."""
        visitors = {listener.visitor for listener in self._listeners}
        return any(mount.may_manage(visitor) for visitor in visitors)

    async def _use(self, mount: Mount) -> tuple[str, Used | None]:
        name, host, usage = mount.spec.name, mount.host, None
        if host is not None:
            try:
                usage = await asyncio.wait_for(host.usage(), PATIENCE)
            except TimeoutError:
                return name, self.used.get(name)
            except Exception:
                # What happens to others is still told.
                logger.exception("What %s uses could not be measured.", name)
        if usage is None:
            self._measured.pop(name, None)
            return name, None
        return name, self._since_last(name, usage)

    def _since_last(self, name: str, usage: Usage) -> Used:
        now, last = time.monotonic(), self._measured.get(name)
        self._measured[name] = (now, usage)
        percent = None
        # Less than before is another process.
        if last is not None and usage.cpu >= last[1].cpu:
            percent = round(100 * (usage.cpu - last[1].cpu) / max(now - last[0], 0.001))
        return used_of(percent, usage.memory, usage.processes)

    def _compare(self, mount: Mount) -> None:
        """Mark the app when its numbers are others than they were."""
        status, used = mount.status(), self.used.get(mount.spec.name)
        shown = (status.users, status.connections, status.requests, status.pid, status.error, used)
        if self._shown.get(mount.spec.name) != shown:
            self._shown[mount.spec.name] = shown
            self._mark(mount.spec.name)
