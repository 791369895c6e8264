"""The pytest plugin that puts Flash in Dash's place, loaded before Dash's test modules are imported.

Which class a test meets under the name `Dash` is chosen for each test, just before its set-up, in `dash` and in every
module of the suite that has imported the name. The runner passes its settings by the environment.
"""

import importlib.util
import json
import os
import signal
import socket
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import dash
import pytest
from dash.testing import application_runners

from dash_suite.classify import Needs, needs_of

SUBJECT = os.environ["DASH_SUITE_SUBJECT"]
SUITE = str(Path.cwd() / "tests")
READ_AS_QUART = os.environ["DASH_SUITE_READ_AS_QUART"] == "1"
RECORDS = Path(os.environ["DASH_SUITE_RECORDS"])
FIRST_PORT = int(os.environ["DASH_SUITE_FIRST_PORT"])
PORTS = int(os.environ["DASH_SUITE_PORTS"])
TIMEOUT = int(os.environ["DASH_SUITE_TIMEOUT"])

FOLDERS_WITH_ASGIREF = ("tests/async_tests", "tests/backend_tests")

OriginalDash = dash.Dash
needs_key = pytest.StashKey[Needs]()
outcome_key = pytest.StashKey[dict[str, Any]]()


# Subjects


def quart_dash() -> type[dash.Dash]:
    """Plain Dash on its own Quart backend, wherever a test leaves the choice open."""

    class QuartDash(OriginalDash):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            if options.get("server", True) is True:
                options.setdefault("backend", "quart")
            super().__init__(*arguments, **options)

    return QuartDash


def flash_classes() -> tuple[type[dash.Dash], type[dash.Dash], type[dash.Dash]]:
    """Flash, Flash with `flask_compat=True`, and Flash that reads `backend="fastapi"` as Quart."""
    from flash import Flash

    class FlaskCompatFlash(Flash):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **{"flask_compat": True} | options)

    class FastAPIReadAsQuart(Flash):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            if options.get("backend") == "fastapi":
                options["backend"] = "quart"
            super().__init__(*arguments, **options)

    return Flash, FlaskCompatFlash, FastAPIReadAsQuart


if SUBJECT == "flash":
    PlainSubject, FlaskSubject, FastAPISubject = flash_classes()
elif SUBJECT == "quart":
    PlainSubject = FlaskSubject = FastAPISubject = quart_dash()
else:
    PlainSubject = FlaskSubject = FastAPISubject = OriginalDash

KNOWN_CLASSES = {OriginalDash, PlainSubject, FlaskSubject, FastAPISubject}


def class_for(needs: Needs) -> type[dash.Dash]:
    """Return the class that a test meets as `Dash`."""
    if needs.other_backend:
        return FastAPISubject if READ_AS_QUART else OriginalDash
    return FlaskSubject if needs.flask else PlainSubject


def put_in_place(chosen: type[dash.Dash]) -> None:
    """Let `dash.Dash`, and each name of the suite that was imported from it, mean the chosen class."""
    dash.Dash = dash.dash.Dash = chosen  # type: ignore[misc]
    for module in list(sys.modules.values()):
        if (getattr(module, "__file__", None) or "").startswith(SUITE):
            for key, value in list(vars(module).items()):
                if isinstance(value, type) and value in KNOWN_CLASSES:
                    setattr(module, key, chosen)
                elif key == "is_dash_async" and chosen is not OriginalDash:
                    setattr(module, key, lambda: True)


def show_asgiref(visible: bool) -> None:
    """Hide asgiref, or not: Dash on Flask runs asynchronously where it is installed, and Flash never needs it.

    Dash's own CI installs it for two folders of tests only.
    """
    if visible:
        if sys.modules.get("asgiref", dash) is None:
            del sys.modules["asgiref"]
    else:
        sys.modules["asgiref"] = None  # type: ignore[assignment]


# pytest hooks


def pytest_configure(config: pytest.Config) -> None:
    """Put the subject in place before any module of the suite is imported, and load Flash's own plugin.

    That plugin gives apps with `flask_compat` Flask's synchronous test client. Where Flash is installed it is loaded.
    """
    put_in_place(PlainSubject)
    give_every_server_a_port_of_its_own()
    if SUBJECT == "flash" and importlib.util.find_spec("flash.testing.plugin"):
        plugin = importlib.import_module("flash.testing.plugin")
        if not config.pluginmanager.is_registered(plugin):
            config.pluginmanager.register(plugin)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Function]) -> None:
    """Note for each test what it needs; keep only Dash's FastAPI tests where those are read as Quart."""
    for item in items:
        name = item.originalname if not item.cls else item.cls.__name__
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        item.stash[needs_key] = needs_of(name, item.path, config.rootpath, parameters)
    if READ_AS_QUART:
        items[:] = [item for item in items if item.stash[needs_key].other_backend]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Record what would run, when the suite is only collected."""
    if session.config.option.collectonly:
        for item in session.items:
            record({"id": item.nodeid, **vars(item.stash[needs_key])})


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Record a module that cannot be imported as one failure."""
    if report.failed and report.nodeid:
        record({"id": report.nodeid, "outcome": "failed", "error": last_line(report), "detail": report.longreprtext})


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, Any, Any]:
    """Choose the test's class, move on to free ports, and bound the set-up."""
    needs = item.stash[needs_key]
    chosen = class_for(needs)
    put_in_place(chosen)
    show_asgiref(chosen is OriginalDash and item.nodeid.startswith(FOLDERS_WITH_ASGIREF))
    application_runners.BaseDashRunner._next_port = next(free_ports)
    item.stash[outcome_key] = {"id": item.nodeid, **vars(needs), "outcome": "passed", "seconds": 0.0}
    with time_limit("set-up"):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call() -> Generator[None, Any, Any]:
    """Bound the test."""
    with time_limit("test"):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown() -> Generator[None, Any, Any]:
    """Bound the tear-down."""
    with time_limit("tear-down"):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Record the test's outcome once its three phases are over: the first that did not pass says why."""
    report = yield
    outcome = item.stash[outcome_key]
    outcome["seconds"] = round(outcome["seconds"] + report.duration, 2)
    if not report.passed and outcome["outcome"] == "passed":
        outcome |= {"outcome": report.outcome, "error": last_line(report), "detail": report.longreprtext}
        outcome["detail"] += "".join(f"\n--- {title}\n{text[-20_000:]}" for title, text in report.sections)
    if report.when == "teardown":
        record(outcome)
    return report


# Helpers


def record(entry: dict[str, Any]) -> None:
    """Append one line to the records, at once: what is written survives a process that is killed."""
    with RECORDS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")


def last_line(report: pytest.CollectReport | pytest.TestReport) -> str:
    """Return what an error report says in one line."""
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2]
    crash = getattr(report.longrepr, "reprcrash", None)
    lines = [line for line in (crash.message if crash else report.longreprtext).splitlines() if line.strip()]
    if not lines:
        return "no message"
    return lines[0] if crash else lines[-1]


@contextmanager
def time_limit(phase: str) -> Iterator[None]:
    """Fail a phase of a test that takes longer than the limit."""

    def expire(signal_number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"the {phase} took longer than {TIMEOUT} seconds")

    signal.signal(signal.SIGALRM, expire)
    signal.alarm(TIMEOUT)
    try:
        yield
    finally:
        signal.alarm(0)


def ports() -> Iterator[int]:
    """Yield this worker's ports in turn, without those that are in use."""
    while True:
        for port in range(FIRST_PORT, FIRST_PORT + PORTS):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)):
                    yield port


free_ports = ports()


def give_every_server_a_port_of_its_own() -> None:
    """Start Dash's multi-process servers on ports of this worker too; by default all of them want 8050.

    A server that is started again keeps its port: a test waits for the browser to find it.
    """
    start = application_runners.MultiProcessRunner.start

    def start_on_own_port(self: Any, app: Any, start_timeout: float = 3, **options: Any) -> None:
        port = self.port if self.proc else next(free_ports)
        start(self, app, start_timeout, **{"port": port} | options)  # type: ignore[no-untyped-call]

    application_runners.MultiProcessRunner.start = start_on_own_port  # type: ignore[method-assign]
