"""What a device is told when a slider is dragged: in which order its callback is called, and where the device ends.

A drag sends 60 values a second. The callback takes 5 to 50 ms, the same for the same value on every server, and sets
the device at its end. Over HTTP the values go over six connections, as browsers send them: each over one that is free,
else they wait.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from seed_arms import Arm
from seed_clients import HttpClient, SocketClient
from seed_figures import late, overtaken

RATE = 60
CONNECTIONS = 6


@dataclass
class Dragged:
    """What all drags of an arm did.

    Attributes:
        drags: How many.
        wrong: After how many of them the device was not at the last value.
        sent: How many values were sent.
        late: How many of them the callback was called with after a newer one.
        set: How many of them the device was set to.
        overtaken: How many of those were set before an older one. Had the drag ended there, its end were wrong.
        behind: Seconds from the last value that was sent until the device was set for the last time, of each drag.
    """

    drags: int = 0
    wrong: int = 0
    sent: int = 0
    late: int = 0
    set: int = 0
    overtaken: int = 0
    behind: list[float] = field(default_factory=list)


async def measure(arms: Sequence[Arm], ports: Mapping[str, int], *, drags: int, seconds: float) -> dict[str, Dragged]:
    """Drag with each arm. Those with the same kind of callback drag at the same time.

    Args:
        arms: What to measure.
        ports: Where each kind listens, or what delays it.
        drags: How many of each arm.
        seconds: How long each takes.

    Returns:
        What came of it, by the arm's label.
    """
    found = {arm.label: Dragged() for arm in arms}
    for number in range(drags):
        for group in groups_of(arms):
            async with asyncio.TaskGroup() as tasks:
                for arm in group:
                    tasks.create_task(drag(arm, ports[arm.kind], number, seconds, found[arm.label]))
    return found


def groups_of(arms: Sequence[Arm]) -> list[list[Arm]]:
    """The arms by the kind of their callback: no server has two of the regular ones in a group."""
    groups: dict[str, list[Arm]] = {}
    for arm in arms:
        groups.setdefault(arm.callback if arm.callback in ("plain", "async") else "shared", []).append(arm)
    return list(groups.values())


async def drag(arm: Arm, port: int, number: int, seconds: float, into: Dragged) -> None:
    """One drag, whose values are all greater than those of the drags before it."""
    first = (number + 1) * 10_000
    values = list(range(first, first + round(seconds * RATE)))
    await report_of(arm, port)  # What came before, a shared callback's initial run for one, does not count.
    ended = await (by_http if arm.client is HttpClient else by_socket)(arm, port, values)
    report = await report_of(arm, port)
    reached = [value for value, _ in report["set"]]
    into.drags += 1
    into.wrong += reached[-1] != values[-1]
    into.sent += len(values)
    into.late += late(report["called"])
    into.set += len(reached)
    into.overtaken += overtaken(reached)
    into.behind.append(report["set"][-1][1] - ended)


async def report_of(arm: Arm, port: int) -> Any:
    """What has happened to the device since it was asked last."""
    async with HttpClient(port, "ask.children", "report.children") as client:
        return await client.answer(arm.callback)


async def by_http(arm: Arm, port: int, values: Sequence[int]) -> float:
    """Send the values over six connections; returns when the last was there to be sent, by the monotonic clock."""
    waiting: asyncio.Queue[int | None] = asyncio.Queue()

    async def work() -> None:
        client = arm.drag(port)
        async with client:
            while (value := await waiting.get()) is not None:
                await client.ask(value)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(CONNECTIONS):
            tasks.create_task(work())
        ended = await at_rate(values, waiting.put)
        for _ in range(CONNECTIONS):
            await waiting.put(None)
    return ended


async def by_socket(arm: Arm, port: int, values: Sequence[int]) -> float:
    """The same over a WebSocket, until every value has been answered."""
    client = arm.drag(port)
    assert isinstance(client, SocketClient)
    async with client, asyncio.TaskGroup() as tasks:

        async def take_all() -> None:
            for _ in values:
                await client.take()

        answers = tasks.create_task(take_all())
        ended = await at_rate(values, client.post)
        await answers
    return ended


async def at_rate(values: Sequence[int], send: Callable[[int], Awaitable[None]]) -> float:
    """Send 60 values a second, in step with the clock; returns when the last was sent."""
    began = time.monotonic()
    for number, value in enumerate(values):
        await asyncio.sleep(max(0.0, began + number / RATE - time.monotonic()))
        await send(value)
    return time.monotonic()
