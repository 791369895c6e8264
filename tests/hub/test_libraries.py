"""What installed libraries register when they are imported, and which scopes get it."""

from __future__ import annotations

import builtins
import contextvars
import importlib
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dash import _hooks
from dash.development.base_component import ComponentRegistry

from flash._dash_scopes import Scope, install
from flash.hub.libraries import Libraries

from .hosted import write

#: A module that registers a hook and a component library.
REGISTERS = """
import dash
from dash.development.base_component import ComponentRegistry

dash.hooks.layout()(lambda layout: __name__)
ComponentRegistry.registry.add(__name__)
"""


@pytest.fixture(autouse=True)
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Libraries]:
    """Imports are watched as in a hub that has just begun; modules of the test are forgotten afterwards."""
    install()
    monkeypatch.setattr(builtins, "__import__", builtins.__import__)
    monkeypatch.setattr(importlib, "import_module", importlib.import_module)
    before = set(sys.modules)
    libraries = Libraries()
    libraries.watch()
    yield libraries
    for name in [name for name in sys.modules.keys() - before if name.startswith("lib_")]:
        del sys.modules[name]
    # Outside of all scopes, what is registered is for every app of the process.
    for name in [name for name in ComponentRegistry.registry if name.startswith("lib_")]:
        ComponentRegistry.registry.discard(name)
    assert hooks() == []


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed libraries."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def hooks() -> list[str]:
    """What the modules have registered in the scope that runs: their names, in the order of registration."""
    return [hook.func(None) for hook in _hooks.hooks._ns["layout"] if hook.func.__module__.startswith("lib_")]


def registered(scope: Scope, code: str = "") -> list[str]:
    """What a scope has after some code has run in it."""
    with scope.entered():
        exec(code, {"__name__": "code"})
        return hooks()


def test_a_later_importer_gets_what_the_first_has_registered(installed: Path) -> None:
    write(installed, lib_one=REGISTERS)
    first, second, third = (Scope(name) for name in ("first", "second", "third"))
    assert registered(first, "import lib_one") == ["lib_one"]
    assert registered(second) == []
    assert registered(second, "import lib_one") == ["lib_one"]
    assert registered(second, "import lib_one, importlib; importlib.import_module('lib_one')") == ["lib_one"]
    assert registered(third, "import importlib; importlib.import_module('lib_one')") == ["lib_one"]
    assert registered(first) == ["lib_one"]
    assert hooks() == []
    with second.entered():
        assert "lib_one" in ComponentRegistry.registry


def test_imports_within_imports_bring_what_they_register_once(installed: Path) -> None:
    write(
        installed,
        lib_base=REGISTERS,
        lib_left="import lib_base\n" + REGISTERS,
        lib_right=REGISTERS + "import lib_base\nimport lib_left\n",
    )
    first, second, third = (Scope(name) for name in ("first", "second", "third"))
    assert sorted(registered(first, "import lib_right")) == ["lib_base", "lib_left", "lib_right"]
    assert sorted(registered(second, "import lib_left")) == ["lib_base", "lib_left"]
    assert sorted(registered(second, "import lib_right")) == ["lib_base", "lib_left", "lib_right"]
    assert registered(third, "import lib_base") == ["lib_base"]


def test_modules_that_import_each_other_are_registered_once(installed: Path) -> None:
    write(installed, lib_a="import lib_b\n" + REGISTERS, lib_b="import lib_a\n" + REGISTERS)
    first, second = Scope("first"), Scope("second")
    assert sorted(registered(first, "import lib_a")) == ["lib_a", "lib_b"]
    assert sorted(registered(second, "import lib_b")) == ["lib_a", "lib_b"]


@pytest.fixture
def package(installed: Path) -> Path:
    """``lib_pack``, which registers something, as do its modules ``one`` and ``two``; ``two`` needs ``one``."""
    write(installed / "lib_pack", one=REGISTERS, two="from . import one\n" + REGISTERS)
    (installed / "lib_pack" / "__init__.py").write_text(REGISTERS + "__all__ = ['one']\nVALUE = 1\n")
    return installed


WAYS = {
    "import lib_pack": ["lib_pack"],
    "from lib_pack import VALUE": ["lib_pack"],
    "import lib_pack.one": ["lib_pack", "lib_pack.one"],
    "from lib_pack import one": ["lib_pack", "lib_pack.one"],
    "from lib_pack import *": ["lib_pack", "lib_pack.one"],
    "from lib_pack.two import one": ["lib_pack", "lib_pack.one", "lib_pack.two"],
    "import importlib; importlib.import_module('.two', 'lib_pack')": ["lib_pack", "lib_pack.one", "lib_pack.two"],
}


@pytest.mark.parametrize("later", WAYS)
@pytest.mark.parametrize("before", WAYS)
def test_modules_of_packages_are_registered_however_they_are_imported(package: Path, before: str, later: str) -> None:
    first, second = Scope("first"), Scope("second")
    assert sorted(registered(first, before)) == WAYS[before]
    assert sorted(registered(second, later)) == WAYS[later]
    assert sorted(registered(first, later)) == sorted({*WAYS[before], *WAYS[later]})


def test_a_module_of_a_package_that_both_have_is_registered_in_both(package: Path) -> None:
    first, second = Scope("first"), Scope("second")
    for scope in (first, second):
        registered(scope, "import lib_pack")
    for scope in (first, second):
        assert registered(scope, "from lib_pack import one") == ["lib_pack", "lib_pack.one"]


@pytest.mark.parametrize(
    "code, error, says",
    [
        ("from lib_pack import nothing", ImportError, "cannot import name 'nothing' from 'lib_pack'"),
        ("import lib_pack.nothing", ModuleNotFoundError, "No module named 'lib_pack.nothing'"),
        ("import lib_nothing.more", ModuleNotFoundError, "No module named 'lib_nothing'"),
        ("from lib_pack import lacking", ModuleNotFoundError, "No module named 'lib_nothing'"),
        ("from lib_pack import beyond", ImportError, "attempted relative import beyond top-level package"),
    ],
)
def test_errors_are_those_of_python(package: Path, code: str, error: type[Exception], says: str) -> None:
    write(package / "lib_pack", lacking="import lib_nothing", beyond="from ... import one")
    with pytest.raises(error, match=says) as raised:
        registered(Scope("first"), code)
    assert type(raised.value) is error


def test_an_import_that_failed_is_done_anew(installed: Path) -> None:
    write(installed, lib_one=REGISTERS + "import lib_missing\n")
    first, second = Scope("first"), Scope("second")
    attempt = "try:\n    import lib_one\nexcept ImportError:\n    pass\nelse:\n    raise AssertionError"
    assert registered(first, attempt) == ["lib_one"]
    write(installed, lib_missing="")
    importlib.invalidate_caches()
    # As many as ran in each: what the failed attempt has registered is nobody else's.
    assert registered(second, "import lib_one") == ["lib_one"]
    assert registered(first, "import lib_one") == ["lib_one", "lib_one"]
    assert registered(Scope("third"), "import lib_one") == ["lib_one"]


def test_a_module_that_fails_is_run_once(package: Path) -> None:
    write(package / "lib_pack", lacking=REGISTERS + "import lib_nothing")
    first = Scope("first")
    with pytest.raises(ModuleNotFoundError, match="lib_nothing"):
        registered(first, "from lib_pack import lacking")
    assert registered(first) == ["lib_pack", "lib_pack.lacking"]


def test_a_module_that_is_loaded_anew_is_registered_as_it_is_now(installed: Path) -> None:
    write(installed, lib_one=REGISTERS)
    registered(Scope("first"), "import lib_one")
    del sys.modules["lib_one"]
    registered(Scope("second"), "import lib_one")
    assert registered(Scope("third"), "import lib_one") == ["lib_one"]


def test_a_thread_with_a_copied_context_imports_for_its_scope(installed: Path) -> None:
    write(installed, lib_one=REGISTERS)
    first, second = Scope("first"), Scope("second")
    for scope in (first, second):
        with scope.entered():
            context = contextvars.copy_context()
        importing = threading.Thread(target=context.run, args=(exec, "import lib_one", {}))
        importing.start()
        importing.join(20)
        assert registered(scope) == ["lib_one"]
    assert hooks() == []


def test_threads_that_import_a_module_at_once_have_both_what_it_registers(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, leave = threading.Event(), threading.Event()
    monkeypatch.setattr(sys, "lib_events", (entered, leave), raising=False)
    slow = "import sys\nsys.lib_events[0].set()\nassert sys.lib_events[1].wait(20)\n"
    write(installed, lib_one=slow + REGISTERS)
    scopes = [Scope(name) for name in ("first", "second", "third")]
    threads = [threading.Thread(target=registered, args=(scope, "import lib_one")) for scope in scopes[:2]]
    threads[0].start()
    assert entered.wait(20)
    threads[1].start()
    threads[1].join(0.3)
    assert threads[1].is_alive()
    leave.set()
    for thread in threads:
        thread.join(20)
    assert [registered(scope, "import lib_one") for scope in scopes] == [["lib_one"]] * 3


def test_outside_of_all_scopes_imports_are_those_of_python(
    installed: Path, watched: Libraries, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_asked(*args: Any) -> Any:
        raise AssertionError(args)

    monkeypatch.setattr(watched, "_watched", not_asked)
    monkeypatch.setitem(_hooks.hooks._ns, "layout", [])
    write(installed, lib_one=REGISTERS, lib_two="from lib_one import dash")
    exec("import lib_two, importlib; importlib.import_module('lib_two')", {})
    assert hooks() == ["lib_one"]
    # What stands there for the whole process is what later scopes begin with.
    monkeypatch.undo()
    assert hooks() == []
