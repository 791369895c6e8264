"""Loading an app in a process of its own, as its author would run it: nothing in it is edited."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from ..exceptions import ConfigurationError
from ..targets import Target, attribute_of, failed, import_target, made_by
from .capture import Serving, captured
from .kinds import is_application
from .static import static_folder

#: The names that are tried, in this order, when none is given.
USUAL_NAMES = ("app", "application", "server", "create_app", "make_app")

_ADVICE = "Write file.py:attribute, where the attribute is an app or a function that makes one."


def load_and_serve(target: str, serving: Serving, *, spa: bool = False) -> None:
    """Load what a target names and serve it.

    A file runs as Python would run it, as ``__main__``; where it calls ``app.run(...)``, ``serving`` serves. One
    that ends without that is searched for an app. With an attribute, and for a module, there is no ``__main__``: it is
    imported, and any ``run`` in it does nothing.

    Args:
        target: ``"apps/sales.py"``, ``"apps/sales.py:create_app"``, ``"package.module:app"``, or a folder of static
            pages.
        serving: Serves the app, and returns when it is to end.
        spa: Whether a static folder answers unknown paths with its ``index.html``.

    Raises:
        ConfigurationError: There is no app, or its code fails; the traceback is then printed.
    """
    if Path(target).is_dir():
        serving.serve(static_folder(target, spa))
        return
    found = Target.parse(target)
    if found.file is not None and found.attribute is None:
        _run_script(found, serving)
    else:
        serving.serve(load_object(found))


def load_object(target: Target, import_it: Callable[[Target], ModuleType] = import_target) -> Any:
    """Import the app that a target names, and call it if it is a function that makes one.

    Args:
        target: The target.
        import_it: Imports its module.

    Raises:
        ConfigurationError: There is no such app, or its code fails.
    """
    with captured(_Nothing()):
        return _app_in(vars(import_it(target)), target)


class _Nothing:
    """Serves nothing: a module that is imported for one of its names may end in ``app.run()``."""

    def serve(self, target: Any) -> None:
        """Return at once."""

    async def serve_here(self, target: Any, until: Any = None) -> None:
        """Return at once."""


class _Once:
    """Notes whether the script has come to be served."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self.begun = False

    def serve(self, target: Any) -> None:
        self.begun = True
        self._serving.serve(target)

    async def serve_here(self, target: Any, until: Any = None) -> None:
        self.begun = True
        await self._serving.serve_here(target, until)


def _run_script(target: Target, serving: Serving) -> None:
    assert target.file is not None
    if not target.file.is_file():
        raise ConfigurationError(f"There is no file {target.written!r}.")
    module = _main_module(target, target.file)
    once = _Once(serving)
    with captured(once):
        try:
            exec(compile(target.file.read_bytes(), str(target.file), "exec"), vars(module))
        except SystemExit as end:
            if not once.begun:
                raise ConfigurationError(f"{target.written!r} ended before it served an app: {end}.") from end
        except Exception as error:
            raise failed(target.written, error) from error
        if not once.begun:
            serving.serve(_app_in(vars(module), target))


def _main_module(target: Target, file: Path) -> ModuleType:
    """The module that the file runs as: what it would find when Python ran it."""
    module = ModuleType("__main__")
    package = target.module.rpartition(".")[0]
    module.__dict__.update(__file__=str(file), __builtins__=__builtins__, __package__=package or None, __spec__=None)
    sys.modules["__main__"] = module
    sys.argv[:] = [str(file)]
    for folder in (target.folder, file.parent):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    if package:
        importlib.import_module(package)
    return module


def _app_in(names: Mapping[str, Any], target: Target) -> Any:
    apps = {name: value for name, value in names.items() if is_application(value)}
    usual = [name for name in USUAL_NAMES if name in apps or inspect.isfunction(names.get(name))]
    # One that has another name is found too, when there is no other.
    only = [name for name in apps if not inspect.isroutine(apps[name])]
    attribute, value = attribute_of(target, names, _advice(only), usual or (only if len(only) == 1 else USUAL_NAMES))
    name = f"{target.written}:{attribute}"
    if not is_application(value) and callable(value) and not isinstance(value, type):
        value = made_by(lambda: _made(value), f"{name}()")
    return value


def _made(factory: Callable[[], Any]) -> Any:
    made = factory()
    return asyncio.run(_awaited(made)) if inspect.isawaitable(made) else made


async def _awaited(value: Any) -> Any:
    return await value


def _advice(apps: list[str]) -> str:
    return f"It has several apps: {', '.join(apps)}. {_ADVICE}" if len(apps) > 1 else _ADVICE
