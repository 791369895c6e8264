"""Declaring sources: ``@source``, and the registry of the process."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from .._dash_scopes import per_app
from ..exceptions import ConfigurationError
from ..functions import is_generator
from .chain import refuse_circles
from .settings import settings_of
from .source import Source
from .stores.base import SnapshotStore

Duration = float | str | timedelta

#: The declared sources by name; an app that a hub hosts in its own process has its own.
_sources: dict[str, Source] = per_app({})
_store: dict[str, str | SnapshotStore] = per_app({})
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")


def source(
    func: None = None,
    /,
    *,
    every: Duration | None = None,
    cron: str | None = None,
    at: str | Sequence[str] | None = None,
    after: Source | Sequence[Source] | None = None,
    days: Sequence[Mapping[str, Any]] | Mapping[str, Any] | None = None,
    tz: str | None = None,
    on_start: bool = True,
    timeout: Duration | None = None,
    retry: int = 3,
    jitter: Duration = 0,
    overlap: str = "skip",
    missed: str = "run_once",
    keep: int = 30,
    max_stale: Duration | None = None,
    process: bool = False,
    name: str | None = None,
) -> Callable[[Callable[..., Any]], Source]:
    """Declare a source: a function, plain or asynchronous, that is run when it is time, once for all processes.

    A duration is a number of seconds, a text as ``"90s"``, ``"5m"``, ``"2h"``, ``"1d"``, or a timedelta.

    Args:
        func: Nothing: it is written with parentheses.
        every: It runs so often.
        cron: It runs at the times of five fields: ``"0 9 * * mon-fri"``.
        at: It runs daily at a time, or at several: ``["09:00", "17:30"]``.
        after: It runs when another source, or one of several, has a new version, and is given their values in order.
        days: The times of a list as ``[{"day": "daily", "hour": 9}]``, or of ``{"dates": [...]}``.
        tz: The time zone of these times, as ``"Europe/Prague"``; without it the machine's.
        on_start: Whether it runs at once when there is no snapshot yet; else it waits for the first tick.
        timeout: How long a run may take.
        retry: How often a failed run is tried again: after 1, 2, 4 and so on, at most 60 seconds.
        jitter: A run begins at random up to so much after its tick.
        overlap: What a tick does while an older run goes on: ``"skip"`` (nothing), ``"queue"`` or ``"parallel"``.
        missed: What is done about ticks at which nothing could run: ``"run_once"``, ``"skip"`` or ``"all"``.
        keep: How many snapshots are kept.
        max_stale: How old a snapshot may get before it is stale.
        process: Run it in a process of its own, for heavy work; the function is a module's, found by its name.
        name: Its name; without it the function's.

    Raises:
        ConfigurationError: The declaration cannot work. The text says what to write instead.

    Example:
        >>> @source(cron="0 9 * * mon-fri", tz="Europe/Prague", timeout="2m")
        ... async def orders():
        ...     return await read_orders()
        >>> @source(after=orders)
        ... def orders_by_day(orders):
        ...     return orders.groupby("day").sum()
    """
    if func is not None:
        raise ConfigurationError('Write @source(every="5m"), with parentheses and when it runs.')
    upstream = _upstream(after)
    settings = settings_of(
        after=upstream,
        when={"every": every, "cron": cron, "at": at, "days": days, "tz": tz},
        on_start=on_start,
        timeout=timeout,
        retry=retry,
        jitter=jitter,
        overlap=overlap,
        missed=missed,
        keep=keep,
        max_stale=max_stale,
        process=process,
    )

    def declare(reader: Callable[..., Any]) -> Source:
        _check(reader, upstream, process)
        declared = Source(reader, settings, _name(name, reader), upstream)
        register(declared)
        return declared

    return declare


def register(declared: Source) -> None:
    """Add a source to the registry.

    Raises:
        ConfigurationError: Another one has its name, or it comes after itself.
    """
    other = _sources.get(declared.name)
    if other is not None and _place(other.func) != _place(declared.func):
        raise ConfigurationError(
            f"Two sources are called {declared.name!r}: {_place(other.func)} and {_place(declared.func)}. Give one of "
            'them another name: @source(..., name="...").'
        )
    refuse_circles(declared)
    _sources[declared.name] = declared


def declared_sources() -> list[Source]:
    """The sources of this process, or of the hosted app that asks, in the order of their declaration."""
    return list(_sources.values())


def use_store(store: str | SnapshotStore) -> None:
    """Say where snapshots are kept, before the app is served.

    Args:
        store: ``"memory"``, ``"sqlite:///data.db"``, ``"redis://localhost:6379/0"``, or a store.
    """
    if not isinstance(store, str | SnapshotStore):
        raise ConfigurationError(
            f'use_store() takes "memory", "sqlite:///data.db", "redis://..." or a SnapshotStore, not {store!r}.'
        )
    _store["chosen"] = store


def chosen_store() -> str | SnapshotStore | None:
    """What :func:`use_store` was given."""
    return _store.get("chosen")


def _upstream(after: Source | Sequence[Source] | None) -> tuple[Source, ...]:
    if after is None:
        return ()
    upstream = (after,) if isinstance(after, Source) or not isinstance(after, Sequence) else tuple(after)
    for each in upstream:
        if not isinstance(each, Source):
            raise ConfigurationError(f"after= takes sources, declared by @source before this one, not {each!r}.")
    if not upstream or len(set(upstream)) < len(upstream):
        raise ConfigurationError("after= names one source, or several different ones.")
    return upstream


def _name(name: str | None, func: Callable[..., Any]) -> str:
    chosen = name if name is not None else getattr(func, "__name__", "")
    if not isinstance(chosen, str) or not _NAME.fullmatch(chosen):
        raise ConfigurationError(
            f'A source\'s name is letters, digits, _ and -, not {chosen!r}: give it one by @source(..., name="orders").'
        )
    return chosen


def _check(func: Callable[..., Any], upstream: tuple[Source, ...], process: bool) -> None:
    if isinstance(func, Source) or not callable(func) or isinstance(func, type):
        raise ConfigurationError(f"@source is written above a function, not {func!r}.")
    if is_generator(func):
        raise ConfigurationError(
            f"A source returns its data; {_place(func)} yields them. Return a list, or declare several sources."
        )
    _check_arguments(func, upstream)
    if process:
        _check_importable(func)


def _check_arguments(func: Callable[..., Any], upstream: tuple[Source, ...]) -> None:
    try:
        signature = inspect.signature(func)
    except ValueError:
        return  # A builtin's arguments cannot be told.
    try:
        signature.bind(*upstream)
    except TypeError:
        given = f"the values of {', '.join(each.name for each in upstream)}" if upstream else "no arguments"
        raise ConfigurationError(
            f"The source {_place(func)} is called with {given}, and takes {signature}. Name what it is made of by "
            "after=, one argument for each."
        ) from None


def _check_importable(func: Callable[..., Any]) -> None:
    name = getattr(func, "__qualname__", None)
    if name is None or inspect.ismethod(func) or not name.replace(".", "").isidentifier():
        what = "no function of a module" if name is None or inspect.ismethod(func) else "a lambda or an inner function"
        raise ConfigurationError(
            f"A source with process=True is imported by its name in the other process, and {_place(func)} is {what}. "
            "Define it by def at the top of a module."
        )


def _place(func: Callable[..., Any]) -> str:
    return f"{getattr(func, '__module__', '?')}.{getattr(func, '__qualname__', repr(func))}"
