"""Many pages drag one slider over links that jitter: what the callback has seen, and what all of them end with.

Example:
    >>> drag = run_drag("async", pages=50, seconds=5)
    >>> drag.check()
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil

from ..server.run_programs import free_port
from .drag_app import SLIDER, TEXT, text_of
from .drag_pages import JITTER, PAGES, DraggingPage

ROOT = Path(__file__).parents[2]

#: Changes that a dragged slider makes in a second.
RATE = 60

#: No wait is longer, in seconds.
PATIENCE = 60.0


@dataclass
class Server:
    """A process that serves the app.

    Attributes:
        port: Where it listens on 127.0.0.1.
        process: It.
    """

    port: int
    process: psutil.Popen

    def get(self, path: str) -> tuple[bytes, dict[str, str]]:
        """The body of a page, and its headers by their names in lower case."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as answer:
            return answer.read(), {name.lower(): value for name, value in answer.headers.items()}

    def cpu_seconds(self) -> float:
        """User and system time of the process so far."""
        threads = Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


@dataclass
class Drag:
    """What came of a drag.

    Attributes:
        kind: Of the callback.
        pages: The pages, as they were left.
        reports: What each server has told in the end.
        seconds: From the first change to the last.
        cpu: Seconds of CPU that the servers took for it.
        load: The share of its core that the pages took.
        problems: What was waited for in vain.
    """

    kind: str
    pages: list[DraggingPage]
    reports: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    cpu: float = 0.0
    load: float = 0.0
    problems: list[str] = field(default_factory=list)

    @property
    def changes(self) -> int:
        """How many changes the pages have made."""
        return sum(len(page.sent) for page in self.pages)

    @property
    def seen(self) -> list[tuple[int, float]]:
        """What the function was called with after its initial run, and when."""
        calls = [(value, at) for report in self.reports for value, at in report["seen"] if value]
        return sorted(calls, key=lambda call: call[1]) if len(self.reports) > 1 else calls

    @property
    def converged(self) -> float:
        """Seconds from the last change's arrival until every page showed what it shows now."""
        last = max(page.arrived_at for page in self.pages)
        return max(at for page in self.pages for _, at in page.shown.values()) - last

    def lags(self) -> list[float]:
        """Seconds from each change's being made until the function was called with it, sorted."""
        sent = {value: at for page in self.pages for value, at in page.sent.items()}
        return sorted(at - sent[value] for value, at in self.seen if value in sent)

    # What must hold.

    def check(self) -> None:
        """Hold everything against what shared callbacks promise.

        Raises:
            AssertionError: Something is not so; it says what.
        """
        problems = [*self.problems, *(each for page in self.pages for each in page.problems)]
        assert not problems, "\n".join(problems[:20])
        self.check_what_was_seen()
        self.check_order()
        self.check_end()

    def check_what_was_seen(self) -> None:
        """Each change was seen once, or at most once where newer ones replace it; each page's in its order."""
        seen = [value for value, _ in self.seen]
        sent = {value for page in self.pages for value in page.sent}
        assert len(seen) == len(set(seen)), "A change was seen twice."
        assert set(seen) <= sent, f"{set(seen) - sent} was seen, and not sent."
        if self.kind != "most-recent":
            assert set(seen) == sent, f"{len(sent - set(seen))} changes were not seen."
        for page in self.pages:
            own = [value for value in seen if value % PAGES == page.number]
            for one, other in pairwise(own):
                assert one < other, f"{other} was seen after {one}."

    def check_order(self) -> None:
        """The function has seen the changes in the order of their versions."""
        place = {value: index for index, (value, _) in enumerate(self.seen)}
        placed = sorted(each for page in self.pages for each in page.placed)
        versions = [version for version, _ in placed]
        assert len(versions) == len(set(versions)), "Two changes have the same version."
        known = [(version, value) for version, value in placed if value in place]
        for (one, before), (other, after) in pairwise(known):
            assert place[before] < place[after], f"{after} (version {other}) was seen before {before} (version {one})."

    def check_end(self) -> None:
        """All pages and the app end with what the function has seen last."""
        last = self.seen[-1][0]
        for report in self.reports:
            assert report["shared"] == {SLIDER: last, TEXT: text_of(last)}, report["shared"]
        for page in self.pages:
            shown = {name: value for name, (value, _) in page.shown.items()}
            assert shown == {SLIDER: last, TEXT: text_of(last)}, f"Page {page.number} shows {shown}, and not {last}."


def run_drag(
    kind: str,
    *,
    pages: int = 50,
    seconds: float = 5.0,
    rate: float = RATE,
    processes: int = 1,
    jitter: tuple[float, float] = JITTER,
    core: int | None = None,
    command: tuple[str, ...] = (sys.executable,),
) -> Drag:
    """Have pages drag the slider of a server in a process of its own.

    Args:
        kind: Of the callback.
        pages: How many drag.
        seconds: How long.
        rate: Changes of each page in a second.
        processes: How many servers there are; the pages are divided among them. More than one need FLASH_REDIS_URL.
        jitter: The shortest and the longest delay of a frame, in seconds.
        core: On which core the servers run; None for any.
        command: What runs Python for them.
    """
    with ExitStack() as stack:
        servers = [stack.enter_context(serving(kind, core, command)) for _ in range(processes)]
        return asyncio.run(_drag(kind, servers, pages, seconds, rate, jitter))


async def _drag(
    kind: str, servers: list[Server], count: int, seconds: float, rate: float, jitter: tuple[float, float]
) -> Drag:
    pages = [await _opened(number, servers[number % len(servers)], jitter) for number in range(count)]
    drag = Drag(kind, pages)
    try:
        await _initial_run(servers)
        cpu, own, began = sum(each.cpu_seconds() for each in servers), time.process_time(), time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for page in pages:
                tasks.create_task(_drag_page(page, round(seconds * rate), rate))
        drag.seconds = time.monotonic() - began
        drag.load = (time.process_time() - own) / drag.seconds
        await _quiet(drag, servers)
        drag.cpu = sum(each.cpu_seconds() for each in servers) - cpu
    finally:
        for page in pages:
            page.close()
    return drag


async def _opened(number: int, server: Server, jitter: tuple[float, float]) -> DraggingPage:
    """A page that is loaded and welcomed."""
    _, headers = await asyncio.to_thread(server.get, "/_dash-layout")
    page = DraggingPage(number, server.port, headers["flash-state"], jitter)
    await asyncio.get_running_loop().create_connection(lambda: page, "127.0.0.1", server.port)
    await asyncio.wait_for(page.ready, PATIENCE)
    return page


async def _initial_run(servers: list[Server]) -> None:
    """Wait until the first run is over, whose value pages get with the state."""
    deadline = time.monotonic() + PATIENCE
    for server in servers:
        while (await _report(server))["shared"][TEXT] is None:
            assert time.monotonic() < deadline, "There was no initial run."
            await asyncio.sleep(0.02)


async def _drag_page(page: DraggingPage, changes: int, rate: float) -> None:
    """Drag one slider, in step with the clock, but not in step with the others."""
    loop = asyncio.get_running_loop()
    began = loop.time() + page.number % 7 / 7 / rate
    for number in range(changes):
        await asyncio.sleep(began + number / rate - loop.time())
        page.drag()


async def _quiet(drag: Drag, servers: list[Server]) -> None:
    """Wait until every change has been answered and everything has reached every page."""
    deadline = time.monotonic() + PATIENCE
    while not all(page.settled for page in drag.pages):
        if time.monotonic() > deadline or any(page.problems for page in drag.pages):
            left = [page.number for page in drag.pages if not page.settled]
            drag.problems.append(f"{len(left)} pages have changes that were not answered or have no version.")
            break
        await asyncio.sleep(0.02)
    reports: list[dict[str, Any]] = []
    while drag.reports != reports or not reports:
        if reports and time.monotonic() > deadline:
            drag.problems.append("The state never comes to rest.")
            break
        drag.reports, reports = reports, [await _report(server) for server in servers]
        # What is under way to a page arrives meanwhile.
        await asyncio.sleep(0.2)


async def _report(server: Server) -> dict[str, Any]:
    content, _ = await asyncio.to_thread(server.get, "/report")
    found: dict[str, Any] = json.loads(content)
    return found


@contextmanager
def serving(kind: str, core: int | None, command: tuple[str, ...]) -> Iterator[Server]:
    """A server of the app that has answered its first page; it is ended with the block.

    Raises:
        RuntimeError: It does not come up; with what it has printed.
    """
    port = free_port()
    with tempfile.TemporaryFile("w+") as output:
        process = psutil.Popen(
            [*command, "-m", "tests.shared.drag_app", kind, str(port)],
            cwd=ROOT,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=output,
            stderr=output,
            # Not where its parent must be.
            preexec_fn=lambda: os.sched_setaffinity(0, range(os.cpu_count() or 1) if core is None else {core}),
        )
        server = Server(port, process)
        try:
            _wait_until_ready(server)
            yield server
        except Exception as error:
            output.seek(0)
            error.add_note(f"The server has printed:\n{output.read()[-4000:]}")
            raise
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(20)


def _wait_until_ready(server: Server) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            server.get("/_dash-layout")
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise RuntimeError("The server does not serve.")
