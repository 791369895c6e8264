"""How long do callbacks of the live dashboard for Flask take, while many browsers with nothing new ask?

``flash new live-dashboard --flask`` writes the project, waitress serves it with its ten threads. Each browser asks
every two seconds as the page's ``dcc.Interval`` does, at a phase of its own, and remembers what it was given; the data
change every five seconds. One more browser asks for all charts anew, twenty times a second.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import random
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from click.testing import CliRunner
from load import Connection
from report import print_heading, print_table

from flash.cli import main as flash_command

#: What a page of that project asks for.
OUTPUTS = ("load.figure numbers.children loading.display disks.figure machine-badge.children disks-badge.children "
           "shown.data").split()  # fmt: skip
EVERY = 2.0


class PollingConnection(Connection):
    """A connection that also takes an answer without content: there is nothing new."""

    async def send(self, request: bytes) -> bytes:
        """Send a request and return the body of its answer."""
        head = await self._head_of_answer(request)
        status, _, headers = head.lower().partition(b"\r\n")
        if b" 204" in status:
            return b""
        body = await self._reader.readexactly(int(headers.partition(b"content-length:")[2].partition(b"\r\n")[0]))
        if b" 200" not in status:
            raise RuntimeError(f"The server answered {status.decode()}: {body[:500].decode(errors='replace')}")
        return body


class Browser:
    """A browser with the dashboard open: a connection, and what was last shown."""

    def __init__(self, port: int, password: str) -> None:
        self._connection = PollingConnection(port)
        self._port = port
        self._authorization = base64.b64encode(f"admin:{password}".encode()).decode()
        self.shown: object = {}

    async def open(self) -> None:
        """Connect, and ask once, without being measured."""
        await self._connection.open()
        await self.ask()

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    async def ask(self, anew: bool = False) -> tuple[float, bool]:
        """Ask what is new, or for all ``anew``; returns the milliseconds, and whether there was something."""
        request = self._request({} if anew else self.shown)
        begun = time.perf_counter()
        answer = await self._connection.send(request)
        took = 1000 * (time.perf_counter() - begun)
        if answer:
            self.shown = json.loads(answer)["response"]["shown"]["data"]
        return took, bool(answer)

    def _request(self, shown: object) -> bytes:
        outputs = [dict(zip(("id", "property"), name.split("."), strict=True)) for name in OUTPUTS]
        body = json.dumps(
            {
                "output": f"..{'...'.join(OUTPUTS)}..",
                "outputs": outputs,
                "inputs": [
                    {"id": "tick", "property": "n_intervals", "value": 1},
                    {"id": "minutes", "property": "value", "value": 5},
                ],
                "state": [{"id": "shown", "property": "data", "value": shown}],
                "changedPropIds": ["tick.n_intervals"],
            }
        ).encode()
        head = (
            f"POST /_dash-update-component HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n"
            f"Authorization: Basic {self._authorization}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


@contextmanager
def dashboard() -> Iterator[tuple[int, str]]:
    """The project, served by waitress on a port, and the first user's password."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "numbers")
        written = CliRunner().invoke(flash_command, ["new", "live-dashboard", str(folder), "--flask"])
        password = re.search(r"with the password (\S+)", written.output)
        if password is None:
            raise SystemExit(written.output)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        search = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
        environment = {**os.environ, "PORT": str(port), "PYTHONPATH": search, "FLASH_REDIS_URL": ""}
        server = subprocess.Popen([sys.executable, "server.py"], cwd=folder, env=environment, stderr=subprocess.DEVNULL)
        try:
            _await_server(port)
            yield port, password[1]
        finally:
            server.terminate()
            server.wait()


def _await_server(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


async def poll(browser: Browser, end: float, idle: list[float], news: list[float]) -> None:
    """Ask every two seconds until the end."""
    await asyncio.sleep(random.uniform(0, EVERY))
    while time.monotonic() < end:
        took, new = await browser.ask()
        (news if new else idle).append(took)
        await asyncio.sleep(EVERY)


async def ask_anew(browser: Browser, end: float, times: list[float]) -> None:
    """Ask for charts, one after the other, until the end."""
    while time.monotonic() < end:
        times.append((await browser.ask(anew=True))[0])
        await asyncio.sleep(0.05)


async def measure(port: int, password: str, count: int, seconds: float) -> dict[str, list[float]]:
    """The milliseconds of all answers, by kind."""
    browsers = [Browser(port, password) for _ in range(count + 1)]
    for browser in browsers:
        await browser.open()
    found: dict[str, list[float]] = {"nothing new": [], "new data": [], "charts asked for anew": []}
    idle, news, anew = found.values()
    end = time.monotonic() + seconds
    await asyncio.gather(*(poll(each, end, idle, news) for each in browsers[1:]), ask_anew(browsers[0], end, anew))
    for browser in browsers:
        browser.close()
    return found


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--browsers", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    with dashboard() as (port, password):
        found = asyncio.run(measure(port, password, options.browsers, options.seconds))
    print_heading(
        f"{options.browsers} browsers on the live dashboard for Flask", ["dash-flash", "dash", "flask", "waitress"]
    )
    rows = []
    for kind, times in found.items():
        ordered = sorted(times)
        p95 = ordered[int(0.95 * (len(ordered) - 1))] if ordered else float("nan")
        median = statistics.median(ordered) if ordered else float("nan")
        rows.append([kind, len(ordered), f"{median:.1f}", f"{p95:.1f}", f"{max(ordered, default=float('nan')):.1f}"])
    print_table(["answer", "requests", "median, ms", "95 %, ms", "longest, ms"], rows)


if __name__ == "__main__":
    main()
