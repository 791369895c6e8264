"""Several processes and Redis: one runs the sources, all have what it reads, and each may die, hang or lose Redis."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..storage.servers import RedisServer, wait_until
from .processes import Cluster, Worker

LEASE = 3.0


@pytest.fixture
def cluster(tmp_path: Path, redis_url: str) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path, redis_url, LEASE=str(LEASE))
    yield cluster
    cluster.close()


def whole(workers: list[Worker]) -> None:
    """Nobody has seen anything but whole snapshots, in order, each once."""
    for worker in workers:
        changes = [each for each in worker.said if each["event"] == "changed"]
        assert all(each["size"] == 200_000 and len(each["values"]) == 1 for each in changes), changes
        versions = [each["version"] for each in changes]
        assert versions == sorted(set(versions))


def test_each_tick_runs_once_and_all_have_the_version_within_two_seconds(cluster: Cluster) -> None:
    workers = cluster.start(4, EVERY="3s")
    for worker in workers:
        worker.changed("one")
    for value in ("two", "three"):
        cluster.write(value)
        seen = [worker.changed(value) for worker in workers]
        assert len({each["version"] for each in seen}) == 1
        run = next(moment for _, moment in reversed(cluster.runs))
        assert max(each["time"] for each in seen) - run < 2
    ticks = [int(moment // 3) for _, moment in cluster.runs[1:]]
    assert len(set(ticks)) == len(ticks), "one run for each tick"
    assert len({pid for pid, _ in cluster.runs}) == 1
    assert sum(worker.status["leads"] for worker in workers) == 1
    wait_until(lambda: all(worker.status["counted"] == 1 for worker in workers), "followers everywhere")
    whole(workers)
    assert [worker.end() for worker in workers] == [0] * 4
    assert not any("Traceback" in worker.errors or "Warning" in worker.errors for worker in workers)


def test_a_refresh_from_any_process_runs_where_the_leader_is(cluster: Cluster) -> None:
    workers = cluster.start(3)
    leader = cluster.leader(workers)
    others = [each for each in workers if each is not leader]
    for worker in others:
        # The first run has ended where the leader is: a refresh would wait for it, and give what that has read.
        worker.changed("one")
        wait_until(lambda worker=worker: not worker.status["running"], "end of the first run")
    for number, worker in enumerate([*others, leader], 2):
        cluster.write(f"value {number}")
        answer = worker.ask("refresh", "refreshed")
        assert (answer["version"], answer["values"]) == (number, [f"value {number}"])
    assert {pid for pid, _ in cluster.runs} == {leader.pid} and len(cluster.runs) == 4
    cluster.write("fail")
    assert others[0].ask("refresh", "failed")["text"] == "The shop is closed."
    for worker in workers:
        wait_until(lambda worker=worker: worker.status["error"] == "The shop is closed.", "error in all processes")
        assert worker.status["values"] == ["value 4"]
    whole(workers)


def test_a_run_whose_leader_is_killed_is_run_again_by_the_next(cluster: Cluster) -> None:
    workers = cluster.start(3)
    for worker in workers:
        worker.changed("one")
    leader = cluster.leader(workers)
    others = [each for each in workers if each is not leader]
    cluster.write("two")
    cluster.hold()
    others[0].tell("refresh")
    wait_until(lambda: len(cluster.runs) == 2, "run")
    killed = time.time()
    leader.kill()
    wait_until(lambda: len(cluster.runs) == 3, "run by the next leader", LEASE + 5)
    cluster.let_go()
    assert cluster.runs[2][0] in {each.pid for each in others} and cluster.runs[2][1] - killed < LEASE + 2
    seen = [each.changed("two") for each in others]
    assert {each["version"] for each in seen} == {2}
    answer = others[0].wait(lambda what: what["event"] == "refreshed")
    assert answer["values"] == ["two"], "who had asked for it is answered by the next leader"
    whole(others)


def test_a_tick_whose_leader_is_killed_in_mid_run_is_run_again_once(cluster: Cluster) -> None:
    """Nothing but the store says that it was begun: missed ticks are skipped here."""
    cluster.hold()
    (first,) = cluster.start(1, MISSED="skip")
    wait_until(lambda: len(cluster.runs) == 1, "first run")
    (second,) = cluster.start(1, MISSED="skip")
    first.kill()
    wait_until(lambda: len(cluster.runs) == 2, "run by the next leader", LEASE + 5)
    cluster.let_go()
    assert second.changed("one")["version"] == 1
    wait_until(lambda: not second.status["running"], "end of the run")
    assert [pid for pid, _ in cluster.runs] == [first.pid, second.pid]


def test_a_leader_that_was_stopped_for_longer_than_its_lease_writes_nothing_old(cluster: Cluster) -> None:
    workers = cluster.start(2)
    for worker in workers:
        worker.changed("one")
    leader = cluster.leader(workers)
    other = next(each for each in workers if each is not leader)
    cluster.write("old")
    cluster.hold()
    leader.tell("refresh")
    wait_until(lambda: len(cluster.runs) == 2, "run")
    leader.kill(signal.SIGSTOP)
    wait_until(lambda: other.status["leads"], "other leader", LEASE + 5)
    cluster.let_go()
    wait_until(lambda: not other.status["running"], "end of the other's run")
    cluster.write("new")
    assert other.ask("refresh", "refreshed")["values"] == ["new"]
    version = other.status["version"]
    # The run that it had begun reads "old" only now, and ends in a process that leads no more.
    cluster.write("old")
    leader.kill(signal.SIGCONT)
    assert leader.wait(lambda what: what["event"] == "refreshed")["version"] >= version
    wait_until(lambda: not leader.status["leads"], "end of its term")
    cluster.write("newest")
    assert other.ask("refresh", "refreshed")["version"] == leader.changed("newest")["version"]
    whole(workers)


def test_what_is_given_back_at_the_end_is_taken_at_once(cluster: Cluster) -> None:
    workers = cluster.start(2, LEASE="60")
    leader = cluster.leader(workers)
    other = next(each for each in workers if each is not leader)
    assert leader.end() == 0
    wait_until(lambda: other.status["leads"], "other leader", 2)


@pytest.mark.parametrize("missed", ["run_once", "skip"])
def test_redis_may_go_away_and_come_back(tmp_path: Path, missed: str) -> None:
    """It has lost all that it had: what the processes know is written again, and versions go on."""
    server = RedisServer(tmp_path)
    cluster = Cluster(tmp_path, server.url, LEASE=str(LEASE), EVERY="2s", MISSED=missed)
    try:
        workers = cluster.start(2)
        for worker in workers:
            worker.changed("one")
        server.kill()
        wait_until(lambda: not any(each.status["leads"] for each in workers), "end of the lease", LEASE + 5)
        runs = len(cluster.runs)
        cluster.write("two")
        assert all(each.status["values"] == ["one"] for each in workers), "what is known is served"
        assert workers[0].ask("refresh", "failed")["text"].startswith("The processes cannot reach each other")
        assert len(cluster.runs) == runs, "nobody runs anything"
        server.start()
        seen = [worker.changed("two", seconds=LEASE + 15) for worker in workers]
        assert {each["version"] for each in seen} == {2}
        (late,) = cluster.start(1)
        assert late.changed("two")["version"] == 2
        whole(workers)
    finally:
        cluster.close()
        server.kill()


@pytest.mark.parametrize("missed", ["run_once", "skip"])
def test_ticks_that_nobody_could_run(tmp_path: Path, redis_url: str, missed: str) -> None:
    """A tick an hour: it was three hours ago that somebody ran."""
    import asyncio
    from datetime import UTC, datetime, timedelta

    from flash.data.stores import StorageSnapshots
    from flash.storage import RedisStorage

    cluster = Cluster(tmp_path, redis_url, LEASE=str(LEASE), EVERY="1h", MISSED=missed, NAME="missed")

    async def age() -> None:
        storage = RedisStorage(redis_url)
        store = StorageSnapshots(storage)
        state = await store.state("readings")
        assert state is not None
        earlier = (datetime.now(UTC) - timedelta(hours=3, minutes=30)).isoformat()
        await store.set_state("readings", {**state, "tick": earlier, "began": earlier})
        await storage.aclose()

    try:
        (first,) = cluster.start(1)
        first.changed("one")
        wait_until(lambda: not first.status["running"], "end of the run")
        assert first.end() == 0
        asyncio.run(age())
        cluster.write("two")
        (second,) = cluster.start(1)
        if missed == "run_once":
            second.changed("two")
        wait_until(lambda: second.status["leads"] and not second.status["running"], "leader")
        assert len(cluster.runs) == (2 if missed == "run_once" else 1), "once for three ticks"
    finally:
        cluster.close()


@pytest.mark.parametrize("store", ["", "memory"])
def test_processes_that_share_nothing_are_refused(tmp_path: Path, redis_url: str, store: str) -> None:
    """Memory for all, and memory for the snapshots alone."""
    environment = {"SERVED": f"app of {tmp_path}", **({"STORE": store} if store else {})}
    cluster = Cluster(tmp_path, redis_url if store else "", **environment)
    try:
        (first,) = cluster.start(1)
        refused = cluster.begin().wait(lambda what: what["event"] == "refused", seconds=40)
        assert "redis://host:6379/0" in refused["text"] and str(tmp_path) in refused["text"]
        assert first.ask("refresh", "refreshed")["version"] == 1
        assert first.end() == 0
        cluster.start(1)
    finally:
        cluster.close()
