"""What a check of a hub finds, and the apps that it looks at."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from ..exceptions import ConfigurationError
from ..server.reload import code_folders
from .discover import Declaration
from .hosting import runs_inline
from .source import imported_modules, read_source
from .spec import Spec

Level = Literal["error", "warning", "note"]

#: The most files of one app that are read.
_MOST_FILES = 500


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a check has found.

    Attributes:
        level: ``"error"``: it cannot work; ``"warning"``: it may well do harm; ``"note"``: something to know.
        app: The app's name; None for the hub itself.
        text: A sentence that says what was found, and where.
        advice: What to do about it.
    """

    level: Level
    app: str | None
    text: str
    advice: str


class CheckedApp:
    """An app, with what its code says. None of it is run.

    Args:
        declaration: How it is declared.
        root: The folder from which modules are imported.

    Raises:
        ConfigurationError: The declaration cannot be what it is.
    """

    def __init__(self, declaration: Declaration, root: Path) -> None:
        self.declaration = declaration
        self.spec: Spec = declaration.spec()
        self.inline = runs_inline(self.spec)
        self._root = root

    @property
    def name(self) -> str:
        """Its name."""
        return self.spec.name

    @property
    def attribute(self) -> str | None:
        """What is named after the colon of its target."""
        target = self.declaration.target
        if isinstance(target, tuple) or target.endswith(".py") or ":" not in target[2:]:
            return None
        return target.rpartition(":")[2].removesuffix("()") or None

    @cached_property
    def file(self) -> Path | None:
        """The file with its app, also where a module is named; None for pages, commands and what is not there."""
        target = self.declaration.target
        if isinstance(target, tuple) or Path(target).is_dir():
            return None
        if self.declaration.file is not None:
            return self.declaration.file if self.declaration.file.is_file() else None
        place = self._root.joinpath(*target.partition(":")[0].split("."))
        found = (place.with_suffix(".py"), place / "__init__.py")
        return next((path for path in found if path.is_file()), None)

    @cached_property
    def files(self) -> dict[Path, ast.Module]:
        """All its Python files that can be read: those of its folder, or its file with what it imports beside it."""
        if self.file is None:
            return {}
        package = self.file.parent if self.file.name in ("app.py", "__init__.py") else None
        paths = _below(package) if package else _reached(self.file)
        return {path: tree for path in paths if (tree := _tree(path)) is not None}


def _tree(path: Path) -> ast.Module | None:
    try:
        return read_source(path).tree
    except ConfigurationError:
        return None


def _below(folder: Path) -> list[Path]:
    folders = sorted({str(folder), *code_folders(folder)})
    return [path for each in folders for path in sorted(Path(each).glob("*.py"))][:_MOST_FILES]


def _reached(file: Path) -> Iterator[Path]:
    """A file, the modules and packages beside it that it imports, and its pages."""
    waiting, seen = [file], {file}
    while waiting and len(seen) < _MOST_FILES:
        path = waiting.pop()
        yield path
        tree = _tree(path)
        names = {"pages", *imported_modules(tree)} if tree else set()
        for name in sorted(names):
            beside, package = file.parent / f"{name}.py", file.parent / name
            found = [beside] if beside.is_file() else _below(package) if package.is_dir() else []
            waiting += [each for each in found if each not in seen]
            seen |= set(found)
