"""Several processes that serve one app: refused with memory storage, under each server, and one state with Redis."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from ..apps import run
from ..live.sites import Network
from ..server.run_programs import Program, answers, free_port, get, started
from .page import SharedPage

# GRACE is how long a process waits for another, and FORKS whether run() has started processes.
APP = """
import os
from flash import Flash, Input, Output, callback_shared, dcc, html
from flash.shared import shared

shared._GRACE_SECONDS = float(os.environ.get("GRACE", "0.5"))
os.register_at_fork(before=lambda: print("FORKS", flush=True))

app = Flash(__name__, assets_folder="no-assets", pages_folder="", use_pages=False, live=True)
app.layout = html.Div([dcc.Slider(0, 100, value=5, id="slider"), html.Div(id="text"), html.Div(id="process")])

@app.callback(Output("process", "children"), Input("ask", "value"), websocket=True)
async def process(value):
    return os.getpid()

@app.server.before_serving
async def starts():
    print("STARTS", flush=True)
"""
SHARED = """
@callback_shared(Output("text", "children"), Input("slider", "value"))
async def show(value):
    return f"at {value}"
"""
LATE = """
@app.server.before_serving
async def declare():
    app.callback_shared(Output("text", "children"), Input("slider", "value"))(lambda value: f"at {value}")
"""
RUN = """
if __name__ == "__main__":
    app.run(**eval(os.environ["RUN"]))
"""

SENTENCE = "FLASH_REDIS_URL"

#: Command lines by server, for a port and a number of workers.
SERVERS = {
    "hypercorn": lambda port, workers: f"hypercorn program:app --bind 127.0.0.1:{port} --workers {workers}",
    "uvicorn": lambda port, workers: f"uvicorn program:app --port {port} --workers {workers}",
    "granian": lambda port, workers: f"granian --interface asgi program:app --port {port} --workers {workers}",
    "gunicorn": lambda port, workers: (
        f"gunicorn program:app -k uvicorn_worker.UvicornWorker -b 127.0.0.1:{port} -w {workers}"
    ),
}


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


class Folder:
    """A folder with a program, and the processes that serve it: all have this process for their parent."""

    def __init__(self, path: Path, stack: ExitStack, source: str) -> None:
        path.mkdir(exist_ok=True)
        (path / "program.py").write_text(source)
        self._path, self._stack = path, stack

    def start(self, arguments: list[str], **environment: str) -> Program:
        settings = {"FLASH_REDIS_URL": "", "DASH_SHARED_STORAGE": "", **environment}
        running = self._stack.enter_context(started(arguments, self._path, **settings))
        self._stack.callback(_end, running)
        return running

    def serve(self, server: str, port: int, workers: int, **environment: str) -> Program:
        if find_spec(server) is None or (server == "gunicorn" and find_spec("uvicorn_worker") is None):
            pytest.skip(f"{server} is not installed.")
        return self.start(["-m", *SERVERS[server](port, workers).split()], **environment)

    def run(self, **options: object) -> Program:
        environment = {name: str(options.pop(name)) for name in ("GRACE", "FLASH_REDIS_URL") if name in options}
        return self.start(["program.py"], RUN=repr(options), **environment)


def _end(running: Program) -> None:
    """Killed, servers would leave workers behind."""
    if running.process.poll() is None:
        running.ends_after(signal.SIGTERM)


@pytest.fixture
def folder(tmp_path: Path, stack: ExitStack) -> Folder:
    return Folder(tmp_path, stack, APP + SHARED + RUN)


def refused(running: Program) -> None:
    """The log tells what to do, once, and nothing that would hide it."""
    assert running.output.count(SENTENCE) == 1, running.output
    assert "Traceback" not in running.output and "exception" not in running.output.lower(), running.output


@pytest.mark.parametrize("server", SERVERS)
def test_a_server_with_two_workers_ends_and_says_why(folder: Folder, server: str) -> None:
    running = folder.serve(server, free_port(), 2)
    running.ends()
    refused(running)


# Uvicorn ends with its own code for a start that failed: with any other one its workers would be replaced for ever.
@pytest.mark.parametrize(("server", "workers", "code"), [("hypercorn", 0, 78), ("uvicorn", 1, 3)])
def test_a_second_process_ends_with_a_code_and_the_first_one_serves_on(
    folder: Folder, server: str, workers: int, code: int
) -> None:
    port = free_port()
    folder.serve(server, port, workers)
    answers(port)
    second = folder.serve(server, free_port(), workers)
    assert second.ends() == code
    refused(second)
    assert get(("127.0.0.1", port), "/_dash-layout")[0] == 200


@pytest.mark.parametrize("command", ["run()", "flash run"])
def test_run_ends_with_the_sentence_and_its_code(folder: Folder, command: str) -> None:
    if command == "run()":
        folder.run(bind="127.0.0.1:0").address()
        second = folder.run(bind="127.0.0.1:0")
    else:
        first, other = free_port(), free_port()
        folder.serve("hypercorn", first, 0)
        answers(first)
        second = folder.start(["-m", "flash", "run", "program:app", "--port", str(other)])
    assert second.ends() == 78
    refused(second)


@pytest.mark.parametrize("command", ["run()", "flash run"])
def test_several_workers_are_refused_before_any_is_started(folder: Folder, command: str) -> None:
    if command == "run()":
        running = folder.run(port=free_port(), workers=2)
    else:
        running = folder.start(["-m", "flash", "run", "program:app", "--port", str(free_port()), "--workers", "2"])
    assert running.ends() == 78
    refused(running)
    assert "workers=2" in running.output and "FORKS" not in running.output and "STARTS" not in running.output


def test_workers_that_find_out_late_end_all(tmp_path: Path, stack: ExitStack) -> None:
    running = Folder(tmp_path, stack, APP + LATE + RUN).run(bind="127.0.0.1:0", workers=2)
    assert running.ends() == 78
    refused(running)
    assert running.output.count("STARTS") == 2 and "another one starts" not in running.output


def test_apps_without_shared_callbacks_are_not_touched(tmp_path: Path, stack: ExitStack) -> None:
    folder = Folder(tmp_path, stack, APP + RUN)
    address = folder.run(bind="127.0.0.1:0", workers=2).address(times=2)
    assert get(address, "/_dash-layout")[0] == 200
    ports = free_port(), free_port()
    for port in ports:
        folder.serve("hypercorn", port, 0)
    for port in ports:
        assert get(answers(port), "/_dash-layout")[0] == 200


def test_workers_of_pytest_serve_the_app_each_for_itself(folder: Folder) -> None:
    ports = free_port(), free_port()
    for number, port in enumerate(ports):
        folder.serve("uvicorn", port, 1, PYTEST_XDIST_WORKER=f"gw{number}")
    for port in ports:
        assert get(answers(port), "/_dash-layout")[0] == 200


def test_two_apps_in_files_of_one_name_are_two(tmp_path: Path, stack: ExitStack) -> None:
    for name in ("one", "other"):
        running = Folder(tmp_path / name, stack, APP + SHARED + RUN).run(bind="127.0.0.1:0")
        assert get(running.address(), "/_dash-layout")[0] == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_process_that_replaces_another_waits_for_its_end(folder: Folder, number: signal.Signals) -> None:
    first = folder.run(bind="127.0.0.1:0")
    first.address()
    second = folder.run(bind="127.0.0.1:0", GRACE=60)
    second.says("STARTS")
    assert "Running on" not in second.output.partition("STARTS")[2]
    first.ends_after(number)
    assert get(second.address(), "/_dash-layout")[0] == 200


def test_without_a_lifespan_requests_are_refused_until_the_other_process_has_ended(folder: Folder) -> None:
    ports = free_port(), free_port()
    first, second = (
        folder.start(["-m", "uvicorn", "program:app", "--port", str(port), "--lifespan", "off"]) for port in ports
    )
    one, other = (answers(port) for port in ports)
    assert get(one, "/_dash-layout")[0] == 200
    status, text = get(other, "/_dash-layout")
    assert status == 503 and SENTENCE not in text
    refused(second)
    first.ends_after(signal.SIGTERM)
    assert get(other, "/_dash-layout")[0] == 200


async def pages_in_two_processes(site: Network, stack: AsyncExitStack, known: int | None = None) -> list[SharedPage]:
    """Open pages until two are connected to different processes; or until one is to another than a known one."""
    met: dict[int, SharedPage] = {}
    for _ in range(200):
        page = await SharedPage(site).load()
        await page.open()
        stack.push_async_callback(page.leave)
        met.setdefault(await page.call("process.children", {"ask.value": 1}), page)
        if len(met) == 2 or (known is not None and known not in met):
            return list(met.values())
    raise AssertionError(f"200 pages have met {set(met)}")


def shows(page: SharedPage, value: int) -> bool:
    return page.value("slider.value") == value and page.value("text.children") == f"at {value}"


@pytest.mark.parametrize("server", ["run()", "hypercorn", "uvicorn", "gunicorn"])
def test_with_redis_workers_share(folder: Folder, redis_url: str, server: str) -> None:
    if server == "run()":
        running = folder.run(bind="127.0.0.1:0", workers=2, FLASH_REDIS_URL=redis_url)
        host, port = running.address(times=2)
    else:
        running = folder.serve(server, free := free_port(), 2, FLASH_REDIS_URL=redis_url)
        running.says("STARTS", times=2)
        host, port = answers(free)

    async def scenario() -> None:
        async with AsyncExitStack() as pages:
            a, b = await pages_in_two_processes(Network(f"http://{host}:{port}/"), pages)
            await a.change("slider.value", 8, "text.children")
            await a.settled()
            await b.until(lambda: shows(b, 8))
            await b.change("slider.value", 9, "text.children")
            await b.settled()
            await a.until(lambda: shows(a, 9))

    run(scenario)
    assert SENTENCE not in running.output


def test_with_redis_a_worker_that_was_killed_is_replaced_by_one_that_knows_the_state(
    folder: Folder, redis_url: str
) -> None:
    running = folder.run(bind="127.0.0.1:0", workers=2, FLASH_REDIS_URL=redis_url)
    host, port = running.address(times=2)
    site = Network(f"http://{host}:{port}/")

    async def scenario() -> None:
        async with AsyncExitStack() as pages:
            a, b = await pages_in_two_processes(site, pages)
            await a.change("slider.value", 8, "text.children")
            await a.settled()
            kept, victim = [await page.call("process.children", {"ask.value": 1}) for page in (a, b)]
            os.kill(victim, signal.SIGKILL)
            await b.until(lambda: not b.connected)
            await asyncio.to_thread(running.address, 3)
            c = (await pages_in_two_processes(site, pages, kept))[-1]
            assert await c.call("process.children", {"ask.value": 1}) not in (kept, victim)
            assert shows(c, 8)
            # What the killed one was to run is lost, and the page that asked for it is told.
            for value in range(9, 30):
                (request,) = await c.change("slider.value", value, "text.children")
                await c.settled()
                if request.status == "ok":
                    break
            await a.until(lambda: shows(a, value))

    run(scenario)
    assert len(psutil.Process(running.process.pid).children()) == 2
