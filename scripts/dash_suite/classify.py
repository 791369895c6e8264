"""What a test of Dash's needs, read from its source: another of Dash's servers, or Flask itself.

Looked at are the test function (for a method, its class) and every definition of the suite that it reaches by name:
helpers, fixtures and constants of its own module, and what its module imports from the suite.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

FLASK_PACKAGES = {"flask", "flask_talisman"}
OTHER_SERVERS = {"Flask", "FastAPI"}


@dataclass(frozen=True)
class Needs:
    """What one test needs.

    Attributes:
        other_backend: it names a server of Dash's other than Quart, so it tests Dash's backend for that server.
        flask: it uses `flask` (or an extension) or Flask's synchronous test client.
    """

    other_backend: bool
    flask: bool


@dataclass
class Module:
    """The top level of one module of the suite: what it defines, and what it imports under which name."""

    definitions: dict[str, ast.AST] = field(default_factory=dict)
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)


def needs_of(test: str, path: Path, root: Path, parameters: Mapping[str, Any]) -> Needs:
    """Tell what a test needs.

    Args:
        test: name of the test function, or of the class that holds it.
        path: the test's file.
        root: the folder that holds the package `tests`.
        parameters: the values of the test's parametrisation by argument name.
    """
    found = list(reached(test, path, root))
    other = names_other_backend([definition for definition, _ in found], parameters)
    return Needs(other_backend=other, flask=not other and any(uses_flask(*one) for one in found))


def reached(name: str, path: Path, root: Path) -> Iterator[tuple[ast.AST, Module]]:
    """Yield the definition called `name` in the file `path` and all of the suite it leads to, each with its module."""
    waiting, seen = [(name, path)], set()
    while waiting:
        name, path = waiting.pop()
        if (name, path) in seen:
            continue
        seen.add((name, path))
        module = read(path)
        if name in module.definitions:
            definition = module.definitions[name]
            yield definition, module
            waiting += [(used, path) for used in names_in(definition)]
        elif name in module.imports:
            source, original = module.imports[name]
            file = root.joinpath(*source.split(".")).with_suffix(".py")
            if file.is_file():
                waiting.append((original, file))


@cache
def read(path: Path) -> Module:
    """Parse a module, once."""
    module = Module()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                module.imports[alias.asname or alias.name] = (alias.name, "")
        elif isinstance(node, ast.ImportFrom):
            source = absolute(node, path)
            for alias in node.names:
                module.imports[alias.asname or alias.name] = (source, alias.name)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            module.definitions[node.name] = node
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                module.definitions.update((name, node) for name in names_in(target))
    return module


def absolute(node: ast.ImportFrom, path: Path) -> str:
    """Return the module that an import statement names, with a relative one resolved inside the suite."""
    if not node.level:
        return node.module or ""
    parts = path.parts[path.parts.index("tests") : -node.level]
    return ".".join([*parts, *([node.module] if node.module else [])])


def names_in(node: ast.AST) -> set[str]:
    """Return all names that a piece of source mentions, the arguments of its functions (fixtures) included."""
    names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    return names | {part.arg for part in ast.walk(node) if isinstance(part, ast.arg)}


def names_other_backend(definitions: list[ast.AST], parameters: Mapping[str, Any]) -> bool:
    """Say whether a Dash app is made here for a server other than Quart."""
    if "backend" in parameters:
        return bool(parameters["backend"] != "quart")
    calls = [node for part in definitions for node in ast.walk(part) if isinstance(node, ast.Call)]
    if any(called(call) in OTHER_SERVERS for call in calls):
        return True
    options = [option for call in calls if called(call) == "Dash" for option in call.keywords]
    backends = [option.value for option in options if option.arg == "backend"]
    return any(not (isinstance(value, ast.Constant) and value.value == "quart") for value in backends)


def called(call: ast.Call) -> str:
    """Return the last part of a called name: `Flask` for `flask.Flask(...)`."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def uses_flask(definition: ast.AST, module: Module) -> bool:
    """Say whether a definition uses a name that its module has from Flask, or the synchronous test client."""
    flask = {name for name, (source, _) in module.imports.items() if source.split(".")[0] in FLASK_PACKAGES}
    attributes = {node.attr for node in ast.walk(definition) if isinstance(node, ast.Attribute)}
    return bool(names_in(definition) & flask) or "test_client" in attributes
