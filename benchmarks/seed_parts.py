"""The parts of the benchmark: each measures all arms in its way, prints its tables, and returns its figures."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from importlib.util import find_spec
from typing import Any

import seed_browser
import seed_latency
import seed_network
import seed_order
from delay import delayed
from report import print_table
from seed_arms import BASE, Arm
from seed_figures import spread
from seed_latency import Plan, Taken
from seed_order import Dragged

Ports = Mapping[str, int]
Rows = list[dict[str, Any]]

RAW = [Plan(0, 250, 8, 20, warm_up=200), Plan(5, 125, 8, 10, warm_up=20), Plan(50, 35, 6, 5, warm_up=5)]
QUICK_RAW = [Plan(0, 20, 2, 5, warm_up=20), Plan(5, 10, 2, 5), Plan(50, 4, 2, 2)]
BROWSER = [Plan(0, 50, 4, 10), Plan(50, 25, 3, 5)]
QUICK_BROWSER = [Plan(0, 10, 1, 3), Plan(50, 5, 1, 2)]

#: The networks of the drags: milliseconds of a round trip, and of jitter in each direction.
LINKS = [(0, 0), (50, 20)]
#: How many drags of each arm, and how many seconds each takes.
DRAGS, QUICK_DRAGS = (5, 5.0), (2, 1.0)


def network(arms: Sequence[Arm], ports: Ports, quick: bool) -> Rows:
    """The delays, without a server: what the proxy adds by itself, and how exact it is."""
    rows: Rows = []
    delays = [None, *(plan.delay for plan in RAW)]
    for delay in delays:
        seconds = None if delay is None else delay / 1e3
        times = asyncio.run(seed_network.round_trips(seconds, 20 if quick else 100))
        rows.append({"delay": delay, **asdict(spread([times]))})
    print(f"### The network\n\nAn echo of {seed_network.SIZE} bytes, without a server, and what delays it.\n")
    names = ["without the proxy" if delay is None else f"the proxy, {delay} ms" for delay in delays]
    cells = [[f"{row[name]:.2f}" for name in ("p50", "p95", "p99")] for row in rows]
    print_table(["echo", "p50, ms", "p95, ms", "p99, ms"], [[a, *b] for a, b in zip(names, cells, strict=True)])
    return rows


def raw(arms: Sequence[Arm], ports: Ports, quick: bool) -> Rows:
    """Round trips of the raw client."""
    rows: Rows = []
    timed = [arm for arm in arms if arm.timed]
    for plan in QUICK_RAW if quick else RAW:
        with ExitStack() as stack:
            taken = asyncio.run(seed_latency.measure(timed, behind(stack, ports, plan.delay), plan))
        rows += show_times("Raw client", plan, taken)
        opened = sum(each.opened for each in taken.values())
        print(f"Connections opened while that was timed: {opened}.\n", flush=True)
    return rows


def browser(arms: Sequence[Arm], ports: Ports, quick: bool) -> Rows:
    """Round trips of a real browser."""
    if not find_spec("selenium"):
        print("selenium is not installed; the browser is left out.\n")
        return []
    rows: Rows = []
    shown = [arm for arm in arms if arm.in_browser]
    for plan in QUICK_BROWSER if quick else BROWSER:
        with ExitStack() as stack:
            driver = stack.enter_context(seed_browser.chromium())
            taken = seed_browser.measure(driver, shown, behind(stack, ports, plan.delay), plan)
            name = f"Chromium {driver.capabilities['browserVersion'].partition('.')[0]}"
        rows += show_times(name, plan, taken)
    return rows


def order(arms: Sequence[Arm], ports: Ports, quick: bool) -> Rows:
    """Drags of a slider whose callback sets a device."""
    rows: Rows = []
    dragged = [arm for arm in arms if arm.dragged]
    drags, seconds = QUICK_DRAGS if quick else DRAGS
    for delay, jitter in LINKS:
        with ExitStack() as stack:
            links = behind(stack, ports, delay, jitter)
            found = asyncio.run(seed_order.measure(dragged, links, drags=drags, seconds=seconds))
        link = f"{delay} ms of added delay" + (f", up to {jitter} ms of jitter in each direction" if jitter else "")
        show_order(f"Drags, {link}", found)
        rows += [{"arm": label, "delay": delay, "jitter": jitter, **asdict(each)} for label, each in found.items()]
    return rows


PARTS: dict[str, Callable[[Sequence[Arm], Ports, bool], Rows]] = {
    "network": network,
    "raw": raw,
    "browser": browser,
    "order": order,
}


def behind(stack: ExitStack, ports: Ports, delay: int, jitter: int = 0) -> Ports:
    """The ports of the servers over a network with so many milliseconds of delay and jitter; without any, their own."""
    if not delay and not jitter:
        return ports
    proxies = stack.enter_context(delayed(ports.values(), delay / 1e3, jitter / 1e3))
    return {kind: proxies[port] for kind, port in ports.items()}


def show_times(client: str, plan: Plan, taken: Mapping[str, Taken]) -> Rows:
    """Print the table of some round trips; returns its figures."""
    rows: Rows = []
    cells = []
    for label, each in taken.items():
        found, ratio = spread(each.blocks), ratio_to_base(taken, label)
        rows.append({"arm": label, "delay": plan.delay, **asdict(found), "ratio": ratio, "opened": each.opened})
        interval = f"{found.low:.2f} to {found.high:.2f}"
        times = [f"**{found.p50:.2f}**", interval, f"{found.p95:.2f}", f"{found.p99:.2f}"]
        cells.append([label, *times, f"{ratio:.2f}" if ratio else ""])
    print(f"### {client}, {plan.delay} ms of added delay\n")
    print(f"{plan.samples * plan.blocks} round trips of each, in {plan.blocks} blocks.\n")
    print_table(["callback", "p50, ms", "95 % interval", "p95, ms", "p99, ms", "to the first"], cells)
    return rows


def ratio_to_base(taken: Mapping[str, Taken], label: str) -> float | None:
    """The median, over the rounds, of an arm's median divided by that of Dash on Flask in the same round."""
    if BASE.label not in taken:
        return None
    pairs = zip(taken[label].blocks, taken[BASE.label].blocks, strict=True)
    return statistics.median(statistics.median(mine) / statistics.median(base) for mine, base in pairs)


def show_order(title: str, found: Mapping[str, Dragged]) -> None:
    """Print the table of some drags."""
    print(f"### {title}\n")
    columns = ["callback", "values", "called after a newer one, %", "set", "set before an older one, %"]
    print_table(
        [*columns, "wrong at the end", "behind at the end, s"],
        [
            [
                label,
                each.sent,
                f"{100 * each.late / each.sent:.1f}",
                each.set,
                f"{100 * each.overtaken / each.set:.1f}",
                f"**{each.wrong} of {each.drags}**",
                f"{statistics.median(each.behind):.2f}",
            ]
            for label, each in found.items()
        ],
    )
