"""Starting the servers that are measured, each in a process of its own on one core, and reading what they cost."""

from __future__ import annotations

import os
import random
import signal
import socket
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

HERE = Path(__file__).parent
SERVER_CORE = 0
LOAD_CORE = 1

#: How each server program is started; the module of the app and the port are filled in.
COMMANDS = {
    "hypercorn": "hypercorn {module}:server --bind 127.0.0.1:{port}",
    "uvicorn": "uvicorn {module}:server --port {port} --no-access-log --log-level warning",
    "granian": "granian --interface asgi --port {port} {module}:server",
    "gunicorn": "gunicorn {module}:server --workers 1 --threads 40 --bind 127.0.0.1:{port} --log-level warning",
}


@dataclass
class Server:
    """A running server.

    Attributes:
        kind: What it serves, one of the ``KINDS`` of its module.
        program: What it is served by, one of ``COMMANDS``.
        port: Where it listens on 127.0.0.1.
    """

    kind: str
    program: str
    port: int
    process: psutil.Popen

    def memory(self) -> int:
        """The bytes of memory that the server's processes occupy."""
        return sum(each.memory_info().rss for each in [self.process, *self.process.children(recursive=True)])

    def cpu_seconds(self) -> float:
        """User and system time of the server's processes so far; in nanosecond steps where the others have 10 ms."""
        processes = [self.process, *self.process.children(recursive=True)]
        threads = [thread for each in processes for thread in Path(f"/proc/{each.pid}/task").iterdir()]
        return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def pin(core: int) -> None:
    """Keep this process, and what it starts, on one core; on a machine that has only one, anywhere."""
    if core in os.sched_getaffinity(0):
        os.sched_setaffinity(0, {core})


@contextmanager
def serving(kind: str, program: str, module: str = "apps", page: str = "/_dash-layout") -> Iterator[Server]:
    """A server that has answered its first page; it is ended with the block, also when the benchmark is asked to end.

    No signal to the benchmark's group reaches it: workers of Hypercorn's would end at once, and what they have begun
    would run on.

    Args:
        kind: What it serves, one of the ``KINDS`` of the module.
        program: What it is served by, one of ``COMMANDS``.
        module: Where the app stands.
        page: What it answers when it is ready.

    Raises:
        RuntimeError: It ends, or does not answer within a minute; with what it has printed.
    """
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    port = _free_port()
    command = [sys.executable, "-m", *COMMANDS[program].format(module=module, port=port).split()]
    path = os.pathsep.join([str(HERE), str(HERE.parent), os.environ.get("PYTHONPATH", "")])
    with tempfile.TemporaryFile("w+") as output:
        process = psutil.Popen(
            command,
            cwd=HERE,
            env={**os.environ, "BENCHMARK_KIND": kind, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=lambda: pin(SERVER_CORE),
        )
        try:
            _wait_until_ready(process, port, page)
            yield Server(kind, program, port, process)
        except _NotReady:
            output.seek(0)
            raise RuntimeError(f"{' '.join(command)} does not serve {kind}:\n{output.read()}") from None
        finally:
            _end(process)


class _NotReady(Exception):
    pass


def _wait_until_ready(process: psutil.Popen, port: int, page: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{page}", timeout=10):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise _NotReady


def _end(process: psutil.Popen) -> None:
    if process.poll() is not None:
        return
    children = process.children(recursive=True)
    process.terminate()
    try:
        process.wait(10)
    except psutil.TimeoutExpired:
        process.kill()
        process.wait(10)
    for child in children:
        if child.is_running():
            child.kill()


def _free_port() -> int:
    """A port that nobody listens on, below those that the system gives to outgoing connections."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
