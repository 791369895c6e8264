"""The ``flash`` command itself."""

from __future__ import annotations

import dash
from click.testing import CliRunner

import flash
from flash.cli import main


def test_the_version_names_what_it_runs_on() -> None:
    result = CliRunner().invoke(main, ["--version"])
    assert result.exit_code == 0
    assert result.output.startswith(f"flash {flash.__version__} (dash {dash.__version__}, quart ")


def test_each_public_module_is_a_command() -> None:
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    listed = [line.split(maxsplit=1) for line in result.output.partition("Commands:\n")[2].splitlines()]
    assert ["run", "Serve a Flash app."] in listed
    assert {"check", "data", "hub", "new", "run", "user"} == {name for name, _ in listed}


def test_an_unknown_command_is_refused() -> None:
    result = CliRunner().invoke(main, ["rn"])
    assert result.exit_code == 2
    assert "No such command 'rn'" in result.output
