"""The schedule, by a clock that the tests set: what is read when, and what happens when reading fails."""

from __future__ import annotations

import asyncio
import importlib
import logging
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest
from flash.data import SourceError
from flash.data.engine import Engine
from flash.data.stores import MemorySnapshots
from flash.storage import MemoryStorage
from flash.testing.clock import SimulatedClock

import reading
import schedule
import setting


class Readings:
    """Stands for ``reading.read_disks``: counts, and gives other disks each time, or an error."""

    def __init__(self, clock: SimulatedClock) -> None:
        self.clock = clock
        self.times: list[str] = []
        self.error: Exception | None = None

    def __call__(self) -> pd.DataFrame:
        self.times.append(self.clock.now().strftime("%d %H:%M:%S"))
        if self.error is not None:
            raise self.error
        return pd.DataFrame({"disk": ["/"], "used": [1e9 * len(self.times)], "free": [1e9]})


@asynccontextmanager
async def running(start: str, monkeypatch: pytest.MonkeyPatch, config: Path = setting.ROOT / "config.json"):
    """The disks' sources, as a configuration file schedules them, run by a clock that begins at ``start``."""
    monkeypatch.setattr(setting, "SETTING", setting.read(config))
    importlib.reload(schedule)
    clock = SimulatedClock(start)
    readings = Readings(clock)
    monkeypatch.setattr(reading, "read_disks", readings)
    chain = [schedule.disks, schedule.disk_table]
    clock.waits_while(lambda: any(each.status.running for each in chain))
    engine = Engine(chain, storage=MemoryStorage(), store=MemorySnapshots(), name="test", clock=clock)
    await engine.start()
    try:
        await schedule.disk_table.first(10)
        yield clock, readings
    finally:
        await engine.close()


def config(folder: Path, text: str) -> Path:
    """A configuration file."""
    (folder / "config.json").write_text(text)
    return folder / "config.json"


def used() -> list[float]:
    """What the page shows."""
    return list(schedule.disk_table.get().value["used"])


def test_the_data_change_at_nine_exactly_and_once(monkeypatch):
    async def scenario():
        async with running("2026-03-27T08:59:58Z", monkeypatch) as (clock, readings):
            assert readings.times == ["27 08:59:58"] and used() == [1.0]
            await clock.advance("1s")
            assert used() == [1.0]
            await clock.advance(to="2026-03-27T09:00:00Z")
            assert readings.times[1:] == ["27 09:00:00"]
            await schedule.disk_table.at_least(2, 10)
            assert used() == [2.0]
            await clock.advance("10h")
            assert len(readings.times) == 2

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("time", "start", "end", "times"),
    [
        # Nine o'clock stays nine o'clock.
        ('"hour": 9', "2026-03-28T07:00Z", "2026-03-30T12:00Z", ["28 08:00:00", "29 07:00:00", "30 07:00:00"]),
        ('"hour": 9', "2026-10-24T06:00Z", "2026-10-26T12:00Z", ["24 07:00:00", "25 08:00:00", "26 08:00:00"]),
        # What is skipped in spring runs right after the gap; what comes twice in autumn runs once.
        ('"hour": 2, "minute": 30', "2026-03-28T12:00Z", "2026-03-30T12:00Z", ["29 01:00:00", "30 00:30:00"]),
        ('"hour": 2, "minute": 30', "2026-10-24T12:00Z", "2026-10-26T12:00Z", ["25 00:30:00", "26 01:30:00"]),
    ],
)
def test_when_clocks_are_put_forward_and_back(monkeypatch, tmp_path, time, start, end, times):
    path = config(tmp_path, f'{{"timezone": "Europe/Prague", "dates": [{{"day": "daily", {time}}}]}}')

    async def scenario():
        async with running(start, monkeypatch, path) as (clock, readings):
            await clock.advance(to=end)
            assert readings.times[1:] == times

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("dates", "start", "ticks"),
    [
        ('[{"day": 31, "hour": 18, "minute": 30}]', "2026-03-31T18:30Z", ["2026-05-31T18:30Z", "2026-07-31T18:30Z"]),
        ('[{"day": 29, "hour": 0}]', "2027-01-29T00:00Z", ["2027-03-29T00:00Z", "2027-04-29T00:00Z"]),
        ('[{"day": "last", "hour": 23}]', "2028-02-01T00:00Z", ["2028-02-29T23:00Z", "2028-03-31T23:00Z"]),
        (
            '[{"day": "daily", "hour": 9}, {"day": 1, "hour": 6}]',
            "2026-06-30T09:00Z",
            ["2026-07-01T06:00Z", "2026-07-01T09:00Z"],
        ),
    ],
)
def test_days_and_hours_of_a_configuration(monkeypatch, tmp_path, dates, start, ticks):
    monkeypatch.setattr(setting, "SETTING", setting.read(config(tmp_path, f'{{"dates": {dates}}}')))
    importlib.reload(schedule)
    moment = datetime.fromisoformat(start)
    for expected in ticks:
        moment = schedule.disks.settings.trigger.next_after(moment)
        assert moment == datetime.fromisoformat(expected)


def test_three_failures_leave_the_data_and_the_schedule(monkeypatch, caplog):
    async def scenario():
        async with running("2026-03-27T08:00:00Z", monkeypatch) as (clock, readings):
            monkeypatch.setattr(schedule.disks, "settings", replace(schedule.disks.settings, retry=0))
            readings.error = SourceError("The disks do not answer.")
            caplog.set_level(logging.WARNING, "flash")
            for day in (27, 28, 29):
                await clock.advance(to=f"2026-03-{day}T09:05:00Z")
            snapshot = schedule.disks.get()
            assert snapshot.value["used"].tolist() == [1e9]
            assert snapshot.error.reason == "The disks do not answer."
            failures = [record for record in caplog.records if "The disks do not answer." in record.getMessage()]
            assert readings.times[1:] == ["27 09:00:00", "28 09:00:00", "29 09:00:00"] and len(failures) == 3
            readings.error = None
            await clock.advance(to="2026-03-30T09:00:00Z")
            await schedule.disks.at_least(2, 10)
            assert schedule.disks.get().error is None and readings.times[-1] == "30 09:00:00"

    asyncio.run(scenario())
