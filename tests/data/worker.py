"""A process of a cluster, for tests: ``python -m tests.data.worker``.

The environment says what it does; it obeys the lines that it is sent, and writes lines of JSON.

    URL       the storage; empty for memory
    NAME      what the processes have in common
    FOLDER    where ``value`` is read, ``runs`` has a line for each begun run, and a run waits while there is ``hold``
    STORE     where snapshots are kept; without it in the storage
    EVERY     the source's ticks
    MISSED    what is done about missed ticks
    LEASE     how long the lease lasts, in seconds
    SERVED    how the processes name the app
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from flash.data import Snapshot, SourceError, source
from flash.data import engine as engines
from flash.data import leader as leaders
from flash.data.engine import Engine
from flash.data.stores import store_of
from flash.storage import SeveralProcesses, storage_of

FOLDER = Path(os.environ.get("FOLDER", "."))
_saying = threading.Lock()


@source(every=os.environ.get("EVERY", "1d"), missed=os.environ.get("MISSED", "run_once"), retry=0)
def readings() -> Any:
    """What stands in the file; a large value, so that half of it would be seen."""
    with (FOLDER / "runs").open("a") as runs:
        runs.write(f"{os.getpid()} {time.time()}\n")
    while (FOLDER / "hold").exists():
        time.sleep(0.01)
    text = (FOLDER / "value").read_text()
    if text == "fail":
        raise SourceError("The shop is closed.")
    return [text] * 200_000


@source(after=readings)
async def counted(given: list[str]) -> int:
    """Follows in whatever process leads."""
    return len(given)


def say(**what: Any) -> None:
    line = json.dumps({"pid": os.getpid(), **what})
    with _saying:  # Threads say something too, and lines must stay whole.
        print(line, flush=True)


def summary(snapshot: Snapshot) -> dict[str, Any]:
    value = snapshot.value
    values = set(value) if isinstance(value, list) else {str(value)}
    return {"version": snapshot.version, "values": sorted(values), "size": len(value or []), "time": time.time()}


async def serve() -> None:
    leaders.LEASE_SECONDS = float(os.environ.get("LEASE", "10"))
    leaders.LEASE_INTERVAL = leaders.LEASE_SECONDS / 3.3
    engines.GRACE_SECONDS = 0.3
    storage = storage_of(os.environ["URL"] or None)
    store = store_of(os.environ.get("STORE"), storage)
    served = os.environ.get("SERVED")
    engine = Engine([readings, counted], storage=storage, store=store, name=os.environ["NAME"], served=served)
    readings.on_change(lambda snapshot: say(event="changed", **summary(snapshot)))
    try:
        await engine.start()
    except SeveralProcesses as error:
        say(event="refused", text=str(error))
        return
    say(event="started", version=readings.version)
    tasks = set()
    while line := (await asyncio.to_thread(sys.stdin.readline)).strip():
        task = asyncio.create_task(obey(engine, line))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await engine.close()
    await storage.aclose()
    say(event="ended")


async def obey(engine: Engine, line: str) -> None:
    if line == "refresh":
        try:
            say(event="refreshed", **summary(await readings.refresh()))
        except SourceError as error:
            say(event="failed", text=str(error))
    else:
        status = readings.status
        error = None if status.error is None else status.error.reason
        say(
            event="status",
            leads=engine.leads,
            error=error,
            running=status.running,
            counted=counted.version,
            **summary(readings.get()),
        )


if __name__ == "__main__":
    asyncio.run(serve())
