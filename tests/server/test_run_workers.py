"""Several processes on one port."""

from __future__ import annotations

import signal
from pathlib import Path

import psutil

from .run_programs import PATIENCE, PREAMBLE, call, get, program, wait_for
from .test_run import CALLBACKS, in_background

RUN = "app.run(workers=2, bind='127.0.0.1:0', **eval(sys.argv[1]))\nprint('after run')\n"


def test_workers_share_the_port_and_a_dead_one_is_replaced(tmp_path: Path) -> None:
    with program(CALLBACKS + RUN, tmp_path, "{}") as running:
        address = running.address(times=2)
        parent = psutil.Process(running.process.pid)
        workers = {process.pid for process in parent.children()}
        assert len(workers) == 2
        victim = int(get(address, "/pid")[1])
        assert victim in workers
        psutil.Process(victim).kill()
        running.says(f"Worker {victim} ended with code -9; another one starts in 0.5 s")
        running.address(times=3)
        assert victim not in {process.pid for process in parent.children()}

        thread, results = in_background(call, address, "plain.children")
        running.says("plain runs")
        running.process.send_signal(signal.SIGTERM)
        (tmp_path / "finish").touch()
        thread.join(PATIENCE)
        assert results[0][0] == 200
        assert running.ends() == 0
        # What follows run() in the script is the parent's alone.
        assert running.output.count("after run") == 1
        assert "Traceback" not in running.output


def test_workers_that_cannot_start_end_it_with_their_error(tmp_path: Path) -> None:
    fail = """
async def fail():
    app.backend.startup_error = LookupError("two pages on one path")
    raise app.backend.startup_error

app.server.before_serving(fail)
try:
    app.run(workers=2, bind="127.0.0.1:0")
except LookupError as error:
    print("caught", error, "In a worker:" in error.__notes__[0])
"""
    with program(PREAMBLE + fail, tmp_path) as running:
        assert running.ends() == 0
        assert "caught two pages on one path True" in running.output


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    with program(PREAMBLE + RUN, tmp_path, "{}") as running:
        running.address(times=2)
        workers = psutil.Process(running.process.pid).children()
        running.process.kill()
        assert psutil.wait_procs(workers, PATIENCE)[1] == []


def test_a_worker_that_has_served_its_requests_is_replaced_without_a_pause(tmp_path: Path) -> None:
    with program(CALLBACKS + RUN, tmp_path, "{'max_requests': 1}") as running:
        address = running.address(times=2)
        before = set(psutil.Process(running.process.pid).children())
        (tmp_path / "finish").touch()

        def both_replaced() -> bool:
            try:
                assert call(address, "plain.children")[0] == 200
            except OSError:
                pass  # It came to a worker that was ending.
            return not before & set(psutil.Process(running.process.pid).children())

        wait_for(both_replaced, "new workers")
        assert "another one starts" not in running.output
        assert running.ends_after(signal.SIGTERM) == 0
