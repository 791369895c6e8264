"""``flash data``: sources are seen, run and followed from outside of the servers, which go on as they were."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ..server.run_programs import PATIENCE, Program, free_port, get, started, wait_for

ROOT = Path(__file__).parents[2]

APP = """
from pathlib import Path

from flash import Flash, html
from flash.data import source

app = Flash(__name__, assets_folder="no-assets")
app.layout = html.Div()

@source(every="365d", max_stale="1d")
def orders():
    with open("runs.txt", "a") as runs:
        runs.write("orders\\n")
    return {"total": int(Path("total.txt").read_text())}

@source(after=orders)
def doubled(orders):
    return {"total": 2 * orders["total"]}

@source(cron="0 9 * * mon-fri", tz="Europe/Prague", on_start=False)
def daily():
    return [1, 2, 3]

@app.server.route("/versions")
async def versions():
    return {each.name: [each.version, each.get().value] for each in (orders, doubled)}
"""

TROUBLE = """
import time

from flash.data import SourceError, source

@source(every="1h")
def broken():
    raise ZeroDivisionError("no data")

@source(every="1h")
async def closed():
    raise SourceError("The exchange is closed.")

@source(every="1h", timeout=0.2)
def slow():
    time.sleep(20)

@source(every="1h")
def nothing():
    return None
"""

Flash = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def flash(tmp_path: Path) -> Flash:
    """Run ``flash data`` in a folder with an app, and environment variables."""
    (tmp_path / "shop.py").write_text(APP)
    (tmp_path / "trouble.py").write_text(TROUBLE)
    total_is(tmp_path, 5)

    def flash(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "flash", "data", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )

    return flash


def total_is(folder: Path, total: int) -> None:
    (folder / "total.txt").write_text(str(total))


def runs(folder: Path) -> int:
    """How often the source has been read."""
    file = folder / "runs.txt"
    return len(file.read_text().splitlines()) if file.exists() else 0


def facts(flash: Flash, **environment: str) -> dict[str, dict[str, Any]]:
    done = flash("list", "shop", "--json", **environment)
    assert done.returncode == 0, done.stderr
    return {each["name"]: each for each in json.loads(done.stdout)}


# list


def test_list_tells_when_sources_run(flash: Flash, tmp_path: Path) -> None:
    done = flash("list", "shop.py")
    assert done.returncode == 0, done.stderr
    heading, orders, doubled, daily, _, note = done.stdout.splitlines()
    assert heading.split() == ["SOURCE", "RUNS", "NEXT", "VERSION", "AGE", "STATE"]
    assert "every 365 days" in orders
    assert "after orders" in doubled
    assert "cron 0 9 * * mon-fri (Europe/Prague)" in daily and daily.count("09:00") == 3
    # The columns are aligned, and what only the server knows is said to be so.
    assert len({line.index("only the server knows") for line in (orders, doubled, daily)}) == 1
    assert note.startswith("Versions and states are in the memory of the server")
    # Nothing was run for it.
    assert runs(tmp_path) == 0


def test_list_as_json(flash: Flash) -> None:
    known = facts(flash)
    assert list(known) == ["orders", "doubled", "daily"]
    assert known["doubled"]["after"] == ["orders"] and known["doubled"]["next"] == []
    assert [each[11:] for each in known["daily"]["next"]] in (3 * ["09:00:00+01:00"], 3 * ["09:00:00+02:00"])
    assert known["daily"]["state"] == "unknown" and known["daily"]["version"] is None


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["list", "nowhere"], "There is no module 'nowhere'"),
        (["list", "json"], "'json' declares no sources"),
        (["list", "shop:ap"], "has no attribute 'ap'. Did you mean shop:app?"),
        (["run", "shop", "oders", "--dry"], "There is no source 'oders'. Did you mean orders?"),
        (["run", "shop", "orders"], "What a server keeps in memory cannot be changed from here. Say --dry"),
        (["watch", "shop"], "The news of a server that keeps them in memory do not get here. Set FLASH_REDIS_URL"),
        (["run", "trouble", "closed", "--dry"], "The exchange is closed."),
        (["run", "trouble", "slow", "--dry"], "The run took longer than 0.2 s."),
        (["run", "trouble", "nothing", "--dry"], "What the run gave cannot be kept. The function returned None"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(flash: Flash, arguments: list[str], sentence: str, tmp_path: Path) -> None:
    done = flash(*arguments)
    assert done.returncode == 1
    assert sentence in done.stderr and "Traceback" not in done.stderr
    assert runs(tmp_path) == 0


# run


def test_a_dry_run_shows_what_sources_give_and_keeps_nothing(flash: Flash, tmp_path: Path) -> None:
    done = flash("run", "shop", "doubled", "--dry", FLASH_DATA_STORE="sqlite:///shop.db")
    assert done.returncode == 0, done.stderr
    # What it follows has given nothing yet, and runs first.
    assert "orders: dict of length 1, 11 bytes, in 0.0" in done.stdout
    assert "doubled: dict of length 1, 12 bytes, in 0.0" in done.stdout
    assert "  total: 10\n\nNothing was kept." in done.stdout
    assert facts(flash, FLASH_DATA_STORE="sqlite:///shop.db")["orders"]["state"] == "empty"


def test_a_reader_that_raises_shows_where(flash: Flash) -> None:
    done = flash("run", "trouble", "broken", "--dry")
    assert done.returncode == 1
    assert 'trouble.py", line' in done.stderr and "by_hand.py" not in done.stderr
    assert done.stderr.endswith("Error: The source 'broken' failed with ZeroDivisionError: no data\n")


def test_a_run_is_kept_in_a_file(flash: Flash, tmp_path: Path) -> None:
    store = {"FLASH_DATA_STORE": "sqlite:///shop.db"}
    first = flash("run", "shop", "orders", **store)
    assert "Kept as version 1. No server was told." in first.stdout, first.stderr
    assert "the same as version 1, which is confirmed" in flash("run", "shop", "orders", **store).stdout
    total_is(tmp_path, 6)
    assert "Kept as version 2." in flash("run", "shop", "orders", **store).stdout

    # The follower takes what is kept.
    done = flash("run", "shop", "doubled", **store)
    assert "orders" not in done.stdout and "total: 12" in done.stdout and "Kept as version 1." in done.stdout
    assert runs(tmp_path) == 3
    known = facts(flash, **store)
    assert (known["orders"]["version"], known["orders"]["state"]) == (2, "fresh")
    assert (known["doubled"]["version"], known["daily"]["state"]) == (1, "empty")
    assert 0 <= known["orders"]["age"] < 60
    shown = flash("list", "shop", **store).stdout
    assert "never read" in shown and "in the memory of the server" not in shown


# With servers.


@pytest.fixture
def serve(tmp_path: Path, flash: Flash) -> Callable[..., Any]:
    """Serve the app."""

    def serve(**environment: str) -> Any:
        return started(["-m", "flash", "run", "shop.py", "--port", str(free_port())], tmp_path, **environment)

    return serve


def versions(server: Program) -> dict[str, Any]:
    return json.loads(get(server.address(), "/versions")[1])


def test_servers_show_what_was_run_by_hand(
    flash: Flash, serve: Callable[..., Any], tmp_path: Path, redis_url: str
) -> None:
    with serve(FLASH_REDIS_URL=redis_url) as first, serve(FLASH_REDIS_URL=redis_url) as second:
        for server in (first, second):
            wait_for(lambda server=server: versions(server)["doubled"] == [1, {"total": 10}], "the first versions")
        total_is(tmp_path, 7)
        done = flash("run", "shop", "orders", FLASH_REDIS_URL=redis_url)
        assert "Kept as version 2. The servers that run show it." in done.stdout, done.stderr
        for server in (first, second):
            # What follows it has run where sources run.
            wait_for(lambda server=server: versions(server)["doubled"] == [2, {"total": 14}], "the second versions")
            assert versions(server)["orders"] == [2, {"total": 7}]
        # Once by the server that leads, and once by hand.
        assert runs(tmp_path) == 2
        known = facts(flash, FLASH_REDIS_URL=redis_url)
        assert (known["orders"]["version"], known["orders"]["state"]) == (2, "fresh")
        assert "the same as version 2" in flash("run", "shop", "doubled", FLASH_REDIS_URL=redis_url).stdout


def test_a_server_that_has_the_sources_under_another_name_is_not_said_to_show_them(
    flash: Flash, serve: Callable[..., Any], tmp_path: Path, redis_url: str
) -> None:
    (tmp_path / "readings.py").write_text(
        "from flash.data import source\n\n@source(every='365d')\ndef orders():\n    return 9\n"
    )
    with serve(FLASH_REDIS_URL=redis_url) as server:
        wait_for(lambda: versions(server)["doubled"] == [1, {"total": 10}], "the first versions")
        done = flash("run", "readings", "orders", FLASH_REDIS_URL=redis_url)
        assert "Kept as version 2. No server was told." in done.stdout, done.stderr
        assert "name the app that it serves" in done.stdout


def test_what_was_run_before_the_servers_is_what_they_begin_with(
    flash: Flash, serve: Callable[..., Any], tmp_path: Path, redis_url: str
) -> None:
    assert "Kept as version 1." in flash("run", "shop", "doubled", FLASH_REDIS_URL=redis_url).stdout
    with serve(FLASH_REDIS_URL=redis_url) as server:
        wait_for(lambda: versions(server) == {"orders": [1, {"total": 5}], "doubled": [1, {"total": 10}]}, "versions")
    assert runs(tmp_path) == 1


def test_watch_follows_the_servers_until_it_is_interrupted(
    flash: Flash, serve: Callable[..., Any], tmp_path: Path, redis_url: str
) -> None:
    with started(["-m", "flash", "data", "watch", "shop"], tmp_path, FLASH_REDIS_URL=redis_url) as watching:
        watching.says(r"orders +every 365 days .+ never read")
        with serve(FLASH_REDIS_URL=redis_url):
            watching.says(r"orders +every 365 days .+ 1 +\d s +fresh")
            watching.says(r"doubled +after orders .+ 1 +\d s +fresh")
        assert watching.ends_after(signal.SIGINT) == 0
        assert "Traceback" not in watching.output and "Aborted" not in watching.output
    # It has never run anything itself.
    assert runs(tmp_path) == 1


def test_a_program_that_starts_its_sources_when_it_is_imported_is_only_looked_at(flash: Flash, tmp_path: Path) -> None:
    module = (
        "from flash import data\n\n@data.source(every='1h')\ndef mine():\n    open('ran.txt', 'w')\n    return 1\n\n"
        "data.start()\n"
    )
    (tmp_path / "program.py").write_text(module)
    done = flash("list", "program")
    assert done.returncode == 0 and "mine" in done.stdout
    assert not (tmp_path / "ran.txt").exists()
