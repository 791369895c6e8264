"""The documentation is a contract: snippets run, and what is public is described."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import flash
import flash.data
import flash.remote
from flash import Flash, _dash, exceptions
from flash.live.clients import Client as LiveClient
from flash.live.settings import MIB, LiveSettings
from flash.testing import Client, SyncClient

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
REFERENCE = (ROOT / "docs" / "reference.md").read_text()


def snippets() -> list[Any]:
    """The Python of every page: ``python`` is run, ``py`` (a part of something) is compiled.

    The snippets of docs/testing.md are tests themselves, which ``tests/testing/test_documentation.py`` runs.
    """
    found = []
    for page in (page for page in PAGES if page.stem != "testing"):
        for number, match in enumerate(re.finditer(r"```(python|py)\n(.*?)```", page.read_text(), re.DOTALL)):
            found.append(pytest.param(*match.groups(), id=f"{page.stem}-{number}"))
    return found


@pytest.mark.parametrize(("kind", "code"), snippets())
def test_a_snippet_runs(kind: str, code: str) -> None:
    compiled = compile(code, "snippet", "exec", flags=inspect.CO_NESTED)
    if kind == "python":
        exec(compiled, {"__name__": "snippet"})
        # What is declared without an app would become that of another test's.
        _dash.global_register().entries.clear()
        _dash.global_register().specs.clear()


def test_every_argument_of_flashs_own_is_described() -> None:
    own = set(inspect.signature(Flash).parameters) - set(inspect.signature(_dash.OriginalDash).parameters)
    for name in own:
        assert f"| `{name}` |" in REFERENCE


def test_every_setting_of_the_live_connection_is_described_with_its_default() -> None:
    page = (ROOT / "docs" / "live.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| `?([^|`]+)`? \|", page[page.index("## Settings") :], re.MULTILINE)
    described = {name: default.replace('"', "") for name, default in rows}
    assert described == {setting.name: _written(setting.default) for setting in dataclasses.fields(LiveSettings)}


def _written(default: Any) -> str:
    return f"{default // MIB} MiB" if isinstance(default, int) and default >= MIB else str(default)


def test_every_field_of_a_client_is_described() -> None:
    fields = {name for name in {**vars(LiveClient), **vars(LiveClient("one"))} if not name.startswith("_")}
    guide = (ROOT / "docs" / "live.md").read_text()
    for name in fields - {"show_error"}:
        assert re.search(rf"`(await )?{name}[`(]", guide), name
        assert f"`{name}`" in REFERENCE, name


def test_every_error_of_flashs_own_is_described() -> None:
    for name, value in vars(exceptions).items():
        if inspect.isclass(value) and value.__module__ == exceptions.__name__:
            assert f"| `{name}` |" in REFERENCE
            assert name in (exceptions.__doc__ or "")


@pytest.mark.parametrize("room", [flash.remote, flash.data], ids=lambda room: room.__name__)
def test_every_public_name_of_a_room_is_described(room: Any) -> None:
    for name in room.__all__:
        assert re.search(rf"`{name}[`(]", REFERENCE), name
        assert inspect.getdoc(getattr(room, name)), name


def test_what_a_snapshot_has_is_described() -> None:
    row = next(line for line in REFERENCE.splitlines() if line.startswith("| `Snapshot` |"))
    public = {name for name in dir(flash.data.Snapshot) if not name.startswith("_")} - {"source"}
    assert set(re.findall(r"`(\w+)`", row)) - {"Snapshot"} == public


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(#[^)]*)?\)", page.read_text()):
            path = (page.parent / target).resolve() if target else page
            assert path.exists(), f"{page.name} links to {target}"
            if anchor:
                headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
                slugs = {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}
                assert anchor[1:] in slugs, f"{page.name} links to {target}{anchor}"


def test_every_module_and_what_it_offers_has_a_docstring() -> None:
    missing = []
    for path in sorted(Path(flash.__file__).parent.rglob("*.py")):
        tree = ast.parse(path.read_text())
        if tree.body and not ast.get_docstring(tree):
            missing.append(path.name)
        if path.name.startswith("test_"):
            continue  # Of a project that `flash new` writes: names of tests say it all.
        missing += [
            f"{path.name}: {node.name}"
            for node in tree.body
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
            and not node.name.startswith("_")
            and not ast.get_docstring(node)
        ]
    assert not missing


@pytest.mark.parametrize("kind", [Flash, flash.DiskcacheManager, flash.CeleryManager, Client, SyncClient])
def test_every_method_that_users_call_has_a_docstring(kind: type) -> None:
    for name, value in vars(kind).items():
        if not name.startswith("_") and (inspect.isfunction(value) or isinstance(value, property)):
            assert inspect.getdoc(value), f"{kind.__name__}.{name}"
