"""``app.run()`` in a process of its own: it serves, and ends as it should."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flash.server.signals import ONE_REQUEST

from .run_programs import ANY_PORT, PATIENCE, PREAMBLE, call, get, program, wait_for

CALLBACKS = (
    PREAMBLE
    + """

@app.callback(Output("plain", "children"), Input("button", "n_clicks"))
def plain(clicks):
    print("plain runs")
    while not os.path.exists("finish"):
        time.sleep(0.02)
    return "plain answer"

@app.callback(Output("async", "children"), Input("button", "n_clicks"))
async def asynchronous(clicks):
    print("async runs")
    while not os.path.exists("finish"):
        await asyncio.sleep(0.02)
    return "async answer"

@app.callback(Output("stuck", "children"), Input("button", "n_clicks"))
def stuck(clicks):
    print("stuck runs")
    time.sleep(600)

@app.server.route("/stuck")
async def stuck_in_asyncios_thread():
    print("another stuck")
    await asyncio.to_thread(time.sleep, 600)

before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
"""
)
RUN = f"app.run(bind='{ANY_PORT}', **eval(sys.argv[1]))\n"
AFTER = "print('signals restored', before == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)))\n"


def in_background(
    send: Callable[..., tuple[int, str]], *arguments: Any
) -> tuple[threading.Thread, list[tuple[int, str]]]:
    """Send a request without waiting for its answer, which comes into a list."""
    results: list[tuple[int, str]] = []

    def run() -> None:
        try:
            # Longer than any test waits: a client that gives up would set the server free.
            results.append(send(*arguments, within=10 * PATIENCE))
        except OSError as error:
            results.append((0, str(error)))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, results


def test_sigterm_lets_running_callbacks_finish_and_refuses_new_connections(tmp_path: Path) -> None:
    with program(CALLBACKS + RUN + AFTER, tmp_path, "{'graceful_timeout': 60}") as running:
        address = running.address()
        calls = [in_background(call, address, output) for output in ("plain.children", "async.children")]
        running.says("plain runs")
        running.says("async runs")
        running.process.send_signal(signal.SIGTERM)
        wait_for(lambda: not _accepts(address), "the port to close")
        (tmp_path / "finish").touch()
        for thread, _ in calls:
            thread.join(PATIENCE)
        assert [results[0][0] for _, results in calls] == [200, 200]
        assert "plain answer" in calls[0][1][0][1]
        assert "async answer" in calls[1][1][0][1]
        assert running.ends() == 0
        assert "signals restored True" in running.output
        assert "Traceback" not in running.output


def _accepts(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address).close()
    except OSError:
        return False
    return True


def test_callbacks_stuck_in_threads_hold_the_end_no_longer_than_the_grace_period(tmp_path: Path) -> None:
    with program(CALLBACKS + RUN, tmp_path, "{'graceful_timeout': 0.5}") as running:
        address = running.address()
        thread, results = in_background(call, address, "stuck.children")
        in_background(get, address, "/stuck")
        running.says("stuck runs")
        running.says("another stuck")
        assert running.ends_after(signal.SIGINT) == 0
        thread.join(PATIENCE)
        assert results[0][0] != 200


def test_a_second_signal_ends_without_waiting_for_callbacks(tmp_path: Path) -> None:
    with program(CALLBACKS + RUN, tmp_path, "{'graceful_timeout': 600}") as running:
        address = running.address()
        in_background(call, address, "stuck.children")
        running.says("stuck runs")
        running.process.send_signal(signal.SIGINT)
        wait_for(lambda: not _accepts(address), "the port to close")
        time.sleep(ONE_REQUEST)
        assert running.ends_after(signal.SIGINT) == 0


def test_a_client_that_does_not_read_cannot_hold_the_end(tmp_path: Path) -> None:
    source = PREAMBLE + "@app.server.route('/big')\nasync def big():\n    return b'x' * 50_000_000\n"
    with program(source + RUN, tmp_path, "{'graceful_timeout': 0.5}") as running:
        with socket.create_connection(running.address()) as client:
            client.sendall(b"GET /big HTTP/1.1\r\nHost: test\r\n\r\n")
            assert client.recv(1)
            assert running.ends_after(signal.SIGTERM) == 0
        assert "Traceback" not in running.output


def test_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    with program(PREAMBLE + RUN, tmp_path, "{}") as running:
        host, port = running.address()
        taken = f"{{'bind': '{host}:{port}'}}"
        with program(PREAMBLE + "app.run(**eval(sys.argv[1]))\n", tmp_path, taken, name="second.py") as second:
            assert second.ends() == 1
            assert f"{host}:{port} is already in use by another process. Choose another port" in second.output
        assert get((host, port), "/pid")[0] == 200
