"""Forking while other threads use SQLite.

A fork copies the locks of SQLite as they are. One that another thread holds at that moment stays held for ever in the
new process, whose first use of SQLite then hangs. With threads that poll all the time most jobs never came to their
first line, so forks and SQLite keep out of each other's way.

It is the same with the lock of a module that another thread imports: the new process would wait for it for ever.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

#: A fork waits no longer than this, in seconds; an operation that is still not done waits for somebody else's lock.
PATIENCE = 10.0

#: The same for imports, which may take long or never end.
PATIENCE_WITH_IMPORTS = 2.0


class ForkGate:
    """Lets through any number of operations or one fork."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._own = threading.local()
        self._operations = self._imports = 0
        self._is_forking = False

    @contextmanager
    def operation(self) -> Iterator[None]:
        """Keep forks waiting. Operations of one thread may hold others."""
        if getattr(self._own, "is_operating", False):
            yield
            return
        with self._condition:
            while self._is_forking:
                self._condition.wait()
            self._operations += 1
        self._own.is_operating = True
        try:
            yield
        finally:
            self._own.is_operating = False
            with self._condition:
                self._operations -= 1
                self._condition.notify_all()

    @contextmanager
    def imports(self) -> Iterator[None]:
        """Keep forks waiting, but no operations: modules are imported, which may take long."""
        with self._condition:
            while self._is_forking:
                self._condition.wait()
            self._imports += 1
        try:
            yield
        finally:
            with self._condition:
                self._imports -= 1
                self._condition.notify_all()

    @contextmanager
    def fork(self) -> Iterator[None]:
        """Wait for the imports and operations in progress, and keep new ones waiting."""
        with self._condition:
            self._condition.wait_for(lambda: self._imports == 0, PATIENCE_WITH_IMPORTS)
            while self._is_forking:
                self._condition.wait()
            self._is_forking = True
            self._condition.wait_for(lambda: self._operations == 0, PATIENCE)
        try:
            yield
        finally:
            with self._condition:
                self._is_forking = False
                self._condition.notify_all()


#: One for all managers of the process.
gate = ForkGate()
