"""A source: data that are read when it is time, for all pages and processes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol, TypeVar

from ..exceptions import ConfigurationError
from .clock import Clock
from .known import Known
from .settings import Settings
from .snapshot import Snapshot, Status

T = TypeVar("T")
Listener = Callable[[Snapshot], Any]
L = TypeVar("L", bound=Listener)


class Runs(Protocol):
    """What a source asks of the engine that runs it."""

    name: str

    @property
    def clock(self) -> Clock:
        """What time it is."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that the engine's methods are awaited on."""

    async def refresh(self, source: Source) -> Snapshot:
        """Run a source now, where it is run."""

    async def history(self, source: Source, most: int) -> list[Snapshot]:
        """The last snapshots."""

    async def reached(self, source: Source, version: int, seconds: float | None) -> Snapshot:
        """The snapshot, as soon as it has a version."""


class Source:
    """A function whose results are kept as versions, made by :func:`flash.data.source`.

    Attributes:
        name: Its name in stores, logs and pages.
        settings: When and how it runs.
        func: The function.
        after: The sources whose values it is given.

    Example:
        >>> @source(every="5m")
        ... async def orders():
        ...     return await read_orders()
        >>> orders.get().value
    """

    def __init__(self, func: Callable[..., Any], settings: Settings, name: str, after: tuple[Source, ...] = ()) -> None:
        self.func = func
        self.settings = settings
        self.name = name
        self.after = after
        self.listeners: list[Listener] = []
        #: Whether pages show it: their hidden stores are kept up to date.
        self.shown = False
        self.__doc__ = func.__doc__
        self.__name__ = getattr(func, "__name__", name)
        self.__wrapped__ = func
        self._known = Known()
        self._clock = Clock()
        self._engine: Runs | None = None

    def __call__(self, *args: Any) -> Any:
        """Call the function itself, for tests: nothing is kept."""
        return self.func(*args)

    def __repr__(self) -> str:
        return f"<Source {self.name!r}: {self.settings.describe(self.after)}>"

    # Reading: any thread, never waiting.

    @property
    def version(self) -> int:
        """The newest version that this process has; 0 before the first."""
        return self._known.version

    def get(self) -> Snapshot:
        """The newest snapshot that this process has, with a value of its own; a false one before the first."""
        return self._known.snapshot(self.name, self.settings.max_stale, self._clock)

    @property
    def status(self) -> Status:
        """How it fares: when it was read, tried and runs next, and why the last run failed."""
        return self._known.status(self.settings.max_stale)

    # What takes a while. On a loop: awaited. In a thread: waits.

    def refresh(self) -> Any:
        """Run it now, in the process that runs it, and give the snapshot. A run that is going on is waited for.

        Raises:
            SourceError: The run has failed.
        """
        engine = self._running()
        return _there(engine.loop, engine.refresh(self))

    def history(self, most: int = 10) -> Any:
        """The last snapshots that are kept, the newest first, at most so many."""
        engine = self._running()
        return _there(engine.loop, engine.history(self, most))

    async def first(self, timeout: float | None = None) -> Snapshot:  # noqa: ASYNC109
        """The newest snapshot, waiting for the first one at most so many seconds; a false one when none came."""
        return await self.at_least(1, timeout)

    async def at_least(self, version: int, timeout: float | None = None) -> Snapshot:  # noqa: ASYNC109
        """The newest snapshot, as soon as this process has a version, or after so many seconds."""
        if self.version >= version:
            return self.get()
        engine = self._running()
        waited: Awaitable[Snapshot] = _there(engine.loop, engine.reached(self, version, timeout))
        return await waited

    def on_change(self, func: L) -> L:
        """Call a function, plain or asynchronous, with each new snapshot, in every process.

        The calls for one source follow each other. An error in one is logged, and harms nobody.

        Example:
            >>> @orders.on_change
            ... def tell(snapshot):
            ...     print("version", snapshot.version)
        """
        self.listeners.append(func)
        return func

    # What its engine does.

    @property
    def engine(self) -> Runs | None:
        """The engine that runs it in this process; None while nothing does."""
        return self._engine

    def attach(self, engine: Runs) -> None:
        """Belong to an engine from now on.

        Raises:
            ConfigurationError: It belongs to another one.
        """
        if self._engine is not None and self._engine is not engine:
            raise ConfigurationError(
                f"The source {self.name!r} is run in this process already, for {self._engine.name!r}. One engine runs "
                "a source: end that app first, or declare the source in a function that is called for each app."
            )
        self._engine = engine
        self._clock = engine.clock

    def detach(self) -> None:
        """Belong to no engine any more. What is known stays."""
        self._engine = None

    @property
    def known(self) -> Known:
        """What this process knows of it."""
        return self._known

    def take(self, known: Known) -> None:
        """Know something new, from now on in all threads."""
        self._known = known

    def _running(self) -> Runs:
        if self._engine is None:
            raise ConfigurationError(
                f"Nothing runs the source {self.name!r} in this process: serve a Flash app, or call flash.data.start()."
            )
        return self._engine


def _there(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T]) -> Any:
    """On the loop: the coroutine itself. On another one: an awaitable. In a thread: what it gives, waited for."""
    try:
        running = asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result()
    return coroutine if running is loop else asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, loop))
