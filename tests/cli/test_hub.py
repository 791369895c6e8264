"""``flash hub``: what it serves, its flags, and how it begins and ends."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from flash.cli import main
from flash.hub import Hub
from flash.hub.signin import Forwarded, NoSignIn, PasswordFile

from ..server.run_programs import free_port, get, started, wait_for

SCRIPT = """
import os
from flask import Flask

app = Flask(__name__)

@app.get("/")
def pid():
    return str(os.getpid())

if __name__ == "__main__":
    app.run(debug=True)
"""


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[Hub, str, int, dict[str, Any]]]:
    """The hubs that would have been served, with where and how."""
    calls: list[tuple[Hub, str, int, dict[str, Any]]] = []
    monkeypatch.setattr(Hub, "run", lambda hub, host, port, **options: calls.append((hub, host, port, options)))
    monkeypatch.delenv("PORT", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "apps" / "site").mkdir(parents=True)
    (tmp_path / "apps" / "site" / "index.html").write_text("<title>Site</title>")
    return calls


def flash(*arguments: str) -> str:
    result = CliRunner().invoke(main, ["hub", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def refused(*arguments: str) -> str:
    result = CliRunner().invoke(main, ["hub", *arguments])
    assert result.exit_code != 0
    return result.output


def test_a_folder_or_a_file_is_served(served: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "There is no hub.toml and no folder apps/ here" in refused_in(tmp_path / "apps", monkeypatch)
    monkeypatch.chdir(tmp_path)
    assert flash() == "Apps on http://127.0.0.1:8050/\n  /site/  Site\n"
    (tmp_path / "hub.toml").write_text('title = "Analytics"\nport = 8099\n[[app]]\ntarget = "apps/site"\nprefix = "/x"')
    assert flash() == "Analytics on http://127.0.0.1:8099/\n  /x/  Site\n"
    assert "/site/  Site" in flash("apps")
    assert "There is no folder" not in flash("apps/")
    assert "cannot be read" in refused("production.toml")
    hubs = [hub for hub, *_ in served]
    assert [list(hub.mounts) for hub in hubs] == [["site"], ["x"], ["site"], ["site"]]


def refused_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(folder)
    return refused()


def test_flags_count_more_than_the_file(served: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hub.toml").write_text(
        'title = "Analytics"\nhome = "kept"\ntrusted_proxies = ["10.0.0.0/8"]\nleave_children = true\n'
        '[server]\ngraceful_timeout = 3\n[signin]\nkind = "forwarded"\nuser = "x-user"\n'
    )
    monkeypatch.setenv("PORT", "9001")
    flash()
    flash(*"--title Other --home elsewhere --host 0.0.0.0 --port 9002 --end-children --certfile c.pem".split(),
          *"--sign-in password --users users.txt --trusted-proxy 127.0.0.1".split())  # fmt: skip
    (plain, host, port, options), (other, other_host, other_port, other_options) = served
    assert (plain.title, plain.folders.home, plain.leave_children) == ("Analytics", tmp_path / "kept", True)
    assert isinstance(plain.signin, Forwarded)
    assert (host, port, options) == ("127.0.0.1", 9001, {"graceful_timeout": 3})
    assert (other.title, other.folders.home, other.leave_children) == ("Other", tmp_path / "elsewhere", False)
    assert isinstance(other.signin, PasswordFile)
    assert (other_host, other_port) == ("0.0.0.0", 9002)
    assert other_options == {"graceful_timeout": 3, "certfile": "c.pem"}


def test_nobody_is_known_without_a_sign_in(served: Any) -> None:
    flash()
    assert isinstance(served[0][0].signin, NoSignIn)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--users", "users.txt"], "--users goes together with --sign-in"),
        (["--port", "70000"], "70000 is not in the range"),
        (["--sign-in", "magic"], "'magic' is not one of 'none', 'password'"),
    ],
)
def test_what_cannot_be_is_one_sentence(served: Any, arguments: list[str], sentence: str) -> None:
    assert sentence in refused(*arguments)
    assert not served


def test_an_app_that_cannot_be_mounted_stops_the_hub_only_when_it_is_written(served: Any, tmp_path: Path) -> None:
    (tmp_path / "apps" / "site.py").write_text("app = 1")
    assert flash().count("/site/") == 1
    (tmp_path / "hub.toml").write_text('[[app]]\ntarget = "apps/site"\n[[app]]\ntarget = "apps/site.py"')
    assert "hub.toml, app 2: Two apps are called 'site'" in refused()


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie has ended; it waits for whoever adopts orphans to notice.
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_and_its_apps_end_with_it(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "apps").mkdir()
    (tmp_path / "apps" / "script.py").write_text(SCRIPT)
    with started(["-m", "flash", "hub", "--port", str(free_port())], tmp_path) as hub:
        address = hub.address()
        status, text = get(address, "/script/")
        assert status == 200
        assert is_running(int(text))
        assert get(address, "/")[0] == 200
        assert hub.ends_after(number) == 0
    wait_for(lambda: not is_running(int(text)), "the end of the app")
    assert "Traceback" not in hub.output
    assert "/script/  Script" in hub.output
    assert "script: running" in hub.output


def test_apps_may_be_left_for_the_next_hub(tmp_path: Path) -> None:
    (tmp_path / "apps").mkdir()
    (tmp_path / "apps" / "script.py").write_text(SCRIPT)
    arguments = ["-m", "flash", "hub", "--port", str(free_port())]
    with started([*arguments, "--leave-children"], tmp_path) as hub:
        first = get(hub.address(), "/script/")[1]
        assert hub.ends_after(signal.SIGTERM) == 0
    assert is_running(int(first))
    with started(arguments, tmp_path) as hub:
        assert get(hub.address(), "/script/") == (200, first)
        assert hub.ends_after(signal.SIGTERM) == 0
    wait_for(lambda: not is_running(int(first)), "the end of the app")


def test_a_home_is_used_by_one_hub(tmp_path: Path) -> None:
    (tmp_path / "apps").mkdir()
    with started(["-m", "flash", "hub", "--port", str(free_port())], tmp_path) as first:
        first.address()
        with started(["-m", "flash", "hub", "--port", str(free_port())], tmp_path) as second:
            assert second.ends() != 0
        assert "Another hub uses" in second.output
        assert "Traceback" not in second.output


@pytest.mark.parametrize("reload", [True, False])
def test_code_is_loaded_anew_with_reload_only(tmp_path: Path, reload: bool) -> None:
    (tmp_path / "apps").mkdir()
    (tmp_path / "apps" / "script.py").write_text(SCRIPT)
    (tmp_path / "apps" / "other.py").write_text(SCRIPT)
    arguments = ["-m", "flash", "hub", "--port", str(free_port()), *(["--reload"] if reload else [])]
    with started(arguments, tmp_path) as hub:
        address = hub.address()
        before = [get(address, "/script/"), get(address, "/other/")]
        (tmp_path / "apps" / "script.py").write_text(SCRIPT.replace("return str(os.getpid())", "return 'new'"))
        if reload:
            wait_for(lambda: get(address, "/script/") == (200, "new"), "the new code")
        else:
            (tmp_path / "apps" / "third.py").write_text(SCRIPT)
            wait_for(lambda: get(address, "/third/")[0] == 200, "the third app")
            assert get(address, "/script/") == before[0]
        assert get(address, "/other/") == before[1]
        assert hub.ends_after(signal.SIGTERM) == 0


@pytest.mark.parametrize("command", ["hub", "check"])
def test_what_is_missing_is_named(tmp_path: Path, command: str) -> None:
    (tmp_path / "hub.toml").touch()
    code = f"import sys; sys.modules['psutil'] = None; from flash.cli import main; main([{command!r}, 'hub.toml'])"
    with started(["-c", code], tmp_path) as program:
        assert program.ends() == 1
    assert program.output == "Error: This needs psutil: pip install 'dash-flash[hub]'\n"
    with started(["-c", code.replace(", 'hub.toml'", ", '--help'")], tmp_path) as program:
        assert program.ends() == 0
