"""An app's own modules: those beneath its folder, which no other app of the process sees.

Two apps may each have a ``data.py``, and an app that is started anew must run its files anew. So each has a package of
its own: where its code says ``import data``, at any time and in any thread, it gets ``<package>.data``. What
is installed is imported as ever, and shared.
"""

from __future__ import annotations

import builtins
import importlib.abc
import importlib.machinery
import importlib.util
import re
import sys
import sysconfig
import threading
from collections.abc import Sequence
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

#: Folders of what is installed, which no app owns.
_INSTALLED = tuple({Path(path).resolve() for name, path in sysconfig.get_paths().items() if "lib" in name})


class OwnModules:
    """The modules of one app.

    Args:
        name: What the app is called.
        folder: Where its modules are found, as if its code were run there.
        first: The module that the app's target names; always its own, also where it is installed.

    Attributes:
        package: The name of the package that holds them.

    Example:
        >>> modules = OwnModules("sales", Path("apps/sales"), "app")
        >>> modules.load("app").create_app()
    """

    def __init__(self, name: str, folder: Path, first: str) -> None:
        self.folder = folder.resolve()
        self.package = _package_name(name)
        self._first = first.partition(".")[0]
        self._is_own: dict[str, bool] = {}
        self._pages: set[str] = set()
        self._builtins = {**vars(builtins), "__import__": self.import_}
        package = ModuleType(self.package)
        package.__path__ = [str(self.folder)]
        sys.modules[self.package] = package
        _finder.packages[self.package] = self

    def load(self, name: str) -> ModuleType:
        """Import a module of the app."""
        importlib.invalidate_caches()
        return importlib.import_module(f"{self.package}.{name}")

    def import_(
        self,
        name: str,
        globals: Any = None,
        locals: Any = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        """What an ``import`` statement in one of these modules does."""
        top = name.partition(".")[0]
        if level or not self.owns(top):
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        full = f"{self.package}.{name}"
        module = builtins.__import__(full, globals, locals, fromlist or ("__name__",), 0)
        return module if fromlist else sys.modules[f"{self.package}.{top}"]

    def owns(self, top: str) -> bool:
        """Whether a name without dots is that of a module, or package, of the app's own."""
        if (known := self._is_own.get(top)) is not None:
            return known
        own = top == self._first or self._finds(top, sys.modules.get(top))
        if own or top in sys.modules:
            self._is_own[top] = own
        return own

    def _finds(self, top: str, loaded: ModuleType | None) -> bool:
        if top in sys.stdlib_module_names or self.folder in _INSTALLED or not top:
            return False
        spec = importlib.machinery.PathFinder.find_spec(top, [str(self.folder)])
        if spec is None:
            return False
        if spec.origin is None:  # A folder without ``__init__.py`` gives way to any other module.
            elsewhere = None if loaded else importlib.util.find_spec(top)
            return loaded is None and (elsewhere is None or elsewhere.origin is None)
        # What the process has imported from this very file, before and outside of the app, is shared.
        return getattr(loaded, "__file__", None) != spec.origin

    def spec_of(self, name: str, path: str) -> Any:
        """The specification of a module of the app that is loaded from a file by somebody else: a page."""
        self._pages.add(name)
        loader = _Loader(name, path, self._builtins)
        return importlib.util.spec_from_file_location(name, path, loader=loader)

    def take_in(self, before: set[str]) -> None:
        """Take modules of the app that were imported under their plain names out of the reach of others.

        Args:
            before: The names of the modules that were there before.
        """
        added = sys.modules.keys() - before
        tops = {name.partition(".")[0] for name in added} - before
        # Of the app even where the plain name came first, and was taken for that of a module which all share.
        self._is_own.update((top, True) for top in tops if self._finds(top, None))
        for name in added | (self._pages & sys.modules.keys()):
            if name in self._pages:
                sys.modules[f"{self.package}.{name}"] = sys.modules.pop(name)
            elif self.owns(name.partition(".")[0]) and self._is_below(sys.modules[name]):
                # The one that the app's code has already stays the one that it gets.
                sys.modules.setdefault(f"{self.package}.{name}", sys.modules.pop(name))
        self._pages.clear()

    def _is_below(self, module: ModuleType) -> bool:
        paths = [getattr(module, "__file__", None) or "", *getattr(module, "__path__", ())]
        return any(Path(path).is_relative_to(self.folder) for path in paths if path)

    def close(self) -> None:
        """Forget all modules, so that another start runs their files anew."""
        _finder.packages.pop(self.package, None)
        for name in list(sys.modules):
            if name == self.package or name.startswith(f"{self.package}."):
                del sys.modules[name]


class _Loader(importlib.machinery.SourceFileLoader):
    """Runs a file of an app, as it is now, with the app's own way of importing."""

    def __init__(self, name: str, path: str, builtins: dict[str, Any]) -> None:
        super().__init__(name, path)
        self._builtins = builtins

    def get_code(self, fullname: str) -> CodeType:
        # Not from the compiled file: it counts as current when a file was changed twice in one second.
        code: CodeType = self.source_to_code(self.get_data(self.path), self.path)
        return code

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["__builtins__"] = self._builtins
        super().exec_module(module)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the modules of all apps."""

    def __init__(self) -> None:
        self.packages: dict[str, OwnModules] = {}

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        modules = self.packages.get(fullname.partition(".")[0])
        if modules is None:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            assert spec.origin is not None
            spec.loader = _Loader(fullname, spec.origin, modules._builtins)
        return spec


_finder = _Finder()
_names_lock = threading.Lock()


def _package_name(name: str) -> str:
    """A package name that is free, the same for each start of an app."""
    with _names_lock:
        if _finder not in sys.meta_path:
            sys.meta_path.insert(0, _finder)
        wanted = free = "flash_hub_" + re.sub(r"\W", "_", name)
        number = 1
        while free in sys.modules:
            number += 1
            free = f"{wanted}_{number}"
        sys.modules[free] = ModuleType(free)
        return free
