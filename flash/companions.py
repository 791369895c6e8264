"""What joins an app from the rooms above it: it starts and ends with the app, and the app knows no more of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .app import Flash


class Companion(Protocol):
    """Something that lives beside an app, in each process that serves it."""

    def refuse_workers(self, count: int) -> None:
        """Object, before anything is set up, to being served by several processes.

        Raises:
            SeveralProcesses: It cannot be.
        """

    def declare(self) -> None:
        """Declare what belongs to the app, before its set-up reads the declarations.

        Raises:
            ConfigurationError: The app's declarations cannot work with it.
        """

    async def start(self) -> None:
        """Begin to work, on the loop that serves the app; also after :meth:`close`."""

    async def close(self) -> None:
        """End all that was begun. May be called again."""


Join = Callable[["Flash"], Companion]

_joining: list[Join] = []


def join_apps(join: Join) -> None:
    """Have every app of this process that is set up from now on get a companion: for rooms of Flash's, when imported.

    Args:
        join: Makes it; called once for each app.
    """
    _joining.append(join)


class Companions:
    """The companions of one app.

    Args:
        app: The app.
    """

    def __init__(self, app: Flash) -> None:
        self._app = app
        self._by_join: dict[Join, Companion] = {}

    def __call__(self) -> list[Companion]:
        """All that have asked to join so far."""
        for join in _joining:
            if join not in self._by_join:
                self._by_join[join] = join(self._app)
        return list(self._by_join.values())

    def refuse_workers(self, count: int) -> None:
        """See :meth:`Companion.refuse_workers`."""
        for companion in self():
            companion.refuse_workers(count)

    def declare(self) -> None:
        """See :meth:`Companion.declare`."""
        for companion in self():
            companion.declare()

    async def start(self) -> None:
        """See :meth:`Companion.start`."""
        for companion in self():
            await companion.start()

    async def close(self) -> None:
        """End those that have joined, the last first."""
        for companion in reversed(self._by_join.values()):
            await companion.close()
