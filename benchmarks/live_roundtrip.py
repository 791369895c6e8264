"""What a trivial callback costs the server over a WebSocket: Flash against Dash's own WebSocket on Quart.

All are served by the same program, at the same time and on the same core; the load comes from another core, in turn,
in blocks, and the ratios are taken within each round. Dash waits 5 ms after each message for others to send with it;
it is measured as it is and with ``websocket_batch_delay=0``. Flash's tab is welcomed first, gets an ``ack`` for each
request, and acknowledges what it has received; Dash knows none of that. Cost is user and system time of the server's
processes.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import statistics
from contextlib import AsyncExitStack, ExitStack
from importlib.util import find_spec

from live_tabs import Tab, Tabs, live_request
from report import print_heading, print_table
from servers import LOAD_CORE, Server, pin, serving

PROGRAMS = ("hypercorn", "uvicorn")
KINDS = ("live", "worker", "worker-0")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--programs", nargs="+", default=PROGRAMS, choices=PROGRAMS)
    parser.add_argument("--callbacks", nargs="+", default=["async", "plain"], choices=["async", "plain"])
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--requests", type=int, default=300, help="requests in each block")
    parser.add_argument("--tabs", nargs="+", type=int, default=[1, 8], help="tabs that ask at once")
    return parser.parse_args()


def main() -> None:
    options = parse()
    programs = [program for program in options.programs if find_spec(program)]
    print_heading("Server CPU per callback over a WebSocket", ["dash-flash", "dash", "quart", *programs])
    pin(LOAD_CORE)
    rows = []
    for program in programs:
        with ExitStack() as stack:
            servers = [stack.enter_context(serving(kind, program, "live_apps")) for kind in KINDS]
            for name in options.callbacks:
                for count in options.tabs:
                    figures = asyncio.run(measure_rounds(servers, name, count, options))
                    rows.append([f"{name}, {program}, {count} at once", *figures])
    columns = ["callback", "Flash, µs", "Dash, µs", "Dash, no delay, µs", "Flash / Dash", "lowest to highest"]
    print_table([*columns, "Flash / no delay", "lowest to highest"], rows)


async def measure_rounds(servers: list[Server], name: str, count: int, options: argparse.Namespace) -> list[str]:
    """The row of one callback: all costs, and the ratios within rounds."""
    costs: list[list[float]] = []
    numbers = itertools.count()
    async with AsyncExitStack() as stack:
        tabs = [
            await stack.enter_async_context(Tabs(server.port, count, flash=server.kind == "live")) for server in servers
        ]
        for server, each in zip(servers, tabs, strict=True):
            await measure(server, each, name, max(100, options.requests // 4), numbers)
        for number in range(options.rounds):
            cost = [0.0] * len(servers)
            for which in range(len(servers)) if number % 2 else reversed(range(len(servers))):
                cost[which] = await measure(servers[which], tabs[which], name, options.requests, numbers)
            costs.append(cost)
    medians = [f"{statistics.median(each):.0f}" for each in zip(*costs, strict=True)]
    return [*medians, *ratio_of(costs, 1), *ratio_of(costs, 2)]


def ratio_of(costs: list[list[float]], other: int) -> list[str]:
    """The median, and the range, of Flash's costs divided by another's."""
    ratios = [cost[0] / cost[other] for cost in costs]
    return [f"**{statistics.median(ratios):.2f}**", f"{min(ratios):.2f} to {max(ratios):.2f}"]


async def measure(server: Server, tabs: Tabs, name: str, requests: int, numbers: itertools.count[int]) -> float:
    """Microseconds of the server's CPU time for each of ``requests`` callbacks."""
    before = server.cpu_seconds()
    left = iter(range(requests))

    async def work(tab: Tab) -> None:
        for _ in left:
            answer = await tab.ask(live_request(name, next(numbers), f"page-{tab.number}"))
            if b'"ok"' not in answer and b'"status": "ok"' not in answer:
                raise RuntimeError(answer.decode())

    async with asyncio.TaskGroup() as group:
        for tab in tabs.all:
            group.create_task(work(tab))
    return (server.cpu_seconds() - before) / requests * 1e6


if __name__ == "__main__":
    main()
