"""Finding what a text like ``package.module:app`` or ``path/to/app.py:create_app`` names."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from .exceptions import ConfigurationError

#: Where the frames that call the user's code are.
_HERE = str(Path(__file__).parent) + os.sep

#: The names that are tried, in this order, when none is given.
USUAL_NAMES = ("app", "application", "create_app", "make_app")


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


def import_target(target: Target) -> ModuleType:
    """Import the module of a target; its folder is put on ``sys.path``.

    Raises:
        ConfigurationError: There is no such module, or it fails; its traceback is then printed.
    """
    if target.file is not None and not target.file.is_file():
        raise ConfigurationError(f"There is no file {target.written!r}.")
    if str(target.folder) not in sys.path:
        sys.path.insert(0, str(target.folder))
    try:
        module = importlib.import_module(target.module)
    except ModuleNotFoundError as missing:
        # What the module itself imports in vain is its own mistake.
        if missing.name is None or not f"{target.module}.".startswith(f"{missing.name}."):
            raise failed(target.module, missing) from missing
        raise _not_found(target) from missing
    except Exception as error:
        raise failed(target.module, error) from error
    if target.file is not None and Path(module.__file__ or "").resolve() != target.file:
        raise ConfigurationError(
            f"{target.written!r} has the name of another module, {module.__file__}. Rename the file."
        )
    return module


def attribute_of(
    target: Target, names: Mapping[str, Any], suggestion: str, usual: Iterable[str] = USUAL_NAMES
) -> tuple[str, Any]:
    """What a target names in its module, with its name.

    Args:
        target: The target.
        names: What the module holds.
        suggestion: The sentence that says what to write instead, for want of a name that is close.
        usual: The names that are tried when the target has none.

    Raises:
        ConfigurationError: There is no such name.
    """
    usual = tuple(usual)
    attribute = target.attribute or next((name for name in usual if name in names), None)
    if attribute is None:
        raise ConfigurationError(f"{target.written!r} has no {' or '.join(usual[:2])}. {suggestion}")
    if attribute not in names:
        close = difflib.get_close_matches(attribute, names, n=1)
        hint = f"Did you mean {target.written}:{close[0]}?" if close else suggestion
        raise ConfigurationError(f"{target.written!r} has no attribute {attribute!r}. {hint}")
    return attribute, names[attribute]


def made_by(factory: Callable[[], Any], name: str) -> Any:
    """Call a factory.

    Raises:
        ConfigurationError: It fails; its traceback is printed.
    """
    try:
        return factory()
    except Exception as error:
        raise failed(name, error) from error


def failed(name: str, error: BaseException) -> ConfigurationError:
    """Print where the user's code failed, without the frames that called it; returns what to raise.

    Args:
        name: What failed.
        error: How.
    """
    frames = error.__traceback__
    while frames is not None and _is_machinery(frames.tb_frame.f_code.co_filename):
        frames = frames.tb_next
    traceback.print_exception(error.with_traceback(frames))
    return ConfigurationError(f"{name} failed with {type(error).__name__}: {error}")


def _is_machinery(filename: str) -> bool:
    return filename.startswith(_HERE) or "importlib" in filename


def _not_found(target: Target) -> ConfigurationError:
    return ConfigurationError(
        f"There is no module {target.module!r}, neither in {target.folder} nor among the installed packages. "
        "Start the command in your project's folder, or give a path: flash run path/to/app.py"
    )
