"""``flash new live-dashboard``: the projects that it writes pass their tests and are served, in both forms."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest

from ..server.run_programs import PATIENCE, free_port, started, wait_for
from .projects import SERVERS, Served, eventually, poll, served, write_project

ROOT = Path(__file__).parents[2]
FORMS = pytest.mark.parametrize("form", [[], ["--flask"]], ids=["flash", "flask"])
GUNICORN = pytest.mark.skipif(
    find_spec("gunicorn") is None or find_spec("uvicorn_worker") is None, reason="gunicorn is not installed."
)


@FORMS
def test_its_own_tests_pass_and_its_code_is_in_order(tmp_path: Path, form: list[str]) -> None:
    from click.testing import CliRunner

    from flash.cli import main

    folder = tmp_path / "numbers"
    assert CliRunner().invoke(main, ["new", "live-dashboard", str(folder), *form]).exit_code == 0
    for command in (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["pytest", "-q"]):
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True, text=True, timeout=150, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
    # They leave nothing behind.
    assert not (folder / "logs").exists() and not (folder / "data").exists()


@pytest.mark.parametrize(
    ("server", "form"),
    [
        ("python", ["--flask"]),
        ("python", []),
        ("flash run", []),
        ("hypercorn", []),
        pytest.param("gunicorn", [], marks=GUNICORN),
    ],
)
def test_it_is_served_behind_a_sign_in_and_logs(tmp_path: Path, server: str, form: list[str]) -> None:
    folder, password = write_project(tmp_path / "numbers", *form)
    with served(folder, password, server) as running:
        assert "<title>Numbers</title>" in running.client.get("/").text
        assert '"type":"Loading"' in running.client.get("/_dash-layout").text.replace(": ", ":")
        for path in ("/", "/_dash-layout", "/assets/style.css", "/assets/static_data/limits.csv", "/none"):
            for auth in (None, ("admin", "wrong"), ("nobody", password)):
                with httpx.Client(base_url=running.url, auth=auth) as stranger:
                    assert stranger.get(path).status_code in (401, 429), path
        if not form:
            assert handshake(running, None) == 401
            assert handshake(running, password) == 101
        wait_for(lambda: len(running.readings) > 1, "two readings")
        # To a file and to the stream.
        for text in (running.program.output, running.log):
            assert "dashboard.signin" in text and "failed to sign in as 'nobody'" in text
            assert password not in text
        assert running.program.ends_after(signal.SIGTERM) == 0
        assert "Traceback" not in running.program.output


def handshake(running: Served, password: str | None) -> int:
    """The status of the answer to a WebSocket handshake for the live connection."""
    request = httpx.Request("GET", running.url)
    headers = {
        "Host": f"127.0.0.1:{running.port}", "Origin": running.url, "Upgrade": "websocket", "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }  # fmt: skip
    if password is not None:
        signed = next(httpx.BasicAuth("admin", password).auth_flow(request))
        headers["Authorization"] = signed.headers["Authorization"]
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection(("127.0.0.1", running.port), timeout=PATIENCE) as connection:
        connection.sendall(f"GET /_dash-ws-callback HTTP/1.1\r\n{lines}\r\n".encode())
        return int(connection.recv(64).split()[1])


def test_nothing_is_served_before_somebody_may_sign_in(tmp_path: Path) -> None:
    folder, _ = write_project(tmp_path / "numbers")
    (folder / "users.txt").unlink()
    with started(["server.py"], folder, PORT=str(free_port())) as program:
        assert program.ends() == 1
        assert "flash user add NAME" in program.output


def test_a_reader_that_fails_leaves_the_data_tells_why_and_goes_on(tmp_path: Path) -> None:
    folder, password = write_project(tmp_path / "numbers", "--flask")
    with served(folder, password) as running:
        shown = eventually(lambda: drawn(running), "the first figures")
        running.fail(True)
        before = len(running.readings)
        failed = eventually(lambda: badge(running, "does not answer"), "the badge")
        assert failed.startswith(("Read at", "Stale: read at"))
        wait_for(lambda: len(running.readings) >= before + 4, "three failures")
        # A page that is opened now still gets what was read last.
        assert poll(running.client, {}).json()["response"]["load"]["figure"]["data"]
        running.fail(False)
        eventually(lambda: not badge(running, "does not answer"), "the end of the failure")
        eventually(lambda: poll(running.client, {}).json()["response"]["shown"]["data"]["load"] != shown, "new data")
        # One line for each of them, with an id of its own.
        failures = sum(failed for _, _, failed in running.readings)
        ids = re.findall(r"ERROR flash .* The source 'machine' has failed \(error id (\w+)\)", running.log)
        assert len(set(ids)) == len(ids) == failures >= 3


def drawn(running: Served) -> list[int] | None:
    """Version and minutes of what a page that is opened now shows; None when it shows nothing."""
    answer = poll(running.client, {}).json()["response"]
    version: list[int] = answer["shown"]["data"]["load"]
    return version if answer.get("load", {}).get("figure", {}).get("data", [{}])[0].get("x") else None


def badge(running: Served, text: str) -> str:
    """What the machine's badge says, when that contains a text."""
    said: str = poll(running.client, {}).json()["response"]["machine-badge"]["children"]["props"]["children"]
    return said if text in said else ""


def test_a_page_that_knows_the_newest_gets_an_empty_answer(tmp_path: Path) -> None:
    folder, password = write_project(tmp_path / "numbers", "--flask", every="1h")
    with served(folder, password) as running:
        eventually(lambda: poll(running.client, {}).json()["response"].get("disks"), "the disks")
        newest = poll(running.client, {}).json()["response"]["shown"]["data"]
        answer = poll(running.client, newest)
        assert (answer.status_code, answer.content) == (204, b"")


@FORMS
def test_through_a_proxy_the_wrong_passwords_of_one_make_no_other_wait(tmp_path: Path, form: list[str]) -> None:
    folder, password = write_project(tmp_path / "numbers", *form)

    def guess(running: Served, address: str, name: str) -> int:
        auth, told = (name, "wrong"), {"X-Forwarded-For": address}
        return httpx.get(running.url, auth=auth, headers=told, timeout=PATIENCE).status_code

    for proxies, others in (("127.0.0.1", 401), ("", 429)):
        with served(folder, password, DASHBOARD_PROXIES=proxies) as running:
            eventually(lambda running=running: guess(running, "198.51.100.1", "ann") == 429, "the first pause")
            eventually(
                lambda running=running, others=others: (
                    guess(running, "198.51.100.1", "bob"), guess(running, "198.51.100.2", "eve")
                ) == (429, others),
                "the answers to two addresses",
            )  # fmt: skip


@FORMS
def test_settings_are_loaded_as_the_readme_says_and_data_outlive_a_restart(tmp_path: Path, form: list[str]) -> None:
    folder, password = write_project(tmp_path / "numbers", *form, every="1h")
    lines = (folder / ".env.example").read_text().splitlines()
    settings = dict(line.split("=", 1) for line in lines if re.match(r"[A-Z]", line))
    for _ in range(2):
        with served(folder, password, **settings) as running:
            eventually(lambda: (folder / "data" / "snapshots.sqlite").exists(), "the file")
            eventually(lambda running=running: running.readings, "a reading")
            assert running.program.ends_after(signal.SIGTERM) == 0
            assert "Traceback" not in running.program.output
    assert len((folder / "readings.txt").read_text().splitlines()) == 1


def test_two_dashboards_on_one_redis_show_their_own_data(tmp_path: Path, redis_url: str) -> None:
    urls = []
    for name in ("north", "south"):
        folder, _ = write_project(tmp_path / name, every="1h")
        # As .env.example has it, but for the address.
        found = re.search(r"^#FLASH_REDIS_URL=redis://[^?]+(\?\S+)$", (folder / ".env.example").read_text(), re.M)
        assert found is not None
        urls.append(redis_url.partition("?")[0] + found[1])
        with (folder / "reading.py").open("a") as file:
            file.write(
                f"\n\ndef read_disks():\n    return pd.DataFrame([{{'disk': '/{name}', 'used': 1, 'free': 2}}])\n"
            )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "FLASH_DATA_STORE": ""}
    for name, url in zip(("north", "south"), urls, strict=True):
        done = subprocess.run(
            [sys.executable, "-m", "flash", "data", "run", "server", "disks"], cwd=tmp_path / name,
            env={**environment, "FLASH_REDIS_URL": url}, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert f"/{name}" in done.stdout and "Kept as version 1." in done.stdout, done.stdout + done.stderr


#: Added to a project's ``server.py``: each process notes the versions that its pages get, and when.
NOTED = """

import os
import time

import schedule


@schedule.load.on_change
def note(snapshot):
    with open(f"shown-{os.getpid()}.txt", "a") as file:
        file.write(f"{snapshot.version} {time.time()}\\n")
"""


@GUNICORN
def test_four_workers_read_once_and_show_the_same(tmp_path: Path, redis_url: str) -> None:
    folder, password = write_project(tmp_path / "numbers", every="2s")
    with (folder / "server.py").open("a") as file:
        file.write(NOTED)
    with served(folder, password, "gunicorn", "-w", "4", FLASH_REDIS_URL=redis_url) as running:
        # From when all have started.
        eventually(lambda: len(shown(folder)) == 4, "four workers")
        first = max(min(versions) for versions in shown(folder).values())
        last = first + 4
        eventually(lambda: all(max(versions) >= last for versions in shown(folder).values()), "four versions in each")
        for version in range(first + 1, last + 1):
            times = [min(at for each, at in one.items() if each >= version) for one in shown(folder).values()]
            assert max(times) - min(times) < 2.0
        # One process has read, once at each tick.
        assert len({process for process, _, _ in running.readings}) == 1
        ticks = [at // 2 for _, at, _ in running.readings[1:]]
        assert len(set(ticks)) == len(ticks)
        assert (folder / "logs" / "dashboard-4.log").exists()


def shown(folder: Path) -> dict[str, dict[int, float]]:
    """When each process has shown which version."""
    return {
        path.name: {int(version): float(at) for version, at in map(str.split, path.read_text().splitlines())}
        for path in folder.glob("shown-*.txt")
        if path.read_text().endswith("\n")
    }


@GUNICORN
def test_four_workers_without_redis_do_not_start_and_say_why(tmp_path: Path) -> None:
    folder, _ = write_project(tmp_path / "numbers")
    arguments = [*SERVERS["gunicorn"](free_port()), "-w", "4"]
    with started(arguments, folder, FLASH_REDIS_URL="", FLASH_DATA_STORE="") as program:
        assert program.ends() != 0
        assert "FLASH_REDIS_URL" in program.output
