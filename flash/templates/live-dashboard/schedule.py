"""The schedule: what is read when, and what follows from it.

A source runs once per tick, however many pages are open and however many processes serve them. When it fails, the last
data stay, the page says so, and the schedule goes on.
"""

from __future__ import annotations

import pandas as pd
from flash.data import source

import engineering
import preprocess
import reading
from setting import SETTING

#: The newest few versions of each are kept.
KEEP = 3


@source(every=SETTING.every, timeout="20s", retry=3, max_stale=SETTING.machine_stale, keep=KEEP)
def machine() -> pd.DataFrame:
    """The machine's counters."""
    return reading.read_machine()


@source(after=machine, keep=KEEP)
def history(machine: pd.DataFrame) -> pd.DataFrame:
    """The counters of the last half hour: what was there before, and the new ones."""
    return preprocess.with_new(history.get().value, machine)


@source(after=history, keep=KEEP)
def load(history: pd.DataFrame) -> pd.DataFrame:
    """How busy the machine was."""
    return engineering.measures(history)


@source(days=SETTING.dates, tz=SETTING.timezone, timeout="1m", retry=3, max_stale=SETTING.disks_stale, keep=KEEP)
def disks() -> pd.DataFrame:
    """How full the disks are, read on the days and hours of ``config.json``, and once when there is nothing yet."""
    return reading.read_disks()


@source(after=disks, keep=KEEP)
def disk_table(disks: pd.DataFrame) -> pd.DataFrame:
    """The disks in gigabytes."""
    return preprocess.gigabytes(disks)
