"""The modules of an app's own folder, apart from those of all others."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import module_from_spec
from pathlib import Path
from typing import Any

import dash
import pytest

from flash.hub.own_modules import OwnModules

from .hosted import write


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """After each test all is as before."""
    before, path = set(sys.modules), list(sys.path)
    yield
    added = {name for name in sys.modules.keys() - before if name.startswith(("flash_hub_", "own_"))}
    for name in added:
        del sys.modules[name]
    assert (added, sys.path) == (set(), path)


@contextlib.contextmanager
def own(folder: Path, name: str = "sales", first: str = "app") -> Iterator[OwnModules]:
    """The modules of a folder, while they are in use."""
    modules = OwnModules(name, folder, first)
    try:
        yield modules
    finally:
        modules.close()


WAYS = {
    "import own_data": "own_data.NAME",
    "import own_data as data": "data.NAME",
    "from own_data import NAME": "NAME",
    "from own_data import *": "NAME",
    "from . import own_data": "own_data.NAME",
    "from .own_data import NAME": "NAME",
    "import own_pack.deep.leaf": "own_pack.deep.leaf.NAME",
    "import own_pack.deep.leaf as leaf": "leaf.NAME",
    "from own_pack.deep import leaf": "leaf.NAME",
    "from own_pack.deep.leaf import NAME": "NAME",
    "from .own_pack import up": "up.NAME",
    "import own_bare.inner": "own_bare.inner.NAME",
}


def write_all(folder: Path, name: str) -> None:
    """Modules, a package with a package, and a folder without ``__init__.py``, all of which know a name."""
    text = f"NAME = {name!r}"
    write(folder, own_data=text, own_pack__deep__leaf=text, own_bare__inner=text)
    write(folder, own_pack__up="from .deep.leaf import NAME\nfrom ..own_data import NAME as same\nassert NAME is same")
    for package in ("own_pack", "own_pack/deep"):
        (folder / package / "__init__.py").touch()


@pytest.mark.parametrize("statement", WAYS)
def test_two_apps_have_each_their_own_however_and_whenever_they_import(tmp_path: Path, statement: str) -> None:
    for name in "ab":
        write_all(tmp_path / name, name)
        late = f"    {statement}\n    return {WAYS[statement]}\n"
        at_once = f"{statement}\nNOW = {WAYS[statement]}\n"
        (tmp_path / name / "app.py").write_text(at_once)
        # Python allows a star at the top of a module only.
        late = late.replace(statement, "from own_data import NAME") if "*" in statement else late
        (tmp_path / name / "lazy.py").write_text("def late():\n" + late)
    with own(tmp_path / "a", "a") as a, own(tmp_path / "b", "b") as b:
        assert [modules.load("app").NOW for modules in (a, b)] == ["a", "b"]
        for modules, name in ((a, "a"), (b, "b")):
            lazy = modules.load("lazy")
            with ThreadPoolExecutor() as threads:
                assert threads.submit(lazy.late).result(20) == name
    assert not {"own_data", "own_pack", "own_bare", "app", "lazy"} & sys.modules.keys()


def test_modules_are_run_once_and_are_one_object(tmp_path: Path) -> None:
    write(tmp_path, own_data="STARTED = []", app="import own_data\nfrom own_data import STARTED\nSTARTED.append(1)")
    write(tmp_path, other="import own_data\nown_data.STARTED.append(2)")
    with own(tmp_path) as modules:
        app, other = modules.load("app"), modules.load("other")
        assert app.own_data is other.own_data and app.STARTED == [1, 2]
        assert modules.load("app") is app


def test_what_is_installed_or_pythons_is_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "site", own_library="")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    write(tmp_path / "app", app="import json, dash, own_library\nimport dash.dcc", json="1/0")
    with own(tmp_path / "app") as modules:
        app = modules.load("app")
        assert app.json is json and app.dash is dash
        assert app.own_library is sys.modules.pop("own_library")


def test_a_file_goes_before_what_is_installed_and_a_bare_folder_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "site", own_file="NAME = 'installed'", own_bare="NAME = 'installed'")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    write(tmp_path / "app", app="import own_file, own_bare", own_file="NAME = 'own'", own_bare__inner="")
    with own(tmp_path / "app") as modules:
        app = modules.load("app")
        assert (app.own_file.NAME, app.own_bare.NAME) == ("own", "installed")
        assert sys.modules.pop("own_bare") is app.own_bare


def test_another_start_runs_the_files_as_they_are_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    write(tmp_path, app="import own_data\nNAME = own_data.NAME", own_data="NAME = 1")
    seen = []
    for number in (1, 2, 3):  # Of equal length, and all in one second: nothing tells the compiled files apart.
        write(tmp_path, own_data=f"NAME = {number}")
        with own(tmp_path) as modules:
            seen.append((modules.load("app").NAME, modules.package))
    assert seen == [(number, "flash_hub_sales") for number in (1, 2, 3)]


def test_apps_whose_names_look_alike_have_packages_of_their_own(tmp_path: Path) -> None:
    write(tmp_path / "a", app="NAME = 'a'")
    write(tmp_path / "b", app="NAME = 'b'")
    with own(tmp_path / "a", "x-y") as a, own(tmp_path / "b", "x/y") as b:
        assert [modules.load("app").NAME for modules in (a, b)] == ["a", "b"]


@pytest.mark.parametrize("culprit", ["app", "own_data", "own_pack/__init__"])
def test_a_module_that_fails_leaves_nothing(tmp_path: Path, culprit: str) -> None:
    (tmp_path / "own_pack").mkdir()
    for name in ("app", "own_data", "own_pack/__init__"):
        needs = {"app": "import own_data", "own_data": "import own_pack"}.get(name, "")
        fails = "raise RuntimeError('broken')" if name == culprit else ""
        (tmp_path / f"{name}.py").write_text(f"{needs}\n{fails}\n")
    with own(tmp_path) as modules:
        with pytest.raises(RuntimeError, match="broken"):
            modules.load("app")
        failed = "flash_hub_sales." + culprit.partition("/")[0]
        assert failed not in sys.modules and "flash_hub_sales.app" not in sys.modules
        (tmp_path / f"{culprit}.py").write_text("import own_data\n" if culprit == "app" else "")
        assert modules.load("app")


@pytest.mark.parametrize(
    "code, says",
    [
        ("import own_nothing", "No module named 'own_nothing'"),
        ("from own_data import nothing", "cannot import name 'nothing'"),
        ("import own_data.nothing", r"No module named '.*own_data\.nothing'; .* is not a package"),
    ],
)
def test_what_is_not_there_is_an_import_error(tmp_path: Path, code: str, says: str) -> None:
    write(tmp_path, app=code, own_data="")
    with own(tmp_path) as modules, pytest.raises(ImportError, match=says):
        modules.load("app")


def load_plainly(modules: OwnModules, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Load the app as a hub does: its folder is on the import path meanwhile."""
    before = set(sys.modules)
    with monkeypatch.context() as patch:
        patch.syspath_prepend(str(modules.folder))
        try:
            return modules.load("app")
        finally:
            modules.take_in(before)


@pytest.mark.parametrize("also", ["", "import own_plain"])
def test_what_others_import_from_the_folder_meanwhile_is_the_apps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, also: str
) -> None:
    lines = f"import importlib\nplain = importlib.import_module('own_plain')\n{also}\n"
    write(tmp_path, app=lines + "def late():\n    import own_plain\n    return own_plain", own_plain="")
    with own(tmp_path) as modules:
        app = load_plainly(modules, monkeypatch)
        assert "own_plain" not in sys.modules
        assert app.late() is app.plain


def test_what_the_app_has_stays_when_others_import_it_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = "import importlib, own_plain\nimportlib.import_module('own_plain')\ndef late():\n    import own_plain\n    "
    write(tmp_path, app=lines + "return own_plain", own_plain="")
    with own(tmp_path) as modules:
        app = load_plainly(modules, monkeypatch)
        assert "own_plain" not in sys.modules
        assert app.late() is app.own_plain


def test_pages_import_as_their_app_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, app="import own_data", own_data="", own_pages__home="import own_data")
    with own(tmp_path) as modules:
        app = modules.load("app")
        before = set(sys.modules)
        spec = modules.spec_of("own_pages.home", str(tmp_path / "own_pages" / "home.py"))
        page = sys.modules["own_pages.home"] = module_from_spec(spec)
        spec.loader.exec_module(page)
        modules.take_in(before)
        assert page.own_data is app.own_data
        assert "own_pages.home" not in sys.modules
