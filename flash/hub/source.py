"""What an app's file says about itself, read without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from ..exceptions import ConfigurationError

#: The classes whose objects are apps.
CLASSES = frozenset({"Dash", "DashProxy", "FastAPI", "Flash", "Flask", "Litestar", "Quart", "Starlette"})

#: The names under which an app, or a function that makes one, is looked for.
NAMES = ("app", "application", "server", "create_app", "make_app")

#: What a module's dictionary about itself is called.
DICTIONARY = "hub"

_SERVERS = frozenset({"uvicorn.run", "waitress.serve", "hypercorn.run", "werkzeug.serving.run_simple"})
_LONGEST_TITLE = 80
_MOST_HTML = 1 << 16

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Source:
    """What a Python file says.

    Attributes:
        tree: Its syntax tree.
        is_app: Whether it holds an app.
        own: What it says about itself, as fields of :class:`flash.hub.spec.Spec` and ``prefix``.
    """

    tree: ast.Module
    is_app: bool
    own: dict[str, Any] = field(default_factory=dict)


def read_source(path: Path) -> Source:
    """Read a Python file.

    It holds an app when it has a module-level ``hub = {...}``, one of the names ``app``, ``application``, ``server``,
    ``create_app`` and ``make_app``, makes an app on its way, or runs one. The dictionary says what the hub is to know;
    without it the docstring does: its first line is the title, the rest the description.

    Raises:
        ConfigurationError: It is no Python, or its dictionary is not written out.

    Example:
        >>> read_source(Path("apps/sales.py")).own
        {'title': 'Sales', 'description': 'By region and month.'}
    """
    try:
        tree = ast.parse(path.read_bytes(), str(path))
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise ConfigurationError(f"{path}{line} is no Python: {error.args[0]}.") from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from None
    dictionary = _dictionary(tree, path)
    is_app = dictionary is not None or _has_app(tree)
    return Source(tree, is_app, {**_from_code(tree), **(dictionary or {})} if is_app else {})


def module_level(tree: ast.AST) -> Iterator[ast.AST]:
    """All that runs when a module is imported or run: without what stands in functions and classes."""
    for node in ast.iter_child_nodes(tree):
        yield node
        if not isinstance(node, Function | ast.ClassDef | ast.Lambda):
            yield from module_level(node)


def called(node: ast.AST) -> str:
    """The dotted name of what a call calls: ``"dcc.Store"``; empty when it is no such call."""
    parts: list[str] = []
    name = node.func if isinstance(node, ast.Call) else None
    while isinstance(name, ast.Attribute):
        parts.append(name.attr)
        name = name.value
    return ".".join([name.id, *reversed(parts)]) if isinstance(name, ast.Name) else ""


def imported_modules(tree: ast.Module) -> set[str]:
    """The first parts of the names of all modules that a file imports from anywhere, but for its own package's."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(each.name.partition(".")[0] for each in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            found.add(node.module.partition(".")[0])
    return found


def makes_app(node: ast.AST) -> bool:
    """Whether a node makes an app: ``Dash(...)``, ``dash.Dash(...)``."""
    return called(node).rpartition(".")[2] in CLASSES


# Whether a file holds an app. -----------------------------------------------------------------------------------------


def _has_app(tree: ast.Module) -> bool:
    here = list(module_level(tree))
    if any(name in NAMES for node in here for name in _names_bound(node)) or any(map(makes_app, here)):
        return True
    if any(called(node) in _SERVERS for node in here):
        return True
    # A script whose app is made in a function that it calls at its end.
    return any(map(makes_app, ast.walk(tree))) and _calls_own_function(tree, here)


def _names_bound(node: ast.AST) -> Iterator[str]:
    """The names that a statement gives to something of this module: imports do not count."""
    if isinstance(node, Function):
        yield node.name
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id


def _calls_own_function(tree: ast.Module, here: list[ast.AST]) -> bool:
    functions = {node.name for node in tree.body if isinstance(node, Function)}
    return any(called(node) in functions for node in here)


# What it says about itself. -------------------------------------------------------------------------------------------


def _dictionary(tree: ast.Module, path: Path) -> dict[str, Any] | None:
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        # ``hub = Hub(...)`` is a hub of the user's own.
        if any(isinstance(target, ast.Name) and target.id == DICTIONARY for target in targets) and (
            isinstance(value, ast.Dict) or (isinstance(value, ast.Call) and called(value) == "dict")
        ):
            return _literal(value, path)
    return None


def _literal(value: ast.expr, path: Path) -> dict[str, Any]:
    try:
        written = ast.literal_eval(value)
    except ValueError:
        written = None
    if not isinstance(written, dict) or not all(isinstance(key, str) for key in written):
        raise ConfigurationError(
            f"{path}, line {value.lineno}: {DICTIONARY} = ... is read without running the file. Write a dictionary of "
            f'plain values: {DICTIONARY} = {{"title": "Sales", "tags": ["finance"]}}.'
        )
    return written


def _from_code(tree: ast.Module) -> dict[str, Any]:
    docstring = ast.get_docstring(tree)
    if docstring:
        first, _, rest = docstring.partition("\n")
        title, colon, more = first.strip().rstrip(".").partition(": ")
        if colon:
            rest = f"{more[:1].upper()}{more[1:]}.\n{rest}"
        if len(title) > _LONGEST_TITLE:
            return {"description": _one_line(docstring)}
        return {"title": title, "description": _one_line(rest.strip().partition("\n\n")[0])}
    titles = (_title_argument(node) for node in ast.walk(tree) if makes_app(node))
    return next(({"title": title} for title in titles if title), {})


def _title_argument(call: ast.AST) -> str | None:
    for keyword in call.keywords if isinstance(call, ast.Call) else ():
        if keyword.arg == "title" and isinstance(keyword.value, ast.Constant) and isinstance(keyword.value.value, str):
            return keyword.value.value
    return None


def _one_line(text: str) -> str:
    return " ".join(text.split())


# Static pages. --------------------------------------------------------------------------------------------------------


def read_page(path: Path) -> dict[str, Any]:
    """The title and the description that the head of a page tells, as fields of :class:`flash.hub.spec.Spec`.

    Raises:
        ConfigurationError: The page cannot be read.
    """
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            text = file.read(_MOST_HTML)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from None
    head = _Head()
    head.feed(text)
    found = {"title": _one_line(head.title), "description": _one_line(head.description)}
    return {name: value for name, value in found.items() if value}


class _Head(HTMLParser):
    """Collects the title of a page and its description."""

    def __init__(self) -> None:
        super().__init__()
        self.title = self.description = ""
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_title = tag == "title" and not self.title
        fields = dict(attrs)
        if tag == "meta" and fields.get("name") == "description":
            self.description = fields.get("content") or ""

    def handle_endtag(self, tag: str) -> None:
        self._in_title = False

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data
