"""Several processes: one order, one holder of a lease, and the lock by which they know of each other."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import dash
import pytest

from flash.storage import ProcessLock, SeveralProcesses, refuse_several, storage_of

from ..apps import run
from .worker import storage_named

ROOT = Path(__file__).parents[2]


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.storage.worker", *arguments]
    return subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def output(*processes: subprocess.Popen[str]) -> list[str]:
    found = [process.communicate(timeout=60)[0] for process in processes]
    assert all(process.returncode == 0 for process in processes)
    return found


@pytest.fixture(params=["redis", "dash"])
def name(request: pytest.FixtureRequest) -> str:
    """A storage that processes share, by name."""
    if request.param == "redis":
        return str(request.getfixturevalue("redis_url"))
    if not hasattr(dash, "LocalSharedStorage"):
        pytest.skip("Dash 4.4 has no shared storage.")
    return f"dash:{secrets.token_hex(8)}"


def test_publishers_in_two_processes_have_one_order(name: str) -> None:
    count = 50

    async def main() -> list[Any]:
        storage = storage_named(name)
        readers = [await storage.asubscribe("news") for _ in range(2)]
        processes = [start("publish", name, who, str(count)) for who in "ab"]
        found: list[list[Any]] = [[], []]
        for reader, messages in zip(readers, found, strict=True):
            while len(messages) < 2 * 4 * count:
                messages += await reader.apoll()
        await asyncio.to_thread(output, *processes)
        await storage.aclose()
        return found

    one, two = run(main)
    assert one == two
    assert [seq for seq, _ in one] == list(range(one[0][0], one[0][0] + 2 * 4 * count))
    for who in "ab":
        for task in range(4):
            assert [n for _, (a, b, n) in one if (a, b) == (who, task)] == list(range(count))


def test_a_lease_has_one_holder_among_processes(name: str) -> None:
    storage = storage_named(name)
    assert storage.get("key") is None  # Dash's local storage lives in the process that is first.
    texts = output(*[start("race", name, owner, "2") for owner in ("one", "two", "three")])
    storage.close()
    held = sorted(tuple(map(int, line.split())) for text in texts for line in text.splitlines())
    assert len(held) > 20 and all(len(text.splitlines()) > 0 for text in texts)
    assert len({token for token, _, _ in held}) == len(held)
    for (_, _, end), (_, begin, _) in zip(held, held[1:], strict=False):
        assert end <= begin, "two held it at once, or a later holder had a smaller token"


def test_a_lease_of_a_process_that_was_killed_ends(redis_url: str) -> None:
    storage = storage_of(redis_url)
    process = start("race", redis_url, "other", "60")
    assert process.stdout is not None
    process.stdout.readline()
    process.kill()
    process.communicate()
    end = time.monotonic() + 20
    while storage.acquire("leader", "me", 30) is None:
        assert time.monotonic() < end
        time.sleep(0.02)
    storage.close()


@pytest.fixture
def app() -> str:
    return f"tests.{secrets.token_hex(8)}:app"


def holding(app: str) -> subprocess.Popen[str]:
    """Another process of this one's, with the lock: their parents are not the same, so the name tells of ours."""
    process = start("hold", app)
    assert process.stdout is not None and process.stdout.readline() == "True\n"
    return process


def ended(process: subprocess.Popen[str]) -> None:
    process.communicate("", timeout=20)


def test_a_second_process_of_the_same_parent_is_refused(app: str) -> None:
    holder = holding(app)
    (text,) = output(start("refuse", app, "0.3"))
    assert app in text and "FLASH_REDIS_URL" in text
    assert output(start("refuse", app + "2", "0")) == ["alone\n"]
    ended(holder)
    assert output(start("refuse", app, "0")) == ["alone\n"]


def test_a_process_that_replaces_another_waits_for_its_end(app: str) -> None:
    holder = holding(app)
    replacing = start("refuse", app, "30")
    time.sleep(0.5)
    assert replacing.poll() is None
    holder.kill()
    holder.communicate()
    assert output(replacing) == ["alone\n"]


def test_processes_of_other_parents_know_nothing_of_it(app: str) -> None:
    holder = holding(app)
    lock = ProcessLock(app)
    assert lock.take() is True
    lock.release()
    ended(holder)


def test_a_process_takes_its_own_lock_as_often_as_it_likes(app: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # As if this process were a sibling of those that it starts.
    monkeypatch.setattr(os, "getppid", os.getpid)
    one, two = ProcessLock(app), ProcessLock(app)
    assert one.take() and one.take() and two.take()
    one.release()
    one.release()
    assert output(start("refuse", app, "0")) != ["alone\n"]
    two.release()
    assert output(start("refuse", app, "0")) == ["alone\n"]


def test_waiting_does_not_block_the_loop(app: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getppid", os.getpid)
    holder = holding(app)

    async def main() -> None:
        turns = 0
        waiting = asyncio.create_task(refuse_several(app, 0.5))
        while not waiting.done():
            await asyncio.sleep(0.01)
            turns += 1
        assert turns > 10
        with pytest.raises(SeveralProcesses):
            await waiting

    run(main)
    ended(holder)
    lock = run(lambda: refuse_several(app, 0))
    lock.release()


def test_a_child_that_outlives_its_parent_holds_no_lock(app: str) -> None:
    code = (
        "import os, sys, time\n"
        "from flash.storage import ProcessLock\n"
        f"assert ProcessLock({app!r}).take()\n"
        "if os.fork() == 0:\n"
        "    os.close(1)\n"
        "    time.sleep(20)\n"
        "    os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, check=True, stdout=subprocess.PIPE)
    assert output(start("refuse", app, "0")) == ["alone\n"]


def test_a_folder_that_cannot_be_used_is_no_reason_to_refuse(
    app: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    lock = ProcessLock(app)
    assert lock.take() is True
    assert "cannot be told" in caplog.text
    lock.release()
