"""Pushing one update of 1 KB to every tab: Flash against a bare ASGI app under the same server.

Both servers run at the same time on the same core, each with its tabs connected; the tabs are on another core. They
push in turn, in pairs, and the ratio is taken within each pair. The time is that from asking for the push until the
last tab has it. The bare app awaits the server's ``send`` for one tab after the other, and knows nothing of who has
received what.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from dataclasses import dataclass, field
from importlib.util import find_spec

from live_tabs import Tabs
from load import Connection, Connections, page_request
from report import print_heading, print_table
from servers import LOAD_CORE, Server, pin, serving

PROGRAMS = ("hypercorn", "uvicorn")


@dataclass
class Seen:
    """What pushing to the tabs of one server took; seconds, one figure for each pair."""

    times: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--programs", nargs="+", default=PROGRAMS, choices=PROGRAMS)
    parser.add_argument("--tabs", type=int, default=1000)
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--pushes", type=int, default=8, help="pushes of each server in a pair")
    parser.add_argument("--deflate", action="store_true", help="offer compression, as browsers do")
    return parser.parse_args()


def main() -> None:
    options = parse()
    programs = [program for program in options.programs if find_spec(program)]
    print_heading(f"A push of 1 KB to {options.tabs:,} tabs", ["dash-flash", "dash", "quart", *programs])
    pin(LOAD_CORE)
    rows = []
    for program in programs:
        with serving("live", program, "live_apps") as flash, serving("bare", program, "live_apps") as bare:
            rows.append(row_of(program, *asyncio.run(measure_pairs(flash, bare, options))))
    columns = ["served by", "Flash, ms", "bare app, ms", "ratio, median", "lowest to highest"]
    print_table([*columns, "CPU of Flash, ms", "of the bare app, ms", "ratio of CPU"], rows)


def row_of(program: str, flash: Seen, bare: Seen) -> list[str]:
    """Medians of the times; of the CPU the means, since what acknowledgements cost comes in lumps."""
    ratios = [mine / theirs for mine, theirs in zip(flash.times, bare.times, strict=True)]
    cpu = [statistics.mean(seen.cpu) * 1000 for seen in (flash, bare)]
    return [
        program,
        *(f"{statistics.median(seen.times) * 1000:.1f}" for seen in (flash, bare)),
        f"**{statistics.median(ratios):.2f}**",
        f"{min(ratios):.2f} to {max(ratios):.2f}",
        *(f"{each:.1f}" for each in cpu),
        f"**{cpu[0] / cpu[1]:.2f}**",
    ]


async def measure_pairs(flash: Server, bare: Server, options: argparse.Namespace) -> tuple[Seen, Seen]:
    """Push to the tabs of both in turn."""
    seen = (Seen(), Seen())
    servers = (flash, bare)
    async with (
        Tabs(flash.port, options.tabs, flash=True, deflate=options.deflate) as mine,
        Tabs(bare.port, options.tabs, flash=False, deflate=options.deflate) as theirs,
        Connections(flash.port, 1) as (first,),
        Connections(bare.port, 1) as (second,),
    ):
        ends = ((mine, first), (theirs, second))
        for server, (tabs, control) in zip(servers, ends, strict=True):
            await measure(server, tabs, control, 2)
        for number in range(options.pairs):
            for which in (0, 1) if number % 2 else (1, 0):
                took, cpu = await measure(servers[which], *ends[which], options.pushes)
                seen[which].times.append(took)
                seen[which].cpu.append(cpu)
    return seen


async def measure(server: Server, tabs: Tabs, control: Connection, pushes: int) -> tuple[float, float]:
    """The seconds, and the seconds of the server's CPU time, that a push to all tabs takes on average."""
    cpu = server.cpu_seconds()
    took = 0.0
    for _ in range(pushes):
        took += await push(server, tabs, control)
    return took / pushes, (server.cpu_seconds() - cpu) / pushes


async def push(server: Server, tabs: Tabs, control: Connection, receivers: int = 0) -> float:
    """Push once; returns how long it took until all tabs had it, or as many as receive anything."""
    since, began = tabs.received, time.perf_counter()
    request = page_request("/push", server.port)
    ended, _ = await asyncio.gather(tabs.receive(receivers or tabs.count, since), control.send(request))
    return ended - began


if __name__ == "__main__":
    main()
