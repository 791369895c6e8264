"""The log of an app in the hub's process: what is logged while its code runs."""

from __future__ import annotations

import logging
from pathlib import Path

from .._dash_scopes import Scope, current_scope

_FORMAT = "[%(asctime)s] %(levelname)s %(name)s: %(message)s"


def write_log_of(scope: Scope, path: Path | None) -> None:
    """Write what is logged within a scope to a file, besides where it goes anyway.

    Args:
        scope: The scope of the app.
        path: Its log; None for no log of its own.
    """
    if path is None:
        return
    scope.handler = logging.FileHandler(path, encoding="utf-8", delay=True)
    scope.handler.setFormatter(logging.Formatter(_FORMAT))
    root = logging.getLogger()
    if _by_scope not in root.handlers:
        root.addHandler(_by_scope)


class _ByScope(logging.Handler):
    """Hands a record to the log of the app whose code made it."""

    def emit(self, record: logging.LogRecord) -> None:
        scope = current_scope.get()
        if scope is not None and scope.handler is not None:
            scope.handler.handle(record)


_by_scope = _ByScope()
