"""Apps that are made below a prefix of the hub: none is edited for it."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from weakref import WeakSet

from .. import _dash
from ..app import Flash

logger = logging.getLogger("flash.hub")

_prefix: ContextVar[str | None] = ContextVar("flash_hub_prefix", default=None)
#: Whether the app that is being made brings no server of its own; None while none is made.
_shares_server: ContextVar[bool | None] = ContextVar("flash_hub_shares_server", default=None)
_apps: WeakSet[Any] = WeakSet()


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


def _choose(url_base: str | None, routes: str | None, requests: str | None) -> tuple[str, str] | None:
    """The prefixes of an app that is being made: those of its routes and of its pages' requests. None: its own."""
    prefix = _prefix.get()
    if prefix is None:
        return None
    own = routes or url_base or "/"
    if _shares_server.get() and own not in ("/", f"{prefix}/"):
        return own, prefix + own
    if {own, requests or own} - {"/", f"{prefix}/"}:
        logger.warning(
            "The app's own prefix %s does not count here: the hub serves it at %s/.", requests or own, prefix
        )
    return "/", f"{prefix}/"


def _note_apps(make: Callable[..., None]) -> Callable[..., None]:
    """A constructor that also notes whether the app brings a server, and the app."""
    signature = inspect.signature(make)

    @functools.wraps(make)
    def noted(self: Any, *args: Any, **kwargs: Any) -> None:
        if _shares_server.get() is not None:  # A constructor that another one calls.
            make(self, *args, **kwargs)
            return
        options = signature.bind_partial(self, *args, **kwargs).arguments
        options |= options.get("kwargs", {})
        token = _shares_server.set(options.get("server", True) not in (None, True))
        try:
            make(self, *args, **kwargs)
        finally:
            _shares_server.reset(token)
        _apps.add(self)

    return noted


Flash.__init__ = _note_apps(Flash.__init__)  # type: ignore[method-assign]
_dash.OriginalDash.__init__ = _note_apps(_dash.OriginalDash.__init__)  # type: ignore[method-assign]
_dash.choose_prefixes(_choose)
