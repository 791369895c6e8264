"""``flash check``: what cannot work, or may do harm, on a hub. No app is run for it."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..exceptions import ConfigurationError
from .build import signin_of
from .check_code import check_code
from .config import HubFile, read_file
from .discover import Skipped, discover
from .finding import CheckedApp, Finding
from .folders import SECRET_VARIABLE
from .signin.users import UserFile
from .source import NAMES, read_source
from .visitor import ADMIN

_EVERYWHERE = ("0.0.0.0", "::", "[::]", "")
_SECRET_KEY = re.compile(r"secret|password|token|api_?key|private", re.IGNORECASE)
_DASHS = ("DASH_APP_NAME", "DASH_URL_BASE_PATHNAME", "DASH_REQUESTS_PATHNAME_PREFIX", "DASH_ROUTES_PATHNAME_PREFIX")

#: What only an app in a process of its own can have.
PROCESS_ONLY = ("env", "memory", "python")

#: Seconds that an app's interpreter has to say whether it has Flash.
_PATIENCE = 30


def check_path(path: Path, environment: Mapping[str, str] = os.environ) -> list[Finding]:
    """Check a ``hub.toml`` with all that belongs to it.

    Returns:
        What was found: errors first, then warnings, then notes.

    Example:
        >>> for finding in check_path(Path("hub.toml")):
        ...     print(finding.level, finding.text)
    """
    try:
        file = read_file(path, environment)
    except ConfigurationError as error:
        return [Finding("error", None, str(error), "Mend the file.")]
    return check_file(file, environment)


def check_file(file: HubFile, environment: Mapping[str, str] = os.environ) -> list[Finding]:
    """Check a ``hub.toml`` that has been read. See :func:`check_path`."""
    findings: list[Finding] = []
    apps = _apps(file, findings)
    findings += _hub(file, environment)
    findings += _roles(apps, file)
    findings += _places(apps)
    for app in apps:
        findings += _target(app, file)
        findings += _surroundings(app, file)
    findings += check_code(apps)
    return sorted(findings, key=lambda each: ["error", "warning", "note"].index(each.level))


def _apps(file: HubFile, findings: list[Finding]) -> list[CheckedApp]:
    """All apps that are declared well; what is wrong with the others is added to the findings."""
    apps: list[CheckedApp] = []
    for number in range(len(file.config.app)):
        try:
            apps.append(CheckedApp(file.written(number), file.folder))
        except ConfigurationError as error:
            findings.append(Finding("error", None, str(error), "Mend what the file says about this app."))
    targets = {app.declaration.place for app in apps}
    for folder in file.config.discover:
        try:
            for found in discover(Path(folder)):
                if isinstance(found, Skipped):
                    findings.append(_skipped(found))
                elif found.place not in targets:
                    apps.append(CheckedApp(found, file.folder))
        except ConfigurationError as error:
            findings.append(Finding("error", None, str(error), "Make the folder, or take it out of discover."))
    if not apps:
        findings.append(Finding("warning", None, "There are no apps.", "Write [[app]] tables, or discover = [...]."))
    return apps


def _skipped(found: Skipped) -> Finding:
    if found.broken:
        return Finding("error", None, found.reason, "Mend the file; until then it is not served.")
    return Finding("note", None, found.reason, "Nothing, if it is none; a name that begins with _ is passed over.")


# The hub itself. ------------------------------------------------------------------------------------------------------


def _hub(file: HubFile, environment: Mapping[str, str]) -> Iterator[Finding]:
    config = file.config
    kind = (config.signin or {}).get("kind", "none")
    if kind == "none" and config.host in _EVERYWHERE:
        yield Finding(
            "warning",
            None,
            f"host = {config.host!r} listens on all networks, and everybody there may use every app.",
            'Write a [signin] table, kind = "password" for example; or host = "127.0.0.1", behind a proxy.',
        )
    try:
        signin_of(file)
    except ConfigurationError as error:
        yield Finding("error", None, str(error), "Mend the [signin] table.")
    yield from _secrets(file, environment, kind)
    for name in _DASHS:
        if environment.get(name):
            yield Finding(
                "warning",
                None,
                f"The environment has {name}={environment[name]!r}, by which Dash changes the prefix of every app.",
                f"Take {name} out of the environment: a hub gives each app its prefix.",
            )


def _roles(apps: Sequence[CheckedApp], file: HubFile) -> Iterator[Finding]:
    """Roles and users that nobody has, when a file says who there is."""
    users = (file.config.signin or {}).get("users")
    if not isinstance(users, str):
        return
    try:
        known = UserFile(users).read()
    except ConfigurationError as error:
        yield Finding("error", None, str(error), "Until then nobody can sign in.")
        return
    roles = {ADMIN, *(role for user in known.values() for role in user.roles)}
    for app in apps:
        access = (app.spec.access,) if isinstance(app.spec.access, str) else app.spec.access
        named = {*access, *app.spec.managers} - {"public", "signed-in"}
        unknown = sorted(named - roles - {f"user:{name}" for name in known})
        if unknown:
            yield Finding(
                "warning",
                app.name,
                f"Nobody in {users} has {', '.join(map(repr, unknown))}, which access or managers name.",
                "Mend the name, or give somebody the role: flash user --help.",
            )


def _secrets(file: HubFile, environment: Mapping[str, str], kind: str) -> Iterator[Finding]:
    given = environment.get(SECRET_VARIABLE)
    if given is not None and len(given) < 16:
        yield Finding("error", None, f"{SECRET_VARIABLE} is too short.", "Take 32 random characters or more.")
    elif given is None and kind != "none":
        yield Finding(
            "note",
            None,
            f"{SECRET_VARIABLE} is not set: the hub makes a secret once and keeps it in {file.config.home}.",
            "Nothing, if that folder outlives a restart; otherwise set the variable.",
        )
    for key, value in _strings(file.raw, ""):
        if _SECRET_KEY.search(key) and re.sub(r"\$\{\w+\}", "", value) == value and value:
            yield Finding(
                "warning",
                None,
                f"{file.path}: {key} is written out, and so is known to all who may read the file.",
                f'Take it from the environment: "${{{re.sub(r"[^A-Z]+", "_", key.rpartition(".")[2].upper())}}}".',
            )


def _strings(value: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _strings(each, f"{key}.{name}" if key else name)
    elif isinstance(value, list):
        for number, each in enumerate(value, 1):
            yield from _strings(each, f"{key}[{number}]")
    elif isinstance(value, str):
        yield key, value


# Names and prefixes. --------------------------------------------------------------------------------------------------


def _places(apps: Sequence[CheckedApp]) -> Iterator[Finding]:
    for number, app in enumerate(apps):
        for other in apps[:number]:
            yield from _pair(other, app)


def _pair(one: CheckedApp, other: CheckedApp) -> Iterator[Finding]:
    where = f"{one.declaration.where} and {other.declaration.where}"
    if one.name == other.name:
        yield Finding("error", one.name, f"Two apps are called {one.name!r}: {where}.", "Give one another name.")
    if one.spec.prefix == other.spec.prefix:
        yield Finding(
            "error", one.name, f"Two apps have the prefix {one.spec.path!r}: {where}.", "Give one another prefix."
        )
        return
    outer, inner = sorted((one, other), key=lambda each: len(each.spec.prefix))
    if outer.spec.prefix and inner.spec.prefix.startswith(outer.spec.path):
        yield Finding(
            "note",
            inner.name,
            f"{inner.spec.path!r} lies below {outer.spec.path!r}: {inner.name!r} answers there, and also gets the "
            f"cookies of {outer.name!r}.",
            "Nothing, if that is meant; otherwise choose a prefix beside it.",
        )


# What an app is, and where it runs. -----------------------------------------------------------------------------------


def _target(app: CheckedApp, file: HubFile) -> Iterator[Finding]:
    target = app.declaration.target
    if isinstance(target, tuple):
        yield from _command(app, target)
    elif app.file is not None:
        yield from _attribute(app, app.file)
    elif app.declaration.file is not None or os.path.isabs(target):
        if not Path(target).is_dir():
            yield _missing(app, f"There is no {target}.")
        elif not Path(target, "index.html").is_file():
            yield Finding("warning", app.name, f"{target} has no index.html.", "Add one: it is the app's first page.")
    elif app.spec.python is None and not _is_installed(target.partition(":")[0]):
        yield _missing(app, f"There is no module {target.partition(':')[0]!r}, neither in {file.folder} nor installed.")


def _missing(app: CheckedApp, text: str) -> Finding:
    return Finding("error", app.name, f"{app.declaration.where}: {text}", "Mend target, or take the app out.")


def _is_installed(module: str) -> bool:
    # Its package alone: to look further, Python would run it.
    try:
        return importlib.util.find_spec(module.partition(".")[0]) is not None
    except (ImportError, ValueError):
        return False


def _attribute(app: CheckedApp, path: Path) -> Iterator[Finding]:
    try:
        source = read_source(path)
    except ConfigurationError as error:
        yield Finding("error", app.name, str(error), "Mend the file.")
        return
    names = _top_names(source.tree)
    if app.attribute is not None and names is not None and app.attribute not in names:
        yield Finding(
            "error",
            app.name,
            f"{path} has no {app.attribute!r}.",
            "Name what it has: an app, or a function that makes one.",
        )
    elif app.attribute is None and not source.is_app and names is not None and not names & set(NAMES):
        yield Finding(
            "error",
            app.name,
            f"{path} has no app: none of {', '.join(NAMES)}, and it runs none.",
            "Name it in target: file.py:name.",
        )


def _top_names(tree: ast.Module) -> set[str] | None:
    """The names that a module has after its import; None when only running it can tell."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.alias):
            names.add((node.asname or node.name).partition(".")[0])
    return None if "*" in names or "__getattr__" in names else names


def _command(app: CheckedApp, words: tuple[str, ...]) -> Iterator[Finding]:
    program = words[0]
    folder = Path(app.spec.cwd or ".")
    if not (shutil.which(program) or ((os.sep in program) and shutil.which(str(folder / program)))):
        yield _missing(app, f"There is no command {program!r}.")
    if not any("{port}" in word for word in words):
        yield Finding(
            "note",
            app.name,
            "The command gets its port by the environment variable PORT alone.",
            "If it does not read that, write {port} into the command.",
        )


def _surroundings(app: CheckedApp, file: HubFile) -> Iterator[Finding]:
    spec = app.spec
    if spec.cwd is not None and not Path(spec.cwd).is_dir():
        yield Finding("error", app.name, f"There is no folder {spec.cwd}, its cwd.", "Make it, or mend cwd.")
    if spec.picture is not None and not Path(spec.picture).is_file():
        yield Finding("warning", app.name, f"There is no picture {spec.picture}.", "Mend picture, or leave it out.")
    if spec.python is not None:
        yield from _python(app, spec.python)
    if app.inline:
        for name in PROCESS_ONLY:
            if app.declaration.options.get(name):
                yield Finding(
                    "error",
                    app.name,
                    f"It runs in the hub's process, which has one {name} for all.",
                    f'Leave out {name}, or write isolation = "process".',
                )
    if (file.config.signin or {}).get("kind", "none") == "none" and (
        spec.managers or spec.access not in ("public", "signed-in")
    ):
        yield Finding(
            "error",
            app.name,
            "It is for certain roles or users, and this hub knows nobody.",
            'Write a [signin] table, for example kind = "password".',
        )
    for name in _DASHS:
        # A command is told its place by whatever it reads itself.
        if name in spec.env and not isinstance(app.declaration.target, tuple):
            yield Finding("warning", app.name, f"Its env has {name}.", "Take it out: the hub gives the app its prefix.")


def _python(app: CheckedApp, python: str) -> Iterator[Finding]:
    if shutil.which(python) is None:
        yield Finding("error", app.name, f"There is no interpreter {python!r}.", "Mend python, or leave it out.")
        return
    code = "import importlib.util, sys; sys.exit(0 if importlib.util.find_spec('flash') else 1)"
    try:
        # Where nothing of the hub's own lies in the way.
        found = subprocess.run([python, "-c", code], timeout=_PATIENCE, cwd=Path(sys.executable).parent, check=False)
        has_flash = found.returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        has_flash = False
    if not has_flash and not isinstance(app.declaration.target, tuple):
        yield Finding(
            "error",
            app.name,
            f"The interpreter {python!r} has no flash, by which the hub runs the app in it.",
            f"{python} -m pip install 'dash-flash[hub]'",
        )
