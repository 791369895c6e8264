"""What apps may ask the hub that serves them; the same code runs alone."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from .visitor import EXTENSION, NOBODY, Visitor

#: Where the hub tells the process of an app which folder is the app's own.
INSTANCE_VARIABLE = "FLASH_INSTANCE_PATH"

_visitor: ContextVar[Visitor] = ContextVar("flash_hub_visitor", default=NOBODY)
_folder: ContextVar[Path | None] = ContextVar("flash_hub_instance_folder", default=None)


def instance_folder() -> Path:
    """The folder for what this app keeps: databases, uploads, caches. It is made if it is missing.

    On a hub each app has its own. Alone, it is the one that ``FLASH_INSTANCE_PATH`` names, or ``instance`` in the
    current folder.

    Example:
        >>> database = instance_folder() / "stock.sqlite"
    """
    folder = _folder.get() or Path(os.environ.get(INSTANCE_VARIABLE) or "instance").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def visitor() -> Visitor:
    """Who asks: the user of the request, or of the callback, that runs. Nobody, in an app that runs alone.

    Example:
        >>> if "finance" not in visitor().roles:
        ...     raise PreventUpdate
    """
    return _visitor.get()


@contextmanager
def living_in(folder: Path) -> Iterator[None]:
    """Make a folder the :func:`instance_folder` of all that the block runs: of an app in the hub's own process."""
    token = _folder.set(folder)
    try:
        yield
    finally:
        _folder.reset(token)


@contextmanager
def asked_by(scope: Mapping[str, Any]) -> Iterator[None]:
    """Make who sent a request the :func:`visitor` of all that the block runs."""
    said = (scope.get("extensions") or {}).get(EXTENSION)
    token = _visitor.set(Visitor(said["user"], frozenset(said["roles"])) if said else NOBODY)
    try:
        yield
    finally:
        _visitor.reset(token)
