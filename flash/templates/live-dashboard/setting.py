"""Settings: the configuration file, the environment, and the log."""

from __future__ import annotations

import json
import logging
import logging.handlers
import os
import sys
from dataclasses import dataclass, fields
from itertools import count
from pathlib import Path
from typing import Any

from flash.exceptions import ConfigurationError
from flash.hub.routing import Proxies
from flash.storage import FileLock

ROOT = Path(__file__).parent
TITLE = "{{escaped}}"

#: A log file is closed at this size, and so many older ones are kept.
LOG_BYTES = 5_000_000
LOG_FILES = 5

# Each process writes a file of its own, for as long as it holds this lock: two cannot rotate one file.
_locks: list[FileLock] = []


@dataclass(frozen=True)
class Setting:
    """What ``config.json`` says.

    Attributes:
        timezone: The zone of the hours in ``dates``, "Europe/Prague" for example.
        every: How often the machine is read: "5s", "2m", "1h".
        dates: The days and hours at which the disks are read: ``[{"day": "daily", "hour": 9}]``.
        machine_stale: From which age on the machine's data are shown as stale.
        disks_stale: The same of the disks' data.
    """

    timezone: str = "UTC"
    every: str = "5s"
    dates: tuple[dict[str, Any], ...] = ({"day": "daily", "hour": 9},)
    machine_stale: str = "1m"
    disks_stale: str = "26h"


def read(path: Path) -> Setting:
    """Read a configuration file. What it does not say has its default.

    Raises:
        ConfigurationError: It cannot be read, or has a key that means nothing.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}.") from None
    known = sorted(field.name for field in fields(Setting))
    if not isinstance(found, dict) or not found.keys() <= set(known):
        raise ConfigurationError(f"{path} has to be an object of {', '.join(known)}, not {found!r}.")
    if "dates" in found:
        found["dates"] = tuple(found["dates"])
    return Setting(**found)


def start_logging(folder: Path) -> Path:
    """Write the log to the standard error and to a file of this process.

    The file is ``dashboard.log`` in the folder; further processes that run at the same time take ``dashboard-2.log``
    and so on. Files are rotated.

    Returns:
        The file.
    """
    file = _own_file(folder)
    rotating = logging.handlers.RotatingFileHandler(file, maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8")
    form = logging.Formatter("%(asctime)s %(levelname)s %(name)s [%(process)d] %(message)s")
    root = logging.getLogger()
    root.setLevel(os.environ.get("LOG_LEVEL", "INFO").upper())
    stream = logging.StreamHandler(sys.stderr)
    # What a server's own logger shows already, is not shown twice.
    stream.addFilter(lambda record: not logging.getLogger(record.name).handlers)
    for handler in (rotating, stream):
        handler.setFormatter(form)
        root.addHandler(handler)
    # One line for each tick of each source would hide the others.
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    return file


def _own_file(folder: Path) -> Path:
    # People type passwords where their names belong, and the log has the names of who was refused.
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number in count(1):
        file = folder / ("dashboard.log" if number == 1 else f"dashboard-{number}.log")
        lock = FileLock(file.with_suffix(".lock"))
        if lock.take():
            _locks.append(lock)
            return file
    raise AssertionError("One of all numbers is free.")


SETTING = read(Path(os.environ.get("DASHBOARD_CONFIG", ROOT / "config.json")))

#: Where the users stand, and where logs go.
USERS = Path(os.environ.get("DASHBOARD_USERS", ROOT / "users.txt"))
LOGS = Path(os.environ.get("DASHBOARD_LOGS", ROOT / "logs"))

#: The proxies that are believed about the address of a client, between commas.
PROXIES = Proxies(each.strip() for each in os.environ.get("DASHBOARD_PROXIES", "").split(",") if each.strip())

HOST = os.environ.get("HOST", "127.0.0.1")
PORT = int(os.environ.get("PORT", "8050"))
