"""Functions of background callbacks for the tests. They run in another process and meet the test at files."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from flash import Patch, ctx, no_update, set_props
from flash.exceptions import PreventUpdate

PATIENCE = 60.0


def reach(folder: str, mark: str) -> None:
    """Tell the other side that this point is reached."""
    Path(folder, mark).touch()


def wait_for(folder: str | Path, mark: str) -> None:
    """Wait until the other side has reached a point."""
    deadline = time.monotonic() + PATIENCE
    while not Path(folder, mark).exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Nothing has reached {mark!r}.")
        time.sleep(0.005)


def returns(value: Any) -> Any:
    return value


def returns_no_update() -> Any:
    return no_update


def prevents() -> None:
    raise PreventUpdate


async def prevents_async() -> None:
    raise PreventUpdate


def fails() -> None:
    raise ValueError("no such table")


async def fails_async() -> None:
    await asyncio.sleep(0)
    raise ValueError("no such table")


def sets_and_fails(folder: str) -> None:
    set_props("text", {"children": "stage 1"})
    raise ValueError("no such table")


def returns_a_lambda() -> Any:
    return lambda: None


def sets_a_lambda() -> None:
    set_props("text", {"children": lambda: None})


def waits(folder: str) -> str:
    reach(folder, "started")
    wait_for(folder, "go")
    return "done"


def sets_several(folder: str) -> str:
    set_props("first", {"children": "one", "title": "a"})
    set_props("second", {"children": "two"})
    set_props("first", {"children": "three"})
    set_props({"type": "row", "index": 1}, {"value": [1, 2]})
    set_props("first", {"hidden": no_update})
    reach(folder, "sent")
    wait_for(folder, "go")
    return "done"


def sets_one_then_another(folder: str) -> str:
    set_props("first", {"value": 1})
    set_props("log", {"children": _appending("a")})
    reach(folder, "sent")
    wait_for(folder, "go")
    set_props("first", {"disabled": True})
    set_props("log", {"title": "b"})
    return "done"


def patches(folder: str) -> str:
    for letter in "abc":
        set_props("log", {"children": _appending(letter)})
    set_props("given", {"data": [1]})
    set_props("given", {"data": _appending(2)})
    set_props("reset", {"data": _appending(1)})
    set_props("reset", {"data": [7]})
    set_props("reset", {"data": _appending(8)})
    reach(folder, "sent")
    wait_for(folder, "go")
    set_props("log", {"children": _appending("d")})
    return "done"


def _appending(value: Any) -> Patch:
    patch = Patch()
    patch.append(value)
    return patch


def reports(set_progress: Any, folder: str) -> str:
    set_progress(("1", "3"))
    set_progress(("2", no_update))
    reach(folder, "sent")
    wait_for(folder, "go")
    set_progress(("3", "3"))
    set_props("text", {"children": "last"})
    return "done"


def reports_a_part(set_progress: Any, folder: str) -> str:
    set_progress(("1", "3"))
    reach(folder, "sent")
    wait_for(folder, "go")
    set_progress(("2", no_update))
    return "done"


async def uses_context(set_progress: Any, folder: str) -> list[Any]:
    set_progress(["half"])
    await asyncio.sleep(0)
    set_props("text", {"children": ctx.triggered_id})
    reach(folder, "sent")
    await asyncio.to_thread(wait_for, folder, "go")
    set_props("text", {"title": "late"})
    return [ctx.cookies["session"], ctx.headers["X-User"], ctx.triggered_id]


def sets_then_waits(folder: str) -> None:
    set_props("text", {"children": "stage 1"})
    Path(folder, "pid").write_text(str(os.getpid()))
    reach(folder, "sent")
    wait_for(folder, "never")


def starts_a_child_and_waits(folder: str) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    Path(folder, "pids").write_text(f"{os.getpid()} {child.pid}")
    reach(folder, "started")
    wait_for(folder, "never")


def exits() -> None:
    os._exit(3)


def is_killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def counts(folder: str, value: Any) -> str:
    """Leave a file for each run, so that the test can count them."""
    Path(folder, f"run-{os.getpid()}-{time.monotonic_ns()}").touch()
    set_props("text", {"children": f"set by {value}"})
    set_props("log", {"children": _appending(value)})
    return f"made of {value}"


def counts_and_fails(folder: str) -> None:
    Path(folder, f"run-{os.getpid()}-{time.monotonic_ns()}").touch()
    raise ValueError("not now")


def tells_who(folder: str, name: str) -> str:
    """Two runs with the same name at once, told apart by who has started first."""
    number = sum(1 for _ in Path(folder).glob("begun-*"))
    Path(folder, f"begun-{number}").touch()
    set_props("text", {"children": number})
    wait_for(folder, f"go-{number}")
    return f"{name} {number}"


#: All of them, by name, with whether they take ``set_progress``.
JOBS = {
    each.__name__: (each, each.__name__ in {"reports", "reports_a_part", "uses_context"})
    for each in list(globals().values())
    if getattr(each, "__module__", None) == __name__ and not each.__name__.startswith("_")
}
