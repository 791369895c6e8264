"""``flash new live-dashboard``: what is written, for Flash and for Dash on Flask."""

from __future__ import annotations

import ast
import json
import re
import stat
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from click.testing import CliRunner

from flash.cli import main
from flash.hub.signin.users import UserFile

SEED = ["app.py", "engineering.py", "preprocess.py", "reading.py", "schedule.py", "server.py", "setting.py"]
FORMS = pytest.mark.parametrize("form", [[], ["--flask"]], ids=["flash", "flask"])


def new(folder: Path, *options: str) -> str:
    result = CliRunner().invoke(main, ["new", "live-dashboard", str(folder), *options])
    assert result.exit_code == 0, result.output
    return result.output


@FORMS
def test_all_files_of_the_seed_are_written(tmp_path: Path, form: list[str]) -> None:
    folder = tmp_path / "team-numbers"
    assert f"cd {folder}\n" in new(folder, *form)
    assert all((folder / name).is_file() for name in SEED)
    assert (folder / "assets" / "style.css").is_file()
    assert list((folder / "assets" / "static_data").glob("*.csv"))
    written = {path: path.read_text() for path in folder.rglob("*") if path.is_file()}
    assert not {word for text in written.values() for word in re.findall(r"\{\{\w+\}\}", text)}
    assert 'TITLE = "Team numbers"' in written[folder / "setting.py"]
    assert "WORKDIR /srv/team-numbers" in written[folder / "Dockerfile"]
    assert json.loads(written[folder / "config.json"])["dates"] == [{"day": "daily", "hour": 9}]


def test_the_form_for_flask_knows_no_live_input(tmp_path: Path) -> None:
    new(tmp_path / "x", "--flask")
    app, server = ((tmp_path / "x" / name).read_text() for name in ("app.py", "server.py"))
    assert "from dash import Dash" in app and "dcc.Interval(" in app and "LiveInput" not in app
    assert "waitress.serve(" in server
    requirements = (tmp_path / "x" / "requirements.txt").read_text()
    assert re.search(r"^waitress>=", requirements, re.M) and "dash-flash[data," in requirements
    assert "redis" not in requirements


def test_the_first_password_is_shown_once_and_kept_as_a_hash(tmp_path: Path) -> None:
    passwords = []
    for name in ("one", "two"):
        said = re.search(r"Sign in as (\w+) with the password (\S+)\n", new(tmp_path / name))
        assert said is not None
        user, password = said.groups()
        file = tmp_path / name / "users.txt"
        assert PasswordHasher().verify(UserFile(file).read()[user].password, password)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        texts = (path.read_text() for path in (tmp_path / name).rglob("*") if path.is_file())
        assert not any(password in text for text in texts)
        passwords.append(password)
    assert passwords[0] != passwords[1] and min(map(len, passwords)) >= 16


def test_what_is_secret_or_written_is_left_out_of_git_and_images(tmp_path: Path) -> None:
    new(tmp_path / "x")
    for name in (".gitignore", ".dockerignore"):
        lines = {line.removeprefix("**/") for line in (tmp_path / "x" / name).read_text().splitlines()}
        assert {".env", "users.txt", "logs/", "data/"} <= lines


@FORMS
def test_any_title_is_a_text(tmp_path: Path, form: list[str]) -> None:
    title = 'Täglich "neu" \\ {{name}}'
    new(tmp_path / "x", "--title", title, *form)
    tree = ast.parse((tmp_path / "x" / "setting.py").read_text())
    values = {ast.unparse(node.targets[0]): node.value for node in tree.body if isinstance(node, ast.Assign)}
    assert ast.literal_eval(values["TITLE"]) == title
    assert (tmp_path / "x" / "README.md").read_text().startswith(f"# {title}\n")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "app.py").write_text("mine")
    result = CliRunner().invoke(main, ["new", "live-dashboard", str(tmp_path / "x")])
    assert (result.exit_code, "exists already" in result.output) == (1, True)
    assert [path.name for path in (tmp_path / "x").iterdir()] == ["app.py"]
