"""Jobs in processes: they are found again, ended, waited for, and kept apart from the server."""

from __future__ import annotations

import builtins
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dash
import diskcache
import psutil
import pytest

from flash.background import DiskcacheManager
from flash.background.runs import State, read_record, write_record
from flash.exceptions import BackgroundCallbackError, ConfigurationError

from .jobs import PATIENCE, reach, wait_for
from .polling import Page, prepare, start, wait_until

ROOT = Path(__file__).parents[2]

# A test may fork where other threads run, as servers do.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@pytest.fixture
def manager(cache: Any) -> Iterator[Any]:
    made = prepare(DiskcacheManager(cache))
    yield made
    made.stop_jobs()


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children()}


@pytest.mark.parametrize("name", ["returns", "exits"])
def test_the_end_of_a_job_leaves_no_zombie(manager: Any, name: str) -> None:
    before = children()
    page = start(manager, name, *([1] if name == "returns" else []))
    wait_until(lambda: manager.result_ready(page.key), "a result")
    # Nobody polls: no call to the manager is needed.
    wait_until(lambda: children() <= before, "the end of the job's process")


def test_cancelling_leaves_no_process(manager: Any, tmp_path: Path) -> None:
    before = children()
    page = start(manager, "starts_a_child_and_waits", tmp_path)
    wait_for(tmp_path, "started")
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    manager.terminate_job(page.job)
    wait_until(lambda: children() <= before, "the end of the job's process")
    wait_until(lambda: not any(map(_runs, pids)), "the end of what the job has started")


def test_cancelling_waits_for_nothing(manager: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = start(manager, "waits", tmp_path)
    wait_for(tmp_path, "started")
    monkeypatch.setattr(psutil.Process, "wait", lambda *_: pytest.fail("It waits for the end of the process."))
    manager.terminate_job(page.job)
    assert page.poll().is_silent


def test_a_process_that_got_the_number_of_a_job_is_left_alone(
    manager: Any, bystander: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    reach(str(tmp_path), "go")
    page = start(manager, "waits", tmp_path)
    wait_until(lambda: manager.result_ready(page.key), "a result")
    record = read_record(manager.store, page.key)
    assert record is not None
    # The job is gone without a result, and its number was given to another process since.
    manager.store.delete(page.key)
    created = record.job["created"] - 60
    write_record(manager.store, page.key, State.STARTED, {**record.job, "pid": bystander.pid, "created": created})
    manager.terminate_job(page.job)
    manager.terminate_job(str(bystander.pid))
    assert bystander.poll() is None
    assert _runs(bystander.pid)


def test_that_process_does_not_pass_for_the_job(manager: Any, bystander: subprocess.Popen[bytes]) -> None:
    job = {"pid": bystander.pid, "created": 1.0, "host": socket.gethostname()}
    write_record(manager.store, "run", State.STARTED, job)
    with pytest.raises(BackgroundCallbackError, match="before it had a result"):
        Page(manager, "run", "run").poll()


def test_a_job_on_a_machine_that_shares_the_folder_is_taken_to_run(manager: Any) -> None:
    write_record(manager.store, "run", State.STARTED, {"pid": 1, "created": 1.0, "host": "elsewhere"})
    page = Page(manager, "run", "run")
    assert page.poll().waiting
    manager.terminate_job("run")
    assert page.poll().is_silent


def test_a_cleared_cache_is_told(manager: Any, cache: Any, tmp_path: Path) -> None:
    page = start(manager, "waits", tmp_path)
    cache.clear()
    with pytest.raises(BackgroundCallbackError, match="the cache was cleared"):
        page.poll()
    reach(str(tmp_path), "go")


def test_the_cause_of_death_is_told(manager: Any, caplog: pytest.LogCaptureFixture) -> None:
    page = start(manager, "is_killed")
    with pytest.raises(BackgroundCallbackError, match=r"signal 9 \(SIGKILL\)"):
        page.poll_to_end()
    page = start(manager, "exits")
    with pytest.raises(BackgroundCallbackError, match="exit code 3"):
        page.poll_to_end()


def test_a_poll_before_the_cause_is_known_waits(manager: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    is_known, note = threading.Event(), manager._leave_error
    monkeypatch.setattr(manager, "_leave_error", lambda *args: is_known.wait(PATIENCE) and note(*args))
    before = children()
    page = start(manager, "is_killed")
    wait_until(lambda: children() <= before, "the end of the job's process")
    assert page.poll().waiting
    is_known.set()
    with pytest.raises(BackgroundCallbackError, match="SIGKILL"):
        page.poll_to_end()


def test_an_unhealthy_job_is_one_without_process_and_result(manager: Any, tmp_path: Path) -> None:
    page = start(manager, "waits", tmp_path)
    assert manager.terminate_unhealthy_job(page.job) is False
    reach(str(tmp_path), "go")
    wait_until(lambda: manager.result_ready(page.key), "a result")
    assert manager.terminate_unhealthy_job(page.job) is False
    write_record(manager.store, "run", State.STARTED, {"pid": 1, "created": 1.0, "host": socket.gethostname()})
    assert manager.terminate_unhealthy_job("run") is True
    assert manager.job_running("run") is False


def test_a_busy_fanout_cache_loses_nothing(tmp_path: Path) -> None:
    options = {"shards": 1, "timeout": 0.01, "eviction_policy": "least-recently-used"}
    with diskcache.FanoutCache(str(tmp_path / "cache"), **options) as cache, ThreadPoolExecutor(1) as pool:
        manager = prepare(DiskcacheManager(cache))
        page = start(manager, "sets_several", tmp_path)
        wait_for(tmp_path, "sent")
        with cache.transact():
            reach(str(tmp_path), "go")
            polling = pool.submit(page.poll_to_end)
            # Longer than the cache's own patience, after which it writes nothing and finds nothing, in silence.
            threading.Event().wait(0.2)
        assert polling.result(PATIENCE)[-1].value == "done"


def test_a_run_leaves_nothing_but_its_end(manager: Any, cache: Any, tmp_path: Path) -> None:
    reach(str(tmp_path), "go")
    page = start(manager, "reports", tmp_path)
    page.poll_to_end()
    assert [key for key in cache if str(key).startswith(page.key)] == [page.key + "-state"]


def test_the_store_holds_text_only(manager: Any, cache: Any, tmp_path: Path) -> None:
    page = start(manager, "sets_several", tmp_path)
    wait_for(tmp_path, "sent")
    page.poll()
    reach(str(tmp_path), "go")
    wait_until(lambda: manager.result_ready(page.key), "a result")
    kept = {key: cache.get(key) for key in cache if str(key).startswith(page.key)}
    assert len(kept) == 4
    assert {type(value) for value in kept.values()} == {str}


def test_jobs_that_start_while_others_poll_do_not_hang(manager: Any, tmp_path: Path) -> None:
    """SQLite's locks are copied by a fork as they are."""
    waiting, is_over = start(manager, "waits", tmp_path), threading.Event()

    def poll() -> None:
        while not is_over.is_set():
            waiting.poll()

    pollers = [threading.Thread(target=poll) for _ in range(2)]
    for poller in pollers:
        poller.start()
    try:
        assert [start(manager, "returns", number).value() for number in range(20)] == list(range(20))
    finally:
        is_over.set()
        for poller in pollers:
            poller.join()
        reach(str(tmp_path), "go")


def test_a_job_can_be_sent_to_a_new_interpreter(manager: Any, tmp_path: Path) -> None:
    """As where processes are not forked: the job travels by dill."""
    import dill

    packed = dill.dumps(manager.func_registry["sets_several"])
    reach(str(tmp_path), "go")
    code = "import dill, sys; dill.loads(sys.stdin.buffer.read())('run', [sys.argv[1]], {'updated_props': {}}, None)"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], input=packed, check=True, cwd=ROOT, timeout=PATIENCE)
    assert manager.store.get("run") == '"done"'


# The server's process ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "end"), [(signal.SIGTERM, "SIGTERM"), (signal.SIGINT, "exit code 1")])
def test_a_signal_to_a_job_does_not_reach_the_server(
    manager: Any, number: signal.Signals, end: str, tmp_path: Path
) -> None:
    ours, theirs = socket.socketpair()
    received: list[int] = []
    previous = signal.signal(number, lambda number, _: received.append(number))
    theirs.setblocking(False)
    wakeup = signal.set_wakeup_fd(theirs.fileno())
    try:
        page = start(manager, "sets_then_waits", tmp_path)
        wait_for(tmp_path, "sent")
        os.kill(int((tmp_path / "pid").read_text()), number)
        with pytest.raises(BackgroundCallbackError, match=end):
            page.poll_to_end()
        ours.setblocking(False)
        with pytest.raises(BlockingIOError):
            ours.recv(1)
        assert received == []
    finally:
        signal.set_wakeup_fd(wakeup)
        signal.signal(number, previous)
        ours.close()
        theirs.close()


def serve_a_connection_while_a_job_runs(manager: Any, folder: Path) -> tuple[bytes, bool]:
    """What a client of the server reads when the server closes its connection, and whether the port is free then."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    client = socket.create_connection(("127.0.0.1", port), timeout=2)
    accepted, _ = listener.accept()
    page = start(manager, "waits", folder)
    wait_for(folder, "started")
    accepted.close()
    listener.close()
    try:
        return client.recv(1), _is_free(port)
    finally:
        client.close()
        reach(str(folder), "go")
        page.poll_to_end()


def test_a_job_holds_no_socket_of_the_server(manager: Any, tmp_path: Path) -> None:
    assert serve_a_connection_while_a_job_runs(manager, tmp_path) == (b"", True)


def test_other_sockets_stay_open_in_a_job(manager: Any, tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        manager.register("sends", lambda: theirs.sendall(b"from the job"), False)
        job = manager.call_job_fn("run", manager.func_registry["sends"], {}, {"updated_props": {}})
        ours.settimeout(PATIENCE)
        assert ours.recv(100) == b"from the job"
        Page(manager, "run", job).poll_to_end()


SERVER = """
import diskcache, sys
from flash.background import DiskcacheManager
from tests.background.polling import prepare, start, wait_until
from tests.background.jobs import wait_for
folder = sys.argv[1]
manager = prepare({manager}(diskcache.Cache(folder + "/cache")))
page = start(manager, "sets_then_waits", folder)
wait_for(folder, "sent")
print(page.key)
"""


def test_the_server_does_not_wait_for_its_jobs(manager: Any, cache: Any, tmp_path: Path) -> None:
    code = SERVER.format(manager="DiskcacheManager")
    ended = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, timeout=2 * PATIENCE, capture_output=True, text=True
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert not _runs(int((tmp_path / "pid").read_text()))
    # A page that asks another worker is told.
    key = ended.stdout.strip()
    with pytest.raises(BackgroundCallbackError, match="The server of the job ended"):
        Page(manager, key, key).poll_to_end()


def test_jobs_may_be_given_time_to_end(manager: Any, tmp_path: Path) -> None:
    page = start(manager, "waits", tmp_path)
    wait_for(tmp_path, "started")
    threading.Timer(0.1, reach, (str(tmp_path), "go")).start()
    manager.stop_jobs(grace=PATIENCE)
    assert page.value() == "done"


# Construction --------------------------------------------------------------------------------------------------------


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builtins, "__import__", _without("multiprocess", builtins.__import__))
    with pytest.raises(ImportError, match=r'pip install "dash-flash\[diskcache\]"'):
        DiskcacheManager()


def test_something_else_than_a_cache_is_refused() -> None:
    wrong: Any = {"a": 1}
    with pytest.raises(ConfigurationError, match="not a dict: write DiskcacheManager"):
        DiskcacheManager(wrong)


def test_it_passes_for_dashs_manager(cache: Any) -> None:
    manager = DiskcacheManager(cache, cache_by=[lambda: 1], expire=5)
    assert isinstance(manager, dash.DiskcacheManager)
    assert (manager.handle, manager.expire) == (cache, 5)


def _without(missing: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def import_module(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.partition(".")[0] == missing:
            raise ImportError(f"No module named {name!r}")
        return original(name, *args, **kwargs)

    return import_module


def _runs(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen()
        except OSError:
            return False
    return True
