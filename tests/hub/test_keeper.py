"""An app is kept on, off or asleep: its hosts are started, watched, ended and started again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from flash.exceptions import ConfigurationError
from flash.hub import keeper as keeping
from flash.hub.host import Host, HostFailed
from flash.hub.keeper import AppState, Keeper
from flash.hub.spec import spec_of
from flash.hub.uses import Uses


class FakeHost(Host):
    """A host whose start and end the test decides."""

    def __init__(self) -> None:
        self.may_start = asyncio.Event()
        self.began = asyncio.Event()
        self.fails: str | None = None
        self.end: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.started = self.stopped = self.left = 0

    async def start(self) -> None:
        self.started += 1
        self.began.set()
        await self.may_start.wait()
        if self.fails:
            raise HostFailed(self.fails)

    async def serve(self, scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("not asked here")

    async def ended(self) -> str:
        return await asyncio.shield(self.end)

    async def stop(self, grace: float) -> None:
        self.stopped += 1

    async def leave(self) -> None:
        self.left += 1


def found(host: Host) -> Callable[[], Awaitable[Host]]:
    """What takes over a host that runs."""

    async def take_over() -> Host:
        return host

    return take_over


class Kept:
    """A keeper, the hosts that it has made, and the states it went through."""

    def __init__(self, *, wanted: bool = True, asleep: bool = False, ready: bool = True, **options: Any) -> None:
        self.hosts: list[FakeHost] = []
        self.states: list[str] = []
        self.ready = ready
        self.fails: str | None = None
        spec = spec_of("app.py", "/app", options)
        self.uses = Uses(10)
        self.keeper = Keeper(
            spec,
            self.uses,
            self._make,
            lambda state, text: self.states.append(state.value),
            asyncio.Semaphore(1),
            wanted=wanted,
            asleep=asleep,
        )

    def _make(self) -> FakeHost:
        host = FakeHost()
        host.fails = self.fails
        if self.ready:
            host.may_start.set()
        self.hosts.append(host)
        return host


@asynccontextmanager
async def kept(**options: Any) -> AsyncIterator[Kept]:
    made = Kept(**options)
    made.keeper.begin()
    try:
        yield made
    finally:
        await made.keeper.close(leave=False)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


def run(coroutine: Any) -> None:
    asyncio.run(asyncio.wait_for(coroutine, 20))


def test_an_app_that_is_wanted_is_started_and_ended_when_it_is_not() -> None:
    async def scenario() -> None:
        async with kept() as made:
            await made.keeper.until(AppState.RUNNING)
            assert made.keeper.ready.is_set()
            made.keeper.want(False)
            await made.keeper.until(AppState.OFF)
            assert not made.keeper.ready.is_set()
            assert made.hosts[0].stopped == 1
            assert made.states == ["starting", "running", "draining", "off"]

    run(scenario())


def test_switched_off_while_it_starts_it_is_ended_at_once() -> None:
    async def scenario() -> None:
        async with kept(ready=False) as made:
            await made.keeper.until(AppState.STARTING)
            made.keeper.want(False)
            await made.keeper.until(AppState.OFF)
            assert made.hosts[0].stopped == 1
            assert made.keeper.error is None

    run(scenario())


@pytest.mark.parametrize("first", [True, False])
def test_who_waits_for_a_switch_is_told_when_it_is_switched_back(first: bool) -> None:
    """Else whoever has switched it off waits for ever, since it never is off."""

    async def scenario() -> None:
        async with kept(wanted=not first, ready=False) as made:
            await made.keeper.until(AppState.OFF if first else AppState.STARTING)
            made.keeper.want(first)
            waiting = asyncio.create_task(made.keeper.until(AppState.RUNNING if first else AppState.OFF))
            await asyncio.sleep(0)
            made.keeper.want(not first)
            await waiting

    run(scenario())


def test_off_waits_for_running_requests_and_ends_streams_at_once() -> None:
    async def scenario() -> None:
        async with kept(drain_timeout=30) as made:
            await made.keeper.until(AppState.RUNNING)
            finish = asyncio.Event()
            broken: list[int | None] = []

            async def request(endless: bool) -> None:
                use = made.uses.begin("ann", None, endless)
                made.uses.serve(use)
                try:
                    await finish.wait()
                except asyncio.CancelledError:
                    broken.append(use.broken_off)
                finally:
                    made.uses.end(use)

            tasks = [asyncio.create_task(request(endless)) for endless in (False, True)]
            await asyncio.sleep(0)
            made.keeper.want(False)
            await asyncio.wait([tasks[1]])
            assert broken == [1001]
            assert made.keeper.state is AppState.DRAINING
            finish.set()
            await made.keeper.until(AppState.OFF)
            assert broken == [1001]

    run(scenario())


def test_what_does_not_end_in_time_is_broken_off() -> None:
    async def scenario() -> None:
        async with kept(drain_timeout=0.05) as made:
            await made.keeper.until(AppState.RUNNING)

            async def request() -> None:
                use = made.uses.begin("ann", None, False)
                made.uses.serve(use)
                try:
                    await asyncio.Event().wait()
                finally:
                    made.uses.end(use)

            task = asyncio.create_task(request())
            await asyncio.sleep(0)
            made.keeper.want(False)
            await made.keeper.until(AppState.OFF)
            assert task.done()

    run(scenario())


def test_a_crashed_app_comes_back_after_growing_pauses_and_fails_after_five(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "FIRST_PAUSE", 0.001)

    async def scenario() -> None:
        async with kept() as made:
            for number in range(1, 6):
                await made.keeper.until(AppState.RUNNING)
                assert len(made.hosts) == number
                made.hosts[-1].end.set_result("exit code 1")
                await made.keeper.until(AppState.BACKOFF, AppState.FAILED)
            await made.keeper.until(AppState.FAILED)
            assert made.keeper.error == "exit code 1"
            assert made.keeper.restarts == 4
            assert made.states.count("backoff") == 4
            made.keeper.want(True)  # By hand it is tried anew, and is not told to have failed meanwhile.
            await made.keeper.until(AppState.RUNNING, AppState.FAILED)
            assert made.keeper.state is AppState.RUNNING
            made.keeper.want(True)  # Nothing changes, and nobody waits for it.
            await made.keeper.until(AppState.RUNNING)

    run(scenario())


def test_pauses_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = []

    async def scenario() -> None:
        made = Kept()

        async def noted(waiting: Any, **options: Any) -> Any:
            pauses.append(options["timeout"])
            return set(), waiting

        monkeypatch.setattr(keeping.asyncio, "wait", noted)
        for _ in range(4):
            await made.keeper._pause("exit code 1", 0.1)
        await made.keeper._pause("exit code 1", 0.1)
        assert made.keeper.state is AppState.FAILED
        made.keeper._forgive()
        for _ in range(3):
            made.keeper._crashes.clear()
            await made.keeper._pause("exit code 1", 3600)

    run(scenario())
    assert pauses == [0.5, 1.0, 2.0, 4.0, 0.5, 0.5, 0.5]


def test_an_app_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "FIRST_PAUSE", 0.001)

    async def scenario() -> None:
        made = Kept()
        made.fails = "ImportError: no module named shop"
        made.keeper.begin()
        await made.keeper.until(AppState.FAILED)
        assert made.keeper.error == "ImportError: no module named shop"
        assert [host.stopped for host in made.hosts] == [1] * 5
        await made.keeper.close(leave=False)

    run(scenario())


def test_a_host_that_cannot_be_made_is_a_crash_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "FIRST_PAUSE", 0.001)

    async def scenario() -> None:
        made = Kept()

        def refuse() -> FakeHost:
            raise ConfigurationError("an inline app has no memory of its own")

        made.keeper._make_host = refuse
        made.keeper.begin()
        await made.keeper.until(AppState.FAILED)
        assert "no memory of its own" in str(made.keeper.error)
        await made.keeper.close(leave=False)

    run(scenario())


def test_restart_ends_the_host_and_makes_another() -> None:
    async def scenario() -> None:
        async with kept() as made:
            await made.keeper.until(AppState.RUNNING)
            made.keeper.want_again()
            await made.keeper.until(AppState.RUNNING)
            assert [host.stopped for host in made.hosts] == [1, 0]

    run(scenario())


def test_an_app_on_demand_sleeps_until_it_is_woken_and_again_when_idle() -> None:
    async def scenario() -> None:
        async with kept(asleep=True, idle_timeout=0.05) as made:
            await made.keeper.until(AppState.SLEEPING)
            assert not made.hosts
            made.keeper.wake()
            await made.keeper.until(AppState.RUNNING)
            await made.keeper.until(AppState.SLEEPING)
            assert made.hosts[0].stopped == 1
            made.keeper.wake()
            await made.keeper.until(AppState.RUNNING)

    run(scenario())


def test_a_start_by_hand_is_no_idle_time() -> None:
    async def scenario() -> None:
        async with kept(idle_timeout=0.3, ready=False) as made:
            await made.keeper.until(AppState.STARTING)
            await until(lambda: made.uses.idle_for() > 0.3)
            made.hosts[0].may_start.set()
            await made.keeper.until(AppState.RUNNING)
            began = time.monotonic()
            await made.keeper.until(AppState.SLEEPING)
            assert time.monotonic() - began >= 0.25

    run(scenario())


def test_who_is_being_served_keeps_an_app_awake() -> None:
    async def scenario() -> None:
        async with kept(idle_timeout=0.02) as made:
            await made.keeper.until(AppState.RUNNING)
            use = made.uses.begin("ann", None, True)
            for _ in range(20):
                await asyncio.sleep(0.005)
                assert made.keeper.state is AppState.RUNNING
            made.uses.end(use)
            await made.keeper.until(AppState.SLEEPING)

    run(scenario())


def test_apps_start_a_few_at_a_time() -> None:
    async def scenario() -> None:
        slots = asyncio.Semaphore(1)
        first, second = Kept(ready=False), Kept(ready=False)
        first.keeper._slots = second.keeper._slots = slots
        first.keeper.begin()
        second.keeper.begin()
        await first.keeper.until(AppState.STARTING)
        await second.keeper.until(AppState.STARTING)
        await first.hosts[0].began.wait()
        assert [host.started for host in first.hosts + second.hosts] == [1, 0]
        first.hosts[0].may_start.set()
        await first.keeper.until(AppState.RUNNING)
        await asyncio.sleep(0)
        second.hosts[0].may_start.set()
        await second.keeper.until(AppState.RUNNING)
        for each in (first, second):
            await each.keeper.close(leave=False)

    run(scenario())


def test_an_app_that_waits_for_its_turn_to_start_can_be_switched_off() -> None:
    async def scenario() -> None:
        made = Kept()
        async with made.keeper._slots:
            made.keeper.begin()
            await made.keeper.until(AppState.STARTING)
            made.keeper.want(False)
            await made.keeper.until(AppState.OFF)
        assert made.hosts[0].started == 0
        await made.keeper.close(leave=False)

    run(scenario())


def test_who_waits_for_an_app_learns_that_its_keeping_has_ended() -> None:
    async def scenario() -> None:
        made = Kept(ready=False)
        made.keeper.begin()
        await made.keeper.until(AppState.STARTING)
        waiting = [
            asyncio.create_task(made.keeper.until(AppState.RUNNING)),
            asyncio.create_task(made.keeper.next_move()),
        ]
        await asyncio.sleep(0)
        await made.keeper.close(leave=False)
        await asyncio.gather(*waiting)
        assert not made.keeper.wanted

    run(scenario())


def test_a_host_that_was_taken_over_is_not_started_again() -> None:
    async def scenario() -> None:
        made = Kept()
        taken = FakeHost()
        taken.pid = 1
        made.keeper.begin(found(taken))
        await made.keeper.until(AppState.RUNNING)
        assert (taken.started, made.hosts) == (0, [])
        await made.keeper.close(leave=True)
        assert taken.left == 1
        assert taken.stopped == 0

    run(scenario())


def test_a_host_that_was_taken_over_is_not_put_to_sleep() -> None:
    async def scenario() -> None:
        made = Kept(asleep=True, idle_timeout=30)
        taken = FakeHost()
        made.keeper.begin(found(taken))
        await made.keeper.until(AppState.RUNNING, AppState.SLEEPING)
        assert (made.states, taken.stopped) == (["running"], 0)
        await made.keeper.close(leave=False)

    run(scenario())


def test_what_is_being_ended_when_the_hub_ends_is_ended_to_the_last() -> None:
    """A process that is asked to end and does not is ended by force, whoever cancels the wait for it."""

    class Stubborn(FakeHost):
        pid = 1

        def __init__(self) -> None:
            super().__init__()
            self.may_stop = asyncio.Event()
            self.ended_by_force = False

        async def stop(self, grace: float) -> None:
            self.stopped += 1
            await self.may_stop.wait()
            self.ended_by_force = True

    async def scenario(leave: bool) -> None:
        made, taken = Kept(), Stubborn()
        made.keeper.begin(found(taken))
        await made.keeper.until(AppState.RUNNING)
        made.keeper.want(False)
        await until(lambda: taken.stopped == 1)
        closing = asyncio.create_task(made.keeper.close(leave))
        await asyncio.wait({closing}, timeout=0.05)
        taken.may_stop.set()
        await closing
        assert taken.ended_by_force
        assert taken.stopped == 1

    run(scenario(False))
    run(scenario(True))


def test_what_runs_in_the_hubs_process_is_not_left_running() -> None:
    async def scenario() -> None:
        made = Kept()
        made.keeper.begin()
        await made.keeper.until(AppState.RUNNING)
        await made.keeper.close(leave=True)
        assert made.hosts[0].stopped == 1

    run(scenario())
