"""What a hub costs its apps, and what harm to one app does to another.

``--part cost``: the same app served alone, by a hub in a process of its own (child), and by a hub in the hub's process
(inline), in turn; ratios are taken within a round. The app has a core for itself each time; the hub of a child shares
the other one with the load.

``--part harm``: one app is asked all the time, at a fixed rate, while another is switched off and on, crashes, blocks
its loop, or is asked a hundred times a second. Each time is compared with a quiet one before it. All run on any core.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from load import Connection, Connections, callback_request, send_many
from report import print_heading, print_table
from servers import LOAD_CORE, SERVER_CORE, Server, pin, serving

PATHS = {"alone": "", "child": "/child", "inline": "/inline"}
PACKAGES = ["dash-flash", "dash", "quart", "hypercorn", "httptools"]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=["cost", "harm"], default="cost")
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--requests", type=int, default=200, help="requests in each block")
    parser.add_argument("--connections", type=int, default=8, help="requests under way at once, for throughput")
    parser.add_argument("--seconds", type=float, default=20, help="of each kind of harm, and of the quiet before it")
    parser.add_argument("--rate", type=float, default=50, help="requests a second to the app that is watched")
    parser.add_argument("--harm", choices=HARMS, nargs="+", default=list(HARMS), help="what is done to the other app")
    return parser.parse_args()


def main() -> None:
    options = parse()
    pin(LOAD_CORE)
    with serving("hub", "hypercorn", "hub_apps", page="/inline/_dash-layout") as hub:
        wait_for(hub, "child", "harm")
        if options.part == "harm":
            place(os.getpid(), *range(os.cpu_count() or 1))
            for process in [hub.process, *hub.process.children(recursive=True)]:
                place(process.pid, *range(os.cpu_count() or 1))
            print_heading("An app of a hub while another one is harmed", PACKAGES)
            asyncio.run(measure_harm(hub, options))
            return
        print_heading("An app served alone, by a hub in a process of its own, and inline", PACKAGES)
        with serving("alone", "hypercorn", "hub_apps") as alone:
            asyncio.run(measure_cost({"alone": alone, "child": hub, "inline": hub}, options))


def request_for(path: str, name: str, port: int) -> bytes:
    """The request for a callback of the app at a path."""
    return callback_request(name, port).replace(b"POST /", f"POST {path}/".encode(), 1)


def wait_for(hub: Server, *apps: str) -> None:
    """Wait until apps of a hub run."""
    deadline = time.monotonic() + 60
    while not all(process_of(hub, app) and is_answering(hub, app) for app in apps):
        if time.monotonic() > deadline:
            raise RuntimeError("The hub's apps do not start.")
        time.sleep(0.2)


def is_answering(hub: Server, app: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{hub.port}/{app}/_dash-layout", timeout=10):
            return True
    except (urllib.error.URLError, ConnectionError):
        return False


def process_of(hub: Server, app: str) -> psutil.Process | None:
    """The process of an app; None while there is none."""
    with urllib.request.urlopen(f"http://127.0.0.1:{hub.port}/_hub/api/apps", timeout=10) as answer:
        cards = {card["name"]: card for card in json.load(answer)["apps"]}
    pid = cards[app]["managed"]["pid"]
    return None if pid is None else psutil.Process(pid)


def place(pid: int, *cores: int) -> None:
    """Keep a process, all of its threads, and what it starts from now on, on some cores."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            os.sched_setaffinity(int(thread.name), cores)


def cpu_of(process: psutil.Process) -> float:
    """User and system time of a process, in seconds."""
    tasks = Path(f"/proc/{process.pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


# What it costs. -------------------------------------------------------------------------------------------------------


async def measure_cost(servers: dict[str, Server], options: argparse.Namespace) -> None:
    """Print the table of costs."""
    hubs_own = [each for each in servers["child"].process.children() if each.cpu_times().user > 0]

    def put_hub_where(way: str) -> None:
        for process in hubs_own:
            place(process.pid, LOAD_CORE if way == "child" else SERVER_CORE)

    async def latency(way: str) -> float:
        put_hub_where(way)
        return await median_of(servers[way].port, request_for(PATHS[way], "async", servers[way].port), options.requests)

    async def per_second(way: str) -> float:
        put_hub_where(way)
        request = request_for(PATHS[way], "many", servers[way].port)
        async with Connections(servers[way].port, options.connections) as connections:
            await send_many(connections, request, options.connections)
            began = time.perf_counter()
            await send_many(connections, request, options.requests)
            return options.requests / (time.perf_counter() - began)

    async def cpu(way: str) -> float:
        before = servers[way].cpu_seconds()
        await latency(way)
        return (servers[way].cpu_seconds() - before) / options.requests * 1e6

    rows = [
        row_of("Trivial callback, median ms", await in_turn(latency, options.rounds), 2, difference=True),
        row_of("Trivial callback, server CPU in µs", await in_turn(cpu, options.rounds), 0, difference=True),
        row_of("200 components, answers a second", await in_turn(per_second, options.rounds), 0),
    ]
    columns = ["", "alone", "child", "inline", "child: more", "child: ratio", "inline: ratio"]
    print_table(columns, rows)


async def in_turn(measure: Callable[[str], Awaitable[float]], rounds: int) -> list[dict[str, float]]:
    """One figure for each way to serve, in each round, in changing order; the first round is for warming up."""
    found = []
    for number in range(rounds + 1):
        ways = list(PATHS)[number % 3 :] + list(PATHS)[: number % 3]
        found.append({way: await measure(way) for way in ways})
    return found[1:]


def row_of(title: str, rounds: list[dict[str, float]], digits: int, *, difference: bool = False) -> list[str]:
    """Medians of all rounds; differences and ratios are those within rounds."""

    def median(value: Callable[[dict[str, float]], float], digits: int) -> str:
        return f"{statistics.median(map(value, rounds)):.{digits}f}"

    return [
        title,
        *(median(lambda each, way=way: each[way], digits) for way in PATHS),
        median(lambda each: each["child"] - each["alone"], digits) if difference else "",
        f"**{median(lambda each: each['child'] / each['alone'], 2)}**",
        f"**{median(lambda each: each['inline'] / each['alone'], 2)}**",
    ]


async def median_of(port: int, request: bytes, count: int) -> float:
    """The median of requests one after another, in milliseconds."""
    async with Connections(port, 1) as (connection,):
        for _ in range(5):
            await connection.send(request)
        times = []
        for _ in range(count):
            began = time.perf_counter()
            await connection.send(request)
            times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


# What harm does. ------------------------------------------------------------------------------------------------------


@dataclass
class Watched:
    """What became of the requests to the app that is watched.

    Attributes:
        times: Of each, in milliseconds.
        failures: Why others were not answered.
        cpu: Microseconds of CPU of the app's process for each.
    """

    times: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    cpu: float = 0.0


async def measure_harm(hub: Server, options: argparse.Namespace) -> None:
    """Print the table of harm."""
    rows = []
    for kind in options.harm:
        title, harm = HARMS[kind]
        quiet = await watch(hub, options)
        doing = asyncio.create_task(harm(hub))
        harmed = await watch(hub, options)
        doing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await doing
        rows.append(harm_row(title, quiet, harmed))
        await asyncio.to_thread(ask, hub, "restart")
        await asyncio.to_thread(wait_for, hub, "harm")
    columns = ["the other app is", "requests", "failed", "quiet, ms", "median, ms", "ratio", "CPU, µs", "CPU: ratio"]
    print_table(columns, rows)


def harm_row(title: str, quiet: Watched, harmed: Watched) -> list[str]:
    before, after = statistics.median(quiet.times), statistics.median(harmed.times)
    return [
        title,
        f"{len(harmed.times) + len(harmed.failures)}",
        f"**{len(harmed.failures)}**",
        f"{before:.2f}",
        f"{after:.2f}",
        f"**{after / before:.2f}**",
        f"{harmed.cpu:.0f}",
        f"**{harmed.cpu / quiet.cpu:.2f}**",
    ]


async def watch(hub: Server, options: argparse.Namespace) -> Watched:
    """Ask the app in a process of its own at a fixed rate."""
    seen, process = Watched(), process_of(hub, "child")
    assert process is not None
    request = request_for("/child", "async", hub.port)
    before, began = cpu_of(process), time.perf_counter()
    async with Connections(hub.port, 1) as (connection,):
        for number in range(int(options.seconds * options.rate)):
            await asyncio.sleep(max(0.0, began + number / options.rate - time.perf_counter()))
            asked = time.perf_counter()
            try:
                await connection.send(request)
            except (RuntimeError, OSError, asyncio.IncompleteReadError) as error:
                seen.failures.append(str(error))
            else:
                seen.times.append((time.perf_counter() - asked) * 1000)
    seen.cpu = (cpu_of(process) - before) / len(seen.times) * 1e6
    return seen


def ask(hub: Server, action: str) -> None:
    """Have the hub switch the app that is harmed."""
    url = f"http://127.0.0.1:{hub.port}/_hub/api/apps/harm/{action}"
    headers = {"Accept": "application/json", "Origin": f"http://127.0.0.1:{hub.port}"}
    urllib.request.urlopen(urllib.request.Request(url, data=b"", headers=headers), timeout=60).close()


async def switch(hub: Server) -> None:
    """Off and on, every other second: a start takes a core for most of one."""
    while True:
        for action in ("off", "on"):
            await asyncio.to_thread(ask, hub, action)
        await asyncio.sleep(1)


async def crash(hub: Server) -> None:
    """A callback that ends its process, whenever there is one; the hub waits longer each time, and is told not to."""
    while True:
        await tried(hub, "crash")
        await asyncio.to_thread(ask, hub, "restart")
        await asyncio.sleep(1)


async def block(hub: Server) -> None:
    """Callbacks that hold the loop of their process."""
    while True:
        await tried(hub, "block")


async def feed(hub: Server) -> None:
    """A hundred requests a second."""
    with_connections = [Connection(hub.port) for _ in range(4)]
    request, began = request_for("/harm", "async", hub.port), time.perf_counter()

    async def ask_on(connection: Connection, first: int) -> None:
        await connection.open()
        for number in counting(first):
            await asyncio.sleep(max(0.0, began + number / 100 - time.perf_counter()))
            await connection.send(request)

    try:
        await asyncio.gather(*(ask_on(connection, first) for first, connection in enumerate(with_connections)))
    finally:
        for connection in with_connections:
            connection.close()


def counting(first: int) -> Iterator[int]:
    """Every fourth number."""
    while True:
        yield first
        first += 4


async def tried(hub: Server, name: str) -> None:
    """Ask for a callback of the app that is harmed; it may fail."""
    async with Connections(hub.port, 1) as (connection,):
        with contextlib.suppress(RuntimeError, OSError, asyncio.IncompleteReadError):
            await connection.send(request_for("/harm", name, hub.port))


#: What may be done to the other app: its name on the command line, its title, and what does it.
HARMS = {
    "switch": ("switched off and on", switch),
    "crash": ("crashing", crash),
    "block": ("blocked", block),
    "feed": ("asked 100 times a second", feed),
}

if __name__ == "__main__":
    main()
