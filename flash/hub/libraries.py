"""What installed libraries register when they are imported, given to each hosted app that imports them.

Python runs a module once per process. The first app that imports a component library, or one with hooks, would be the
only one to have what it registers; all apps would have it if it were kept for all. So imports are watched: what a
module adds to the scope in which it is first imported is noted, together with what it imports itself, and another
scope that imports it later gets the same.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

from .._dash_scopes import Scope, current_scope

_python_import = builtins.__import__
_python_import_module = importlib.import_module

#: A thread that has a module waits no longer than this, in seconds, until what it registers has been noted: Python lets
#: two threads go on that import modules which import each other.
_PATIENCE = 1.0


class Record:
    """What happened while a module was imported for the first time.

    Attributes:
        imports: The modules that it imported, in their order.
        additions: What it registered.
        thread: The thread that imports it.
        done: Set when it has been imported.
    """

    __slots__ = ("additions", "done", "imports", "thread")

    def __init__(self) -> None:
        self.imports: dict[str, None] = {}
        self.additions: list[Any] = []
        self.thread = threading.get_ident()
        self.done = threading.Event()


class Libraries:
    """Watches the imports of the code that runs in scopes."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}
        self._running = threading.local()
        self._lock = threading.Lock()
        self._watching = False

    def watch(self) -> None:
        """Watch all imports from now on. Code outside of all scopes sees no difference."""
        with self._lock:
            if not self._watching:
                self._watching = True
                builtins.__import__ = self._import
                importlib.import_module = self._import_module

    def _import(
        self,
        name: str,
        globals: Any = None,
        locals: Any = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        scope = current_scope.get()
        if scope is not None and not (level and not globals):
            absolute = _absolute(name, globals, level) if level else name
            if self._running.__dict__.get("stack") or not _has(scope, absolute, fromlist):
                self._watched(scope, absolute, lambda: _python_import(name, globals, locals, (), level))
                self._watch_submodules(scope, absolute, fromlist)
        return _python_import(name, globals, locals, fromlist or (), level)

    def _import_module(self, name: str, package: str | None = None) -> Any:
        scope = current_scope.get()
        if scope is None:
            return _python_import_module(name, package)
        absolute = importlib.util.resolve_name(name, package)
        self._watched(scope, absolute, lambda: _python_import_module(absolute))
        return _python_import_module(absolute)

    def _watch_submodules(self, scope: Scope, name: str, fromlist: Sequence[str] | None) -> None:
        """Import those modules of a package that ``from package import ...`` names."""
        for each in _submodules(name, fromlist):
            try:
                self._import_module(each)
            except ModuleNotFoundError as error:
                if error.name != each:
                    raise

    def _watched(self, scope: Scope, name: str, load: Callable[[], Any]) -> None:
        stack: list[Importing] = self._running.__dict__.setdefault("stack", [])
        if name not in sys.modules and (parent := name.rpartition(".")[0]) and parent not in scope.imported:
            self._import_module(parent)
        if (record := self._records.get(name)) and not record.done.is_set() and record.thread != threading.get_ident():
            load()
            record.done.wait(_PATIENCE)
        is_loaded = name in sys.modules
        if stack:
            stack[-1].record.imports[name] = None
        if is_loaded and name in scope.imported:
            return
        # What comes now is not that of the module which imports this one.
        if stack:
            stack[-1].note()
        try:
            if is_loaded:
                self._register_again(scope, name)
            else:
                self._run(scope, name, load, stack)
        finally:
            if stack:
                stack[-1].begin()

    def _run(self, scope: Scope, name: str, load: Callable[[], Any], stack: list[Importing]) -> None:
        """Import a module that is not loaded yet, and note what it registers."""
        scope.imported.add(name)
        if scope.package and (name == scope.package or name.startswith(f"{scope.package}.")):
            load()
            return
        importing = Importing(scope, Record())
        # Noted before the module runs: one that it imports may import it in turn.
        self._records[name] = importing.record
        stack.append(importing)
        try:
            load()
        except BaseException:
            # Another app may import it in the end, and then has something to give.
            scope.imported.discard(name)
            raise
        finally:
            stack.pop().note()
            importing.record.done.set()

    def _register_again(self, scope: Scope, name: str) -> None:
        """Register in a scope what a module, its packages and all that it imports have registered in another."""
        if name in scope.imported or name not in sys.modules:
            return
        scope.imported.add(name)
        if parent := name.rpartition(".")[0]:
            self._register_again(scope, parent)
        if record := self._records.get(name):
            for each in list(record.imports):
                self._register_again(scope, each)
            scope.add(record.additions)


class Importing:
    """An import that is under way, and what it adds by itself."""

    def __init__(self, scope: Scope, record: Record) -> None:
        self._scope = scope
        self.record = record
        self.begin()

    def begin(self) -> None:
        """Count what is added from now on."""
        self._count = self._scope.count()
        self._before = self._scope.snapshot()

    def note(self) -> None:
        """Note what was added until now."""
        if self._scope.count() != self._count:
            self.record.additions += self._scope.added_since(self._before)
            self.begin()


def _absolute(name: str, globals: Any, level: int) -> str:
    package = globals.get("__package__") or ""
    base = package.rsplit(".", level - 1)[0] if level > 1 else package
    return f"{base}.{name}" if name else base


def _has(scope: Scope, name: str, fromlist: Sequence[str] | None) -> bool:
    """Whether an import runs no code, and a scope has all that it would register."""
    return (
        name in scope.imported
        and name in sys.modules
        and all(each in scope.imported and each in sys.modules for each in _submodules(name, fromlist))
    )


def _submodules(name: str, fromlist: Sequence[str] | None) -> list[str]:
    """The modules that ``from name import ...`` may mean: loaded ones, and what is no other name of the package."""
    package = sys.modules.get(name)
    if not fromlist or not hasattr(package, "__path__"):
        return []
    names = getattr(package, "__all__", ()) if "*" in fromlist else fromlist
    full = {f"{name}.{each}": each for each in names}
    return [module for module, each in full.items() if module in sys.modules or not hasattr(package, each)]


#: One for the process, as imports are.
libraries = Libraries()
