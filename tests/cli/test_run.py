"""``flash run``: finding the app, its flags, and its errors."""

from __future__ import annotations

import inspect
import signal
import ssl
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from flash import Flash
from flash.cli import main
from flash.cli._application import load_app
from flash.cli.run import WITHOUT_FLAG, command
from flash.server.settings import HYPERCORN_SETTINGS, OWN_SETTINGS
from flash.targets import Target

from ..server.run_programs import PREAMBLE, get, started

Write = Callable[..., str]

APPS = """
import dash
import quart
from flash import Flash, html

dashboard = Flash(__name__)
plain = dash.Dash(__name__)
server = quart.Quart(__name__)
number = 3

def create_app():
    return dashboard

def broken():
    raise ZeroDivisionError("no data")
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a module under a name of its own into the working directory; returns the name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)

    def write(source: str = APPS, folder: str = "") -> str:
        name = f"module_{uuid.uuid4().hex}"
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / f"{name}.py").write_text(source)
        return name

    yield write
    for name in set(sys.modules) - before:
        if name.startswith(("module_", "package_")):
            del sys.modules[name]


def load(target: str) -> Flash:
    return load_app(Target.parse(target))


def test_apps_are_found_by_module_file_and_factory(write: Write) -> None:
    name = write()
    app = load(f"{name}:dashboard")
    assert isinstance(app, Flash)
    assert load(f"{name}.py:dashboard") is app
    assert load(f"./{name}.py:create_app()") is app
    assert load(f"{name}:create_app") is app
    # Without a name, the usual ones.
    assert load(name) is app
    assert isinstance(load(write(APPS.replace("dashboard", "application"))), Flash)


def test_a_file_in_a_package_is_imported_as_part_of_it(write: Write, tmp_path: Path) -> None:
    package = f"package_{uuid.uuid4().hex}"
    name = write("from .names import NAME\nfrom flash import Flash\napp = Flash(NAME)\n", f"below/{package}")
    (tmp_path / "below" / package / "__init__.py").touch()
    (tmp_path / "below" / package / "names.py").write_text("NAME = 'inner'\n")
    assert load(f"below/{package}/{name}.py").config.name == "inner"
    assert Target.parse(f"below/{package}/{name}.py").folder == tmp_path / "below"


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("no_such_module:app", "There is no module 'no_such_module'"),
        ("no_such_package.module:app", "There is no module 'no_such_package.module'"),
        ("no_such_file.py", "There is no file 'no_such_file.py'"),
        ("{name}:dashbord", "has no attribute 'dashbord'. Did you mean {name}:dashboard?"),
        ("{name}:xyz", "has no attribute 'xyz'. Did you mean {name}:dashboard?"),
        ("{name}:plain", "is a plain dash.Dash app. Change its import"),
        ("{name}:server", "is a Quart server. Name the Flash app that it carries"),
        ("{name}:number", "is no Flash app, but a int"),
        ("{name}:broken", "{name}:broken failed with ZeroDivisionError: no data"),
    ],
)
def test_what_is_not_found_is_one_sentence(write: Write, target: str, sentence: str) -> None:
    name = write()
    with pytest.raises(click.ClickException) as caught:
        load(target.format(name=name))
    assert sentence.format(name=name) in caught.value.message


def test_a_module_without_an_app(write: Write) -> None:
    with pytest.raises(click.ClickException) as caught:
        load(write("x = 1\n"))
    assert "has no app or application. Write flash run module:attribute" in caught.value.message


def test_a_mistake_in_the_module_is_shown_where_it_is(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    name = write("import no_such_module_at_all\n")
    with pytest.raises(click.ClickException, match="No module named 'no_such_module_at_all'"):
        load(name)
    shown = capsys.readouterr().err
    assert f'{name}.py", line 1' in shown
    assert "importlib" not in shown


def test_every_setting_has_a_flag() -> None:
    flags = {parameter.name for parameter in command.params}
    dev_tools = {name for name in inspect.signature(Flash.run).parameters if name.startswith("dev_tools_")}
    assert dev_tools
    assert flags >= (set(HYPERCORN_SETTINGS) - WITHOUT_FLAG) | set(OWN_SETTINGS) | dev_tools | {"host", "port", "debug"}


def test_flags_become_arguments_of_run(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(Flash, "run", lambda self, **options: given.update(options))
    monkeypatch.setenv("PORT", "8123")
    flags = (
        "--host ::1 --no-debug --keep-alive-timeout 2.5 --backlog 7 --server-names a --server-names b "
        "--no-include-date-header --verify-mode CERT_OPTIONAL --dev-tools-hot-reload-interval 5 --no-dev-tools-ui "
        "--insecure-bind 127.0.0.1:0 --ssl-context adhoc"
    )
    result = CliRunner().invoke(main, ["run", f"{write()}:dashboard", *flags.split()])
    assert result.exit_code == 0, result.output
    assert given == {
        "host": "::1",
        "port": 8123,
        "debug": False,
        "keep_alive_timeout": 2.5,
        "backlog": 7,
        "server_names": ("a", "b"),
        "include_date_header": False,
        "verify_mode": ssl.VerifyMode.CERT_OPTIONAL,
        "dev_tools_hot_reload_interval": 5,
        "dev_tools_ui": False,
        "insecure_bind": ("127.0.0.1:0",),
        "ssl_context": "adhoc",
    }


@pytest.mark.parametrize(
    ("flags", "code", "sentence"),
    [
        (["--keep-alive-timout", "3"], 2, "--keep-alive-timeout"),
        (["--workers", "2", "--debug"], 1, "Error: workers=2 and restarts on code changes do not go together"),
        (["--certfile", "nowhere.pem"], 1, "Error: certfile='nowhere.pem': there is no such file"),
    ],
)
def test_flags_that_cannot_work_are_refused(write: Write, flags: list[str], code: int, sentence: str) -> None:
    result = CliRunner().invoke(main, ["run", f"{write()}:dashboard", *flags])
    assert result.exit_code == code
    assert sentence in result.output


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_app_that_cannot_start_is_one_message(tmp_path: Path, workers: str) -> None:
    pages = 'import dash\nfor name in "ab":\n    dash.register_page(name, path="/same", layout=html.Div())\n'
    source = PREAMBLE.replace("Flash(__name__,", 'Flash(__name__, use_pages=True, pages_folder="",') + pages
    (tmp_path / "pages_app.py").write_text(source)
    with started(
        ["-m", "flash", "run", "pages_app", "--bind", "127.0.0.1:0", "--workers", workers], tmp_path
    ) as running:
        assert running.ends() == 1
        assert "Error: The app could not start: Exception: modules" in running.output
        assert "Traceback" not in running.output


def test_it_serves_and_a_second_one_finds_the_port_in_use(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(PREAMBLE)
    with started(["-m", "flash", "run", "app.py", "--bind", "127.0.0.1:0"], tmp_path) as running:
        host, port = running.address()
        with started(["-m", "flash", "run", "app", "--port", str(port), "--debug"], tmp_path) as second:
            assert second.ends() == 1
            assert second.output.startswith(f"Error: 127.0.0.1:{port} is already in use by another process.")
            assert "Traceback" not in second.output
        assert get((host, port), "/pid")[0] == 200
        assert running.ends_after(signal.SIGINT) == 0
