"""The servers that the benchmarks start end with them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

#: A benchmark of a hub that is broken off; it prints the process of an app.
CODE = """
import time, hub
with hub.serving("hub", "hypercorn", "hub_apps", page="/inline/_dash-layout") as server:
    hub.wait_for(server, "child")
    print(hub.process_of(server, "child").pid, flush=True)
    time.sleep(600)
"""


def test_a_hub_ends_its_apps_when_its_benchmark_is_asked_to_end() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CODE], cwd=BENCHMARKS, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as benchmark:
        assert benchmark.stdout is not None
        app = psutil.Process(int(benchmark.stdout.readline()))
        os.killpg(benchmark.pid, signal.SIGTERM)  # As a terminal and `timeout` do.
        assert benchmark.wait(60) == 128 + signal.SIGTERM
    psutil.wait_procs([app], timeout=20)
    assert not app.is_running() or app.status() == psutil.STATUS_ZOMBIE
