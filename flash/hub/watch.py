"""Serving what lies in the hub's folders now, and what ``hub.toml`` says now."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec
from watchfiles import Change, awatch

from ..exceptions import FlashError
from ..server.reload import code_folders
from .config import HubFile
from .discover import Declaration, Skipped
from .hub import Hub
from .source import imported_modules, read_source

logger = logging.getLogger("flash.hub")

#: Changes that come within this time are taken in together, in milliseconds.
_GATHERED = 400

#: How long files must be left alone before a change is taken in, in milliseconds.
_QUIET = 100

#: How soon after its start a watch is known to see everything, in milliseconds.
_ROUND = 1000


class Watcher:
    """Adds and removes apps as their files come and go, and as ``hub.toml`` changes.

    What is broken is logged, and all stays as it was. Without ``reload``, apps that are there keep running the code
    that they have loaded.

    Args:
        hub: The hub.
        read: Reads the ``hub.toml``, or the folder that stands for one.
        mounted: What is mounted by it, by name.
        reload: Whether an app restarts when its own code changes.

    Example:
        >>> hub.beside(Watcher(hub, lambda: read_file(path), mount_all(hub, read_file(path))).run)
    """

    def __init__(
        self, hub: Hub, read: Callable[[], HubFile], mounted: Mapping[str, Declaration], *, reload: bool = False
    ) -> None:
        self._hub = hub
        self._read = read
        self._mounted = dict(mounted)
        self._reload = reload
        self._looking = asyncio.Lock()
        #: The apps that are being mounted or removed, and whether anything was to be looked at meanwhile.
        self._busy: dict[str, bool] = {}
        self._file = read()
        #: What has been said, so that it is said once; whoever mounted the apps has told of those that were skipped.
        self._told = {each.reason for each in self._file.found() if isinstance(each, Skipped)}

    async def run(self) -> None:
        """Watch until cancelled."""
        try:
            async with asyncio.TaskGroup() as self._tasks:
                await self._watch()
        except Exception:
            logger.exception("Files are watched no more: start the hub anew to serve what has changed.")

    async def _watch(self) -> None:
        while True:
            watched = await asyncio.to_thread(self._folders)
            changes = awatch(
                *watched,
                watch_filter=self._matters,
                recursive=False,
                debounce=_GATHERED,
                step=_QUIET,
                rust_timeout=_ROUND,
                yield_on_timeout=True,
                ignore_permission_denied=True,
            )
            async with aclosing(changes):
                await self._follow(changes, watched)

    async def _follow(self, changes: AsyncGenerator[set[tuple[Change, str]]], watched: set[str]) -> None:
        """Take in changes until other folders are to be watched."""
        # The first round finds what came before the watch had begun.
        due = True
        async for changed in changes:
            if changed or due:
                await self._take_in({Path(path) for _, path in changed})
                if await asyncio.to_thread(self._folders) != watched:
                    return
            due = False

    async def _take_in(self, changed: Iterable[Path] = ()) -> None:
        """Make the hub serve what is declared now.

        Args:
            changed: The files that have changed, for ``reload``.
        """
        async with self._looking:
            try:
                file, found = await asyncio.to_thread(self._look)
            except FlashError as error:
                logger.error("%s Until that is mended, all stays as it is.", error)
                return
            self._tell_settings(file)
            self._file = file
            skipped = [each for each in found if isinstance(each, Skipped)]
            self._tell_skipped(skipped)
            wanted = self._by_name([each for each in found if isinstance(each, Declaration)], skipped)
            mounted = dict(self._mounted) if self._reload else {}
            self._settle(wanted, await asyncio.to_thread(_concerned, mounted, list(changed), file.folder))

    def _settle(self, wanted: Mapping[str, Declaration], due: list[str]) -> None:
        """Begin what is to be done, each app for itself: one may take long to end, or to start."""
        stale = [name for name, mounted in self._mounted.items() if self._differs(mounted, wanted.get(name))]
        missing = [name for name in wanted if name not in self._mounted and name not in self._busy]
        self._busy = dict.fromkeys(self._busy, True)
        for name in stale:
            self._begin(name, self._replace(name, wanted.get(name)))
        # Tasks begin in this order, so prefixes are free before others take them.
        for name in missing:
            self._begin(name, self._add(name, wanted[name]))
        for name in due:
            if name in self._mounted:
                self._tasks.create_task(self._restart(name))

    def _begin(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        self._busy[name] = False
        self._mounted.pop(name, None)
        self._tasks.create_task(self._finish(name, work))

    async def _finish(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:
            logger.exception("%s: what has changed could not be taken in.", name)
        if self._busy.pop(name):
            await self._take_in()

    def _by_name(self, found: list[Declaration], skipped: list[Skipped]) -> dict[str, Declaration]:
        """What is to be served. What is mounted and broken now stays, and of two apps of one name the first."""
        broken = {each.path for each in skipped if each.broken}
        wanted = {name: mounted for name, mounted in self._mounted.items() if _lies_in(mounted, broken)}
        for declaration in found:
            name = declaration.spec().name
            if wanted.setdefault(name, declaration) is not declaration:
                where = f"{wanted[name].where} and {declaration.where}"
                self._tell(f"Two apps are called {name!r}, {where}: the first one is served.")
        return wanted

    # One app.

    def _differs(self, mounted: Declaration, wanted: Declaration | None) -> bool:
        """Whether an app is to go, or mounted anew; what its own code says counts when its code is loaded anew."""
        if wanted is None or (mounted.target, mounted.written) != (wanted.target, wanted.written):
            return True
        return self._reload and mounted.own != wanted.own

    async def _replace(self, name: str, declaration: Declaration | None) -> None:
        logger.info("%s: %s", name, "its declaration has changed" if declaration else "no longer declared")
        mount = self._hub.mounts.get(name)
        off = mount is not None and mount.status().desired == "off"
        if mount is not None:  # Else somebody has removed it.
            await self._hub.remove(name)
        if declaration is not None:
            await self._add(name, declaration, off=off)

    async def _add(self, name: str, declaration: Declaration, *, off: bool = False) -> None:
        options = {**declaration.options, **({"on": False} if off else {})}
        try:
            await self._hub.add(declaration.target, declaration.prefix, keep=False, **options)
        except FlashError as error:
            self._tell(f"{declaration.where} cannot be served: {error}")
            return
        self._mounted[name] = declaration

    async def _restart(self, name: str) -> None:
        logger.info("%s: its code has changed, restarting", name)
        if name in self._hub.mounts:
            await self._hub.restart(name)

    # What is said.

    def _tell_settings(self, file: HubFile) -> None:
        before, now = (
            {**msgspec.structs.asdict(each.config), "app": (), "discover": ()} for each in (self._file, file)
        )
        changed = [name for name, value in now.items() if before[name] != value]
        if changed:
            logger.warning("%s: %s will change when the hub is started anew.", file.path, ", ".join(changed))

    def _tell_skipped(self, skipped: list[Skipped]) -> None:
        for each in skipped:
            self._tell(each.reason, logging.ERROR if each.broken else logging.INFO)
        # What was mended and breaks again is told again.
        self._told &= {each.reason for each in skipped} | {text for text in self._told if "served" in text}

    def _tell(self, text: str, level: int = logging.ERROR) -> None:
        if text not in self._told:
            self._told.add(text)
            logger.log(level, "%s", text)

    # Files.

    def _look(self) -> tuple[HubFile, list[Declaration | Skipped]]:
        file = self._read()
        return file, list(file.found())

    def _folders(self) -> set[str]:
        """The folders in which a change may mean something."""
        found = {str(self._file.folder)}
        for folder in map(Path, self._file.config.discover):
            # With the folder above it, a folder that is made anew is seen.
            found |= {str(folder.parent), str(folder)}
            if folder.is_dir():
                found |= {str(each) for each in folder.iterdir() if each.is_dir() and each.name[0] not in "._"}
        if self._reload:
            for declaration in self._mounted.values():
                found |= _code_of(declaration, self._file.folder)
        return {folder for folder in found if os.path.isdir(folder)}

    def _matters(self, change: Change, path: str) -> bool:
        kind = os.path.splitext(path)[1]
        if kind == ".toml":
            return self._file.path is not None and path == str(self._file.path)
        return kind in (".py", ".html", "") or os.path.isdir(path)


def _lies_in(declaration: Declaration, places: set[Path]) -> bool:
    return isinstance(declaration.target, str) and any(
        place in (path := declaration.file or Path(declaration.target), *path.parents) for place in places
    )


def _folder_of(declaration: Declaration, root: Path) -> Path | None:
    """The folder that belongs to an app alone: that of ``sales/app.py``, or of the package of a module."""
    file = declaration.file
    if file is not None:
        return file.parent if file.name in ("app.py", "__init__.py") else None
    if isinstance(declaration.target, tuple) or os.path.isabs(declaration.target):
        return None
    package = root / declaration.target.partition(":")[0].partition(".")[0]
    return package if package.is_dir() else None


def _code_of(declaration: Declaration, root: Path) -> set[str]:
    """The folders with an app's code."""
    folder = _folder_of(declaration, root)
    if folder is not None:
        return code_folders(folder)
    return {str(declaration.file.parent)} if declaration.file else set()


def _concerned(mounted: Mapping[str, Declaration], changed: list[Path], root: Path) -> list[str]:
    """The apps whose own code has changed: their file, their folder, or a module beside their file that they import."""
    code = [path for path in changed if path.suffix == ".py"]
    return [name for name, declaration in mounted.items() if any(_is_of(path, declaration, root) for path in code)]


def _is_of(path: Path, declaration: Declaration, root: Path) -> bool:
    folder = _folder_of(declaration, root)
    if folder is not None:
        return folder in path.parents
    if declaration.file is None:
        return not isinstance(declaration.target, tuple) and path == root / f"{declaration.target.partition(':')[0]}.py"
    return path == declaration.file or (path.parent == declaration.file.parent and _imports(declaration.file, path))


def _imports(file: Path, module: Path, seen: frozenset[Path] = frozenset()) -> bool:
    """Whether a file imports a module beside it, itself or by another one beside it."""
    try:
        names = imported_modules(read_source(file).tree)
    except FlashError:
        return False
    beside = {file.parent / f"{name}.py" for name in names} - seen - {file}
    return module in beside or any(_imports(each, module, seen | beside | {file}) for each in beside if each.is_file())
