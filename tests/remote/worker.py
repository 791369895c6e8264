"""The Celery worker of the tests. It knows nothing of Flash: ``python -m tests.remote.worker worker ...``."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import celery
from kombu.serialization import dumps

app = celery.Celery("calc", broker=os.environ["FLASH_TEST_REDIS"], backend=os.environ["FLASH_TEST_REDIS"])
app.conf.broker_connection_retry_on_startup = True
app.conf.worker_prefetch_multiplier = 1

PATIENCE = 60.0


def meet(folder: str, mark: str) -> None:
    """Say that this point is reached, and wait until the other side says so too."""
    Path(folder, mark).touch()
    deadline = time.monotonic() + PATIENCE
    while not Path(folder, f"after {mark}").exists():
        if time.monotonic() > deadline:
            raise TimeoutError(mark)
        time.sleep(0.005)


@app.task(name="calc.multiply")
def multiply(a: float, b: float) -> dict[str, float]:
    """The product."""
    return {"product": a * b}


@app.task(name="calc.knows")
def knows() -> list[str]:
    """The modules of the dashboard's that the worker has imported."""
    return sorted(name for name in sys.modules if name.partition(".")[0] in ("flash", "dash", "quart"))


@app.task(name="calc.reports", bind=True)
def reports(self: Any, folder: str) -> str:
    """Say how far it is, in Celery's usual word and in one of its own, and something else between."""
    self.update_state(state="PROGRESS", meta={"progress": 30})
    meet(folder, "first")
    self.update_state(state="THINKING", meta={"of": "something"})
    meet(folder, "second")
    self.update_state(state="WRITING", meta={"progress": [60, "of 100"], "more": 1})
    meet(folder, "third")
    return "written"


@app.task(name="calc.waits", bind=True)
def waits(self: Any, folder: str, mark: str = "started") -> str:
    """Leave a mark, and another if it is let go on to its end."""
    self.update_state(state="BEGUN", meta={})
    Path(folder, f"{mark} {os.getpid()}").touch()
    meet(folder, mark)
    Path(folder, "ended").touch()
    return "done"


@app.task(name="calc.fails")
def fails() -> None:
    """Raise an error whose text is nobody's business."""
    raise ValueError("the password is hunter2")


@app.task(name="calc.gives_what_no_json_is")
def gives_what_no_json_is() -> object:
    """Celery refuses it in the worker."""
    return object()


@app.task(name="calc.pickles", bind=True)
def pickles(self: Any, folder: str) -> None:
    """Store a pickle that leaves a mark when it is loaded, as a worker does that is set up for pickles."""
    Path(folder, f"started {os.getpid()}").touch()
    meta = {"status": "SUCCESS", "result": _Mark(f"{folder}/loaded"), "traceback": None}
    app.backend.client.set(app.backend.get_key_for_task(self.request.id), dumps(meta, "pickle")[2])
    meet(folder, "pickled")
    Path(folder, "ended").touch()


class _Mark:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (Path(self.path),)


if __name__ == "__main__":
    app.start(sys.argv[1:])
