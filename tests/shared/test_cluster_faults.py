"""What goes wrong between processes that share: storages that answer late or not at all, leaders that stand still."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis

from flash import Flash, Input, Output, Patch, dcc, html
from flash.shared.cluster import StoredLog
from flash.storage import RedisStorage, SharedStorageError

from ..apps import SEPARATE, run
from ..live.asgi import eventually, in_process
from ..live.sites import Network
from ..server.run_programs import started
from ..storage.servers import RedisServer
from .page import SharedPage, pages_of
from .test_cluster import Cluster, Process, Seen, cluster_of, shows, slider


class Gated(RedisStorage):
    """A storage that a test can cut off from a process.

    Attributes:
        answers: Unset, it answers nothing.
        brings: Unset, it brings no messages.
        grants: Unset, it gives no leases.
        swallows: Whether who waits for the lease is told of an outage when it is cancelled.
        fails_after: How many of the next publications are done and then reported as failed.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.answers, self.brings, self.grants = asyncio.Event(), asyncio.Event(), asyncio.Event()
        for each in (self.answers, self.brings, self.grants):
            each.set()
        self.fails_after = 0
        self.swallows = False

    def cut(self) -> None:
        self.answers.clear()
        self.brings.clear()

    def join(self) -> None:
        self.answers.set()
        self.brings.set()

    async def _arun(self, *arguments: Any) -> Any:
        await self.answers.wait()
        return await super()._arun(*arguments)

    async def aget(self, key: str, default: Any = None) -> Any:
        await self.answers.wait()
        return await super().aget(key, default)

    async def aacquire(self, name: str, owner: str, seconds: float) -> int | None:
        if name.endswith(":leads"):
            try:
                await self.grants.wait()
            except asyncio.CancelledError:
                if self.swallows:
                    raise SharedStorageError("A timeout, perhaps.") from None
                raise
        return await super().aacquire(name, owner, seconds)

    async def apublish(self, topic: str, message: Any, ttl: float | None = None) -> int:
        number = await super().apublish(topic, message, ttl)
        if self.fails_after:
            self.fails_after -= 1
            await asyncio.sleep(0.05)
            raise SharedStorageError("The answer is lost.")
        return number

    async def asubscribe(self, topic: str, replay_from: int | None = None) -> Any:
        await self.answers.wait()
        subscription = await super().asubscribe(topic, replay_from)
        poll = subscription.apoll

        async def apoll() -> Any:
            messages = await poll()
            if not self.brings.is_set():
                await self.brings.wait()
                raise SharedStorageError("The connection is lost.")
            return messages

        subscription.apoll = apoll  # type: ignore[method-assign]
        return subscription


async def add_gated(cluster: Cluster, stack: AsyncExitStack) -> tuple[Process, Gated]:
    """Another process, whose storage can be cut off."""
    storage = Gated(cluster.url)
    app = Flash(cluster.name, **SEPARATE, shared_storage=storage)
    seen = Seen(cluster.seen)
    cluster.declare(app, seen)
    process = Process(app, await stack.enter_async_context(in_process(app)), seen)
    cluster.processes.append(process)
    return process, storage


def log_of(process: Process) -> StoredLog:
    log = process.app.flash_shared.log
    assert isinstance(log, StoredLog)
    return log


def same_everywhere(cluster: Cluster) -> bool:
    """Whether all processes hold the same, under the same versions."""
    states = [each.app.flash_shared.state for each in cluster.processes]
    held = [{place: (each.json, each.version) for _, place, each in state.items()} for state in states]
    return all(each == held[0] for each in held) and len({state.version for state in states}) == 1


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Leases and snapshots of a tenth."""
    monkeypatch.setattr("flash.shared.cluster._LEASE_SECONDS", 1.0)
    monkeypatch.setattr("flash.shared.cluster._LEASE_INTERVAL", 0.1)
    monkeypatch.setattr("flash.shared.cluster._SNAPSHOT_INTERVAL", 0.1)
    return monkeypatch


@asynccontextmanager
async def restartable(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("faults"))
    try:
        yield server
    finally:
        server.kill()


def test_what_comes_while_an_answer_is_lost_is_not_lost_with_it(redis_url: str) -> None:
    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            cluster = Cluster(redis_url, slider)
            process, storage = await add_gated(cluster, stack)
            await eventually(lambda: cluster.seen == [5] and same_everywhere(cluster))
            (page,) = await stack.enter_async_context(pages_of(process.site, 1))
            storage.fails_after = 1
            await page.change("slider.value", 6, "text.children")
            # The storage has it, and has not said so yet.
            await eventually(lambda: not storage.fails_after)
            await page.change("slider.value", 7, "text.children")
            await page.until(lambda: shows(page, 7))
            await page.settled()
            assert cluster.seen == [5, 6, 7]

    run(scenario)


def test_who_starts_at_once_runs_once(redis_url: str) -> None:
    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            cluster = Cluster(redis_url, slider)
            # Nobody leads while all ask for the initial run.
            gated = [Gated(redis_url) for _ in range(8)]
            apps = [Flash(cluster.name, **SEPARATE, shared_storage=storage) for storage in gated]
            for app, storage in zip(apps, gated, strict=True):
                storage.grants.clear()
                slider(app, cluster.seen)
            sites = await asyncio.gather(*(stack.enter_async_context(in_process(app)) for app in apps))
            cluster.processes = [Process(app, site) for app, site in zip(apps, sites, strict=True)]
            assert len({app.flash_shared.epoch for app in apps}) == 1
            await eventually(lambda: all(app.flash_shared.state.begun for app in apps))
            (page,) = await stack.enter_async_context(pages_of(sites[-1], 1))
            await page.change("slider.value", 6, "text.children")
            await page.until(lambda: not page.shown["slider.value"].pending)
            for storage in gated:
                storage.grants.set()
            await page.settled()
            await page.change("slider.value", 7, "text.children")
            await page.settled()
            assert cluster.seen == [6, 7]
            await eventually(lambda: same_everywhere(cluster))

    run(scenario)


def waiting(app: Flash, seen: list[Any]) -> None:
    """A slider whose function waits for the value 6 until it is let go."""
    app.layout = html.Div([dcc.Slider(0, 1000, value=5, id="slider"), html.Div(id="text")])

    @app.callback_shared(Output("text", "children"), Input("slider", "value"))
    async def show(value: int) -> str:
        seen.append(value)
        if value == 6:
            await LET_GO[id(asyncio.get_running_loop())].wait()
        return f"at {value}"


LET_GO: dict[int, asyncio.Event] = {}


@pytest.fixture(autouse=True)
def _forget_loops() -> Any:
    yield
    LET_GO.clear()


def let_go() -> asyncio.Event:
    return LET_GO.setdefault(id(asyncio.get_running_loop()), asyncio.Event())


def test_what_an_old_leader_still_runs_does_not_count(redis_url: str, quick: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        go = let_go()
        async with AsyncExitStack() as stack:
            cluster = Cluster(redis_url, waiting)
            old, storage = await add_gated(cluster, stack)
            await eventually(lambda: cluster.seen == [5])
            new = await cluster.add(stack)
            (a,) = await stack.enter_async_context(pages_of(old.site, 1))
            (b,) = await stack.enter_async_context(pages_of(new.site, 1))
            (lost,) = await a.change("slider.value", 6, "text.children")
            await eventually(lambda: cluster.seen == [5, 6])
            storage.cut()
            await eventually(lambda: log_of(new).leads)
            assert not log_of(old).leads
            await b.change("slider.value", 7, "text.children")
            await b.until(lambda: shows(b, 7))
            # As if the process had stood still: it learns at once that it may write, and that its function has ended.
            log_of(old)._held_until = float("inf")
            storage.join()
            go.set()
            await a.until(lambda: lost.done)
            assert lost.status == "error" and "lost" in lost.answers[0]["message"]
            await a.until(lambda: shows(a, 7))
            await a.change("slider.value", 8, "text.children")
            await b.until(lambda: shows(b, 8))
            assert old.seen == [5, 6] and new.seen == [7, 8] and not len(old.app.flash_shared.runs)
            await eventually(lambda: same_everywhere(cluster))

    run(scenario)


def test_when_redis_stands_still_nothing_is_lost(
    tmp_path_factory: pytest.TempPathFactory, quick: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        go = let_go()
        async with restartable(tmp_path_factory) as server, cluster_of(server.url, 2, waiting) as cluster:
            (a,), (b,) = [await SharedPages.of(each) for each in cluster.processes]
            async with a, b:
                await eventually(lambda: cluster.seen == [5])
                (runs_on,) = await b.page.change("slider.value", 6, "text.children")
                await eventually(lambda: cluster.seen == [5, 6])
                os.kill(server._process.pid, signal.SIGSTOP)
                await eventually(lambda: not any(log_of(each).available for each in cluster.processes))
                await eventually(lambda: not any(log_of(each).leads for each in cluster.processes))
                go.set()  # It ends while nobody can be told.
                (refused,) = await a.page.change("slider.value", 9, "text.children")
                await a.page.until(lambda: refused.done)
                assert refused.status == "error"
                os.kill(server._process.pid, signal.SIGCONT)
                await eventually(lambda: all(log_of(each).available for each in cluster.processes))
                await eventually(lambda: any(log_of(each).leads for each in cluster.processes))
                await b.page.until(lambda: runs_on.done)
                await b.page.change("slider.value", 7, "text.children")
                for each in (a, b):
                    await each.page.until(lambda each=each: shows(each.page, 7))
                assert cluster.seen == [5, 6, 7]
                assert not any(len(each.app.flash_shared.runs) for each in cluster.processes)
                await eventually(lambda: same_everywhere(cluster))

    run(scenario)


class SharedPages:
    """A page that leaves with the block."""

    def __init__(self, page: SharedPage) -> None:
        self.page = page

    @classmethod
    async def of(cls, process: Process) -> list[SharedPages]:
        page = await SharedPage(process.site).load()
        await page.open()
        return [cls(page)]

    async def __aenter__(self) -> SharedPages:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.page.leave()


def test_who_begins_with_nothing_changes_over_to_who_knows(
    tmp_path_factory: pytest.TempPathFactory, quick: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with restartable(tmp_path_factory) as server, AsyncExitStack() as stack:
            cluster = Cluster(server.url, slider)
            old, storage = await add_gated(cluster, stack)
            (a,) = await stack.enter_async_context(pages_of(old.site, 1))
            for value in range(20, 40):
                await a.change("slider.value", value, "text.children")
            await a.until(lambda: shows(a, 39))
            storage.cut()
            server.kill()
            server.start()
            fresh = await cluster.add(stack)
            (c,) = await stack.enter_async_context(pages_of(fresh.site, 1))
            await c.change("slider.value", 3, "text.children")
            await c.until(lambda: shows(c, 3))
            await eventually(lambda: log_of(fresh)._snapshots._saved == fresh.app.shared_state.version)
            storage.join()
            await c.until(lambda: shows(c, 39))
            assert shows(a, 39)
            await c.change("slider.value", 4, "text.children")
            await a.until(lambda: shows(a, 4))
            await a.change("slider.value", 2, "text.children")
            await c.until(lambda: shows(c, 2))
            await eventually(lambda: same_everywhere(cluster))

    run(scenario)


def test_all_come_to_the_same_when_the_one_that_saves_the_state_knows_less(
    tmp_path_factory: pytest.TempPathFactory, quick: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with restartable(tmp_path_factory) as server, AsyncExitStack() as stack:
            cluster = Cluster(server.url, slider)
            (ahead, gate), (behind, other_gate) = [await add_gated(cluster, stack) for _ in range(2)]
            (a,) = await stack.enter_async_context(pages_of(ahead.site, 1))
            (b,) = await stack.enter_async_context(pages_of(behind.site, 1))
            await a.change("slider.value", 8, "text.children")
            await b.until(lambda: shows(b, 8))
            other_gate.cut()
            await a.change("slider.value", 9, "text.children")
            await a.until(lambda: shows(a, 9))
            gate.cut()
            server.kill()
            server.start()
            other_gate.join()
            await eventually(lambda: log_of(behind).leads and log_of(behind).available)
            gate.join()
            await a.until(lambda: shows(a, 8))
            await b.change("slider.value", 7, "text.children")
            await a.until(lambda: shows(a, 7))
            await eventually(lambda: same_everywhere(cluster))

    run(scenario)


def test_who_has_fallen_behind_is_told_and_leaves_nobody_waiting(redis_url: str, quick: pytest.MonkeyPatch) -> None:
    quick.setattr("flash.shared.cluster._KEPT_MESSAGES", 1)

    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            cluster = Cluster(redis_url, slider)
            leader = await cluster.add(stack)
            await eventually(lambda: cluster.seen == [5])
            behind, storage = await add_gated(cluster, stack)
            (a,) = await stack.enter_async_context(pages_of(leader.site, 1))
            (b,) = await stack.enter_async_context(pages_of(behind.site, 1))
            storage.brings.clear()
            (asked,) = await b.change("slider.value", 8, "text.children")
            await a.until(lambda: shows(a, 8))
            for value in range(20, 40):
                await a.change("slider.value", value, "text.children")
                await a.until(lambda value=value: shows(a, value))
            stream = f"{storage._prefix}:stream:{log_of(leader)._topic}"
            await eventually(lambda: redis.Redis.from_url(redis_url.partition("?")[0]).xlen(stream) < 3)
            storage.brings.set()
            await b.until(lambda: asked.done)
            await b.until(lambda: b.value("text.children") == "at 39" and log_of(behind).available)
            await b.change("slider.value", 9, "text.children")
            await a.until(lambda: shows(a, 9))
            await eventually(lambda: same_everywhere(cluster))

    run(scenario)


def test_a_new_release_begins_what_the_old_one_does_not_know(redis_url: str, quick: pytest.MonkeyPatch) -> None:
    def newer(app: Flash, seen: list[Any]) -> None:
        slider(app, seen)

        @app.callback_shared(Output("more", "children"), Input("slider", "value"))
        async def more(value: int) -> str:
            seen.append(f"more {value}")
            return f"more {value}"

    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            cluster = Cluster(redis_url, slider)
            leaving = AsyncExitStack()
            await cluster.add(leaving)
            await eventually(lambda: cluster.seen == [5])
            cluster.declare = newer
            new = await cluster.add(stack)
            (page,) = await stack.enter_async_context(pages_of(new.site, 1))
            (unknown,) = await page.change("slider.value", 6, "more.children")
            await page.settled()
            assert unknown.status == "error" and "does not know" in unknown.answers[0]["message"]
            await leaving.aclose()
            await page.until(lambda: page.value("more.children") == "more 6")
            await page.change("slider.value", 7, "more.children", "text.children")
            await page.settled()
            assert new.seen == ["more 6", "more 7", 7]

    run(scenario)


def test_an_app_that_is_served_again_begins_with_what_the_storage_says(redis_url: str) -> None:
    async def scenario() -> None:
        cluster = Cluster(redis_url, slider)
        async with AsyncExitStack() as stack:
            process = await cluster.add(stack)
            await eventually(lambda: cluster.seen == [5])
            (page,) = await stack.enter_async_context(pages_of(process.site, 1))
            process.app.push_mods({"more": {"children": "not shared"}})
            await page.change("slider.value", 6, "text.children")
            await page.settled()
        async with in_process(process.app) as site, AsyncExitStack() as stack:
            await cluster.add(stack)
            (page,) = await stack.enter_async_context(pages_of(site, 1))
            assert shows(page, 6)
            await page.change("slider.value", 7, "text.children")
            await page.until(lambda: shows(page, 7))
            await eventually(lambda: same_everywhere(cluster))
        assert cluster.seen == [5, 6, 7]

    run(scenario)


def test_a_process_ends_though_its_storage_takes_the_end_for_an_outage(
    redis_url: str, quick: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        cluster = Cluster(redis_url, slider)
        async with AsyncExitStack() as stack:
            _, storage = await add_gated(cluster, stack)
            await eventually(lambda: cluster.seen == [5])
            storage.grants.clear()
            storage.swallows = True
            # It asks for its lease again, and waits.
            await eventually(lambda: storage.grants._waiters)

    run(scenario)


def test_what_code_pushes_in_an_outage_is_bounded(
    redis_url: str, quick: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    quick.setattr("flash.shared.outgoing._MOST_ENTRIES", 10)

    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            cluster = Cluster(redis_url, slider)
            process, storage = await add_gated(cluster, stack)
            await eventually(lambda: cluster.seen == [5] and not len(process.app.flash_shared.runs))
            storage.cut()
            await eventually(lambda: not log_of(process).available)
            for value in range(100, 200):
                process.app.push_mods({"slider": {"value": value}})
            storage.join()
            await eventually(lambda: log_of(process).available and len(cluster.seen) > 9)
            assert cluster.seen == [5, *range(100, 110)]
            assert caplog.text.count("is lost") == 1
            process.app.push_mods({"slider": {"value": 6}})
            await eventually(lambda: cluster.seen[-1] == 6)

    run(scenario)


def test_large_values_leave_the_log_soon(redis_url: str, quick: pytest.MonkeyPatch) -> None:
    quick.setattr("flash.shared.cluster._KEPT_BYTES", 200_000)

    async def scenario() -> None:
        async with cluster_of(redis_url, 2) as cluster:
            first, second = cluster.processes
            server = redis.Redis.from_url(redis_url.partition("?")[0])
            stream = f"{first.app.flash_storage._prefix}:stream:{log_of(first)._topic}"  # type: ignore[attr-defined]
            await eventually(lambda: cluster.seen == [5])
            for value in range(30):
                first.app.push_mods({"text": {"children": f"{value:02}" * 10_000}})
                await eventually(lambda value=value: second.app.shared_state["text", "children"][:2] == f"{value:02}")
            await eventually(lambda: server.xlen(stream) < 12)
            later = Cluster(redis_url, slider, cluster.name)
            async with AsyncExitStack() as stack:
                process = await later.add(stack)
                assert process.app.shared_state["text", "children"] == "29" * 10_000

    run(scenario)


def test_a_patch_changes_the_same_in_every_process(redis_url: str) -> None:
    processes = iter(range(10))

    def listed(app: Flash, seen: list[Any]) -> None:
        number = next(processes)
        app.layout = html.Div([dcc.Checklist(id="list", options=[f"made in {number}"])])
        app.callback_shared(None, Input("list", "options"))(lambda options: None)

    async def scenario() -> None:
        async with cluster_of(redis_url, 3, listed) as cluster:
            more = Patch()
            more.append("patched")
            cluster.processes[1].app.push_mods({"list": {"options": more}})
            for process in cluster.processes:
                state = process.app.shared_state
                await eventually(lambda state=state: state.get("list", "options") == ["made in 1", "patched"])

    run(scenario)


def test_an_entry_of_a_newer_release_keeps_nothing_else_out(redis_url: str, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with cluster_of(redis_url, 2) as cluster:
            await eventually(lambda: cluster.seen == [5])
            first = cluster.processes[0].app
            entries = (
                '[{"kind":"newer","what":1},{"kind":"change","channel":null,"values":[["slider","value","Nw=="]]}]'
            )
            message = {"process": "newer", "batch": 1, "epoch": first.flash_shared.epoch, "entries": entries}
            await first.flash_storage.apublish(log_of(cluster.processes[0])._topic, message)
            await eventually(lambda: cluster.seen == [5, 7])
            await eventually(lambda: same_everywhere(cluster))
            assert "not understood" in caplog.text

    run(scenario)


PROGRAM = """
import os
from flash import Flash, Input, Output, callback_shared, dcc, html
from flash.shared import cluster

cluster._LEASE_SECONDS = 2.0
cluster._LEASE_INTERVAL = 0.2

app = Flash(__name__, assets_folder="no-assets", pages_folder="", use_pages=False, live=True)
app.layout = html.Div([dcc.Slider(0, 100, value=5, id="slider"), html.Div(id="text"), html.Div(id="process")])

@app.callback(Output("process", "children"), Input("ask", "value"), websocket=True)
async def process(value):
    return [os.getpid(), app.flash_shared.log.leads]

@callback_shared(Output("text", "children"), Input("slider", "value"))
async def show(value):
    with open("seen", "a") as seen:
        print(value, file=seen)
    return f"at {value}"

if __name__ == "__main__":
    app.run(bind="127.0.0.1:0", workers=2)
"""


async def pages_of_workers(site: Network, stack: AsyncExitStack) -> list[tuple[SharedPage, int]]:
    """A page of the worker that leads and one of another, with their process ids."""
    met: dict[bool, tuple[SharedPage, int]] = {}
    for _ in range(200):
        page = await SharedPage(site).load()
        await page.open()
        stack.push_async_callback(page.leave)
        process, leads = await page.call("process.children", {"ask.value": 1})
        met.setdefault(leads, (page, process))
        if len(met) == 2:
            return [met[True], met[False]]
    raise AssertionError(f"200 pages have met {met}")


async def change_until_it_runs(page: SharedPage, values: Iterator[int]) -> int:
    """Change the slider until another process has taken the lead: what comes before is lost, and the page is told."""
    for value in values:
        (request,) = await page.change("slider.value", value, "text.children")
        await page.until(lambda request=request: request.done)
        if request.status == "ok":
            await page.until(lambda value=value: shows(page, value))
            return value
    raise AssertionError("None of the changes was run.")


def test_a_worker_that_stood_still_and_one_that_was_killed(tmp_path: Path, redis_url: str) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)

    async def scenario(site: Network) -> None:
        values = iter(range(10, 90))
        async with AsyncExitStack() as stack:
            (a, leader), (b, other) = await pages_of_workers(site, stack)
            await a.change("slider.value", 9, "text.children")
            await b.until(lambda: shows(b, 9))
            os.kill(leader, signal.SIGSTOP)
            (queued,) = await a.change("slider.value", 8, "text.children")
            await change_until_it_runs(b, values)
            os.kill(leader, signal.SIGCONT)
            # What its page has asked meanwhile is run by the one that leads now, or refused.
            await a.until(lambda: queued.done)
            value = await change_until_it_runs(a, values)
            await b.until(lambda: shows(b, value))
            os.kill(other, signal.SIGKILL)
            value = await change_until_it_runs(a, values)
            seen = [int(line) for line in (tmp_path / "seen").read_text().split()]
            assert seen[-1] == value and len(seen) == len(set(seen)), seen

    with started(["program.py"], tmp_path, FLASH_REDIS_URL=redis_url, DASH_SHARED_STORAGE="") as running:
        host, port = running.address(times=2)
        run(partial(scenario, Network(f"http://{host}:{port}/")))
        running.ends_after(signal.SIGTERM)
