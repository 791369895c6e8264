"""Sources without a Flash app: for Dash on Flask under waitress or Gunicorn, and for scripts."""

from __future__ import annotations

import asyncio
import atexit
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from ..storage import Storage, served_as, storage_of
from .declare import chosen_store, declared_sources
from .engine import Engine
from .source import Source
from .stores import SnapshotStore, store_of

#: How long the program's end waits until the lease is given back, in seconds.
_ENDING_SECONDS = 5.0

#: Set by commands that import a program to look at it: nothing is run then.
looked_at = False

_alone: _Alone | None = None
_guard = threading.Lock()


def start(
    storage: Storage | str | None = None, store: SnapshotStore | str | None = None, name: str | None = None
) -> None:
    """Run the declared sources of this process in a thread of their own. Called again, it does nothing.

    Each process calls it: of several, one runs the sources, by a lease in the storage, and all have what it reads.

    Args:
        storage: Where processes meet: a url as ``"redis://localhost:6379/0"``, or a storage; without it what
            ``FLASH_REDIS_URL`` says, else the memory of this one process.
        store: Where snapshots are kept; without it what :func:`use_store` or ``FLASH_DATA_STORE`` says.
        name: What the processes of this program have in common; without it the module of the first source.

    Raises:
        SeveralProcesses: Another process of the same parent runs the sources, and they share nothing.
        SnapshotStoreError: The store cannot be used.

    Example:
        >>> from flash import data
        >>> data.start()
        >>> app.run()
    """
    global _alone
    with _guard:
        if looked_at or (_alone is not None and _alone.is_running):
            return
        sources = declared_sources()
        place = storage_of(storage)
        module = sources[0].func.__module__ if sources else "none"
        called = name or usual_name(sources)
        chosen = store_of(store if store is not None else chosen_store(), place)
        engine = Engine(sources, storage=place, store=chosen, name=called, served=served_as(called, module))
        _alone = _Alone(engine, place)
        _alone.start()


def usual_name(sources: Sequence[Source]) -> str:
    """What the processes of a program have in common that does not say it: the module of its first source."""
    module = sources[0].func.__module__.partition(".")[0] if sources else "none"
    if module == "__main__":  # One of many: it is told by the name of its file.
        module = Path(getattr(sys.modules[module], "__file__", None) or module).stem
    return module


def stop() -> None:
    """End what :func:`start` has begun. Called again, or without it, it does nothing."""
    global _alone
    with _guard:
        alone, _alone = _alone, None
    if alone is not None:
        alone.stop()


class _Alone:
    """An engine on a loop in a daemon thread."""

    def __init__(self, engine: Engine, storage: Storage) -> None:
        self._engine = engine
        self._storage = storage
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ends: asyncio.Event | None = None
        self._started = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="flash-data", daemon=True)

    @property
    def is_running(self) -> bool:
        """A process that was forked has none of its parent's threads."""
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()
        self._started.wait()
        if self._error is not None:
            self._thread.join()
            raise self._error
        atexit.register(self.stop)

    def stop(self) -> None:
        atexit.unregister(self.stop)
        if self._loop is not None and self._ends is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._ends.set)
            self._thread.join(_ENDING_SECONDS)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._ends = asyncio.get_running_loop(), asyncio.Event()
        try:
            await asyncio.to_thread(self._storage.start)
            await self._engine.start()
        except BaseException as error:
            self._error = error
            await self._storage.aclose()
            return
        finally:
            self._started.set()
        try:
            await self._ends.wait()
        finally:
            await self._engine.close()
            await self._storage.aclose()
