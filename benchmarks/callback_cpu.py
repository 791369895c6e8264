"""What a trivial callback costs the server over HTTP: Flash against ``Dash(backend="quart")``.

Both are served by the same program, at the same time and on the same core; the load comes from another core. It is
sent to the two in turn, in pairs of blocks, and the ratio is taken within each pair, so that what else the machine does
falls on both. Cost is user and system time of the server's processes for each callback.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
from importlib.util import find_spec

from load import Connection, Connections, callback_request, send_many
from report import print_heading, print_table
from servers import LOAD_CORE, Server, pin, serving

PROGRAMS = ("hypercorn", "uvicorn", "granian")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", nargs="+", default=PROGRAMS, choices=PROGRAMS)
    parser.add_argument("--callbacks", nargs="+", default=["async", "plain"], choices=["async", "plain"])
    parser.add_argument("--pairs", type=int, default=41)
    parser.add_argument("--requests", type=int, default=300, help="requests in each block")
    parser.add_argument("--connections", nargs="+", type=int, default=[1, 8], help="requests under way at once")
    return parser.parse_args()


def main() -> None:
    options = parse()
    programs = [program for program in options.programs if find_spec(program)]
    print_heading("Server CPU per trivial callback", ["dash-flash", "dash", "quart", *programs])
    pin(LOAD_CORE)
    rows = []
    for program in programs:
        with serving("flash", program) as flash, serving("quart", program) as quart:
            for name in options.callbacks:
                for count in options.connections:
                    figures = asyncio.run(measure_pairs((flash, quart), name, count, options))
                    rows.append([f"{name}, {program}, {count} at once", *figures])
    columns = ["callback", "Flash, µs", "Dash quart, µs", "ratio, median", "ratio, lowest to highest"]
    print_table(columns, rows)


async def measure_pairs(
    servers: tuple[Server, Server], name: str, count: int, options: argparse.Namespace
) -> list[str]:
    """The row of one callback: both costs, and the ratio within pairs."""
    costs: list[tuple[float, ...]] = []
    async with Connections(servers[0].port, count) as first, Connections(servers[1].port, count) as second:
        lines = (first, second)
        for server, connections in zip(servers, lines, strict=True):
            await measure(server, connections, name, max(100, options.requests // 4))
        for number in range(options.pairs):
            pair = [0.0, 0.0]
            for which in (0, 1) if number % 2 else (1, 0):
                pair[which] = await measure(servers[which], lines[which], name, options.requests)
            costs.append(tuple(pair))
    ratios = [mine / theirs for mine, theirs in costs if theirs]
    flash, quart = (statistics.median(each) for each in zip(*costs, strict=True))
    if not ratios:
        return [f"{flash:.0f}", f"{quart:.0f}", "too few requests", ""]
    return [
        f"{flash:.0f}",
        f"{quart:.0f}",
        f"**{statistics.median(ratios):.2f}**",
        f"{min(ratios):.2f} to {max(ratios):.2f}",
    ]


async def measure(server: Server, connections: list[Connection], name: str, requests: int) -> float:
    """Microseconds of the server's CPU time for each of ``requests`` callbacks."""
    before = server.cpu_seconds()
    await send_many(connections, callback_request(name, server.port), requests)
    return (server.cpu_seconds() - before) / requests * 1e6


if __name__ == "__main__":
    main()
