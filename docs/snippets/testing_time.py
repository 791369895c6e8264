import asyncio

from flash.data.schedule import Schedule
from flash.data.triggers import trigger_of
from flash.testing.clock import SimulatedClock


async def night_in_which_clocks_are_put_forward() -> list[str]:
    clock = SimulatedClock("2026-03-29T01:59+01:00")
    given: list[str] = []
    schedule = Schedule(clock, lambda name, ticks: given.extend(f"{name} {tick:%H:%M}" for tick in ticks))
    schedule.add("orders", trigger_of(at="02:30", tz="Europe/Prague"), after=clock.now())
    schedule.start()
    await clock.advance("2m")
    await clock.suspend("2d")
    schedule.stop()
    return given


def test_a_run_at_half_past_two():
    # 02:30 does not exist: 03:00 in Prague, 01:00 in UTC. Then two were missed while the machine was suspended.
    assert asyncio.run(night_in_which_clocks_are_put_forward()) == ["orders 01:00", "orders 00:30", "orders 00:30"]
