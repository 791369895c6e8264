"""What one tab that has stopped reading does to the others.

All tabs get pushes of 1 KB. In a pair of blocks one tab reads in the one and has stopped in the other. Before the
second is measured, large pushes to it have filled what the system and the server keep for the tab, so that its
messages wait in Flash. Shown are the server's CPU for each message that was delivered, in both blocks; the time until
a push has reached all others; and how many messages waited for the others after each push, which must be none.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
from dataclasses import dataclass, field
from importlib.util import find_spec

from live_push import push
from live_tabs import Tabs
from load import Connection, Connections, page_request
from report import print_heading, print_table
from servers import LOAD_CORE, Server, pin, serving

PROGRAMS = ("hypercorn", "uvicorn")


@dataclass
class Seen:
    """What was seen in the blocks of one kind: microseconds of CPU for each message, and seconds for each push."""

    cpu: list[float] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def p99(self) -> float:
        """The 99th percentile of a push's time, in milliseconds."""
        return statistics.quantiles(self.times, n=100, method="inclusive")[98] * 1000


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--programs", nargs="+", default=PROGRAMS, choices=PROGRAMS)
    parser.add_argument("--tabs", type=int, default=1000)
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--pushes", type=int, default=16, help="pushes in a block")
    return parser.parse_args()


def main() -> None:
    options = parse()
    programs = [program for program in options.programs if find_spec(program)]
    print_heading(f"One stalled tab among {options.tabs:,}", ["dash-flash", "dash", "quart", *programs])
    pin(LOAD_CORE)
    rows = []
    for program in programs:
        with serving("live", program, "live_apps") as server:
            rows.append([program, *asyncio.run(Bench(server, options).run())])
    columns = ["served by", "CPU of a message, µs", "with a stalled tab, µs", "ratio, median", "lowest to highest"]
    print_table([*columns, "p99 of a push, ms", "with a stalled tab, ms", "waiting for others"], rows)


class Bench:
    """One server, its tabs, and what is measured there."""

    def __init__(self, server: Server, options: argparse.Namespace) -> None:
        self.server = server
        self.options = options
        self.waiting = 0

    async def run(self) -> list[str]:
        """The cells of one row."""
        flowing, stalled = Seen(), Seen()
        async with (
            Tabs(self.server.port, self.options.tabs, flash=True) as self.tabs,
            Connections(self.server.port, 1) as (self.control,),
        ):
            await self._block(Seen(), self.options.tabs)
            for number in range(self.options.pairs):
                for stall in (True, False) if number % 2 else (False, True):
                    await (self._stalled_block(stalled) if stall else self._block(flowing, self.options.tabs))
        ratios = [theirs / mine for mine, theirs in zip(flowing.cpu, stalled.cpu, strict=True)]
        return [
            *(f"{statistics.median(seen.cpu):.1f}" for seen in (flowing, stalled)),
            f"**{statistics.median(ratios):.2f}**",
            f"{min(ratios):.2f} to {max(ratios):.2f}",
            *(f"{seen.p99():.0f}" for seen in (flowing, stalled)),
            str(self.waiting),
        ]

    async def _stalled_block(self, seen: Seen) -> None:
        tab = self.tabs.all[0]
        others = self.tabs.count - 1
        tab.stall()
        while not (await waiting(self.server, self.control))["most"]:
            await self.control.send(page_request("/fill", self.server.port))
        await self._block(seen, others)
        tab.go_on()
        while (await waiting(self.server, self.control))["most"]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        received = -1
        while received != (received := self.tabs.received):  # noqa: ASYNC110
            await asyncio.sleep(0.2)

    async def _block(self, seen: Seen, receivers: int) -> None:
        pushes = self.options.pushes
        cpu = self.server.cpu_seconds()
        for _ in range(pushes):
            seen.times.append(await push(self.server, self.tabs, self.control, receivers))
        seen.cpu.append((self.server.cpu_seconds() - cpu) / pushes / receivers * 1e6)
        self.waiting = max(self.waiting, (await waiting(self.server, self.control))["others"])


async def waiting(server: Server, control: Connection) -> dict[str, int]:
    """How many messages wait in the server: for the tab for which most wait, and for all others."""
    counts: dict[str, int] = json.loads(await control.send(page_request("/waiting", server.port)))
    return counts


if __name__ == "__main__":
    main()
