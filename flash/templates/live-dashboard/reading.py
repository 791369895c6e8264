"""Reading: the data as they come, and nothing done to them.

The demonstration reads the machine that it runs on: its counters, and how full its disks are. Put your own source in
its place: a query, an API, a file. The text of a ``SourceError`` is shown on the page; of any other error the page
tells an id, and the log the rest.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import psutil
from flash.data import SourceError


def read_machine() -> pd.DataFrame:
    """The machine's counters at this moment, in one row.

    Returns:
        ``at`` (UTC); ``busy`` and ``total``, the seconds of all processors since the start; ``memory`` in percent;
        ``disk`` and ``network``, the bytes that went in and out since the start.
    """
    processors = psutil.cpu_times()
    total = sum(processors) - getattr(processors, "guest", 0) - getattr(processors, "guest_nice", 0)
    idle = processors.idle + getattr(processors, "iowait", 0)
    disk, network = psutil.disk_io_counters(), psutil.net_io_counters()
    row = {
        "at": pd.Timestamp.now("UTC"),
        "busy": total - idle,
        "total": total,
        "memory": psutil.virtual_memory().percent,
        # Some containers are told nothing of disks and network.
        "disk": disk.read_bytes + disk.write_bytes if disk else 0,
        "network": network.bytes_recv + network.bytes_sent if network else 0,
    }
    return pd.DataFrame([row])


def read_disks() -> pd.DataFrame:
    """How full the disks are.

    Returns:
        A row for each disk: ``disk`` (where it is mounted), ``used`` and ``free`` in bytes.

    Raises:
        SourceError: No disk can be looked at.
    """
    rows = []
    for mount in sorted({Path.cwd().anchor} | {each.mountpoint for each in psutil.disk_partitions()}):
        try:
            usage = psutil.disk_usage(mount)
        except OSError:
            continue
        rows.append({"disk": mount, "used": usage.used, "free": usage.free})
    if not rows:
        raise SourceError("No disk of this machine can be looked at.")
    return pd.DataFrame(rows)
