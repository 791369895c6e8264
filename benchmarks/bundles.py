"""What a first visit costs: the index page and the JavaScript of a page with a graph, without a browser's cache.

Shown are the bytes that travel, the server's CPU time for the first visitor and for later ones, and the longest pause
of the event loop while they are served.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import statistics
import urllib.request
from importlib.util import find_spec

from load import Connection, Connections, answer_of, page_request
from report import print_heading, print_table
from servers import LOAD_CORE, Server, pin, serving

LABELS = {
    "flash": "Flash",
    "quart": 'Dash(backend="quart")',
    "quart-compress": 'Dash(backend="quart", compress=True)',
}
#: Loaded by the renderer when it meets a graph.
GRAPH = ["/_dash-component-suites/dash/dcc/async-graph.js", "/_dash-component-suites/plotly/package_data/plotly.min.js"]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--program", default="hypercorn", choices=["hypercorn", "uvicorn", "granian"])
    parser.add_argument("--visits", type=int, default=10)
    return parser.parse_args()


def main() -> None:
    options = parse()
    print_heading("First visits", ["dash-flash", "dash", "quart", "quart-compress", options.program])
    pin(LOAD_CORE)
    rows = []
    for kind, label in LABELS.items():
        if kind == "quart-compress" and not find_spec("quart_compress"):
            continue
        with serving(kind, options.program) as server:
            rows.append([label, *asyncio.run(measure(server, options.visits))])
    print_table(["served", "bytes, kB", "CPU of the first, ms", "CPU of a later one, ms", "longest pause, ms"], rows)


async def measure(server: Server, visits: int) -> list[str]:
    """The row of one server."""
    paths = ["/", *scripts_of_page(server.port), *GRAPH]
    sizes, costs = [], []
    async with Connections(server.port, 2) as (connection, reporter):
        await answer_of(reporter, server.port, "report")
        for _ in range(visits):
            before = server.cpu_seconds()
            sizes.append(await visit(connection, server.port, paths))
            costs.append((server.cpu_seconds() - before) * 1000)
        report = await answer_of(reporter, server.port, "report")
    later = f"{statistics.median(costs[1:]):,.1f}" if len(costs) > 1 else "-"
    return [f"{sizes[0] / 1000:,.0f}", f"{costs[0]:,.1f}", later, f"{report['pause'] * 1000:,.0f}"]


def scripts_of_page(port: int) -> list[str]:
    """The paths of the scripts that the index page names."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as page:
        return re.findall(r'<script src="(/_dash-component-suites/[^"]+)"', page.read().decode())


async def visit(connection: Connection, port: int, paths: list[str]) -> int:
    """Get what a browser gets at its first visit; returns the bytes of the bodies."""
    return sum([len(await connection.send(page_request(path, port))) for path in paths])


if __name__ == "__main__":
    main()
