"""Lanes of several processes: no two run a job of one lane at once, none is shut out, and who ends is replaced."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from flash.lanes import Lanes
from flash.leases import LaneLeases
from flash.storage import MemoryStorage, SharedStorageError, Storage

from ..apps import run
from ..live.asgi import eventually

Make = Callable[[], Storage]


class Device:
    """What only one may use at a time."""

    def __init__(self) -> None:
        self.log: list[Any] = []
        self.users = self.most = 0

    def use(self, name: Any, seconds: float = 0.0) -> Callable[[], Awaitable[Any]]:
        async def job() -> Any:
            self.log.append(name)
            self.users += 1
            self.most = max(self.most, self.users)
            await asyncio.sleep(seconds)
            self.users -= 1
            return name

        return job


def run_with(make: Make, main: Callable[[Make], Awaitable[None]]) -> None:
    """Run a test, and close the storages that it has made."""

    async def with_storages() -> None:
        made: list[Storage] = []
        try:
            await main(lambda: made.append(make()) or made[-1])  # type: ignore[func-returns-value]
        finally:
            for storage in made:
                await storage.aclose()

    run(with_storages)


def lanes_of(make: Make, seconds: float = 5.0) -> Lanes:
    """The lanes of one more process."""
    return Lanes(LaneLeases(make(), "lanes", seconds).held)


def test_processes_take_turns(make: Make) -> None:
    async def main(make: Make) -> None:
        device, processes = Device(), [lanes_of(make), lanes_of(make)]
        tasks = [
            asyncio.create_task(processes[number % 2].run("lane", device.use(number, 0.001))) for number in range(40)
        ]
        assert await asyncio.gather(*tasks) == list(range(40))
        assert device.most == 1
        for number in range(2):
            assert [each for each in device.log if each % 2 == number] == list(range(number, 40, 2))

    run_with(make, main)


def test_lanes_do_not_wait_for_each_other(make: Make) -> None:
    async def main(make: Make) -> None:
        device, processes = Device(), [lanes_of(make), lanes_of(make)]
        first = asyncio.create_task(processes[0].run(("resource", "a"), device.use("long", 60)))
        await eventually(lambda: device.users == 1)
        assert await processes[1].run(("resource", "b"), device.use("short")) == "short"
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)

    run_with(make, main)


def test_a_job_that_takes_longer_than_its_lease_keeps_it(make: Make) -> None:
    async def main(make: Make) -> None:
        device, processes = Device(), [lanes_of(make, 0.3), lanes_of(make, 0.3)]
        first = asyncio.create_task(processes[0].run("lane", device.use("first", 1.2)))
        await eventually(lambda: device.users == 1)
        await processes[1].run("lane", device.use("second"))
        assert await first == "first"
        assert device.most == 1 and device.log == ["first", "second"]

    run_with(make, main)


def test_the_lease_of_a_process_that_has_ended_without_a_word_ends(make: Make) -> None:
    async def main(make: Make) -> None:
        device, storage = Device(), make()
        assert await storage.aacquire(f"lanes:{'lane'!r}", "dead", 0.4) is not None
        asked = asyncio.create_task(lanes_of(make).run("lane", device.use("after")))
        assert await asked == "after"

    run_with(make, main)


def test_a_process_with_much_to_do_leaves_the_lane_to_another(make: Make) -> None:
    async def main(make: Make) -> None:
        device, busy, other = Device(), lanes_of(make), lanes_of(make)
        stop = asyncio.Event()

        async def always() -> None:
            while not stop.is_set():
                await busy.run("lane", device.use("busy", 0.1))

        tasks = [asyncio.create_task(always()) for _ in range(3)]
        await eventually(lambda: device.users == 1)
        for _ in range(3):
            assert await other.run("lane", device.use("other")) == "other"
        stop.set()
        await asyncio.gather(*tasks)
        # Six uses fit into the time after which the busy one steps back.
        assert device.most == 1 and device.log.count("busy") < 3 * 14

    run_with(make, main)


def test_who_is_cancelled_while_another_process_has_the_lane_wedges_nothing(make: Make) -> None:
    async def main(make: Make) -> None:
        device, first, second = Device(), lanes_of(make), lanes_of(make)
        running = asyncio.create_task(first.run("lane", device.use("first", 60)))
        await eventually(lambda: device.users == 1)
        tasks = [asyncio.create_task(second.run("lane", device.use(name))) for name in ("gone", "stays")]
        await asyncio.sleep(0)
        tasks[0].cancel()
        running.cancel()
        assert await tasks[1] == "stays"
        assert device.log == ["first", "stays"]
        await asyncio.gather(running, tasks[0], return_exceptions=True)
        assert not len(first) and not len(second)

    run_with(make, main)


class Silent(MemoryStorage):
    """A storage that does not answer."""

    async def aacquire(self, name: str, owner: str, seconds: float) -> int | None:
        raise SharedStorageError("no answer")


def test_without_the_storage_no_job_begins_and_its_caller_learns_it() -> None:
    async def main() -> None:
        device, lanes = Device(), lanes_of(Silent)
        with pytest.raises(SharedStorageError):
            await lanes.run("lane", device.use("never"))
        assert not device.log and not len(lanes)

    run(main)
