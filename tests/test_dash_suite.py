"""The parts of scripts/dash-suite that can be wrong without anybody noticing: what it calls whose test, and a loss."""

import sys
from pathlib import Path
from textwrap import dedent

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from dash_suite.classify import needs_of
from dash_suite.main import judge
from dash_suite.report import Comparison, Reason, shorten, write_report


def module(root: Path, name: str, source: str) -> Path:
    path = root / "tests" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(dedent(source), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("line", "other"),
    [
        ("Dash(__name__)", False),
        ("Dash(__name__, backend='quart')", False),
        ("dash.Dash(backend='fastapi')", True),
        ("Dash(backend=Custom)", True),
        ("Dash(server=flask.Flask('a'))", True),
        ("Celery(backend='redis')", False),
    ],
)
def test_a_test_that_makes_an_app_for_another_server_names_another_backend(
    tmp_path: Path, line: str, other: bool
) -> None:
    path = module(tmp_path, "test_backend.py", f"def test_app():\n    {line}\n")
    assert needs_of("test_app", path, tmp_path, {}).other_backend is other


def test_a_backend_given_by_parametrisation_decides_alone(tmp_path: Path) -> None:
    path = module(tmp_path, "test_both.py", "def test_app(backend):\n    server = FastAPI()\n    Dash(server=server)\n")
    assert not needs_of("test_app", path, tmp_path, {"backend": "quart"}).other_backend
    assert needs_of("test_app", path, tmp_path, {"backend": "fastapi"}).other_backend


def test_flask_is_found_through_helpers_fixtures_and_imports_of_the_suite(tmp_path: Path) -> None:
    module(tmp_path, "helpers.py", "import flask\ndef guard():\n    return flask.request.path\n")
    path = module(
        tmp_path,
        "test_flask.py",
        """
        from tests.helpers import guard
        from flask import jsonify as to_json

        @pytest.fixture
        def client():
            return Dash().server.test_client()

        def test_by_import(): guard()
        def test_by_name(): to_json({})
        def test_by_fixture(client): client.get("/")
        def test_without(): Dash()
        """,
    )
    for name in ("test_by_import", "test_by_name", "test_by_fixture"):
        assert needs_of(name, path, tmp_path, {}).flask, name
    assert not needs_of("test_without", path, tmp_path, {}).flask


def comparison(*reasons: Reason, as_quart: str = "passed", again: tuple[int, int] = (0, 2)) -> Comparison:
    def result(**outcomes: str) -> dict[str, object]:
        records = [{"id": f"tests/t.py::{name}", "outcome": o, "error": "Boom"} for name, o in outcomes.items()]
        return {"versions": {"python": "3"}, "records": records, "as_quart": []}

    flash = result(same="passed", lost="failed", both="failed", gained="passed")
    flash["as_quart"] = [{"id": "tests/websocket/t.py::live", "outcome": as_quart, "error": "closed"}]
    dash = result(same="passed", lost="passed", both="failed", gained="failed")
    failed = {subject: {"tests/t.py::lost": count} for subject, count in zip(("dash", "flash"), again, strict=True)}
    return Comparison({"dash": dash, "flash": flash}, list(reasons), {"times": 8, "failed": failed})


def test_only_a_named_deviation_may_pass_on_dash_and_fail_on_flash(capsys: pytest.CaptureFixture[str]) -> None:
    explained = Reason(["tests/t.py::lost"], "It differs.")
    assert judge(comparison()) == 1
    assert judge(comparison(explained)) == 1
    assert judge(comparison(Reason(["tests/t.py::lo*"], "It differs.", deviation=True))) == 0
    assert "1 tests pass on Dash on Flask and not on Flash; 1 of them are named" in capsys.readouterr().out


def test_a_test_that_plain_dash_fails_too_when_repeated_is_no_loss(tmp_path: Path) -> None:
    at_random = comparison(again=(3, 2))
    assert judge(at_random) == 0
    write_report(tmp_path / "LOG.md", at_random)
    text = (tmp_path / "LOG.md").read_text(encoding="utf-8")
    assert "At random: fails 3 of 8 times on plain Dash and 2 on Flash." in text


@pytest.mark.parametrize("again", [(0, 2), (1, 8), (2, 7)])
def test_a_test_that_flash_clearly_fails_more_often_stays_a_loss(again: tuple[int, int]) -> None:
    assert judge(comparison(again=again)) == 1


def test_a_websocket_test_read_as_quart_has_to_pass() -> None:
    assert judge(comparison(Reason(["*"], "It differs.", deviation=True), as_quart="failed")) == 1


def test_the_report_gives_every_test_that_does_not_pass_a_line(tmp_path: Path) -> None:
    write_report(tmp_path / "LOG.md", comparison(Reason(["tests/t.py::lost"], "It differs.")))
    text = (tmp_path / "LOG.md").read_text(encoding="utf-8")
    assert "| `tests/t.py::lost` | failed | It differs. |" in text
    assert "| `tests/t.py::both` | failed | no reason given yet: Boom |" in text
    assert "- `tests/t.py::gained`" in text


def test_a_reason_in_the_report_is_one_cell_without_paths_of_the_machine() -> None:
    assert shorten("File '/home/me/x/site-packages/dash/a.py'\n a | b") == "File 'site-packages/dash/a.py' a \\| b"
