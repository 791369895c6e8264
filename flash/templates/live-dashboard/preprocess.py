"""Preprocessing: from what was read to clean tables that can be computed with."""

from __future__ import annotations

import pandas as pd

#: What is older than this is dropped.
KEPT = pd.Timedelta("30min")

GIGABYTE = 1e9


def with_new(before: pd.DataFrame | None, read: pd.DataFrame) -> pd.DataFrame:
    """The history with what was just read.

    Args:
        before: The history so far; None when there is none.
        read: New rows, with a column ``at``.
    """
    rows = read if before is None else pd.concat([before, read])
    rows = rows.drop_duplicates("at", keep="last").sort_values("at", ignore_index=True)
    return rows[rows["at"] > rows["at"].iloc[-1] - KEPT].reset_index(drop=True)


def gigabytes(disks: pd.DataFrame) -> pd.DataFrame:
    """The disks in gigabytes; what has no size is none, and what is mounted twice counts once."""
    disks = disks[disks["used"] + disks["free"] > 0].drop_duplicates(["used", "free"])
    return disks.assign(used=disks["used"] / GIGABYTE, free=disks["free"] / GIGABYTE).reset_index(drop=True)
