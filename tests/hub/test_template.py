"""The project that ``flash new hub`` writes: its tests pass, it is served, and it grows by dropped files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import httpx
import pytest
from click.testing import CliRunner

from flash.cli import main
from flash.hub.config import read_file

from ..server.run_programs import PATIENCE, Program, free_port, started, wait_for

ROOT = Path(__file__).parents[2]

THIRD = '''
"""The third: dropped in while the hub runs."""
from dash import Dash, html

app = Dash(__name__, url_base_pathname="/somewhere/")
app.layout = html.Div("The third")

if __name__ == "__main__":
    app.run(debug=True, port=1)
'''


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project, just written."""
    result = CliRunner().invoke(main, ["new", "hub", str(tmp_path / "numbers")])
    assert result.exit_code == 0, result.output
    return tmp_path / "numbers"


def test_its_own_tests_pass(project: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error::DeprecationWarning:apps"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "14 passed" in done.stdout
    # They leave nothing behind.
    assert not (project / "instance").exists()


@pytest.mark.parametrize(("app", "said"), [("apps/stock.py", "Stock"), ("apps/reviews/app.py", "Reviews")])
def test_each_app_runs_alone(project: Path, app: str, said: str) -> None:
    port = free_port()
    # Flask's own server has no setting for its port in the environment.
    script = f"import sys, runpy, flask; sys.argv = [{app!r}]\n"
    if "reviews" in app:
        script += f"run = flask.Flask.run; flask.Flask.run = lambda app: run(app, port={port})\n"
    script += f"sys.path.insert(0, {os.path.dirname(app)!r}); runpy.run_path({app!r}, run_name='__main__')"
    with started(["-c", script], project, PORT=str(port)):
        page = wait_for(lambda: asked(f"http://127.0.0.1:{port}/"), app)
        assert page.status_code == 200
        assert f"<title>{said}</title>" in page.text
    assert (project / "instance").is_dir()


def asked(url: str) -> httpx.Response | None:
    try:
        return httpx.get(url, timeout=PATIENCE)
    except httpx.TransportError:
        return None


@pytest.fixture
def hub(project: Path) -> Iterator[tuple[Program, httpx.Client]]:
    """The project, served for development, and a browser's place before it."""
    arguments = ["-m", "flash", "hub", "development.toml", "--port", str(free_port())]
    with started(arguments, project) as running:
        host, port = running.address()
        with httpx.Client(base_url=f"http://{host}:{port}", timeout=PATIENCE) as client:
            yield running, client
        assert running.ends_after(signal.SIGINT) == 0
        assert "Traceback" not in running.output


def test_it_is_served_and_grows_by_dropped_files(project: Path, hub: tuple[Program, httpx.Client]) -> None:
    running, client = hub
    running.says(r"Numbers \(development\) on http")
    assert "<title>Stock</title>" in client.get("/stock/").text
    assert client.get("/stock/_dash-layout").status_code == 200
    review = {"product": "Rope", "mark": "4", "text": "It holds."}
    assert client.post("/reviews/", data=review).headers["location"] == "/reviews/"
    assert client.get("/reviews/api/reviews").json()[0]["text"] == "It holds."
    assert "/reviews/chart/" in client.get("/reviews/").text
    assert client.get("/reviews/chart/_dash-dependencies").status_code == 200
    start = client.get("/").text
    assert 'href="/stock/"' in start and 'href="/reviews/"' in start
    assert "What the warehouses hold, while goods come and go." in start

    (project / "apps" / "third.py").write_text(THIRD)
    wait_for(lambda: client.get("/third/").status_code == 200, "the third app")
    assert "The third" in client.get("/third/_dash-layout").text
    assert 'href="/third/"' in client.get("/").text
    (project / "apps" / "third.py").unlink()
    wait_for(lambda: client.get("/third/").status_code == 404, "the end of the third app")
    assert 'href="/third/"' not in client.get("/").text
    assert client.get("/stock/").status_code == 200
    # Each app keeps its data in a folder of its own.
    kept = project / ".hub-development" / "instance"
    assert (kept / "stock" / "stock.sqlite").exists()
    assert (kept / "reviews" / "reviews.sqlite").exists()


SECRETS = {name: name.lower() * 3 for name in ("FLASH_HUB_SECRET", "METRICS_TOKEN", "REVIEWS_SECRET_KEY")}


def test_it_is_checked_without_a_word(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checked = CliRunner().invoke(main, ["check", str(project / "development.toml")])
    assert (checked.exit_code, checked.output) == (0, "Nothing was found.\n")
    add_user(project)
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    checked = CliRunner().invoke(main, ["check", str(project / "hub.toml")])
    assert (checked.exit_code, checked.output) == (0, "Nothing was found.\n")


def test_a_container_has_what_it_names(project: Path) -> None:
    lines = dockerfile(project)
    assert lines["FROM"] == ["python:3.12-slim"]
    folder = PurePosixPath(lines["WORKDIR"][0])
    assert lines["USER"] == ["hub"] and "useradd --system --no-create-home hub " in lines["RUN"][1]
    # What is kept between two containers is the hub's home, where no variable says otherwise, and its user's.
    home = read_file(project / "hub.toml", SECRETS).config.home
    assert lines["VOLUME"] == [str(folder / Path(home).relative_to(project))]
    assert lines["RUN"][1].endswith(f"install -d -o hub -g hub -m 700 {Path(home).name}")
    assert [(project / each.split()[0]).exists() for each in lines["COPY"]] == [True, True]
    assert lines["RUN"][0].endswith(" -r requirements.txt") and (project / "requirements.txt").is_file()
    for kept_out in ("USER", "WORKDIR", "VOLUME", "HEALTHCHECK", "CMD"):
        assert len(lines[kept_out]) == 1
    # No file of secrets or state that git leaves out gets into the image.
    ignored, by_git = (
        {line.removeprefix("**/") for line in (project / name).read_text().splitlines() if not line.startswith("#")}
        for name in (".dockerignore", ".gitignore")
    )
    assert by_git <= ignored


def test_a_container_is_healthy_while_its_hub_is(project: Path) -> None:
    add_user(project)
    lines = dockerfile(project)
    program, *arguments = json.loads(lines["CMD"][0])
    assert program == "flash"
    check = json.loads(lines["HEALTHCHECK"][0].partition("CMD ")[2])
    assert check[0] == "python"
    port = str(free_port())

    def health() -> int:
        command = [sys.executable, *check[1:]]
        return subprocess.run(command, env={"PORT": port}, capture_output=True, timeout=60, check=False).returncode

    with started(["-m", "flash", *arguments], project, PORT=port, **SECRETS) as running:
        assert running.address() == ("0.0.0.0", int(port))
        assert health() == 0
        assert running.ends_after(signal.SIGTERM) == 0
    assert health() != 0


def dockerfile(project: Path) -> dict[str, list[str]]:
    """The arguments of all instructions, by their names."""
    text = (project / "Dockerfile").read_text().replace("\\\n", "")
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, rest = line.partition(" ")
            found.setdefault(name, []).append(rest.strip())
    return found


def add_user(project: Path) -> None:
    """Write the file of users, with one who may do everything."""
    done = subprocess.run(
        [sys.executable, "-m", "flash", "user", "add", "ann", "--roles", "admin", "--file", "users.txt"],
        cwd=project, input="correct horse battery\ncorrect horse battery\n", text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_production_asks_who_comes(project: Path) -> None:
    add_user(project)
    with started(["-m", "flash", "hub", "hub.toml", "--port", str(free_port())], project, **SECRETS) as running:
        host, port = running.address()
        with httpx.Client(base_url=f"http://{host}:{port}", timeout=PATIENCE) as client:
            asked = client.get("/stock/", headers={"accept": "text/html"})
            assert asked.status_code == 303
            assert asked.headers["location"].startswith("/_hub/login")
            assert client.get("/reviews/api/reviews", headers={"accept": "application/json"}).status_code == 401
            token = {"authorization": f"Bearer {SECRETS['METRICS_TOKEN']}"}
            assert client.get("/_hub/metrics", headers=token).status_code == 200
        assert running.ends_after(signal.SIGTERM) == 0
    assert not any(secret in running.output for secret in SECRETS.values())
