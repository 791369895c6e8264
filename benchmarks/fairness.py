"""What plain callbacks that block do to the asynchronous ones beside them.

100 plain callbacks that sleep 0.1 s are sent at once, again and again. Counted is how many of them run at the same
time, and, while they are under way, how long a trivial asynchronous callback takes. The control, in the same run, sends
100 asynchronous callbacks that await 0.1 s instead: what they do to the asynchronous one is the work of answering 100
requests, and whatever plain ones do beyond that is the framework's. In a pair the bursts of both take turns, and the
ratio of the two 99th percentiles is taken within each pair.

The longest pause of the event loop is measured in the server, by a task that asks to be woken every 2 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from load import Connection, Connections, answer_of, callback_request
from report import print_heading, print_table
from servers import LOAD_CORE, Server, pin, serving

PROBES = 20
PROBE_EVERY = 0.1
NEEDED = {"flask": ("gunicorn", "asgiref"), "fastapi": ("fastapi",), "quart": (), "flash": ()}
LABELS = {
    "flash": "Flash",
    "quart": 'Dash(backend="quart")',
    "fastapi": 'Dash(backend="fastapi")',
    "flask": "Dash (Flask)",
}


@dataclass
class Seen:
    """What was seen while bursts of one kind were under way; times in seconds."""

    latencies: list[float] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)

    def p99(self) -> float:
        """The 99th percentile of the asynchronous callback's time."""
        return statistics.quantiles(self.latencies, n=100, method="inclusive")[98]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kinds", nargs="+", default=list(LABELS), choices=list(LABELS))
    parser.add_argument("--program", default="hypercorn", choices=["hypercorn", "uvicorn", "granian"])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--bursts", type=int, default=10, help="bursts of each kind in a pair")
    parser.add_argument("--burst-size", type=int, default=100, help="callbacks in a burst")
    parser.add_argument("--seconds", type=float, default=12, help="no further burst after this time")
    return parser.parse_args()


def main() -> None:
    options = parse()
    print_heading(
        f"{options.burst_size} blocking callbacks at once",
        ["dash-flash", "dash", "quart", "fastapi", "flask", options.program, "gunicorn"],
    )
    pin(LOAD_CORE)
    rows = []
    for kind in options.kinds:
        if missing := [package for package in NEEDED[kind] if not find_spec(package)]:
            print(f"{LABELS[kind]} is left out: {', '.join(missing)} not installed.\n")
            continue
        program = "gunicorn" if kind == "flask" else options.program
        with serving(kind, program) as server:
            pairs = asyncio.run(measure_pairs(server, options))
        rows.append(row_of(server, pairs))
    columns = ["served", "run together", "p99 beside plain, ms", "p99 of the control, ms", "ratio, median"]
    print_table([*columns, "lowest to highest", "longest pause, ms", "of the control, ms"], rows)


def row_of(server: Server, pairs: list[tuple[Seen, Seen]]) -> list[str]:
    """One row: the least that ran together, and medians over the pairs."""
    ratios = [plain.p99() / control.p99() for plain, control in pairs]
    medians = [statistics.median(each[which].p99() for each in pairs) * 1000 for which in (0, 1)]
    pauses = [max(pause for each in pairs for pause in each[which].pauses) * 1000 for which in (0, 1)]
    threads = " --threads 40" if server.program == "gunicorn" else ""
    return [
        f"{LABELS[server.kind]}, {server.program}{threads}",
        str(min(peak for plain, _ in pairs for peak in plain.peaks)),
        *(f"{median:.0f}" for median in medians),
        f"**{statistics.median(ratios):.2f}**",
        f"{min(ratios):.2f} to {max(ratios):.2f}",
        *(f"{pause:.0f}" if pause else "no loop" for pause in pauses),
    ]


async def measure_pairs(server: Server, options: argparse.Namespace) -> list[tuple[Seen, Seen]]:
    """For each pair, what was seen beside plain callbacks and beside those of the control."""
    pairs = []
    async with (
        Connections(server.port, options.burst_size) as sleepers,
        Connections(server.port, PROBES) as probes,
        Connections(server.port, 1) as (reporter,),
    ):
        bench = Bench(server, sleepers, probes, reporter)
        await bench.run_pair(1, 0)  # Opens connections on the server's side, starts threads.
        for _ in range(options.pairs):
            pairs.append(await bench.run_pair(options.bursts, options.seconds))
    return pairs


class Bench:
    """The connections to one server, and what is sent over them."""

    def __init__(
        self, server: Server, sleepers: list[Connection], probes: list[Connection], reporter: Connection
    ) -> None:
        self.server = server
        self.sleepers = sleepers
        self.probes = probes
        self.reporter = reporter

    async def run_pair(self, bursts: int, seconds: float) -> tuple[Seen, Seen]:
        """Send bursts of plain callbacks and of the control in turn, until there were enough or the time is over."""
        plain, control = Seen(), Seen()
        deadline = time.monotonic() + seconds
        await self._report()
        for number in range(bursts):
            turns = [("sleep-plain", plain), ("sleep-async", control)]
            for name, seen in turns if number % 2 else reversed(turns):
                seen.latencies += await self._burst(callback_request(name, self.server.port))
                report = await self._report()
                seen.peaks.append(report["peak"])
                seen.pauses.append(report["pause"])
            if time.monotonic() > deadline:
                break
        return plain, control

    async def _report(self) -> dict[str, Any]:
        answer: dict[str, Any] = await answer_of(self.reporter, self.server.port, "report")
        return answer

    async def _burst(self, request: bytes) -> list[float]:
        """Send one burst. Returns the times of the probes that were sent before its last answer."""
        under_way = asyncio.Event()
        under_way.set()
        latencies: list[float] = []
        async with asyncio.TaskGroup() as group:
            for number, connection in enumerate(self.probes):
                delay = PROBE_EVERY * number / len(self.probes)
                group.create_task(self._probe(connection, delay, under_way, latencies))
            async with asyncio.TaskGroup() as burst:
                for sleeper in self.sleepers:
                    burst.create_task(sleeper.send(request))
            under_way.clear()
        return latencies

    async def _probe(
        self, connection: Connection, delay: float, under_way: asyncio.Event, latencies: list[float]
    ) -> None:
        """Send the trivial callback every 0.1 s, or as soon as the last one is answered."""
        request = callback_request("async", self.server.port)
        await asyncio.sleep(delay)
        while under_way.is_set():
            sent_at = time.perf_counter()
            await connection.send(request)
            latency = time.perf_counter() - sent_at
            latencies.append(latency)
            await asyncio.sleep(max(0.0, PROBE_EVERY - latency))


if __name__ == "__main__":
    main()
