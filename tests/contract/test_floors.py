"""Imports run downward only, and no two files import each other: the picture in docs/architecture.md."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import flash

PACKAGE = Path(flash.__file__).parent

#: From the ground up. A room is a module or a package directly under ``flash``.
FLOORS = [
    {"_dash", "_dash_scopes", "_version", "dependencies", "exceptions", "flask_use", "functions"},
    {"encoding", "patches", "pool", "storage"},
    {
        "answers",
        "callbacks",
        "calls",
        "companions",
        "context",
        "declare",
        "failures",
        "feeds",
        "generators",
        "lanes",
        "leases",
        "requests",
        "services",
        "watched",
    },
    {"background", "containers", "dispatch", "layout", "once", "pages", "startup", "turns"},
    {"shared"},
    {"live", "server"},
    {"app", "targets"},
    {"cli", "components", "data", "hub", "remote", "testing"},
    {"__init__", "__main__"},
]
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
FILES = sorted(path for path in PACKAGE.rglob("*.py") if "templates" not in path.parts)


def module_of(path: Path) -> tuple[str, ...]:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts


MODULES = {module_of(path) for path in FILES}


def imported(path: Path) -> Iterator[tuple[str, ...]]:
    """The modules of Flash that a file imports when it runs, as parts below ``flash``."""
    tree = ast.parse(path.read_text())
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    package = module_of(path) if path.name == "__init__.py" and path.parent != PACKAGE else module_of(path)[:-1]
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or node in for_types:
            continue
        if node.level:
            base = package[: len(package) - node.level + 1] + tuple((node.module or "").split("."))
        elif (node.module or "").split(".")[0] == "flash":
            base = tuple((node.module or "").split(".")[1:])
        else:
            continue
        base = tuple(part for part in base if part)
        for name in node.names:
            whole = (*base, name.name)
            yield whole if whole in MODULES else base


def test_every_room_has_a_floor() -> None:
    assert {module[0] for module in MODULES} == set(FLOOR_OF)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_downward(path: Path) -> None:
    room = module_of(path)[0]
    for module in filter(None, imported(path)):
        assert module[0] == room or FLOOR_OF[module[0]] <= FLOOR_OF[room], f"{path.name} imports {'.'.join(module)}"


def test_no_two_files_import_each_other() -> None:
    graph = {module_of(path): set(imported(path)) & MODULES - {module_of(path)} for path in FILES}
    finished: set[tuple[str, ...]] = set()

    def follow(module: tuple[str, ...], way: list[tuple[str, ...]]) -> None:
        assert module not in way, " -> ".join(".".join(each) for each in [*way[way.index(module) :], module])
        if module not in finished:
            for other in graph[module]:
                follow(other, [*way, module])
            finished.add(module)

    for module in graph:
        follow(module, [])
