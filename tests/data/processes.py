"""Starts the processes of a cluster, and listens to them."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Worker:
    """One process; see :mod:`tests.data.worker`."""

    def __init__(self, **environment: str) -> None:
        self.said: list[dict[str, Any]] = []
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "tests.data.worker"],
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid
        self.errors = ""
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._listen, self._listen_errors)]
        for each in self._threads:
            each.start()

    def tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def ask(self, line: str, *events: str, seconds: float = 20) -> dict[str, Any]:
        """Send a line and wait for the answer."""
        before = len(self.said)
        self.tell(line)
        return self.wait(lambda what: what["event"] in events, before, seconds=seconds)

    @property
    def status(self) -> dict[str, Any]:
        return self.ask("status", "status")

    def wait(
        self, condition: Callable[[dict[str, Any]], bool], after: int = 0, *, seconds: float = 20
    ) -> dict[str, Any]:
        """The first thing that it has said for which a condition holds."""
        end = time.monotonic() + seconds
        while True:
            for what in self.said[after:]:
                if condition(what):
                    return what
            assert time.monotonic() < end, f"it said only {self.said[after:]}, and {self.errors}"
            time.sleep(0.01)

    def started(self) -> Worker:
        self.wait(lambda what: what["event"] == "started", seconds=40)
        return self

    def changed(self, value: str, after: int = 0, seconds: float = 20) -> dict[str, Any]:
        """What it said of the version with a value."""
        return self.wait(lambda what: what["event"] == "changed" and what["values"] == [value], after, seconds=seconds)

    def kill(self, number: int = signal.SIGKILL) -> None:
        os.kill(self.pid, number)

    def end(self) -> int:
        """Let it end by itself."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        code = self._process.wait(20)
        self.release()
        return code

    def release(self) -> None:
        """Have nothing of it left."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for each in self._threads:
            each.join(10)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None and not stream.closed:
                try:
                    stream.close()
                except BrokenPipeError:
                    pass

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.said.append(json.loads(line))

    def _listen_errors(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.errors += line


class Cluster:
    """Processes that share a storage.

    Args:
        folder: Where their source reads.
        url: The storage.
        environment: What else they are told.
    """

    def __init__(self, folder: Path, url: str, **environment: str) -> None:
        self.folder = folder
        self.write("one")
        self._environment = {"URL": url, "NAME": secrets.token_hex(4), "FOLDER": str(folder), **environment}
        self.workers: list[Worker] = []

    def start(self, count: int = 1, **environment: str) -> list[Worker]:
        """Start processes, and wait until they have started."""
        new = [Worker(**{**self._environment, **environment}) for _ in range(count)]
        self.workers += new
        return [each.started() for each in new]

    def begin(self, **environment: str) -> Worker:
        """Start a process."""
        self.workers.append(Worker(**{**self._environment, **environment}))
        return self.workers[-1]

    def write(self, value: str) -> None:
        """Set what the source reads next."""
        new = self.folder / "value.new"
        new.write_text(value)
        new.replace(self.folder / "value")

    def hold(self) -> None:
        (self.folder / "hold").touch()

    def let_go(self) -> None:
        (self.folder / "hold").unlink()

    @property
    def runs(self) -> list[tuple[int, float]]:
        """Process and time of each run that was begun."""
        path = self.folder / "runs"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(int(pid), float(moment)) for pid, moment in map(str.split, lines)]

    def leader(self, among: list[Worker]) -> Worker:
        """The process that leads."""
        end = time.monotonic() + 30
        while True:
            found = [each for each in among if each.status["leads"]]
            if found:
                assert len(found) == 1
                return found[0]
            assert time.monotonic() < end, "nobody leads"
            time.sleep(0.05)

    def close(self) -> None:
        for each in self.workers:
            each.release()
