"""Sources without a Flash app: in scripts, and with Dash on Flask under waitress and Gunicorn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from flash._dash_scopes import Scope
from flash.data import engine as engines
from flash.data import source, start, stop
from flash.storage import ProcessLock, SeveralProcesses, served_as

from ..server.run_programs import free_port
from ..storage.servers import wait_until
from .engines import threads

SOURCES = """
import os
from pathlib import Path
from flash import data

@data.source(every="1s")
def orders():
    with open("runs", "a") as runs:
        runs.write(f"{os.getpid()}\\n")
    return {"pid": os.getpid(), "text": Path("value").read_text()}
"""

APP = """
import os
import dash
from dash import Input, Output, dcc, html
from flask import jsonify
from flash import data
from readings import orders

app = dash.Dash(__name__)
app.layout = html.Div([dcc.Interval(id="tick"), html.Div(id="text")])
server = app.server

@app.callback(Output("text", "children"), Input("tick", "n_intervals"))
def show(_):
    snapshot = orders.get()
    return snapshot.value["text"] if snapshot else "nothing yet"

@server.route("/orders")
def read():
    snapshot = orders.get()
    return jsonify(pid=os.getpid(), version=snapshot.version, value=snapshot.value, text=str(show(0)))

@server.route("/refresh")
def refresh():
    return jsonify(pid=os.getpid(), value=orders.refresh().value)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "readings.py").write_text(SOURCES)
    (tmp_path / "program.py").write_text(APP)
    (tmp_path / "value").write_text("one")
    return tmp_path


@pytest.fixture(autouse=True)
def stopped() -> Iterator[None]:
    with Scope("test").entered():
        yield
        stop()


def environment(**more: str) -> dict[str, str]:
    search = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FLASH_")}
    return {**clean, "PYTHONPATH": search, **more}


@contextmanager
def program(folder: Path, arguments: list[str], **more: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, *arguments], cwd=folder, env=environment(**more), stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            _, errors = process.communicate(timeout=30)
        finally:
            process.kill()
        print(errors)
        assert "Traceback" not in errors, errors


def get(port: int, path: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
        read: dict[str, Any] = json.load(answer)
    return read


def answers(port: int, path: str) -> bool:
    try:
        return bool(get(port, path)["version"])
    except OSError:
        return False


def test_a_thread_runs_the_declared_sources_until_it_is_stopped() -> None:
    numbers = iter(range(100))
    orders = source(every="1d", name="orders")(lambda: next(numbers))
    start()
    start()
    assert [each.name for each in threads("flash-data")].count("flash-data") == 1
    wait_until(lambda: orders.get(), "first version")
    assert orders.refresh().version >= 1 and orders.history()
    stop()
    stop()
    wait_until(lambda: not threads("flash-data"), "end of the threads")
    assert orders.get(), "what is known stays"
    start()
    assert orders.refresh().version >= 1


def test_a_start_that_is_refused_says_why_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(engines, "GRACE_SECONDS", 0.0)
    source(every="1d", name="orders")(lambda: 1)
    lock = ProcessLock(served_as("tests", __name__))
    path = lock._path
    code = f"""
import sys
from pathlib import Path
from flash.storage import FileLock
print(FileLock(Path({str(path)!r})).take(), flush=True)
sys.stdin.read()
"""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    other = subprocess.Popen([sys.executable, "-c", code], text=True, env=environment(), **pipes)  # type: ignore[call-overload]
    try:
        assert other.stdout is not None and other.stdout.readline().strip() == "True"
        with pytest.raises(SeveralProcesses, match="FLASH_REDIS_URL"):
            start()
    finally:
        other.communicate("", timeout=20)
    wait_until(lambda: not threads("flash-data"), "end of the threads")
    start()


def test_a_script_that_ends_without_stopping_gives_its_lease_back(folder: Path, redis_url: str) -> None:
    script = textwrap.dedent("""
        import time
        from flash import data
        from readings import orders
        data.start()
        while not orders.get():
            time.sleep(0.01)
        print(orders.get().value["text"])
    """)
    began = time.monotonic()
    for _ in range(2):
        ended = subprocess.run(
            [sys.executable, "-X", "dev", "-W", "error", "-c", script],
            cwd=folder,
            env=environment(FLASH_REDIS_URL=redis_url),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (ended.returncode, ended.stdout) == (0, "one\n"), ended.stderr
        assert "Warning" not in ended.stderr and "Traceback" not in ended.stderr
    from flash.storage import RedisStorage

    storage = RedisStorage(redis_url)
    assert storage.acquire("data:readings:leads", "test", 1) is not None
    storage.close()
    assert time.monotonic() - began < 60


def test_a_script_of_one_process_ends_without_a_word(folder: Path) -> None:
    script = "from flash import data\nfrom readings import orders\ndata.start()\nprint(orders.refresh().value['text'])"
    ended = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", script],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "one\n", "")


def test_dash_on_flask_under_waitress(folder: Path) -> None:
    port = free_port()
    serve = f"""
import program, waitress
from flash import data
data.start()
waitress.serve(program.server, port={port}, threads=10)
"""
    with program(folder, ["-c", serve]):
        wait_until(lambda: answers(port, "/orders"), "answer", 40)
        assert get(port, "/orders")["value"]["text"] == get(port, "/orders")["text"] == "one"
        version = get(port, "/orders")["version"]
        (folder / "value").write_text("two")
        wait_until(lambda: get(port, "/orders")["version"] > version, "new version", 5)
        (folder / "value").write_text("three")
        assert get(port, "/refresh")["value"]["text"] == "three"


def test_gunicorn_workers_share_by_redis(folder: Path, redis_url: str) -> None:
    pytest.importorskip("gunicorn")
    port = free_port()
    (folder / "gunicorn.conf.py").write_text(
        "def post_worker_init(worker):\n    from flash import data\n    data.start()\n"
    )
    arguments = ["-m", "gunicorn", "program:server", "-b", f"127.0.0.1:{port}", "-w", "4", "--threads", "2"]
    with program(folder, arguments, FLASH_REDIS_URL=redis_url):
        wait_until(lambda: answers(port, "/orders"), "answer", 60)

        def texts() -> dict[int, str]:
            found = [get(port, "/orders") for _ in range(24)]
            return {each["pid"]: (each["value"] or {}).get("text", "") for each in found}

        wait_until(lambda: len(texts()) > 1 and set(texts().values()) == {"one"}, "all workers")
        (folder / "value").write_text("two")
        wait_until(lambda: set(texts().values()) == {"two"}, "new version in all workers", 5)
        assert get(port, "/refresh")["value"]["text"] == "two"
        assert len(set((folder / "runs").read_text().split())) == 1, "one of them runs it"
