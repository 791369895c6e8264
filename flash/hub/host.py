"""What runs one app: a process of its own, or the hub's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ..exceptions import FlashError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class HostFailed(FlashError):
    """An app did not become ready. The text says why, for those who may read its log."""


class AppUnreachable(FlashError):
    """An app that runs did not answer a request: it ended, or broke off before its answer began."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process and its children use.

    Attributes:
        cpu: Seconds of CPU since they began.
        memory: Bytes of resident memory.
        processes: How many they are.
    """

    cpu: float
    memory: int
    processes: int


class Host(ABC):
    """Runs one app, once: a new start takes a new host."""

    #: The process; None for what runs in the hub's own.
    pid: int | None = None

    #: Whether the app has to be told in headers where its browser is, and by which scheme and host it asks.
    forwards: ClassVar[bool] = True

    @abstractmethod
    async def start(self) -> None:
        """Start the app, and return when it answers.

        Raises:
            HostFailed: It does not become ready.
        """

    @abstractmethod
    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request or a WebSocket.

        Args:
            scope: As the hub hands it over: ``path`` and ``raw_path`` begin after the prefix, ``root_path`` is empty,
                ``scheme`` and ``client`` are those of the browser, the headers hold no identity but the hub's.

        Raises:
            AppUnreachable: The app broke off before anything was sent.
        """

    @abstractmethod
    async def ended(self) -> str:
        """Wait until the app ends by itself, and say why. Never returns for what runs in the hub's process."""

    @abstractmethod
    async def stop(self, grace: float) -> None:
        """End the app: gently, and after ``grace`` seconds at once. May be called at any time, also twice."""

    async def leave(self) -> None:  # noqa: B027 - what holds nothing has nothing to let go.
        """Let go of the app and have it run on, when the hub ends. What is under way is cut off."""

    async def usage(self) -> Usage | None:
        """What the app uses; None when nothing can be told."""
        return None
