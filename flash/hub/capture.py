"""Scripts that end in ``app.run(...)``: whatever they would serve by, the hub serves."""

from __future__ import annotations

import functools
import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from quart import Quart

from .. import _dash
from ..app import Flash

_Undo = Callable[[], None]


class Serving(Protocol):
    """What serves in the place of the servers that a script starts."""

    def serve(self, target: Any) -> None:
        """Serve an app, and return when it is to end: what the script does after ``app.run()`` comes then."""

    async def serve_here(self, target: Any, until: Callable[..., Awaitable[Any]] | None = None) -> None:
        """The same on the loop that runs.

        Args:
            target: The app.
            until: Waits for the end that the script has chosen itself.
        """


@contextmanager
def captured(serving: Serving) -> Iterator[None]:
    """Have ``serving`` serve what the block would serve by Dash's, Flask's or Quart's ``run()``, or by a server.

    The servers are Hypercorn, Uvicorn, Waitress, Werkzeug's and that of wsgiref; also those that are imported later.

    Args:
        serving: Serves instead.
    """
    patches = _patches(serving)
    undo: list[_Undo] = []
    for name in [each for each in patches if each in sys.modules]:
        undo += patches.pop(name)(sys.modules[name])
    finder = _OnImport(patches, undo)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for restore in reversed(undo):
            restore()


def _replace(owner: Any, name: str, function: Callable[..., Any]) -> _Undo:
    original = getattr(owner, name)
    setattr(owner, name, functools.wraps(original)(function))
    return lambda: setattr(owner, name, original)


def _patches(serving: Serving) -> dict[str, Callable[[ModuleType], list[_Undo]]]:
    """What to replace in which module, once that is imported."""

    def run(self: Any, *args: Any, **kwargs: Any) -> None:
        serving.serve(self)

    def run_first(app: Any, *args: Any, **kwargs: Any) -> None:
        serving.serve(resolved(app, kwargs.get("factory", False)))

    def run_simple(hostname: str, port: int, application: Any, *args: Any, **kwargs: Any) -> None:
        serving.serve(application)

    async def run_task(self: Any, *args: Any, shutdown_trigger: Any = None, **kwargs: Any) -> None:
        await serving.serve_here(self, shutdown_trigger)

    async def serve(app: Any, config: Any, *, shutdown_trigger: Any = None, **kwargs: Any) -> None:
        await serving.serve_here(app, shutdown_trigger)

    def run_uvicorn(self: Any, *args: Any, **kwargs: Any) -> None:
        serving.serve(resolved(self.config.app, self.config.factory))

    async def serve_uvicorn(self: Any, *args: Any, **kwargs: Any) -> None:
        await serving.serve_here(resolved(self.config.app, self.config.factory))

    def serve_forever(self: Any, *args: Any, **kwargs: Any) -> None:
        serving.serve(self.get_app())

    return {
        "dash": lambda module: [_replace(_dash.OriginalDash, "run", run), _replace(Flash, "run", run)],
        "flask": lambda module: [_replace(module.Flask, "run", run)],
        "quart": lambda module: [_replace(Quart, "run", run), _replace(Quart, "run_task", run_task)],
        "werkzeug.serving": lambda module: [_replace(module, "run_simple", run_simple)],
        "hypercorn.asyncio": lambda module: [_replace(module, "serve", serve)],
        "uvicorn": lambda module: [
            _replace(module, "run", run_first),
            _replace(module.Server, "run", run_uvicorn),
            _replace(module.Server, "serve", serve_uvicorn),
        ],
        "waitress": lambda module: [_replace(module, "serve", run_first)],
        "wsgiref.simple_server": lambda module: [_replace(module.WSGIServer, "serve_forever", serve_forever)],
    }


def resolved(app: Any, factory: bool = False) -> Any:
    """The app that a server was given: itself, ``"module:app"``, or a function that makes it."""
    if isinstance(app, str):
        module, _, attribute = app.partition(":")
        main = sys.modules["__main__"]
        # A script that names itself means itself: a second copy of it would declare all callbacks twice.
        itself = Path(getattr(main, "__file__", None) or "").stem == module and hasattr(main, attribute.split(".")[0])
        owner = main if itself else importlib.import_module(module)
        app = functools.reduce(getattr, attribute.split("."), owner)
    return app() if factory else app


class _OnImport(importlib.abc.MetaPathFinder):
    """Calls a function for a module when it has been imported."""

    def __init__(self, patches: dict[str, Callable[[ModuleType], list[_Undo]]], undo: list[_Undo]) -> None:
        self._patches = patches
        self._undo = undo

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        patch = self._patches.pop(name, None)
        if patch is None:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return spec
        load = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            load(module)
            self._undo += patch(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec
