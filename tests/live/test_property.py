"""Random runs of tabs, cuts, pushes and requests, at whose end every page shows what the server believes that it shows.

Each run is made by its seed and can be repeated: ``LIVE_SEEDS=17 pytest tests/live/test_property.py``, or ``0-1000``.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from dash import Patch
from dash.exceptions import PreventUpdate

from flash import Flash, Input, Output, ctx, html, patches, set_props
from flash.encoding import dumps

from ..apps import flash_app
from .proxy import Proxy, proxy_to
from .serving import served
from .sites import InProcess, Network, Site, Socket
from .tab import Request, Tab

#: No limit on a tab's speed: what is tested here is what arrives.
FAST: dict[str, Any] = {"enabled": True, "rate": 1e9, "burst": 1_000_000}

#: With these nothing may be lost, whatever happens to the links.
AMPLE: dict[str, Any] = {**FAST, "resume_messages": 100_000, "resume_bytes": 1 << 30, "waiting_bytes": 1 << 30}

#: With each of these a page that was away may have to begin anew.
TIGHT: list[dict[str, Any]] = [
    {**FAST, "resume_messages": 5},
    {**FAST, "resume_bytes": 400},
    {**FAST, "resume_seconds": 0.02},
    {**FAST, "waiting_bytes": 600},
    {**FAST, "all_waiting_bytes": 3000},
    {**FAST, "requests": 3, "resume_messages": 30},
]


def seeds(count: int) -> list[int]:
    """The seeds of a test: so many, or those that ``LIVE_SEEDS`` names."""
    first, _, last = os.environ.get("LIVE_SEEDS", f"0-{count - 1}").partition("-")
    return list(range(int(first), int(last or first) + 1))


class Truth:
    """What the server has told its pages: the values that all of them show, and those of each client.

    Args:
        app: The app; its connect handler gives every page that arrives the state of the moment.
    """

    def __init__(self, app: Flash) -> None:
        self.app = app
        self.shared: dict[tuple[str, str], Any] = {("feed", "data"): [], ("count", "value"): 0}
        self.own: dict[str, dict[tuple[str, str], Any]] = {}
        self.arrivals: Counter[str] = Counter()
        self.departures: Counter[str] = Counter()

        @app.callback_connect
        async def greet(client: Any, connect: bool) -> Any:
            if not connect:
                self.departures[client.id] += 1
                return None
            self.arrivals[client.id] += 1
            self.own.setdefault(client.id, {("inbox", "data"): []})
            return nested(self.of(client.id))

    def of(self, client_id: str) -> dict[tuple[str, str], Any]:
        """All that the page of a client shows."""
        return {**self.shared, **self.own.get(client_id, {})}

    def push(self, mods: dict[str, dict[str, Any]], client: Any = None) -> None:
        """Push to one client or to all, and note what comes of it."""
        values = self.shared if client is None else self.own.setdefault(client.id, {("inbox", "data"): []})
        for component, props in mods.items():
            for prop, value in props.items():
                encoded = json.loads(dumps(value))
                if patches.is_patch(encoded):
                    encoded = patches.patched(values.get((component, prop)), encoded)
                values[component, prop] = encoded
        self.app.push_mods(mods, client)


def nested(values: dict[tuple[str, str], Any]) -> dict[str, dict[str, Any]]:
    """Values by component and property."""
    mods: dict[str, dict[str, Any]] = {}
    for (component, prop), value in values.items():
        mods.setdefault(component, {})[prop] = value
    return mods


def appended(value: Any) -> Patch:
    patch = Patch()
    patch.append(value)
    return patch


def counted(step: int) -> Patch:
    patch = Patch()
    patch += step
    return patch


class Work:
    """The callbacks that pages ask for, and how often each request has run."""

    def __init__(self, app: Flash, chance: random.Random) -> None:
        self.runs: Counter[str] = Counter()
        #: The seeds of what a run does are drawn by the test, so that threads cannot change their order.
        self.chance = chance

        @app.callback(Output("slow", "children"), Input("in", "value"))
        async def slow(token: str) -> str:
            return await self.run(token)

        @app.callback(Output("plain", "children"), Input("in", "value"))
        def plain(token: str) -> str:
            self.runs[token] += 1
            return token

    async def run(self, token: str) -> str:
        self.runs[token] += 1
        _, kind, pauses = token.split("-")
        for _ in range(int(pauses)):
            await asyncio.sleep(0)
        if kind == "fails":
            raise ValueError("It fails, as it should.")
        if kind == "prevents":
            raise PreventUpdate
        if kind == "tells":
            set_props("told", {"children": token})
        if kind == "long":
            await asyncio.sleep(0.01)
        assert ctx.client.live
        return token


class Run:
    """One random run.

    Args:
        seed: Makes it.
        app: The app.
        site: Where its tabs go.
        lossless: Whether nothing may be lost.
    """

    def __init__(self, seed: int, app: Flash, site: Site, *, lossless: bool) -> None:
        self.chance = random.Random(seed)
        self.app = app
        self.site = site
        self.lossless = lossless
        self.truth = Truth(app)
        self.work = Work(app, self.chance)
        self.tabs: list[Tab] = []
        self.ghosts: list[Socket] = []
        self.requests: list[tuple[Tab, Request, str, str]] = []
        self.stalled: list[Socket] = []
        self.events = 0

    async def go(self, steps: int) -> None:
        """Do random things, mend what is broken, and compare."""
        for _ in range(self.chance.randint(1, 3)):
            await self.arrive()
        actions: list[Callable[[], Awaitable[None]]] = [
            *[self.push] * 6,
            *[self.push_patch] * 6,
            self.push_burst,
            self.push_from_thread,
            *[self.ask] * 5,
            self.repeat,
            *[self.cut] * 3,
            self.abandon,
            *[self.resume] * 4,
            self.stall,
            *[self.go_on] * 2,
            *[self.pause] * 8,
        ]
        for _ in range(steps):
            await self.chance.choice(actions)()
        await self.mend()
        await self.compare()
        await self.end()

    # What happens.

    async def arrive(self) -> None:
        trusts = self.app.flash_live.settings.resume_seconds > 1
        tab = Tab(self.site, acks_every=self.chance.choice([0, 1, 7, 32]), trusts=trusts)
        self.tabs.append(await tab.open())

    def some_client(self) -> Any:
        return self.chance.choice([None, None, *self.app.clients])

    def number(self) -> int:
        self.events += 1
        return self.events

    async def push(self) -> None:
        client = self.some_client()
        names = self.chance.sample(["a", "b", "c", '{"index":1,"type":"d"}'], self.chance.randint(1, 3))
        owner = "own-" if client else ""
        props = self.chance.sample(["children", "value", "style"], self.chance.randint(1, 3))
        padding = "x" * self.chance.choice([0, 0, 0, 200])
        self.truth.push({owner + name: {prop: [self.number(), padding] for prop in props} for name in names}, client)

    async def push_patch(self) -> None:
        client = self.some_client()
        if client is None and self.chance.random() < 0.3:
            self.truth.push({"count": {"value": counted(self.chance.randint(1, 9))}})
        elif self.chance.random() < 0.1:
            self.truth.push({"inbox" if client else "feed": {"data": [self.number()]}}, client)
        else:
            self.truth.push({"inbox" if client else "feed": {"data": appended(self.number())}}, client)

    async def push_burst(self) -> None:
        for _ in range(self.chance.randint(5, 40)):
            await self.chance.choice([self.push, self.push_patch])()

    async def push_from_thread(self) -> None:
        thread = threading.Thread(target=self.truth.push, args=({"thread": {"value": self.number()}},))
        thread.start()
        await asyncio.to_thread(thread.join)

    async def ask(self) -> None:
        tab = self.chance.choice(self.tabs)
        kind = self.chance.choice(["answers", "answers", "fails", "prevents", "tells", "long"])
        token = f"{self.number()}-{kind}-{self.chance.randint(0, 5)}"
        output = self.chance.choice(["slow.children", "slow.children", "plain.children"])
        self.requests.append((tab, await tab.request(output, {"in.value": token}), token, tab.client))

    async def repeat(self) -> None:
        """Send a request again, as a page does that has not seen it acknowledged."""
        if self.requests:
            tab, request, _, client = self.chance.choice(self.requests)
            # A page that had to begin anew would not.
            if client == tab.client and request.sent and tab.connected:
                await tab.send(request.message)

    async def cut(self) -> None:
        await self.chance.choice(self.tabs).cut(delivered=self.chance.random() < 0.5)

    async def abandon(self) -> None:
        tab = self.chance.choice(self.tabs)
        if socket := await tab.abandon():
            self.ghosts.append(socket)

    async def resume(self) -> None:
        away = [tab for tab in self.tabs if not tab.connected]
        if away:
            welcome = await self.chance.choice(away).resume()
            assert welcome["recovered"] or not self.lossless

    async def stall(self) -> None:
        if socket := self.chance.choice(self.tabs).socket:
            socket.stall()
            self.stalled.append(socket)

    async def go_on(self) -> None:
        if self.stalled:
            self.stalled.pop().go_on()

    async def pause(self) -> None:
        for _ in range(self.chance.choice([1, 1, 2, 5, 20])):
            await asyncio.sleep(0)
        if self.chance.random() < 0.1:
            await asyncio.sleep(0.005)

    # How it ends.

    async def mend(self) -> None:
        while self.stalled:
            await self.go_on()
        for ghost in self.ghosts:
            await ghost.cut(delivered=self.chance.random() < 0.5)
        while not all(tab.connected for tab in self.tabs):
            await self.resume()
            await self.pause()

    async def compare(self) -> None:
        for tab in self.tabs:
            await self.answered(tab, list(tab.requests.values()))
            # Behind the answer to this nothing is under way any more.
            await self.answered(tab, [await tab.request("plain.children", {"in.value": "the-last-0"})])
            shown = {key: tab.values.get(key) for key in self.truth.of(tab.client)}
            assert shown == self.truth.of(tab.client)
        for _, request, token, _ in self.requests:
            self.check(request, token)

    async def answered(self, tab: Tab, requests: list[Request]) -> None:
        """Wait for answers. A tab that was slow may be closed for it still, and comes back."""

        def done() -> bool:
            return all(each.done for each in requests)

        while not done():
            if not tab.connected:
                await tab.resume()
            await tab.until(lambda: done() or not tab.connected)

    def check(self, request: Request, token: str) -> None:
        """The request's function ran at most once; it was answered once, or failed visibly."""
        assert self.work.runs[token] <= 1
        assert len(request.answers) + bool(request.failure) == 1
        if self.lossless:
            assert request.answers
            assert self.work.runs[token] == 1
        if request.status == "ok":
            assert self.work.runs[token] == 1
            (component,) = request.response
            assert request.response[component]["children"] == token

    async def end(self) -> None:
        """Every client that has arrived once is gone once, when its page has left."""
        for tab in self.tabs:
            await tab.leave()
        self.tabs[0].socket = None
        await self.tabs[0].until(lambda: not len(self.app.clients))
        await self.tabs[0].until(lambda: self.truth.departures == self.truth.arrivals)
        assert set(self.truth.arrivals.values()) <= {1}


def app_of(live: dict[str, Any]) -> Flash:
    app = flash_app(live=live, websocket_callbacks=True)
    app.layout = html.Div([html.Div(id="in"), html.Div(id="slow"), html.Div(id="plain"), html.Div(id="told")])
    return app


async def in_process(seed: int, live: dict[str, Any], *, lossless: bool) -> None:
    app = app_of(live)
    run = Run(seed, app, InProcess(app), lossless=lossless)
    async with app.server.test_app():
        await run.go(steps=60)


@pytest.mark.parametrize("seed", seeds(40))
def test_nothing_is_lost_repeated_or_out_of_order_while_the_window_lasts(seed: int) -> None:
    asyncio.run(asyncio.wait_for(in_process(seed, AMPLE, lossless=True), 60))


@pytest.mark.parametrize("seed", seeds(40))
def test_a_page_whose_window_is_over_begins_anew_and_no_request_runs_twice(seed: int) -> None:
    asyncio.run(asyncio.wait_for(in_process(seed, TIGHT[seed % len(TIGHT)], lossless=False), 60))


class RoughRun(Run):
    """A run over real sockets, through a proxy that misbehaves."""

    proxy: Proxy

    async def cut(self) -> None:
        self.chance.choice([self.proxy.cut, self.proxy.cut, self.proxy.half_open])()
        await asyncio.sleep(0.005)

    async def abandon(self) -> None:
        self.proxy.delay = self.chance.choice([0, 0, 0.001, 0.01])

    async def stall(self) -> None:
        self.proxy.stall()

    async def go_on(self) -> None:
        self.proxy.go_on()

    async def resume(self) -> None:
        self.proxy.go_on()
        await super().resume()

    async def mend(self) -> None:
        self.proxy.go_on()
        self.proxy.bury()
        self.proxy.delay = 0
        await super().mend()


@pytest.mark.parametrize("seed", seeds(6))
def test_nothing_is_lost_behind_a_network_that_cuts_delays_and_leaves_ghosts(seed: int) -> None:
    async def main() -> None:
        app = app_of(AMPLE)
        async with served(app) as port, proxy_to(port) as proxy:
            run = RoughRun(seed, app, Network(proxy.address), lossless=True)
            run.proxy = proxy
            await run.go(steps=60)

    asyncio.run(asyncio.wait_for(main(), 120))
