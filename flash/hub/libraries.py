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


class Record:
    """What happened while a module was imported for the first time.

    Attributes:
        imports: The modules that it imported, in their order.
        additions: What it registered.
    """

    __slots__ = ("additions", "imports")

    def __init__(self) -> None:
        self.imports: dict[str, None] = {}
        self.additions: list[Any] = []


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
        if scope is None or (level and not globals):
            return _python_import(name, globals, locals, fromlist or (), level)
        absolute = _absolute(name, globals, level) if level else name
        if absolute in scope.imported and not self._running.__dict__.get("stack") and _is_loaded(absolute, fromlist):
            return _python_import(name, globals, locals, fromlist or (), level)
        return self._watched(
            scope, absolute, fromlist, lambda: _python_import(name, globals, locals, fromlist or (), level)
        )

    def _import_module(self, name: str, package: str | None = None) -> Any:
        scope = current_scope.get()
        if scope is None:
            return _python_import_module(name, package)
        absolute = importlib.util.resolve_name(name, package)
        return self._watched(scope, absolute, (), lambda: _python_import_module(absolute))

    def _watched(self, scope: Scope, name: str, fromlist: Sequence[str] | None, load: Callable[[], Any]) -> Any:
        stack: list[Importing] = self._running.__dict__.setdefault("stack", [])
        is_loaded = _is_loaded(name, fromlist)
        if is_loaded and not stack and name in scope.imported:
            return load()
        if not is_loaded and (parent := name.rpartition(".")[0]) and parent not in sys.modules:
            self._import_module(parent)
        if stack:
            stack[-1].record.imports[name] = None
        if is_loaded:
            self._register_again(scope, name)
            return load()
        scope.imported.add(name)
        if scope.package and (name == scope.package or name.startswith(f"{scope.package}.")):
            return load()
        if stack:
            stack[-1].note()
        importing = Importing(scope, self._records.setdefault(name, Record()))
        stack.append(importing)
        try:
            return load()
        finally:
            stack.pop().note()
            if stack:
                stack[-1].begin()

    def _register_again(self, scope: Scope, name: str) -> None:
        """Register in a scope what a module, its packages and all that it imports have registered in another."""
        if name in scope.imported:
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


def _is_loaded(name: str, fromlist: Sequence[str] | None) -> bool:
    """Whether an import runs no code of a module."""
    module = sys.modules.get(name)
    return module is not None and all(each == "*" or hasattr(module, each) for each in fromlist or ())


#: One for the process, as imports are.
libraries = Libraries()
