"""What an idle tab costs in memory: Flash against a bare ASGI app under the same server.

Each figure comes from a server that was started for it. A few tabs come and go first, so that what is loaded once
does not count. Then the tabs connect, and one message of 1 KB is pushed to all of them, since a server allocates some
buffers with the first. Compared is the memory that the process occupies before and after, divided by the number of
tabs.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
from importlib.util import find_spec

from live_push import push
from live_tabs import Tabs
from load import Connections
from report import print_heading, print_table
from servers import LOAD_CORE, Server, pin, serving

PROGRAMS = ("hypercorn", "uvicorn")
WARM_UP = 50


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--programs", nargs="+", default=PROGRAMS, choices=PROGRAMS)
    parser.add_argument("--tabs", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


def main() -> None:
    options = parse()
    programs = [program for program in options.programs if find_spec(program)]
    print_heading(f"Memory of an idle tab, of {options.tabs:,}", ["dash-flash", "dash", "quart", *programs])
    pin(LOAD_CORE)
    rows = []
    for program in programs:
        for deflate in (True, False):
            sizes = [
                (measured("live", program, deflate, options.tabs), measured("bare", program, deflate, options.tabs))
                for _ in range(options.rounds)
            ]
            rows.append([f"{program}, {'compressed' if deflate else 'not compressed'}", *figures(sizes)])
    print_table(["served by", "Flash, KB", "bare app, KB", "difference, median, KB", "lowest to highest"], rows)


def figures(sizes: list[tuple[float, float]]) -> list[str]:
    """Medians of both and of their differences."""
    differences = [mine - theirs for mine, theirs in sizes]
    return [
        *(f"{statistics.median(each):.1f}" for each in zip(*sizes, strict=True)),
        f"**{statistics.median(differences):.1f}**",
        f"{min(differences):.1f} to {max(differences):.1f}",
    ]


def measured(kind: str, program: str, deflate: bool, count: int) -> float:
    """The KB of a new server's memory that each of its tabs takes."""
    with serving(kind, program, "live_apps") as server:
        return asyncio.run(measure(server, deflate, count))


async def measure(server: Server, deflate: bool, count: int) -> float:
    """The KB of a server's memory that each of its tabs takes."""
    flash = server.kind == "live"
    async with Connections(server.port, 1) as (control,):
        async with Tabs(server.port, min(WARM_UP, count), flash=flash, deflate=deflate) as tabs:
            await push(server, tabs, control)
        before = await settled(server)
        async with Tabs(server.port, count, flash=flash, deflate=deflate) as tabs:
            await push(server, tabs, control)
            return (await settled(server) - before) / count / 1024


async def settled(server: Server) -> int:
    """The memory of a server that has come to rest."""
    cpu = -1.0
    while cpu + 0.002 < (cpu := server.cpu_seconds()):  # noqa: ASYNC110
        await asyncio.sleep(0.5)
    return server.memory()


if __name__ == "__main__":
    main()
