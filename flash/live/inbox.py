"""What threads and tasks push, in one order, on its way to the tabs."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from .outbox import Update

if TYPE_CHECKING:
    from .connection import Connection


class Entry:
    """One update that waits, for one tab or for all of them.

    Attributes:
        connection: The tab's connection; None for all.
        update: The update.
    """

    __slots__ = ("connection", "update")

    def __init__(self, connection: Connection | None, update: Update) -> None:
        self.connection = connection
        self.update = update


class Action:
    """What is to happen on the loop in its turn.

    Attributes:
        run: Called then.
    """

    __slots__ = ("run",)

    def __init__(self, run: Callable[[], None]) -> None:
        self.run = run


class Inbox:
    """A queue that any thread may fill and the loop empties.

    A thread can push faster than the loop sends. An update for the same properties as the last one of its component
    takes its place, so that what waits does not grow with it; a ``Patch`` is never dropped.

    Attributes:
        added: How many entries have come in all.
        taken: How many have been taken.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: deque[Entry | Action] = deque()
        self._last: dict[str, Entry] = {}
        self.added = 0
        self.taken = 0

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, connection: Connection | None, updates: Iterable[Update]) -> bool:
        """Let updates wait, for one tab or for all.

        Returns:
            Whether none waited before, so that somebody must begin to take them.
        """
        with self._lock:
            was_empty = not self._entries
            for update in updates:
                self._add(connection, update)
            return was_empty and bool(self._entries)

    def put_action(self, action: Callable[[], None]) -> bool:
        """Let a function wait for its turn. Returns as :meth:`put` does."""
        with self._lock:
            was_empty = not self._entries
            self._entries.append(Action(action))
            self.added += 1
            # Nothing that comes later may go ahead of it.
            self._last.clear()
            return was_empty

    def _add(self, connection: Connection | None, update: Update) -> None:
        last = self._last.get(update.component)
        if (
            last is not None
            and last.connection is connection
            and not (update.patches or last.update.patches)
            and last.update.values.keys() == update.values.keys()
        ):
            last.update = update
            return
        entry = Entry(connection, update)
        self._entries.append(entry)
        self.added += 1
        self._last[update.component] = entry

    def take(self) -> Entry | Action | None:
        """The next update; None when none waits."""
        with self._lock:
            if not self._entries:
                return None
            entry = self._entries.popleft()
            self.taken += 1
            if isinstance(entry, Entry) and self._last.get(entry.update.component) is entry:
                del self._last[entry.update.component]
            return entry
