"""Many apps on one server, switched on and off while it runs. See docs/hub.md.

What the code of an app may ask stands in :mod:`flash.hub.inside`, the ways of signing in in :mod:`flash.hub.signin`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .events import Event as Event
    from .hub import Hub as Hub
    from .mount import Mount as Mount
    from .mount import Status as Status
    from .spec import Spec as Spec
    from .visitor import Visitor as Visitor

_HOMES = {"Event": "events", "Hub": "hub", "Mount": "mount", "Spec": "spec", "Status": "mount", "Visitor": "visitor"}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    """Import a name when it is asked for: the processes of apps import this package too, and need none of them."""
    if name not in _HOMES:
        raise AttributeError(f"module 'flash.hub' has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
