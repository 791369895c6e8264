"""Finding the apps of a folder, without running any of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..exceptions import ConfigurationError
from .source import Function, read_page, read_source
from .spec import Spec, spec_of

#: Where an app in a folder may have the picture for its card.
PICTURES = tuple(f"assets/thumbnail.{kind}" for kind in ("png", "svg", "webp", "jpg"))

_NO_APPS = ("conftest.py", "setup.py")


@dataclass(frozen=True, slots=True)
class Declaration:
    """An app as it is declared: by ``hub.toml``, by lying in a folder of apps, or by both.

    Attributes:
        target: A file, a module or a folder, with the attribute where one is written; or the words of a command.
            Paths are absolute.
        where: What declares it, for messages.
        written: What ``hub.toml`` says about it: fields of :class:`flash.hub.spec.Spec` and ``prefix``.
        own: What its own file says about it; what is written counts more.
        discovered: Whether it only lies in a folder of apps.
    """

    target: str | tuple[str, ...]
    where: str
    written: Mapping[str, Any] = field(default_factory=dict)
    own: Mapping[str, Any] = field(default_factory=dict)
    discovered: bool = False

    @property
    def prefix(self) -> str | None:
        """Where it is to be found; None leaves that to its name."""
        prefix: str | None = {**self.own, **self.written}.get("prefix")
        return prefix

    @property
    def options(self) -> dict[str, Any]:
        """Its other fields, as ``hub.mount`` takes them."""
        return {name: value for name, value in {**self.own, **self.written}.items() if name != "prefix"}

    @property
    def file(self) -> Path | None:
        """The Python file, if it is one."""
        return None if isinstance(self.target, tuple) else file_of(self.target)

    @property
    def place(self) -> str | tuple[str, ...]:
        """What two declarations of one app have in common, whatever attribute they name."""
        return str(self.file) if self.file else self.target

    def spec(self) -> Spec:
        """Check it.

        Raises:
            ConfigurationError: A field is unknown or cannot be what it is; the sentence says where it is written.
        """
        try:
            return spec_of(self.target, self.prefix, self.options)
        except ConfigurationError as error:
            raise ConfigurationError(f"{self.where}: {error}") from None


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something in a folder of apps that is none.

    Attributes:
        path: The file or folder.
        reason: A sentence that says why.
        broken: Whether it may well be one, and has a mistake.
    """

    path: Path
    reason: str
    broken: bool = False


def discover(folder: Path) -> Iterator[Declaration | Skipped]:
    """Find the apps of a folder: ``*.py``, ``*/app.py``, packages with ``create_app``, folders with ``index.html``.

    Names that begin with ``_`` or ``.``, and folders without code, are passed over. Files without an app, helpers for
    example, are skipped.

    Args:
        folder: The folder, absolute.

    Raises:
        ConfigurationError: There is no such folder.

    Example:
        >>> for found in discover(Path("/srv/hub/apps")):
        ...     print(found)
    """
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        raise ConfigurationError(f"There is no folder {folder} with apps. Make it, or name another.") from None
    for path in entries:
        if path.name.startswith(("_", ".")):
            continue
        try:
            found = _look_at(path)
            if isinstance(found, Declaration):
                found.spec()
        except ConfigurationError as error:
            found = Skipped(path, str(error), broken=True)
        if found is not None:
            yield found


def _look_at(path: Path) -> Declaration | Skipped | None:
    if path.is_dir():
        target = target_in(path)
        if target is None and not any(path.glob("*.py")):
            return None  # Data, assets.
        if target is None:
            return Skipped(path, f"{path} has no app.py, no create_app in __init__.py, and no index.html.")
        return Declaration(target, str(path), own=described(target), discovered=True)
    if path.suffix != ".py":
        return None
    if path.name in _NO_APPS or path.name.startswith("test_"):
        return Skipped(path, f"{path} belongs to tests or to an installation.")
    source = read_source(path)
    if not source.is_app:
        return Skipped(
            path,
            f"{path} has no app: no app, application, server, create_app or make_app, and it runs none. If it is one, "
            "write hub = {} into it.",
        )
    return Declaration(str(path), str(path), own=absolute_paths(source.own, path.parent), discovered=True)


def target_in(folder: Path) -> str | None:
    """What a folder holds: its ``app.py``, its package's ``create_app``, or, for static pages, the folder itself.

    Raises:
        ConfigurationError: Its package is no Python.
    """
    if (folder / "app.py").is_file():
        return str(folder / "app.py")
    package = folder / "__init__.py"
    if package.is_file() and any(
        isinstance(node, Function) and node.name == "create_app" for node in read_source(package).tree.body
    ):
        return f"{package}:create_app"
    return str(folder) if (folder / "index.html").is_file() else None


def described(target: str) -> dict[str, Any]:
    """What the file or the pages behind a target say about themselves.

    Raises:
        ConfigurationError: The file is no Python, or says it wrongly.
    """
    file = file_of(target)
    if file is None:
        page = Path(target, "index.html")
        own, folder = (read_page(page) if page.is_file() else {}), page.parent
    elif not file.is_file():
        return {}
    else:
        own, folder = absolute_paths(read_source(file).own, file.parent), file.parent
        if file.name not in ("app.py", "__init__.py"):
            return own
    picture = next((str(folder / name) for name in PICTURES if (folder / name).is_file()), None)
    return {"picture": picture, **own} if picture else own


def file_of(target: str) -> Path | None:
    """The Python file of a target such as ``apps/sales.py:create_app``; None for a module or a folder."""
    file = target if target.endswith(".py") else target.rpartition(":")[0]
    return Path(file) if file.endswith(".py") else None


def absolute_paths(fields: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The fields of an app, with paths that were written relative to a folder."""
    return {name: _absolute(name, value, folder) for name, value in fields.items()}


def _absolute(name: str, value: Any, folder: Path) -> Any:
    # An interpreter may also be a command that is found on the PATH.
    is_path = name in ("picture", "cwd") or (name == "python" and "/" in str(value).replace("\\", "/"))
    return os.path.normpath(folder / value) if is_path and isinstance(value, str) else value
