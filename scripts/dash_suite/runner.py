"""Runs the files of Dash's suite, each in a process of its own, several at a time."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

FOLDERS = ("tests/integration", "tests/async_tests", "tests/backend_tests", "tests/websocket")
WEBSOCKET_FOLDER = "tests/websocket"
PYTEST_FAILURES = (3, 4)  # of pytest itself: an internal error, wrong usage
PORT_RANGES = range(20_000, 32_000, 500)

Record = dict[str, Any]


@dataclass(frozen=True)
class Suite:
    """How the suite is run.

    Attributes:
        checkout: a checkout of plotly/dash.
        python: the interpreter that has dash, Flash and the suite's requirements installed.
        workers: how many test files run at the same time.
        timeout: seconds that one phase of a test (set-up, test, tear-down) may take.
        only: a pytest `-k` expression, or "" for all tests.
    """

    checkout: Path
    python: str
    workers: int
    timeout: int
    only: str

    def run(self, subject: str, read_as_quart: bool = False) -> list[Record]:
        """Run all four folders, or Dash's FastAPI tests of the WebSocket read as Quart, and return a record a test."""
        folders = (WEBSOCKET_FOLDER,) if read_as_quart else FOLDERS
        finished: list[Record] = []
        with self.slots(subject, read_as_quart) as slots:
            files = by_file(list(slots[0].records(["--collect-only", *folders])))
            for number, (path, records) in enumerate(spread(slots, list(files.items())), 1):
                finished += records
                print(f"{subject}: {number}/{len(files)} {path}: {summary(records)}", flush=True)
        return sorted(finished, key=lambda record: record["id"])

    def repeat(self, subject: str, tests: list[Record], times: int) -> dict[str, int]:
        """Run some tests several times, alone but next to each other, and return how often each of them failed."""
        failed = {test["id"]: 0 for test in tests}
        blank = [{"id": test["id"]} for test in tests]
        with self.slots(subject, read_as_quart=False) as slots:
            for path, records in spread(slots, [(test["id"], [test]) for test in blank] * times):
                failed[path] += sum(record["outcome"] == "failed" for record in records)
        return failed

    @contextmanager
    def slots(self, subject: str, read_as_quart: bool) -> Iterator[list["Slot"]]:
        """Give as many workers as were asked for, each with a copy of the suite that is gone afterwards."""
        with tempfile.TemporaryDirectory(prefix="dash-suite-", ignore_cleanup_errors=True) as scratch:
            yield [Slot(self, Path(scratch, str(n)), subject, read_as_quart) for n in range(self.workers)]


Job = tuple[str, list[Record]]


def spread(slots: list["Slot"], jobs: list[Job]) -> Iterator[Job]:
    """Have the workers run jobs, a test file or a test and the records expected of it, and yield them with results."""
    free: SimpleQueue[Slot] = SimpleQueue()
    for slot in slots:
        free.put(slot)

    def run(job: Job) -> Job:
        slot = free.get()
        try:
            return job[0], slot.run_tests(*job)
        finally:
            free.put(slot)

    pool = ThreadPoolExecutor(len(slots))
    try:
        for done in as_completed([pool.submit(run, job) for job in jobs]):
            yield done.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for slot in slots:
            slot.end()
        pool.shutdown()


class Slot:
    """One worker: a copy of the suite, so that tests that rewrite their assets do not meet, and a range of ports."""

    def __init__(self, suite: Suite, folder: Path, subject: str, read_as_quart: bool) -> None:
        self.suite = suite
        self.folder = folder
        self.temporary = folder / "tmp"
        self.guard = take_port_range()
        self.process: subprocess.Popen[bytes] | None = None
        shutil.copytree(suite.checkout / "tests", folder / "tests")
        self.temporary.mkdir()
        (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        (folder / "dash").mkdir()  # one module compares the version of dash with this file
        shutil.copy(suite.checkout / "dash" / "version.py", folder / "dash")
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("DASH_")},
            "PYTHONPATH": os.pathsep.join(python_path(suite.checkout)),
            "TMPDIR": str(self.temporary),
            "DASH_SUITE_SUBJECT": subject,
            "DASH_SUITE_READ_AS_QUART": str(int(read_as_quart)),
            "DASH_SUITE_RECORDS": str(folder / "records.jsonl"),
            "DASH_SUITE_FIRST_PORT": str(self.guard.getsockname()[1] + 1),
            "DASH_SUITE_PORTS": str(PORT_RANGES.step - 1),
            "DASH_SUITE_TIMEOUT": str(suite.timeout),
        }

    def run_tests(self, path: str, expected: list[Record]) -> list[Record]:
        """Run a test file or a test. One that left no record, since its process died or hung, counts as failed."""
        limit = self.suite.timeout * (2 + len(expected))
        finished = {record["id"]: record for record in self.records([path], limit)}
        for record in expected:
            lost = {"outcome": "failed", "error": "the test process ended before this test did", "detail": ""}
            finished.setdefault(record["id"], record if "outcome" in record else record | lost)
        return list(finished.values())

    def records(self, arguments: list[str], limit: int | None = None) -> Iterator[Record]:
        """Run pytest with Dash's plugins and ours, without reruns, and yield what our plugin recorded."""
        file = Path(self.environment["DASH_SUITE_RECORDS"])
        file.write_text("", encoding="utf-8")
        command = [self.suite.python, "-m", "pytest", "-q", "--continue-on-collection-errors", "--headless"]
        command += ["--nopercyfinalize", "-p", "dash_suite.plugin", "-p", "no:flaky", "-p", "no:rerunfailures"]
        command += ["-p", "no:cacheprovider", *arguments, *(["-k", self.suite.only] if self.suite.only else [])]
        self.run_to_the_end(command, limit)
        shutil.rmtree(self.temporary, ignore_errors=True)
        self.temporary.mkdir(exist_ok=True)
        for line in file.read_text(encoding="utf-8").splitlines():
            yield json.loads(line)

    def run_to_the_end(self, command: list[str], limit: int | None) -> None:
        """Run a command in a process group of its own, and leave nothing of the group running."""
        log = self.folder / "output.log"
        with log.open("w", encoding="utf-8") as output:
            self.process = process = subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdout=output, stderr=output, start_new_session=True
            )
            try:
                process.wait(limit)
            except subprocess.TimeoutExpired:
                print(f"{command[-1]}: still running after {limit} seconds, ended", file=sys.stderr)
            finally:
                self.end()
        if process.wait() in PYTEST_FAILURES:
            raise SystemExit(log.read_text(encoding="utf-8")[-4000:])

    def end(self) -> None:
        """End what this worker runs, servers and browsers included."""
        process, self.process = self.process, None
        if process:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def take_port_range() -> socket.socket:
    """Take a range of ports that no other worker has, of this run or another: its first port stays bound meanwhile."""
    for first in PORT_RANGES:
        guard = socket.socket()
        try:
            guard.bind(("127.0.0.1", first))
        except OSError:
            guard.close()
        else:
            return guard
    raise SystemExit(f"No range of ports is free between {PORT_RANGES.start} and {PORT_RANGES.stop}.")


def python_path(checkout: Path) -> list[str]:
    """Return what the test processes import from: this package, Dash's test components if built, and the caller's."""
    components = sorted(checkout.glob("@plotly/dash-*test-component*"))
    caller = os.environ.get("PYTHONPATH")
    return [str(Path(__file__).parents[1]), *map(str, components), *([caller] if caller else [])]


def by_file(collected: list[Record]) -> dict[str, list[Record]]:
    """Group records by test file, the files with most tests first, so that no long one is left for the end."""
    files: dict[str, list[Record]] = {}
    for record in collected:
        files.setdefault(record["id"].split("::")[0], []).append(record)
    return dict(sorted(files.items(), key=lambda item: len(item[1]), reverse=True))


def summary(records: list[Record]) -> str:
    """Return the outcomes of some tests in one line, with the names of those that failed."""
    failed = [record["id"].split("::")[-1] for record in records if record["outcome"] == "failed"]
    passed = sum(record["outcome"] == "passed" for record in records)
    return f"{passed} passed" + (f", failed: {', '.join(failed)}" if failed else "")
