"""Live dashboards as ``flash new`` writes them, served by programs: what the tests of the template share."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from click.testing import CliRunner

from flash.cli import main

from ..server.run_programs import PATIENCE, Program, free_port, started, wait_for

#: Added to a project's ``reading.py``: notes each reading and who made it, and fails while there is a file ``fails``.
WATCHED = """
import os

_read_machine = read_machine


def read_machine():
    with open("readings.txt", "a") as file:
        file.write(f"{os.getpid()} {pd.Timestamp.now('UTC').timestamp()} {Path('fails').exists()}\\n")
    if Path("fails").exists():
        raise SourceError("The machine does not answer.")
    return _read_machine()
"""

SERVERS: dict[str, Callable[[int], list[str]]] = {
    "python": lambda port: ["server.py"],
    "flash run": lambda port: ["-m", "flash", "run", "server:app", "--port", str(port)],
    "hypercorn": lambda port: ["-m", "hypercorn", "server:app", "--bind", f"127.0.0.1:{port}"],
    "gunicorn": lambda port: [
        *["-m", "gunicorn", "server:app", "-k", "uvicorn_worker.UvicornWorker", "--bind", f"127.0.0.1:{port}"]
    ],
}


@dataclass
class Served:
    """A dashboard that is served.

    Attributes:
        folder: The project.
        program: What serves it.
        client: Somebody who has signed in.
        port: Where.
        password: The first user's.
    """

    folder: Path
    program: Program
    client: httpx.Client
    port: int
    password: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What its log files hold."""
        return "".join(path.read_text() for path in (self.folder / "logs").glob("dashboard*.log"))

    @property
    def readings(self) -> list[tuple[int, float, bool]]:
        """The process and the time of each reading of the machine, and whether it failed."""
        path = self.folder / "readings.txt"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(int(process), float(at), failed == "True") for process, at, failed in map(str.split, lines)]

    def fail(self, fails: bool) -> None:
        """Have the readings fail from now on, or no more."""
        (self.folder / "fails").touch() if fails else (self.folder / "fails").unlink()


def write_project(folder: Path, *options: str, every: str = "1s") -> tuple[Path, str]:
    """Write a project whose machine is read often; returns its folder and the first user's password."""
    result = CliRunner().invoke(main, ["new", "live-dashboard", str(folder), *options])
    assert result.exit_code == 0, result.output
    found = re.search(r"with the password (\S+)", result.output)
    assert found is not None
    config = folder / "config.json"
    config.write_text(config.read_text().replace('"5s"', f'"{every}"'))
    with (folder / "reading.py").open("a") as file:
        file.write(WATCHED)
    return folder, found[1]


@contextmanager
def served(folder: Path, password: str, server: str = "python", *more: str, **environment: str) -> Iterator[Served]:
    """Serve a project until it answers who has signed in."""
    port = free_port()
    surroundings = {"FLASH_REDIS_URL": "", "FLASH_DATA_STORE": "", "PORT": str(port), **environment}
    with started([*SERVERS[server](port), *more], folder, **surroundings) as program:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", auth=("admin", password), timeout=PATIENCE) as client:
            running = Served(folder, program, client, port, password)
            wait_for(lambda: answered(running), f"{server} in {folder}")
            yield running


def answered(running: Served) -> bool:
    """Whether it answers; raises when it has ended."""
    if running.program.process.poll() is not None:
        raise AssertionError(f"It has ended:\n{running.program.output}")
    try:
        return running.client.get("/_dash-layout").status_code == 200
    except httpx.TransportError:
        return False


OUTPUTS = [
    "load.figure", "numbers.children", "loading.display", "disks.figure", "machine-badge.children",
    "disks-badge.children", "shown.data",
]  # fmt: skip


def poll(client: httpx.Client, shown: dict[str, Any]) -> httpx.Response:
    """Ask what a page of the form for Flask asks every two seconds."""
    outputs = [dict(zip(("id", "property"), name.split("."), strict=True)) for name in OUTPUTS]
    body = {
        "output": f"..{'...'.join(OUTPUTS)}..",
        "outputs": outputs,
        "inputs": [
            {"id": "tick", "property": "n_intervals", "value": 1},
            {"id": "minutes", "property": "value", "value": 5},
        ],
        "state": [{"id": "shown", "property": "data", "value": shown}],
        "changedPropIds": ["tick.n_intervals"],
    }
    return client.post("/_dash-update-component", json=body)


def eventually(check: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """Wait for something, at most so many seconds, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < deadline, f"Waited in vain for {what}."
        time.sleep(0.05)
    return found
