"""Finding the app that a command is about."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import dash
from quart import Quart

from ..app import Flash

_USUAL_NAMES = ("app", "application", "create_app", "make_app")


@dataclass(frozen=True)
class Target:
    """Where an app is found.

    Example:
        >>> Target.parse("shop/app.py:create_app()").attribute
        'create_app'
    """

    #: What the user wrote for the module.
    written: str
    #: The module's name.
    module: str
    #: The folder from which it is imported.
    folder: Path
    #: The file, when a file was written.
    file: Path | None
    attribute: str | None

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read ``package.module:attribute`` or ``path/to/file.py:attribute``; the attribute may be left out."""
        written, colon, attribute = text.rpartition(":")
        # A path of Windows holds a colon of its own.
        if not colon or "/" in attribute or "\\" in attribute:
            written, attribute = text, ""
        name = attribute.removesuffix("()") or None
        if not written.endswith(".py") and "/" not in written and os.sep not in written:
            return cls(written, written, Path.cwd(), None, name)
        file = Path(written).resolve()
        module, folder = file.stem, file.parent
        while (folder / "__init__.py").is_file():
            module, folder = f"{folder.name}.{module}", folder.parent
        return cls(written, module.removesuffix(".__init__"), folder, file, name)


def load_app(target: Target) -> Flash:
    """Import the app that ``target`` names.

    Without an attribute, ``app``, ``application``, ``create_app`` and ``make_app`` are tried. The attribute is a Flash
    app or a function that makes one.

    Raises:
        click.ClickException: There is no such app; it says how to name the right one.
    """
    module = _import(target)
    attribute = target.attribute or next((name for name in _USUAL_NAMES if hasattr(module, name)), None)
    if attribute is None:
        raise click.ClickException(
            f"{target.written!r} has no {' or '.join(_USUAL_NAMES[:2])}. {_apps_in(module, target)}"
        )
    if not hasattr(module, attribute):
        close = difflib.get_close_matches(attribute, vars(module), n=1)
        hint = f"Did you mean {target.written}:{close[0]}?" if close else _apps_in(module, target)
        raise click.ClickException(f"{target.written!r} has no attribute {attribute!r}. {hint}")
    return _as_app(getattr(module, attribute), f"{target.written}:{attribute}")


def _import(target: Target) -> ModuleType:
    if target.file is not None and not target.file.is_file():
        raise click.ClickException(f"There is no file {target.written!r}.")
    if str(target.folder) not in sys.path:
        sys.path.insert(0, str(target.folder))
    try:
        module = importlib.import_module(target.module)
    except ModuleNotFoundError as missing:
        # What the module itself imports in vain is its own mistake.
        if missing.name is None or not f"{target.module}.".startswith(f"{missing.name}."):
            raise _failed(target.module, missing) from missing
        raise _not_found(target) from missing
    except Exception as error:
        raise _failed(target.module, error) from error
    if target.file is not None and Path(module.__file__ or "").resolve() != target.file:
        raise click.ClickException(
            f"{target.written!r} has the name of another module, {module.__file__}. Rename the file."
        )
    return module


def _not_found(target: Target) -> click.ClickException:
    return click.ClickException(
        f"There is no module {target.module!r}, neither in {target.folder} nor among the installed packages. "
        "Start the command in your project's folder, or give a path: flash run path/to/app.py"
    )


def _failed(name: str, error: Exception) -> click.ClickException:
    """Show where the user's code failed, without the frames that called it."""
    frames = error.__traceback__
    while frames is not None and _is_machinery(frames.tb_frame.f_code.co_filename):
        frames = frames.tb_next
    traceback.print_exception(error.with_traceback(frames))
    return click.ClickException(f"{name} failed with {type(error).__name__}: {error}")


def _is_machinery(filename: str) -> bool:
    return filename == __file__ or "importlib" in filename


def _as_app(value: Any, target: str) -> Flash:
    if isinstance(value, Flash):
        return value
    if isinstance(value, dash.Dash):
        raise click.ClickException(
            f"{target} is a plain dash.Dash app. Change its import, from dash import ... to from flash import ..., "
            "and Dash(...) to Flash(...)."
        )
    if isinstance(value, Quart):
        raise click.ClickException(
            f"{target} is a Quart server. Name the Flash app that it carries: running that one serves all of it."
        )
    if callable(value) and not isinstance(value, type):
        return _as_app(_made(value, target), f"{target}()")
    raise click.ClickException(f"{target} is no Flash app, but a {type(value).__name__}.")


def _made(factory: Callable[[], Any], target: str) -> Any:
    try:
        return factory()
    except Exception as error:
        raise _failed(target, error) from error


def _apps_in(module: ModuleType, target: Target) -> str:
    names = [name for name, value in vars(module).items() if isinstance(value, Flash)]
    if names:
        return f"Did you mean {target.written}:{names[0]}?"
    return "Write flash run module:attribute, where the attribute is a Flash app or a function that makes one."
