"""Restarts on code changes."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from flash.server import reload

from .run_programs import PATIENCE, PREAMBLE, get, program, started, wait_for

SOURCE = PREAMBLE + "\nimport helper\n@app.server.route('/version')\nasync def version():\n    return helper.VERSION\n"
#: The working directory changes, as scripts of data scientists like to do.
RUN = "os.chdir('/')\napp.run(debug=True, bind='127.0.0.1:0', extra_files=[__file__ + '.txt'])\n"


def test_a_change_restarts_it_and_a_mistake_waits_for_its_repair(tmp_path: Path) -> None:
    helper = tmp_path / "helper.py"
    helper.write_text("VERSION = 'one'")
    extra = tmp_path / "program.py.txt"
    extra.write_text("data")
    with program(SOURCE + RUN, tmp_path) as running:
        address = running.address()
        assert get(address, "/version") == (200, "one")
        first_hash = json.loads(get(address, "/_reload-hash")[1])["reloadHash"]

        helper.write_text("VERSION = 'second'")
        running.says(r"helper.py has changed: restarting")
        wait_for(lambda: answered_by_the_new(address) == "second", "the new version")
        # By this, pages know that they are to load anew.
        assert json.loads(get(address, "/_reload-hash")[1])["reloadHash"] != first_hash

        helper.write_text("VERSION = = 'third'")
        running.says("SyntaxError")
        running.says("It starts again when its code changes")
        helper.write_text("VERSION = 'fourth'")
        # The port is open all the while: this request waits in its queue.
        assert get(address, "/version") == (200, "fourth")

        extra.write_text("other data")
        running.says(r"program.py.txt has changed: restarting")
        running.address(times=4)
        # The banner is Dash's, and is printed by the process that watches alone.
        assert running.output.count("Dash is running on") == 1
        child = int(get(address, "/pid")[1])
        assert child != running.process.pid
        assert running.ends_after(signal.SIGTERM) == 0
        assert not psutil.pid_exists(child)


def answered_by_the_new(address: tuple[str, int]) -> str | None:
    """The version, or None when the old process cuts the connection off. The port itself is never closed."""
    try:
        return get(address, "/version")[1]
    except ConnectionRefusedError:
        raise
    except OSError:
        return None


def test_the_process_that_serves_ends_when_the_one_that_watches_is_killed(tmp_path: Path) -> None:
    with program(PREAMBLE + "app.run(debug=True, bind='127.0.0.1:0')\n", tmp_path) as running:
        child = psutil.Process(int(get(running.address(), "/pid")[1]))
        running.process.kill()
        child.wait(PATIENCE)


def test_flash_run_starts_even_with_a_mistake_and_serves_once_it_is_repaired(tmp_path: Path) -> None:
    package = tmp_path / "shop" / "parts"
    package.mkdir(parents=True)
    (package / "prices.py").write_text("def (")
    (tmp_path / "shop" / "app.py").write_text("import shop.parts.prices\n" + PREAMBLE)
    arguments = ["-m", "flash", "run", "shop.app", "--debug", "--bind", "127.0.0.1:0"]
    with started(arguments, tmp_path) as running:
        running.says("SyntaxError")
        running.says("It starts again when its code changes")
        (package / "prices.py").write_text("PRICE = 1")
        assert get(running.address(), "/pid")[0] == 200
        # As a terminal sends it: to both processes.
        for process in psutil.Process(running.process.pid).children():
            process.send_signal(signal.SIGINT)
        assert running.ends_after(signal.SIGINT) == 0
        assert "KeyboardInterrupt" not in running.output


def test_an_app_that_ends_by_itself_ends_the_reloader(tmp_path: Path) -> None:
    source = (
        PREAMBLE + "if os.environ.get('WERKZEUG_RUN_MAIN'):\n    sys.exit(0)\napp.run(debug=True, bind='127.0.0.1:0')\n"
    )
    with program(source, tmp_path) as running:
        assert running.ends() == 0


def test_no_reloader_where_it_could_not_work(monkeypatch: pytest.MonkeyPatch) -> None:
    assert reload.can_reload()
    monkeypatch.setenv("WERKZEUG_RUN_MAIN", "true")
    assert not reload.can_reload()
    monkeypatch.delenv("WERKZEUG_RUN_MAIN")

    pid = os.fork()
    if pid == 0:
        os._exit(int(reload.can_reload()))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

    class IPython:
        get_ipython = staticmethod(lambda: object())

    monkeypatch.setitem(sys.modules, "IPython", IPython)
    assert not reload.can_reload()


def test_the_command_line_is_that_of_this_process(tmp_path: Path) -> None:
    source = "import os\nfrom flash.server.reload import command_line\nos.chdir('/')\nprint(command_line()[1:])\n"
    ways = {
        ("-X", "utf8", "app.py", "--port", "1"): ["-X", "utf8", str(tmp_path / "app.py"), "--port", "1"],
        ("-m", "app", "app.py"): ["-m", "app", "app.py"],
        ("-c", "import app"): ["-c", "import app"],
    }
    (tmp_path / "app.py").write_text(source)
    for arguments, expected in ways.items():
        with started(list(arguments), tmp_path) as running:
            assert running.ends() == 0
            assert running.output.strip() == str(expected)


def test_folders_with_code_are_found_below_the_app(tmp_path: Path) -> None:
    for name in ("app.py", "pages/home.py", "data/2024/raw.csv", "deep/er/calc.py", ".git/hook.py", "venv/lib.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    expected = {tmp_path, tmp_path / "pages", tmp_path / "deep" / "er"}
    assert reload.code_folders(tmp_path) == {str(path) for path in expected}


def test_installed_modules_are_not_watched() -> None:
    folders = wait_for(reload.loaded_folders, "the folders")
    assert os.path.dirname(os.path.realpath(reload.__file__)) in folders
    assert not [folder for folder in folders if "site-packages" in folder]
    assert os.path.dirname(os.path.realpath(json.__file__)) not in folders
