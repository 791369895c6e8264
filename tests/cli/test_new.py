"""``flash new``: what is written, and where it is not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from flash._version import __version__
from flash.cli import main
from flash.cli.new import TEMPLATES


def new(*arguments: str) -> str:
    result = CliRunner().invoke(main, ["new", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_a_project_is_written_with_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "team-apps"
    assert f"cd {folder}" in new("hub", str(folder))
    written = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
    assert {"hub.toml", ".env.example", ".gitignore", "Procfile", "deploy/team-apps.service"} <= set(written)
    assert len(written) == sum(
        path.is_file() and "__pycache__" not in path.parts for path in (TEMPLATES / "hub").rglob("*")
    )
    assert 'title = "Team apps"' in written["hub.toml"]
    assert "WorkingDirectory=/srv/team-apps" in written["deploy/team-apps.service"]
    assert f">={__version__}" in written["requirements.txt"]
    # What stays in braces is for templates of the apps themselves.
    left = {word for text in written.values() for word in re.findall(r"\{\{(\w+)\}\}", text)}
    assert not left


def test_no_secret_is_written(tmp_path: Path) -> None:
    new("hub", str(tmp_path / "x"), "--title", "Numbers")
    example = (tmp_path / "x" / ".env.example").read_text()
    assert all(line.startswith("#") or line.endswith("=") or not line for line in example.splitlines())
    assert ".env\n" in (tmp_path / "x" / ".gitignore").read_text()
    assert 'title = "Numbers"' in (tmp_path / "x" / "hub.toml").read_text()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("Team", "is no name"), ("a b", "is no name"), ("taken", "exists already"), ("file", "exists already")],
)
def test_nothing_is_overwritten(tmp_path: Path, name: str, sentence: str) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "hub.toml").write_text("mine")
    (tmp_path / "file").write_text("mine")
    result = CliRunner().invoke(main, ["new", "hub", str(tmp_path / name)])
    assert result.exit_code == 1
    assert sentence in result.output
    assert (tmp_path / "taken" / "hub.toml").read_text() == "mine"


def test_an_empty_folder_may_be_there(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    new("hub", str(tmp_path / "empty"))
    assert (tmp_path / "empty" / "hub.toml").exists()
