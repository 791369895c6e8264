"""What code reads of who asks, while it runs for all that ask for the same."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

import flask.globals
import quart.globals
from quart import Quart

#: What equal arguments make equal, of what ``ctx`` shows.
_EQUAL = frozenset(
    {
        "background_callback_manager",
        "input_values",
        "inputs_list",
        "outputs_grouping",
        "outputs_list",
        "state_values",
        "states_list",
        "timing_information",
        "updated_props",
        "using_args_grouping",
        "using_outputs_grouping",
    }
)
#: What depends on which input has changed.
_TRIGGERS = frozenset({"args_grouping", "triggered_inputs"})


class Personal(BaseException):
    """The answer is for the one who has asked first, or is none: each runs for itself.

    No ``Exception``: neither the function nor the app's error handlers are to take it for a failure.
    """


class Watched:
    """A callback's context that notes what is read of it.

    Args:
        context: What is read.
    """

    def __init__(self, context: Any) -> None:
        self.__dict__["_context"] = context
        self.__dict__["_read"] = set()

    @property
    def is_personal(self) -> bool:
        """Whether something was read that tells who asks."""
        return bool(self._read - _EQUAL - _TRIGGERS)

    @property
    def knows_trigger(self) -> bool:
        """Whether it was read what has changed."""
        return bool(self._read & _TRIGGERS)

    def get(self, name: str, default: Any = None) -> Any:
        """As that of a dict."""
        self._read.add(name)
        return self._context.get(name, default)

    def __getattr__(self, name: str) -> Any:
        self._read.add(name)
        return getattr(self._context, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._context, name, value)

    def __getitem__(self, name: str) -> Any:
        self._read.add(name)
        return self._context[name]

    def __bool__(self) -> bool:
        return True


class NoRequest:
    """Stands where Quart and Flask look for the request: whoever reads it is told by :class:`Personal`.

    To stand there, and not to be missing, is needed: ``has_request_context()`` and what depends on it, the current
    user of a library for signing in for example, would say that nobody asks, and say so to all.

    Attributes:
        was_read: Whether something was read, also when the function has gone on after that.
    """

    def __init__(self) -> None:
        self.was_read = False
        self._watches = True

    def tell(self) -> None:
        """Something is read that belongs to a request.

        Raises:
            Personal: Nothing has ended yet.
        """
        if self._watches:
            self.was_read = True
            raise Personal

    @asynccontextmanager
    async def around(self, server: Quart) -> AsyncIterator[None]:
        """An application context of a server's, with no request in it and a ``g`` in which no guard has set anything.

        Args:
            server: The server.
        """
        stands: Any = _Nothing(self)
        context = server.app_context()
        context.g = _watched_globals(server.app_ctx_globals_class)(self)
        async with context:
            tokens = [(variable, variable.set(stands)) for variable in _requests()]
            try:
                yield
            finally:
                # Teardown functions look what there may be to close.
                self._watches = False
                for variable, token in tokens:
                    variable.reset(token)


def _requests() -> list[ContextVar[Any]]:
    return [quart.globals._cv_request, quart.globals._cv_websocket, flask.globals._cv_request]


class _Nothing:
    """A request context of which nothing can be read."""

    def __init__(self, request: NoRequest) -> None:
        object.__setattr__(self, "_request", request)

    def __getattribute__(self, name: str) -> Any:
        if not (name.startswith("__") and name.endswith("__")):
            object.__getattribute__(self, "_request").tell()
        return object.__getattribute__(self, name)


@functools.cache
def _watched_globals(kind: type) -> type:
    """The class of a ``g`` that tells of each look at what has not been set in it."""

    class Globals(kind):  # type: ignore[misc]
        __slots__ = ("__request",)

        def __init__(self, request: NoRequest) -> None:
            super().__init__()
            object.__setattr__(self, "_Globals__request", request)

        def __getattr__(self, name: str) -> Any:
            if not name.startswith("__"):
                self.__request.tell()
            raise AttributeError(name)

        def __contains__(self, name: str) -> bool:
            return self.__has(name)

        def __iter__(self) -> Any:
            self.__request.tell()
            return super().__iter__()

        def get(self, name: str, default: Any = None) -> Any:
            return super().get(name, default) if self.__has(name) else default

        def pop(self, name: str, *default: Any) -> Any:
            self.__has(name)
            return super().pop(name, *default)

        def setdefault(self, name: str, default: Any = None) -> Any:
            self.__has(name)
            return super().setdefault(name, default)

        def __has(self, name: str) -> bool:
            if name not in self.__dict__:
                self.__request.tell()
            return name in self.__dict__

    return Globals
