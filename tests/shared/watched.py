"""Runs an app's file as Python does, with a door for tests: which functions ran, for whom, with what.

``/do`` evaluates an expression beside the app, as ``tests/live/browser_app.py`` does; it knows ``app`` and ``runs``.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from quart import request

from flash import Flash, ctx

#: Of each call of a callback its function's name, its arguments, and the id of the client that caused it.
runs: list[tuple[str, tuple[Any, ...], str | None]] = []


def watched(declare: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator of Flash whose functions' calls are written down."""

    @functools.wraps(declare)
    def declare_watched(*args: Any, **kwargs: Any) -> Callable[[Any], Any]:
        return lambda func: declare(*args, **kwargs)(_watched_function(func))

    return declare_watched


def _watched_function(func: Callable[..., Any]) -> Callable[..., Any]:
    def note(args: tuple[Any, ...]) -> None:
        runs.append((func.__name__, args, ctx.client.id if ctx.client is not None else None))

    @functools.wraps(func)
    async def run_async(*args: Any, **kwargs: Any) -> Any:
        note(args)
        return await func(*args, **kwargs)

    @functools.wraps(func)
    def run(*args: Any, **kwargs: Any) -> Any:
        note(args)
        return func(*args, **kwargs)

    return run_async if inspect.iscoroutinefunction(func) else run


def main(path: Path) -> None:
    """Serve the ``app`` of a file. What it logs begins with its level."""
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    for name in ("callback", "callback_shared"):
        setattr(Flash, name, watched(getattr(Flash, name)))
    sys.path.insert(0, str(path.parent))
    module = importlib.import_module(path.stem)

    async def do() -> str:
        names = {**vars(module), "runs": runs}
        return json.dumps(eval(await request.get_data(as_text=True), names))

    module.app.server.post("/do")(do)
    module.app.run(port=int(os.environ["PORT"]), graceful_timeout=3)


if __name__ == "__main__":
    main(Path(os.environ["APP"]))
