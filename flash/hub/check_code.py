"""What the code of several apps of one origin, or of one process, gets in each other's way with."""

from __future__ import annotations

import ast
import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

from .finding import CheckedApp, Finding
from .source import called, imported_modules, makes_app
from .visitor import cookie_name

_REQUESTS = "requests_pathname_prefix"
_PREFIXES = {"url_base_pathname", _REQUESTS, "routes_pathname_prefix"}
_SECRETS = {"secret_key", "SECRET_KEY"}


def check_code(apps: Sequence[CheckedApp]) -> Iterator[Finding]:
    """Look through the code of all apps, without running it."""
    yield from _stored_ids(apps)
    yield from _module_names(apps)
    yield from _shared_twice(apps)
    for app in apps:
        yield from _shadowing(app)
        for path, tree in app.files.items():
            for node in ast.walk(tree):
                yield from _arguments(app, path, node)
                yield from _literal_secret(app, path, node)


# Ids in the browser's storage. ----------------------------------------------------------------------------------------


def _stored_ids(apps: Sequence[CheckedApp]) -> Iterator[Finding]:
    users: dict[tuple[str, str], list[tuple[CheckedApp, str]]] = defaultdict(list)
    for app in apps:
        found = {
            (storage, key): f"{path.name}, line {node.lineno}"
            for path, tree in app.files.items()
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            for storage, key in [_stored(node) or ("", "")]
            if storage
        }
        for stored, place in found.items():
            users[stored].append((app, place))
    for (storage, key), places in users.items():
        if len({app.name for app, _ in places}) > 1:
            all_places = ", ".join(f"{app.name} ({place})" for app, place in places)
            yield Finding(
                "warning",
                places[0][0].name,
                f"The id {key} keeps its value in the browser's {storage} storage in several apps, which share it, "
                f"since they have one origin: {all_places}.",
                "Give the component another id in each app, its name in front for example.",
            )


def _stored(call: ast.Call) -> tuple[str, str] | None:
    """The kind of storage and the id of a component that keeps something in the browser."""
    arguments = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    name = called(call).rpartition(".")[2]
    if name == "Store":
        storage = _constant(arguments.get("storage_type"))
        identity = arguments.get("id") or (call.args[0] if call.args else None)
    elif _constant(arguments.get("persistence")):
        storage = _constant(arguments.get("persistence_type")) or "local"
        identity = arguments.get("id")
    else:
        return None
    key = _key(identity)
    return (storage, key) if storage in ("local", "session") and key else None


def _constant(node: ast.expr | None) -> Any:
    return node.value if isinstance(node, ast.Constant) else None


def _key(node: ast.expr | None) -> str | None:
    """An id as Dash writes it; None when it is computed."""
    try:
        value = None if node is None else ast.literal_eval(node)
    except ValueError:
        return None
    return json.dumps(value, sort_keys=True) if isinstance(value, (str, dict)) else None


# Names of modules. ----------------------------------------------------------------------------------------------------


def _module_names(apps: Sequence[CheckedApp]) -> Iterator[Finding]:
    """Two apps in the hub's process that import different files by the same name."""
    owners: dict[str, dict[Path, str]] = defaultdict(dict)
    for app in apps:
        for name, path in _local_modules(app) if app.inline else ():
            owners[name].setdefault(path, app.name)
    for name, places in owners.items():
        if len(places) > 1:
            yield Finding(
                "note",
                next(iter(places.values())),
                f"{', '.join(sorted(places.values()))} run in the hub's process, and each has a module {name!r} of its "
                f"own: {', '.join(map(str, places))}. The hub keeps them apart, under other names.",
                "Nothing, unless they are named in pickles or to other processes: then rename one, or write "
                'isolation = "process".',
            )


def _local_modules(app: CheckedApp) -> Iterator[tuple[str, Path]]:
    """What an app imports from the folder of its file, by the name under which Python keeps it."""
    if app.file is None:
        return
    folder = app.file.parent
    for name in sorted({name for tree in app.files.values() for name in imported_modules(tree)}):
        for path in (folder / f"{name}.py", folder / name / "__init__.py"):
            if path.is_file():
                yield name, path


def _shadowing(app: CheckedApp) -> Iterator[Finding]:
    if app.file is None:
        return
    for path in sorted({*app.file.parent.glob("*.py"), *app.file.parent.glob("*/__init__.py")}):
        name = path.parent.name if path.name == "__init__.py" and path.parent != app.file.parent else path.stem
        if name.startswith("_") or not (name in sys.stdlib_module_names or name in _installed()):
            continue
        if path not in app.files and not any(name in imported_modules(tree) for tree in app.files.values()):
            continue
        yield Finding(
            "warning",
            app.name,
            f"{path} has the name of a module that is installed, and takes its place for all that this app imports.",
            "Rename it.",
        )


@cache
def _installed() -> frozenset[str]:
    return frozenset(packages_distributions())


# What single apps do. -------------------------------------------------------------------------------------------------


def _arguments(app: CheckedApp, path: Path, node: ast.AST) -> Iterator[Finding]:
    if not isinstance(node, ast.Call):
        return
    where = f"{path}, line {node.lineno}"
    given = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
    if makes_app(node):
        for name in sorted(_PREFIXES & set(given)):
            if _shares_server(node, given) and name != _REQUESTS and _constant(given[name]) != app.spec.path:
                continue  # On a server that there is already, it keeps its place.
            yield Finding(
                "note",
                app.name,
                f"{where}: {name} does not count on a hub, which serves the app at {app.spec.path}.",
                "Leave it out; or keep it for when the app runs alone.",
            )
    name = called(node).rpartition(".")[2]
    if name == "run" and _constant(given.get("debug")) is True:
        yield Finding(
            "note",
            app.name,
            f"{where}: run(debug=True) has no effect on a hub, which serves the app itself.",
            "Nothing. To restart apps when their code changes, start the hub by flash hub --reload.",
        )
    if name == "enable_dev_tools" and _constant(given.get("debug")) is not False:
        yield Finding(
            "warning",
            app.name,
            f"{where}: enable_dev_tools() shows tracebacks to everyone who may use the app.",
            "Call it where the app runs alone only: below if __name__ == '__main__'.",
        )
    if "SESSION_COOKIE_NAME" in given:
        yield from _cookie(app, where, given["SESSION_COOKIE_NAME"])


def _shares_server(call: ast.Call, given: Mapping[str, ast.expr]) -> bool:
    """Whether a Dash app is put on a server that there is already: its second argument."""
    server = given.get("server") or next(iter(call.args[1:2]), None)
    return server is not None and not (isinstance(server, ast.Constant) and server.value in (None, True))


def _literal_secret(app: CheckedApp, path: Path, node: ast.AST) -> Iterator[Finding]:
    for name, value in _settings(node):
        if name in _SECRETS and isinstance(_constant(value), (str, bytes)):
            yield Finding(
                "warning",
                app.name,
                f"{path}, line {value.lineno}: {name} is written in the code, where everyone who reads it can forge "
                "the app's sessions.",
                "Take it from the environment: os.environ['SECRET_KEY'], and set it there or in env of hub.toml.",
            )
        if name == "SESSION_COOKIE_NAME":
            yield from _cookie(app, f"{path}, line {value.lineno}", value)


def _settings(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """What is set: ``app.secret_key = x``, ``app.config["NAME"] = x``, ``NAME = x``, ``app.config.update(NAME=x)``."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Attribute):
                yield target.attr, node.value
            elif isinstance(target, ast.Name):
                yield target.id, node.value
            elif isinstance(target, ast.Subscript) and isinstance(name := _constant(target.slice), str):
                yield name, node.value
    elif isinstance(node, ast.Call) and called(node).rpartition(".")[2] in ("update", "from_mapping", "dict"):
        yield from ((keyword.arg, keyword.value) for keyword in node.keywords if keyword.arg in _SECRETS)


def _cookie(app: CheckedApp, where: str, value: ast.expr) -> Iterator[Finding]:
    if _constant(value) in {cookie_name("http"), cookie_name("https")}:
        yield Finding(
            "error",
            app.name,
            f"{where}: the hub's own cookie has this name, and no app can set it.",
            "Give the app's cookie another name.",
        )


def _shared_twice(apps: Sequence[CheckedApp]) -> Iterator[Finding]:
    users: dict[Path, list[CheckedApp]] = defaultdict(list)
    for app in apps:
        if app.file and any(
            isinstance(node, ast.Attribute | ast.Name)
            and (node.attr if isinstance(node, ast.Attribute) else node.id) == "callback_shared"
            for tree in app.files.values()
            for node in ast.walk(tree)
        ):
            users[app.file].append(app)
    for file, several in users.items():
        if len(several) > 1:
            yield Finding(
                "note",
                several[0].name,
                f"{file} has shared callbacks and is served as {', '.join(app.name for app in several)}: each of them "
                "has a shared state of its own.",
                "Nothing, if that is meant; otherwise serve it once.",
            )
