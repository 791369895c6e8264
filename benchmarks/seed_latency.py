"""Round trips of a raw protocol client, one in flight: the server and the transport, without a browser."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from seed_arms import Arm


@dataclass(frozen=True)
class Plan:
    """How much is measured of an arm.

    Attributes:
        delay: Milliseconds that the network adds to a round trip.
        samples: Timed round trips of a block.
        blocks: How many blocks.
        first: Untimed ones at the start of each block, whose connection is new.
        warm_up: Untimed ones before the first block.
    """

    delay: int
    samples: int
    blocks: int
    first: int
    warm_up: int = 0


@dataclass
class Taken:
    """What was measured of an arm.

    Attributes:
        blocks: The seconds of each round trip, by block.
        opened: How many connections were opened while that was timed: none, where they are kept.
    """

    blocks: list[list[float]] = field(default_factory=list)
    opened: int = 0


async def measure(arms: Sequence[Arm], ports: Mapping[str, int], plan: Plan) -> dict[str, Taken]:
    """Time the arms in turn, in blocks, in another order in each round.

    Args:
        arms: What to measure.
        ports: Where each kind listens, or what delays it.
        plan: How much of each.

    Returns:
        What was taken, by the arm's label.
    """
    taken = {arm.label: Taken() for arm in arms}
    order = random.Random(4)
    for arm in arms:
        await run_block(arm, ports[arm.kind], plan.warm_up, 0)
    for _ in range(plan.blocks):
        for arm in order.sample(arms, len(arms)):
            times, opened = await run_block(arm, ports[arm.kind], plan.first, plan.samples)
            taken[arm.label].blocks.append(times)
            taken[arm.label].opened += opened
    return taken


async def run_block(arm: Arm, port: int, untimed: int, samples: int) -> tuple[list[float], int]:
    """The seconds of each timed round trip over one connection, and how many more it took."""
    async with arm.echo(port) as client:
        for number in range(untimed):
            await client.ask(number % 100)
        before = client.connections
        times = [await client.ask((untimed + number) % 100) for number in range(samples)]
        return times, client.connections - before
