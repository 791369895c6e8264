"""An app in a process of its own: how it begins, how it ends, and who takes it over."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from flash.hub import child, processes
from flash.hub.child import ChildHost
from flash.hub.folders import Folders
from flash.hub.host import AppUnreachable, HostFailed
from flash.hub.spec import Spec, spec_of

from ..apps import run
from ..live.asgi import eventually
from .upstreams import Asking

APPS = Path(__file__).parent / "apps"
PYTHON = (sys.executable, "-u", "-c")

#: A command that answers each request with its path; what it does before and meanwhile is filled in.
SERVER = """
import http.server, os, signal, subprocess, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = self.path.encode()
        self.send_response(STATUS())
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
STATUS = lambda: 200
{code}
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def command(code: str = "", *words: str, **options: Any) -> Spec:
    """A command that serves, once ``code`` has run."""
    return spec_of((*PYTHON, SERVER.replace("{code}", code), "{port}", *words), "/cmd", options)


class Records:
    """What a hub was told to keep."""

    def __init__(self) -> None:
        self.all: list[Any] = []

    async def __call__(self, record: dict[str, Any] | None) -> None:
        self.all.append(record)


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    made = Folders(tmp_path)
    made.sockets = tmp_path / "s"
    made.make()
    made.make_sockets()
    return made


@asynccontextmanager
async def started(spec: Spec, folders: Folders, **options: Any) -> AsyncIterator[ChildHost]:
    """An app that runs, and that has ended with the block."""
    host = ChildHost(spec, folders, **options)
    try:
        await host.start()
        yield host
    finally:
        await host.stop(5)


async def text_of(host: ChildHost, path: str = "/") -> str:
    answer = await Asking(host.serve)("GET", path)  # type: ignore[arg-type]
    return answer.body.decode()


def log_of(host: ChildHost, folders: Folders) -> str:
    return folders.log(host._spec.name).read_text()


def connections_of(host: ChildHost) -> list[Any]:
    """This process's to an app that listens on a port."""
    port = int(host.record["bind"].split(":")[1])
    found = psutil.Process().net_connections()
    return [each for each in found if each.raddr and each.raddr.port == port and each.status == "ESTABLISHED"]


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


# The hub's own runner. ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loopback", [False, True], ids=["unix socket", "port"])
def test_an_app_runs_from_its_start_to_its_end(folders: Folders, loopback: bool) -> None:
    async def main() -> None:
        records = Records()
        spec = spec_of(str(APPS / "flask_app.py"), "/sales", {})
        async with started(spec, folders, loopback=loopback, on_record=records, url="http://hub.test") as host:
            assert await text_of(host) == "flask index"
            pid, bind = host.pid, host.record["bind"]
            assert bind.startswith("127.0.0.1:" if loopback else f"unix:{folders.sockets}")
            assert records.all == [host.record]
            usage = await host.usage()
            assert usage.memory > 1 << 20 and usage.cpu > 0 and usage.processes >= 1
        assert not runs(pid)
        assert os.listdir(folders.sockets) == []
        assert records.all[1:] == [None]
        with pytest.raises(AppUnreachable):
            await text_of(host)
        await host.stop(5)

    run(main)


def test_an_app_that_cannot_be_loaded_says_why(folders: Folders, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import nothing_of_this_name")

    async def main() -> None:
        for _ in range(2):
            with pytest.raises(HostFailed) as failed:
                async with started(spec_of(str(tmp_path / "broken.py"), "/b", {}), folders):
                    raise AssertionError("It has started.")
            assert str(failed.value).startswith("It ended with exit code 1.")
            assert str(failed.value).count("No module named 'nothing_of_this_name'") >= 1
        assert len(str(failed.value).splitlines()) < 25

    run(main)


def test_a_relative_file_is_that_of_the_hubs_folder(
    folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "apps").mkdir()
    (tmp_path / "apps" / "here.py").write_text(
        "import os, flask\napp = flask.Flask(__name__)\napp.add_url_rule('/', 'x', os.getcwd)\n"
    )
    monkeypatch.chdir(tmp_path)

    async def main() -> None:
        for target in ("apps/here.py", "apps/here.py:app"):
            async with started(spec_of(target, "/here", {}), folders) as host:
                assert await text_of(host) == str(tmp_path / "apps")

    run(main)


# Commands. ------------------------------------------------------------------------------------------------------------


def test_a_command_gets_its_port_and_prefix(folders: Folders) -> None:
    async def main() -> None:
        code = 'print(sys.argv[1:], os.environ["PORT"], flush=True)'
        async with started(command(code, "--prefix={prefix}/", "{host}"), folders) as host:
            port = host.record["bind"].split(":")[1]
            assert log_of(host, folders).split("\n")[0] == f"['{port}', '--prefix=/cmd/', '127.0.0.1'] {port}"
            assert await text_of(host, "/a%20b?c") == "/cmd/a%20b?c"  # It knows its prefix.

    run(main)


@pytest.mark.parametrize("words,strip,path", [((), None, "/x"), ((), False, "/cmd/x"), (("{prefix}",), True, "/x")])
def test_a_command_gets_its_paths_as_it_wants_them(
    folders: Folders, words: tuple[str, ...], strip: bool | None, path: str
) -> None:
    async def main() -> None:
        async with started(command("", *words, strip=strip), folders) as host:
            assert await text_of(host, "/x") == path

    run(main)


def test_a_command_is_ready_when_its_page_is(folders: Folders) -> None:
    async def main() -> None:
        code = "begun = time.monotonic()\nSTATUS = lambda: 503 if time.monotonic() < begun + 0.5 else 404"
        async with started(command(code, ready="/healthy"), folders) as host:
            answer = await Asking(host.serve)("GET", "/")  # type: ignore[arg-type]
            assert answer.status == 404

    run(main)


def test_the_environment_is_the_hubs_without_its_secrets(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLASH_HUB_SECRET", "the hub's alone")
    monkeypatch.setenv("FLASH_OIDC_CLIENT_SECRET", "the hub's alone")
    monkeypatch.setenv("OTHER", "passed on")
    monkeypatch.setenv("CHANGED", "before")

    async def main() -> None:
        spec = command("print(dict(os.environ), flush=True)", env={"CHANGED": "after", "NEW": "1"})
        async with started(spec, folders, url="http://hub.test") as host:
            env = eval(log_of(host, folders).splitlines()[0])
        assert "the hub's alone" not in env.values()
        assert (env["OTHER"], env["CHANGED"], env["NEW"]) == ("passed on", "after", "1")
        assert env["FLASH_HUB_URL"] == "http://hub.test"
        assert env["FLASH_INSTANCE_PATH"] == str(folders.home / "instance" / "cmd")

    run(main)


# Starts that fail. ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code,why",
    [
        ("print('no database', flush=True); sys.exit(3)", "It ended with exit code 3."),
        ("print('no database', flush=True); os.kill(os.getpid(), 9)", "It was ended by SIGKILL."),
    ],
)
def test_an_early_end_is_told_with_the_log_of_this_start(folders: Folders, code: str, why: str) -> None:
    folders.log("cmd").write_text("from an earlier start\n")

    async def main() -> None:
        with pytest.raises(HostFailed) as failed:
            async with started(command(code), folders):
                raise AssertionError("It has started.")
        assert str(failed.value).startswith(why)
        assert "no database" in str(failed.value) and "earlier" not in str(failed.value)

    run(main)


def test_a_command_that_is_not_there(folders: Folders) -> None:
    async def main() -> None:
        with pytest.raises(HostFailed, match="could not be started"):
            await ChildHost(spec_of(("no-such-command",), "/x", {}), folders).start()

    run(main)


def test_a_start_has_its_time(folders: Folders) -> None:
    async def main() -> None:
        host = ChildHost(command("print('waiting', flush=True); time.sleep(60)", start_timeout=0.5), folders)
        with pytest.raises(HostFailed, match=r"not ready after 0.5 seconds \(start_timeout\)"):
            await host.start()
        pid = host.pid
        assert runs(pid)
        await host.stop(5)
        assert not runs(pid)

    run(main)


def test_a_start_that_is_cancelled_leaves_nothing(folders: Folders) -> None:
    async def main() -> None:
        before = psutil.Process().children()
        for delay in (0, 0.001, 0.01, 0.1):
            host = ChildHost(command("time.sleep(60)"), folders)
            starting = asyncio.create_task(host.start())
            await asyncio.sleep(delay)
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            pid = host.pid
            await host.stop(5)
            assert pid is None or not runs(pid)
        assert psutil.Process().children() == before

    run(main)


def test_a_start_that_is_cancelled_twice_leaves_nothing(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its time was over, and the hub ended: the process began all the same."""
    asked, may_begin, begun = threading.Event(), threading.Event(), []
    spawn = processes.Process._spawn

    def slow(*args: Any) -> processes.Process:
        asked.set()
        may_begin.wait()
        begun.append(spawn(*args))
        return begun[0]

    monkeypatch.setattr(processes.Process, "_spawn", slow)

    async def main() -> None:
        host = ChildHost(command("time.sleep(60)"), folders)
        starting = asyncio.create_task(host.start())
        await eventually(asked.is_set)
        for _ in range(2):
            starting.cancel()
            await asyncio.sleep(0)
        stopping = asyncio.create_task(host.stop(5))
        await asyncio.sleep(0)
        may_begin.set()
        await asyncio.gather(starting, return_exceptions=True)
        await stopping
        await eventually(lambda: begun)
        assert not psutil.pid_exists(begun[0].pid)

    run(main)


# Ends. ----------------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["told by the system", "looked for"])
def watching(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How the end of a process is seen: not every system tells."""
    if request.param == "looked for":
        monkeypatch.setattr(processes, "_watched", lambda pid: None)


@pytest.mark.usefixtures("watching")
@pytest.mark.parametrize(
    "end,why",
    [("os._exit(7)", "It ended with exit code 7."), ("os.kill(os.getpid(), 11)", "It was ended by SIGSEGV.")],
)
def test_the_end_of_an_app_is_told(folders: Folders, end: str, why: str) -> None:
    async def main() -> None:
        code = f"import threading\nthreading.Timer(0.5, lambda: {end}).start()"
        async with started(command(code), folders) as host:
            assert await host.ended() == why

    run(main)


@pytest.mark.usefixtures("watching")
def test_the_end_of_an_app_that_was_taken_over_is_told(folders: Folders) -> None:
    async def main() -> None:
        spec = command()
        async with started(spec, folders) as host:
            taken = await ChildHost.adopt(spec, folders, host.record)
            ended = asyncio.ensure_future(taken.ended())
            os.kill(host.pid, signal.SIGKILL)
            assert (await ended).startswith("It ")

    run(main)


async def sleeping(folders: Folders) -> processes.Process:
    """A process of this one's."""
    return await processes.Process.spawn(["sleep", "600"], env=dict(os.environ), cwd=None, log=folders.log("sleep"))


@pytest.mark.usefixtures("watching")
def test_what_was_taken_over_in_the_same_process_leaves_nothing(folders: Folders) -> None:
    """A server may begin a hub anew in the process that it has ended one in."""

    async def main() -> None:
        process = await sleeping(folders)
        found = processes.Process.find(process.pid, process.created)
        await found.end(5)
        assert not psutil.pid_exists(process.pid)
        assert await found.ended() == "It was ended by SIGTERM."

    run(main)


@pytest.mark.usefixtures("watching")
def test_who_ends_late_leaves_nothing(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_KILLED", 0.0)  # As on a machine that is very busy.

    async def main() -> None:
        process = await sleeping(folders)
        await process.end(0)
        await eventually(lambda: not psutil.pid_exists(process.pid))

    run(main)


@pytest.mark.parametrize("end", ["stop", "crash"])
def test_all_that_a_process_has_begun_ends_with_it(folders: Folders, end: str) -> None:
    async def main() -> None:
        code = """
for group in (None, 0):
    print(subprocess.Popen(["sleep", "600"], process_group=group).pid, flush=True)
"""
        async with started(command(code), folders) as host:
            below = [int(line) for line in log_of(host, folders).split()]
            assert len(below) == 2 and all(map(runs, below))
            if end == "crash":
                os.kill(host.pid, signal.SIGKILL)
                await host.ended()
        await eventually(lambda: not any(map(runs, below)))

    run(main)


def test_who_does_not_end_is_ended(folders: Folders) -> None:
    async def main() -> None:
        async with started(command("signal.signal(signal.SIGTERM, signal.SIG_IGN)"), folders) as host:
            ended = asyncio.ensure_future(host.ended())
            await asyncio.sleep(0)
            await asyncio.gather(host.stop(0.3), host.stop(0.3))
            assert await ended == "It was ended by SIGKILL."

    run(main)


def test_a_process_does_not_end_with_the_hub(folders: Folders) -> None:
    async def main() -> None:
        async with started(command(), folders) as host:
            assert os.getsid(host.pid) == host.pid != os.getsid(0)
            assert os.readlink(f"/proc/{host.pid}/fd/1") == str(folders.log("cmd"))
            assert os.readlink(f"/proc/{host.pid}/fd/0") == "/dev/null"

    run(main)


def test_who_takes_too_much_memory_is_ended(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_MEMORY", 0.05)

    async def main() -> None:
        code = """
import threading
held = subprocess.Popen([sys.executable, "-c", "import time; x = bytearray(200 << 20); time.sleep(600)"])
print(held.pid, flush=True)
"""
        async with started(command(code, memory="150M"), folders) as host:
            below = int(log_of(host, folders))
            why = await host.ended()
            assert why.endswith("MB of memory and may use 150 MB (memory).")
            await eventually(lambda: not runs(host.pid) and not runs(below))

    run(main)


# Taking over. ---------------------------------------------------------------------------------------------------------


def test_a_process_that_answers_is_taken_over(folders: Folders) -> None:
    async def main() -> None:
        spec, records = spec_of(str(APPS / "flask_app.py"), "/sales", {}), Records()
        async with started(spec, folders) as host:
            taken = await ChildHost.adopt(spec, folders, host.record, on_record=records)
            assert taken.pid == host.pid and taken.record == host.record
            assert await text_of(taken) == "flask index"
            await taken.stop(5)
            assert not runs(taken.record["pid"] if taken.record else host.pid)
            assert records.all == [None]

    run(main)


CHANGES: dict[str, Any] = {
    "not wanted": {"wanted": False},
    "gone from the hub": {"spec": None},
    "declared otherwise": {"spec": command(env={"A": "1"})},
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_process_that_is_not_taken_over_is_ended(folders: Folders, change: str) -> None:
    async def main() -> None:
        spec, records = command(), Records()
        async with started(spec, folders) as host:
            options = {"spec": spec, **CHANGES[change]}
            pid = host.pid
            given = options.pop("spec")
            assert await ChildHost.adopt(given, folders, host.record, on_record=records, **options) is None
            assert not runs(pid)
            assert records.all == [None]

    run(main)


def test_a_process_that_is_left_runs_on_without_connections(folders: Folders) -> None:
    async def main() -> None:
        code = "Handler.do_GET = lambda self: self.wfile.write(b'HTTP/1.1 200 OK\\r\\n\\r\\nx')"
        async with started(command(code), folders) as host:
            pid = host.pid
            answer, task = Asking(host.serve).begin("GET", "/")  # type: ignore[arg-type]
            await answer.until(lambda: answer.body == b"x")
            assert connections_of(host)
            await host.leave()
            await task
            await eventually(lambda: not connections_of(host))
            assert runs(pid) and host.record["pid"] == pid

    run(main)


def test_a_process_that_is_left_while_it_starts_is_known_to_the_next_hub(folders: Folders) -> None:
    records: list[Any] = []
    may_write = asyncio.Event()

    async def slow_disk(record: Any) -> None:
        await may_write.wait()
        records.append(record)

    async def main() -> None:
        host = ChildHost(command("time.sleep(60)"), folders, on_record=slow_disk)
        starting = asyncio.create_task(host.start())
        await eventually(lambda: host.pid)
        starting.cancel()
        leaving = asyncio.create_task(host.leave())
        await asyncio.sleep(0)
        may_write.set()
        await leaving
        assert records == [host.record]
        await host.stop(5)

    run(main)


def test_a_process_that_does_not_answer_is_not_taken_over(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_ANSWER", 0.3)
    monkeypatch.setattr(child, "_ABANDONED", 0.3)

    async def main() -> None:
        spec = command(ready="/")
        async with started(spec, folders) as host:
            pid = host.pid
            os.kill(pid, signal.SIGSTOP)
            assert await ChildHost.adopt(spec, folders, host.record) is None
            assert not runs(pid)

    run(main)


def test_another_process_with_the_same_number_is_left_alone(folders: Folders) -> None:
    async def main() -> None:
        spec = command()
        async with started(spec, folders) as host:
            record = {**host.record, "created": host.record["created"] - 1000}
            assert await ChildHost.adopt(spec, folders, record) is None
            assert runs(host.pid)

    run(main)


def test_what_is_left_of_a_process_is_cleaned_away(folders: Folders) -> None:
    async def main() -> None:
        records = Records()
        spec = command('print(subprocess.Popen(["sleep", "600"]).pid, flush=True)')
        process = await processes.Process.spawn(
            [*PYTHON, 'import subprocess; print(subprocess.Popen(["sleep", "600"]).pid)'],
            env={**os.environ, "FLASH_INSTANCE_PATH": "/apps/cmd"},
            cwd=None,
            log=folders.log("cmd"),
        )
        await eventually(lambda: folders.log("cmd").read_text().strip() and not runs(process.pid))
        below = int(folders.log("cmd").read_text())
        socket = folders.sockets / "left.sock"
        socket.touch()
        record = {"pid": process.pid, "created": process.created, "bind": f"unix:{socket}", "secret": "x", "spec": ""}
        # Since the machine was started again, the number may be that of a stranger's session.
        assert await ChildHost.adopt(spec, folders, {**record, "folder": "/apps/other"}) is None
        assert runs(below)
        socket.touch()
        record["folder"] = "/apps/cmd"
        assert await ChildHost.adopt(spec, folders, record, on_record=records) is None
        await eventually(lambda: not runs(below))
        assert not socket.exists() and records.all == [None]
        await process.ended()

    run(main)
