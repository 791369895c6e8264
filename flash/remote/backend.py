"""What answers remote callbacks: an HTTP server, or Celery's workers."""

from __future__ import annotations

import abc
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Progress:
    """A job goes on.

    Attributes:
        value: What it says: a value, or a list of one for each Output of ``progress=``.
    """

    value: Any


@dataclass(frozen=True, slots=True)
class Result:
    """A job has ended.

    Attributes:
        value: What it has come to, as JSON gives it.
    """

    value: Any


@dataclass(frozen=True, slots=True)
class Task:
    """One thing that a backend can be asked for. Made by ``backend / name``, when a callback is declared.

    Attributes:
        backend: Who answers.
        name: The path below the backend's URL, or the name of a Celery task.
    """

    backend: Backend
    name: str


class Backend(abc.ABC):
    """Answers calls. One may serve any number of callbacks."""

    def __truediv__(self, name: str) -> Task:
        """The task with a name, for :func:`flash.remote.api_callback`."""
        return Task(self, name)

    @abc.abstractmethod
    def call(
        self, name: str, fields: dict[str, Any], *, call_id: str, timeout: float | None = None
    ) -> AsyncGenerator[Progress | Result, None]:
        """Ask for a task.

        Args:
            name: Of the task.
            fields: Its arguments, which JSON can hold.
            call_id: Names the call in logs, headers and errors: 32 characters.
            timeout: Seconds after which it is given up; None as the backend says.

        Yields:
            Any number of :class:`Progress`, then one :class:`Result`. Closing the generator stops the work.

        Raises:
            RemoteError: There is no result.
        """
