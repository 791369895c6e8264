"""The machine's clock: a sleeper notices that the machine was suspended, and a clock that is set back keeps nobody."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from flash.data import clock as clock_module
from flash.data.clock import LOOKS_EVERY, Clock

from .on_loop import on_loop


class SetClock(Clock):
    """A machine's clock that can be set."""

    def __init__(self) -> None:
        self.off = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.off


@on_loop
async def test_it_shows_the_time_in_utc() -> None:
    now = Clock().now()
    assert now.tzinfo is UTC
    assert abs(datetime.now(UTC) - now) < timedelta(seconds=5)


@on_loop
async def test_it_sleeps_as_long_as_it_is_told_to() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    await Clock().sleep(0.05)
    assert loop.time() - began >= 0.05


@pytest.mark.parametrize("seconds", [0, -5])
def test_no_time_is_one_turn_of_the_loop(seconds: float) -> None:
    @on_loop
    async def test() -> None:
        turned: list[int] = []
        asyncio.get_running_loop().call_soon(turned.append, 1)
        await Clock().sleep(seconds)
        assert turned

    test()


@on_loop
async def test_after_a_suspension_it_is_over_within_half_a_minute() -> None:
    clock, asked = SetClock(), []

    async def sleep(seconds: float) -> None:
        asked.append(seconds)
        clock.off += timedelta(hours=2)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock_module.asyncio, "sleep", sleep)
        await clock.sleep(3600)
    assert asked == [LOOKS_EVERY] == [30]


@on_loop
async def test_a_long_sleep_goes_on_when_nothing_has_happened() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock_module, "LOOKS_EVERY", 0.01)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await Clock().sleep(0.1)
        assert loop.time() - began >= 0.1


@on_loop
async def test_a_clock_that_is_set_back_makes_no_sleep_longer() -> None:
    clock = SetClock()
    sleeping = asyncio.create_task(clock.sleep(0.05))
    await asyncio.sleep(0)
    clock.off = timedelta(days=-1)
    await asyncio.wait_for(sleeping, 10)
