"""The second seam: what Dash keeps once per process, kept once per hosted app instead.

Dash was written for one app in a process. Callbacks and pages that are declared without an app, hooks, component
libraries, background functions, the React version and more stand in containers of its modules, which all apps share.
A :class:`Scope` holds an app's own set of them. :func:`install` puts a proxy in the place of each container, wherever
a loaded module holds it: the proxy leads to the container of :data:`current_scope`, and to Dash's own one where no
scope is set, so that plain apps in the same process see no difference.

Two kinds of places are assigned rather than filled: the settings of the newest app (``CONFIG``), and the newest app
itself (``APP``). There the modules get a class whose assignments ask for the scope first.

``tests/contract`` holds every name that is used here.
"""

from __future__ import annotations

import copy
import hashlib
import importlib
import importlib.util
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import ModuleType, SimpleNamespace
from typing import Any, TypeVar, cast

from dash import _callback, _callback_context, _dash_renderer, _get_app, _get_paths, _hooks, _pages, dcc
from dash._utils import AttributeDict
from dash.background_callback.managers import BaseBackgroundCallbackManager
from dash.development.base_component import ComponentRegistry
from werkzeug.local import LocalProxy

try:
    _stream_hub: Any = importlib.import_module("dash._stream_hub")
except ImportError:  # Dash 4.4, which has no streams of its own.
    _stream_hub = None

__all__ = ["Scope", "current_scope", "install", "managers_of_all", "per_app", "unclaimed"]

T = TypeVar("T")

#: The app whose code runs; None outside of all hosted apps.
current_scope: ContextVar[Scope | None] = ContextVar("flash_current_scope", default=None)


class Container:
    """Something that is kept once per process, and once more for each scope.

    Args:
        shared: What code outside of all scopes sees.
        begin: Makes what a new scope begins with, from the shared one.
        from_imports: Whether modules add to it when they are imported.
    """

    def __init__(self, shared: Any, begin: Callable[[Any], Any], from_imports: bool = False) -> None:
        self.shared = shared
        self.begin = begin
        self.from_imports = from_imports
        self.proxy: Any = LocalProxy(self.current)

    def current(self) -> Any:
        """The one of the code that runs."""
        scope = current_scope.get()
        return self.shared if scope is None else scope.of(self)


_containers: list[Container] = []


def per_app(shared: T, begin: Callable[[T], T] | None = None) -> T:
    """Something of Flash's own that is kept once per process, and once more for each hosted app.

    Args:
        shared: What code outside of all hosted apps sees.
        begin: Makes what an app begins with, from the shared one. Without it, an empty one of the same type.

    Returns:
        A stand-in that can be used like it.
    """
    container = Container(shared, begin or _empty)
    _containers.append(container)
    return cast(T, container.proxy)


class Scope:
    """What one hosted app declares and registers.

    Args:
        name: What the app is called; scopes that use one cache tell their jobs apart by it.
        app: An app that was made before its scope.

    Attributes:
        app: The Dash or Flash app that was made last.
        config: The settings of that app.
        package: The package that holds the app's own modules; pages are registered without it.
        page_spec: Makes the specification of a page's module from its name and file, in place of Python's.
        imported: The modules whose registrations the scope has.
        handler: Where what is logged in the scope is written besides.

    Example:
        >>> with Scope("sales").entered():
        ...     app = create_app()
    """

    def __init__(self, name: str, app: Any = None) -> None:
        self.name = name
        self.app = app
        self.config: Any = AttributeDict() if app is None else app.config
        self.package: str | None = None
        self.page_spec: Callable[[str, str], Any] | None = None
        self.imported: set[str] = set()
        self.handler: Any = None
        self._contents = {container: container.begin(container.shared) for container in _containers}

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Let the block, and what it starts with its context, run within the scope."""
        tokens = current_scope.set(self), _get_app.app_context.set(self.app)
        # Dash sets it in the context that imports it, which is not that of a server in a thread.
        no_callback = _callback_context.context_value.set({})
        try:
            yield
        finally:
            _callback_context.context_value.reset(no_callback)
            current_scope.reset(tokens[0])
            _get_app.app_context.reset(tokens[1])

    def of(self, container: Container) -> Any:
        """The scope's own one of what is kept per process."""
        try:
            return self._contents[container]
        except KeyError:
            return self._contents.setdefault(container, container.begin(container.shared))

    @property
    def managers(self) -> list[Any]:
        """The managers of background callbacks that the app has made."""
        with self.entered():
            return list(BaseBackgroundCallbackManager.managers)

    def count(self) -> int:
        """How much is registered. Grows with whatever a module adds when it is imported."""
        return sum(_size(self.of(container)) for container in _imported_containers())

    def snapshot(self) -> dict[Container, Any]:
        """What is registered now."""
        return {container: _copied(self.of(container)) for container in _imported_containers()}

    def added_since(self, before: dict[Container, Any]) -> list[tuple[Container, Any]]:
        """What has been registered since a snapshot, to be given to :meth:`add`."""
        changes = [(container, _added(before[container], self.of(container))) for container in before]
        return [(container, added) for container, added in changes if added]

    def add(self, additions: list[tuple[Container, Any]]) -> None:
        """Register again what a module has registered in another scope."""
        for container, added in additions:
            _add(self.of(container), added)

    def end_streams(self) -> None:
        """End the streams of the app's callbacks that Dash itself runs."""
        if _stream_hub is not None:
            with self.entered():
                _stream_hub.shutdown_active_streams()

    def close(self) -> None:
        """Let go of all that was registered."""
        self._contents.clear()
        self.app = None
        self.config = AttributeDict()
        self.page_spec = None


def unclaimed() -> list[str]:
    """What was declared outside of all scopes and belongs to no app yet, in words: nobody can say whose it is."""
    kinds = {
        "callbacks": _shared(_callback.GLOBAL_CALLBACK_LIST) or _shared(_callback.GLOBAL_CALLBACK_MAP),
        "inline scripts": _shared(_callback.GLOBAL_INLINE_SCRIPTS),
        "pages": _shared(_pages.PAGE_REGISTRY),
    }
    return [kind for kind, found in kinds.items() if found]


def managers_of_all() -> list[Any]:
    """The managers of background callbacks that were made outside of all scopes: of apps handed over as objects."""
    return list(_shared(BaseBackgroundCallbackManager.managers))


def _shared(content: Any) -> Any:
    container = next((each for each in _containers if each.proxy is content), None)
    return content if container is None else container.shared


# Containers ----------------------------------------------------------------------------------------------------------


def _imported_containers() -> list[Container]:
    return [container for container in _containers if container.from_imports]


def _empty(shared: Any) -> Any:
    return defaultdict(shared.default_factory) if isinstance(shared, defaultdict) else type(shared)()


def _copied(shared: Any) -> Any:
    """A copy whose lists are copies too: hooks are a table of lists."""
    if isinstance(shared, dict):
        return {key: list(value) if isinstance(value, list) else value for key, value in shared.items()}
    copied = _empty(shared)
    _add(copied, shared)
    return copied


def _without_plotly(shared: Any) -> Any:
    """Every ``Dash()`` adds an entry of its own for plotly.js."""
    return [each for each in shared if each.get("namespace") != "plotly"]


def _size(content: Any) -> int:
    if isinstance(content, dict):
        return sum(len(value) if isinstance(value, list) else 1 for value in content.values())
    return len(content)


def _added(before: Any, now: Any) -> Any:
    if isinstance(now, dict):
        lists = {key: _added(before.get(key, []), value) for key, value in now.items() if isinstance(value, list)}
        others = {key: copy.copy(value) for key, value in now.items() if key not in lists and key not in before}
        return {**{key: value for key, value in lists.items() if value}, **others}
    known = {id(each) for each in before} if isinstance(now, list) else set(before)
    return [each for each in now if (id(each) if isinstance(now, list) else each) not in known]


def _add(content: Any, added: Any) -> None:
    if isinstance(content, dict):
        for key, value in added.items():
            if isinstance(value, list):
                content[key] = sorted([*content.get(key, []), *value], key=_priority, reverse=True)
            else:
                content[key] = copy.copy(value)
    elif isinstance(content, list):
        content.extend(dict(each) if isinstance(each, dict) else each for each in added)
    else:
        for each in added:
            content.add(each)


def _priority(hook: Any) -> int:
    return int(getattr(hook, "priority", 0))


# Replacements in Dash's modules --------------------------------------------------------------------------------------

_process_name: str | None = None
_install_lock = threading.Lock()
_installed = False
_dash_register_page = _pages.register_page
_dash_cache_key = BaseBackgroundCallbackManager.build_cache_key


def install() -> None:
    """Put the proxies into Dash's modules, once, before the first scope is made.

    Hooks that libraries bring by entry points are loaded first, so that every app has them.
    """
    global _installed
    with _install_lock:
        if _installed:
            return
        _installed = True
        _hooks.HooksManager.register_setuptools()  # type: ignore[no-untyped-call]
        replaced: dict[int, Any] = {}
        for holder, name, begin, from_imports in _places():
            container = Container(getattr(holder, name), begin, from_imports)
            _containers.append(container)
            replaced[id(container.shared)] = container.proxy
            setattr(holder, name, container.proxy)
        replaced[id(_dash_register_page)] = _register_page
        _replace_in_modules(replaced)
        _watch_assignments()
        BaseBackgroundCallbackManager.build_cache_key = _cache_key  # type: ignore[method-assign]
        util = SimpleNamespace(spec_from_file_location=_page_spec, module_from_spec=importlib.util.module_from_spec)
        setattr(_pages, "importlib", SimpleNamespace(util=util))  # noqa: B010


def _places() -> Iterator[tuple[Any, str, Callable[[Any], Any], bool]]:
    """Each container: who holds it, under which name, what a scope begins with, whether imports add to it."""
    yield _callback, "GLOBAL_CALLBACK_LIST", _empty, True
    yield _callback, "GLOBAL_CALLBACK_MAP", _empty, True
    yield _callback, "GLOBAL_INLINE_SCRIPTS", _empty, True
    yield _callback, "GLOBAL_API_PATHS", _empty, True
    yield _pages, "PAGE_REGISTRY", _empty, False
    for name in ("_ns", "_finals", "_js_dist", "_css_dist", "_clientside_callbacks"):
        yield _hooks.hooks, name, _copied, True
    yield ComponentRegistry, "registry", _loaded_packages, True
    yield BaseBackgroundCallbackManager, "managers", _empty, False
    yield BaseBackgroundCallbackManager, "functions", _empty, False
    yield _dash_renderer, "_js_dist_dependencies", _copied, False
    yield dcc, "_js_dist", _without_plotly, False
    if _stream_hub is not None:
        yield _stream_hub, "_streaming_shutdown", _empty, False
        yield _stream_hub, "_active_subscriptions", _empty, False
        yield _stream_hub, "_pending_pumps", _empty, False
    try:
        from dash.mcp import _configure, _decorator
        from dash.mcp.primitives import tools
    except ImportError:  # Its own dependencies are not installed: no app can use it.
        return
    yield _decorator, "MCP_DECORATED_FUNCTIONS", _copied, True
    yield _configure, "_current_config", _copied, False
    yield _configure, "MCP_RESOURCE_PROVIDERS", _copied, False
    yield tools, "_TOOL_PROVIDERS", _copied, False


def _loaded_packages(shared: Any) -> Any:
    packages = _copied(shared)
    for name in [each for each in shared if each not in sys.modules]:
        packages.discard(name)
    return packages


def _replace_in_modules(replaced: dict[int, Any]) -> None:
    """Exchange objects wherever a loaded module has them under a name."""
    for module in list(sys.modules.values()):
        names = getattr(module, "__dict__", None)
        if module is sys.modules[__name__] or not isinstance(names, dict):
            continue
        for name, value in list(names.items()):
            if id(value) in replaced:
                names[name] = replaced[id(value)]


def _register_page(module: Any, *args: Any, **kwargs: Any) -> None:
    """Dash's ``register_page``; an app's own module counts under the name that it has where the app runs alone."""
    scope = current_scope.get()
    if scope is not None and scope.package is not None and isinstance(module, str):
        module = module.removeprefix(f"{scope.package}.")
    _dash_register_page(module, *args, **kwargs)  # type: ignore[no-untyped-call]


def name_process(name: str) -> None:
    """Tell the background jobs of a process that serves one app from those of others that use the same cache.

    Args:
        name: The app's name on its hub.
    """
    global _process_name
    _process_name = name
    BaseBackgroundCallbackManager.build_cache_key = _cache_key  # type: ignore[method-assign]


def _cache_key(self: Any, *args: Any, **kwargs: Any) -> str:
    """Dash's key of a background job; two apps of the same source, with one cache, have different ones."""
    key: str = _dash_cache_key(self, *args, **kwargs)  # type: ignore[no-untyped-call]
    scope = current_scope.get()
    name = _process_name if scope is None else scope.name
    return key if name is None else hashlib.sha256(f"{name} {key}".encode()).hexdigest()


def _page_spec(name: str, path: str) -> Any:
    scope = current_scope.get()
    make = scope.page_spec if scope is not None and scope.page_spec else importlib.util.spec_from_file_location
    return make(name, path)


_shared_config = SimpleNamespace(value=AttributeDict())


def _current_config() -> Any:
    scope = current_scope.get()
    return _shared_config.value if scope is None else scope.config


class _WatchedModule(ModuleType):
    """A module of Dash's whose ``CONFIG`` or ``APP`` is that of the current scope, whoever assigns it."""

    def __setattr__(self, name: str, value: Any) -> None:
        scope = current_scope.get()
        if name == "CONFIG":
            if scope is None:
                _shared_config.value = value
            else:
                scope.config = value
        elif name == "APP" and scope is not None:
            scope.app = value
            _get_app.app_context.set(value)
        else:
            super().__setattr__(name, value)


def _watch_assignments() -> None:
    _shared_config.value = _get_paths.CONFIG
    for module in (_get_paths, _pages):
        module.CONFIG = LocalProxy(_current_config)  # type: ignore[attr-defined]
    for module in (_get_app, _get_paths, _pages):
        module.__class__ = _WatchedModule
