"""Apps that are made below a prefix of the hub: none is edited for it."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from .. import _dash
from ..app import Flash

logger = logging.getLogger("flash.hub")

_prefix: ContextVar[str | None] = ContextVar("flash_hub_prefix", default=None)
_apps: WeakSet[Any] = WeakSet()
#: Where apps would be by themselves, which did not count when they were made.
_own_places: WeakKeyDictionary[Any, str] = WeakKeyDictionary()


@dataclass
class _Making:
    """The app that is being made.

    Attributes:
        shares_server: Whether it brings no server of its own.
        own_place: Where it would be by itself, if that does not count.
    """

    shares_server: bool
    own_place: str | None = None


_making: ContextVar[_Making | None] = ContextVar("flash_hub_making", default=None)


@contextmanager
def mounted_at(prefix: str) -> Iterator[None]:
    """Make every Dash and Flash app that the block makes work below a prefix that the hub strips.

    An app with a server of its own gets ``routes_pathname_prefix="/"`` and the hub's prefix for its pages, whatever its
    own prefixes are. An app that is put on a server of the user's keeps the place that it has there.

    Args:
        prefix: ``"/sales"``, or ``""`` for the root.

    Example:
        >>> with mounted_at("/sales"):
        ...     app = Dash()
        >>> app.config.requests_pathname_prefix
        '/sales/'
    """
    token = _prefix.set(prefix)
    try:
        yield
    finally:
        _prefix.reset(token)


def apps_of(server: Any) -> list[Any]:
    """The Dash and Flash apps on a server, those that were made since the hub was imported, by their prefixes."""
    found = [app for app in _apps if getattr(app, "server", None) is server]
    return sorted(found, key=lambda app: str(app.config.routes_pathname_prefix))


def drop_own_place(app: Any) -> None:
    """Say that the prefix that an app was made with does not count."""
    if own := _own_places.pop(app, None):
        prefix = app.config.requests_pathname_prefix
        logger.warning("The app's own prefix %s does not count: the hub serves it at %s.", own, prefix)


def keep_own_places(prefix: str) -> None:
    """Put apps where they are inside a larger one that mounts them by itself, as Werkzeug's dispatcher does.

    Args:
        prefix: That of the larger app; it is about those that were made while it was loaded.
    """
    for app, own in list(_own_places.items()):
        if app.config.requests_pathname_prefix == f"{prefix}/":
            set_requests_prefix(app, prefix + own)
            del _own_places[app]


def set_requests_prefix(app: Any, prefix: str) -> None:
    """Change the prefix of the requests of an app's pages. Dash's method changes the setting, and nothing else."""
    app.init_app(requests_pathname_prefix=prefix)


def _choose(url_base: str | None, routes: str | None, requests: str | None) -> tuple[str, str] | None:
    """The prefixes of an app that is being made: those of its routes and of its pages' requests. None: its own."""
    prefix, making = _prefix.get(), _making.get()
    if prefix is None or making is None:
        return None
    own = routes or url_base or "/"
    if making.shares_server and own not in ("/", f"{prefix}/"):
        return own, prefix + own
    if {own, requests or own} - {"/", f"{prefix}/"}:
        making.own_place = requests or own
    return "/", f"{prefix}/"


def _note_apps(make: Callable[..., None]) -> Callable[..., None]:
    """A constructor that also notes whether the app brings a server, and the app."""
    signature = inspect.signature(make)

    @functools.wraps(make)
    def noted(self: Any, *args: Any, **kwargs: Any) -> None:
        if _making.get() is not None:  # A constructor that another one calls.
            make(self, *args, **kwargs)
            return
        options = signature.bind_partial(self, *args, **kwargs).arguments
        options |= options.get("kwargs", {})
        making = _Making(options.get("server", True) not in (None, True))
        token = _making.set(making)
        try:
            make(self, *args, **kwargs)
        finally:
            _making.reset(token)
        _apps.add(self)
        if making.own_place is not None:
            _own_places[self] = making.own_place

    return noted


Flash.__init__ = _note_apps(Flash.__init__)  # type: ignore[method-assign]
_dash.OriginalDash.__init__ = _note_apps(_dash.OriginalDash.__init__)  # type: ignore[method-assign]
_dash.choose_prefixes(_choose)
