"""Shared callbacks in several processes: here several apps of one name, which meet in the storage only."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import redis

from flash import Flash, Input, Output, ctx, dcc, html

from ..apps import SEPARATE, run
from ..live.asgi import eventually, in_process
from ..live.sites import InProcess
from ..storage.servers import RedisServer
from .page import SharedPage, pages_of


@dataclass
class Process:
    """One process that serves the app, and what the functions in it have seen."""

    app: Flash
    site: InProcess
    seen: list[Any] = field(default_factory=list)


@dataclass
class Cluster:
    """Processes that serve the same app.

    Attributes:
        processes: Those that run.
        seen: What the functions have seen, in all of them, in the order of the calls.
    """

    url: str
    declare: Callable[[Flash, list[Any]], None]
    name: str = field(default_factory=lambda: f"app_{secrets.token_hex(8)}")
    processes: list[Process] = field(default_factory=list)
    seen: list[Any] = field(default_factory=list)

    async def add(self, stack: AsyncExitStack) -> Process:
        """Start another process; it ends with the stack."""
        app = Flash(self.name, **SEPARATE, shared_storage=self.url)
        seen = Seen(self.seen)
        self.declare(app, seen)
        process = Process(app, await stack.enter_async_context(in_process(app)), seen)
        self.processes.append(process)
        return process


class Seen(list[Any]):
    """What the functions of one process have seen; all of them together keep it too."""

    def __init__(self, everywhere: list[Any]) -> None:
        super().__init__()
        self._everywhere = everywhere

    def append(self, value: Any) -> None:
        super().append(value)
        self._everywhere.append(value)


def slider(app: Flash, seen: list[Any]) -> None:
    """A slider, and a text that says where it is."""
    app.layout = html.Div([dcc.Slider(0, 1000, value=5, id="slider"), html.Div(id="text"), html.Div(id="more")])

    @app.callback_shared(Output("text", "children"), Input("slider", "value"))
    async def show(value: int) -> str:
        seen.append(value)
        await asyncio.sleep(0)
        if value == 13:
            raise ValueError("secret")
        if value == 14:
            ctx.client.set_props("more", {"children": f"for {ctx.client.address}"})
        return f"at {value}"


@asynccontextmanager
async def cluster_of(
    url: str, count: int, declare: Callable[[Flash, list[Any]], None] = slider
) -> AsyncIterator[Cluster]:
    """Some processes that serve the same app."""
    async with AsyncExitStack() as stack:
        cluster = Cluster(url, declare)
        for _ in range(count):
            await cluster.add(stack)
        yield cluster


def shows(page: SharedPage, value: int) -> bool:
    return page.value("slider.value") == value and page.value("text.children") == f"at {value}"


def test_a_change_in_one_reaches_the_pages_of_all_and_runs_once(redis_url: str) -> None:
    async def scenario() -> None:
        async with cluster_of(redis_url, 3) as cluster:
            await eventually(lambda: cluster.seen == [5])
            async with pages_of(cluster.processes[0].site, 1) as (a,), pages_of(cluster.processes[1].site, 1) as (b,):
                await b.change("slider.value", 8, "text.children")
                await b.settled()
                await a.until(lambda: shows(a, 8))
                await b.until(lambda: shows(b, 8))
                await a.change("slider.value", 9, "text.children")
                await a.settled()
                await b.until(lambda: shows(b, 9))
                assert cluster.seen == [5, 8, 9]
                await eventually(lambda: {each.app.shared_state.version for each in cluster.processes} != {0})
                states = [dict(each.app.shared_state.items()) for each in cluster.processes]
                assert states[0] == states[1] == states[2] == {("slider", "value"): 9, ("text", "children"): "at 9"}

    run(scenario)


@pytest.mark.parametrize("written", [False, True], ids=["from the log", "from a snapshot and the log"])
def test_one_that_starts_later_shows_what_is_shared_and_runs_nothing(written: bool, redis_url: str) -> None:
    async def scenario() -> None:
        async with cluster_of(redis_url, 1) as cluster, pages_of(cluster.processes[0].site, 1) as (a,):
            for value in range(20):
                await a.change("slider.value", value + 20, "text.children")
            await a.settled()
            await a.until(lambda: shows(a, 39))
            if written:
                snapshots = cluster.processes[0].app.flash_shared.log._snapshots  # type: ignore[attr-defined]
                await eventually(lambda: snapshots._saved == cluster.processes[0].app.shared_state.version)
                await a.change("slider.value", 40, "text.children")
                await a.settled()
            async with AsyncExitStack() as stack:
                later = await cluster.add(stack)
                async with pages_of(later.site, 1) as (b,):
                    assert shows(b, 40 if written else 39)
                    assert b.shown == {}  # The layout has brought it all.
            assert later.seen == []
            assert cluster.seen == [5, *range(20, 41 if written else 40)]

    run(scenario)


def test_the_state_survives_the_end_of_all(redis_url: str) -> None:
    async def scenario() -> None:
        name = ""
        async with cluster_of(redis_url, 2) as cluster, pages_of(cluster.processes[1].site, 1) as (a,):
            name = cluster.name
            await a.change("slider.value", 7, "text.children")
            await a.settled()
            state = a.state
        async with AsyncExitStack() as stack:
            again = Cluster(redis_url, slider, name)
            process = await again.add(stack)
            async with pages_of(process.site, 1) as (b,):
                assert shows(b, 7)
                # A page that was loaded before needs nothing but what it has missed.
                assert state is not None and b.state is not None and state.split(".")[0] == b.state.split(".")[0]
            assert again.seen == []

    run(scenario)


def test_an_error_reaches_the_asker_with_its_id_and_without_its_text(
    redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with cluster_of(redis_url, 2) as cluster:
            for process in cluster.processes:
                async with pages_of(process.site, 1) as (page,):
                    (request,) = await page.change("slider.value", 13, "text.children")
                    await page.settled()
                    assert request.status == "error"
                    error_id = request.answers[0]["message"].rpartition(" ")[2]
                    assert error_id in caplog.text and "secret" not in request.answers[0]["message"]

    run(scenario)


def test_a_callback_knows_the_tab_of_another_process_and_can_set_its_properties(redis_url: str) -> None:
    async def scenario() -> None:
        async with cluster_of(redis_url, 2) as cluster:
            for process in cluster.processes:
                async with pages_of(process.site, 2) as (page, other):
                    await page.change("slider.value", 14, "text.children")
                    await page.until(lambda page=page: page.value("more.children"))
                    await page.settled()
                    assert other.value("more.children") is None

    run(scenario)


def test_when_the_leader_leaves_another_one_runs_on(redis_url: str) -> None:
    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            cluster = Cluster(redis_url, slider)
            first = await cluster.add(await stack.enter_async_context(AsyncExitStack()))
            await eventually(lambda: cluster.seen == [5])
            async with AsyncExitStack() as others:
                leader = AsyncExitStack()
                second = await cluster.add(leader)
                await leader.aclose()
                assert second.app.flash_shared.log.leads is False
                third = await cluster.add(others)
                async with pages_of(third.site, 1) as (page,):
                    await page.change("slider.value", 6, "text.children")
                    await page.settled()
                    assert first.seen == [5, 6] and third.seen == []

    run(scenario)


def test_a_leader_that_resigns_leaves_nothing_undone(redis_url: str) -> None:
    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            cluster = Cluster(redis_url, slider)
            leading = AsyncExitStack()
            first = await cluster.add(leading)
            await eventually(lambda: cluster.seen == [5])
            second = await cluster.add(stack)
            async with pages_of(second.site, 1) as (page,):
                await page.change("slider.value", 6, "text.children")
                ending = asyncio.create_task(leading.aclose())
                for value in range(107, 130):
                    await page.change("slider.value", value, "text.children")
                    await asyncio.sleep(0.01)
                await ending
                await page.settled()
                assert all(request.status == "ok" for request in page.requests.values())
                assert cluster.seen == [5, 6, *range(107, 130)] and first.seen != cluster.seen
                assert shows(page, 129)

    run(scenario)


def test_a_leader_that_dies_is_replaced_and_its_callers_are_told(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flash.shared.cluster._LEASE_SECONDS", 0.6)
    monkeypatch.setattr("flash.shared.cluster._LEASE_INTERVAL", 0.1)

    async def scenario() -> None:
        async with cluster_of(redis_url, 2) as cluster:
            first, second = cluster.processes
            await eventually(lambda: cluster.seen == [5])
            log = first.app.flash_shared.log
            async with pages_of(second.site, 1) as (page,):
                for task in log._tasks:  # type: ignore[attr-defined]
                    task.cancel()
                await asyncio.wait(log._tasks)  # type: ignore[attr-defined]
                log._tasks = []  # type: ignore[attr-defined]
                (lost,) = await page.change("slider.value", 6, "text.children")
                await page.until(lambda: lost.done)
                assert lost.status == "error" and "lost" in lost.answers[0]["message"]
                (found,) = await page.change("slider.value", 7, "text.children")
                await page.settled()
                assert found.status == "ok" and second.seen == [7] and shows(page, 7)

    run(scenario)


@pytest.mark.parametrize("keeps", [False, True], ids=["redis loses its data", "redis keeps its data"])
def test_an_outage_refuses_changes_and_heals(keeps: bool, tmp_path_factory: pytest.TempPathFactory) -> None:
    async def scenario() -> None:
        server = RedisServer(tmp_path_factory.mktemp("outage"))
        try:
            async with cluster_of(server.url, 2) as cluster:
                a_site, b_site = (each.site for each in cluster.processes)
                async with pages_of(a_site, 1) as (a,), pages_of(b_site, 1) as (b,):
                    await a.change("slider.value", 6, "text.children")
                    await a.settled()
                    await b.until(lambda: shows(b, 6))
                    if keeps:
                        redis.Redis.from_url(server.url).save()
                    server.kill()
                    await eventually(lambda: not any(each.app.flash_shared.log.available for each in cluster.processes))
                    (refused,) = await a.change("slider.value", 7, "text.children")
                    await a.settled()
                    assert refused.status == "error" and a.value("slider.value") == 6
                    server.start()
                    await eventually(lambda: all(each.app.flash_shared.log.available for each in cluster.processes))
                    # Whatever Redis has lost, the processes have not.
                    await b.change("slider.value", 8, "text.children")
                    await b.settled()
                    await a.until(lambda: shows(a, 8))
                    async with AsyncExitStack() as stack:
                        later = await cluster.add(stack)
                        async with pages_of(later.site, 1) as (c,):
                            assert shows(c, 8)
        finally:
            server.kill()

    run(scenario)


def nothing_shared(app: Flash, seen: list[Any]) -> None:
    """An app that pushes, and shares nothing."""
    app.layout = html.Div(id="clock")
    assert app.clients is not None


def test_what_is_pushed_reaches_the_tabs_of_all_processes(redis_url: str) -> None:
    async def scenario() -> None:
        async with cluster_of(redis_url, 3, nothing_shared) as cluster:
            pushing, *others = cluster.processes
            async with pages_of(others[0].site, 1) as (a,), pages_of(others[1].site, 1) as (b,):
                # From a thread of a process that no tab is connected to.
                await asyncio.to_thread(pushing.app.push_mods, {"clock": {"children": "12:00", "title": "noon"}})
                for page in (a, b):
                    await page.until(lambda page=page: page.value("clock.children") == "12:00")
                    assert page.value("clock.title") == "noon"
                others[0].app.push_mods({"clock": {"children": "12:01"}}, client=others[0].app.clients[0])
                await a.until(lambda: a.value("clock.children") == "12:01")
                others[1].app.push_mods({"clock": {"children": "12:02"}})
                await a.until(lambda: a.value("clock.children") == "12:02")
                assert b.pushed("clock.children") == ["12:00", "12:02"]

    run(scenario)
