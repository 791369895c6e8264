"""Open tabs on a source: they ask for nothing between versions, and an answer is made once for all that want it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from flash import Flash, Input, Output, dcc, html
from flash.data import LiveInput, Snapshot, Source, source

from ..apps import body, flash_app, run
from ..live.asgi import in_process
from ..live.conftest import LiveServer, Page, wait_until
from ..live.sites import InProcess
from ..live.tab import Tab

TABS = 40
BROWSER_TABS = 4
HEARTBEATS = 2


class Readings:
    """An app with a source that is never due, and what its callback was called with."""

    def __init__(self) -> None:
        numbers = itertools.count(1)
        self.app: Flash = flash_app()
        self.app.layout = html.Div([dcc.Input(id="in", value="all"), html.Div(id="out"), html.Div(id="live")])
        self.runs: list[tuple[int, str]] = []

        @source(every="365d", name="readings_of_tabs")
        async def readings() -> dict[str, int]:
            return {"number": next(numbers)}

        self.source: Source = readings

        @self.app.callback(Output("out", "children"), LiveInput(readings), Input("in", "value"))
        def plain(snapshot: Snapshot, value: str) -> str:
            return self._draw(snapshot, value)

        @self.app.callback(Output("live", "children"), LiveInput(readings), Input("in", "value"), websocket=True)
        async def live(snapshot: Snapshot, value: str) -> str:
            return self._draw(snapshot, value)

    def _draw(self, snapshot: Snapshot, value: str) -> str:
        self.runs.append((snapshot.version, value))
        return f"{value} {snapshot.value['number']}"

    @property
    def store(self) -> str:
        return f"_flash-source-{self.source.name}.data"


@asynccontextmanager
async def open_tabs(app: Flash, count: int) -> AsyncIterator[tuple[InProcess, list[Tab]]]:
    async with in_process(app) as site:
        tabs = [await Tab(site).open() for _ in range(count)]
        yield site, tabs
        for tab in tabs:
            await tab.leave()


def test_a_new_version_reaches_all_tabs_and_nothing_but_its_number_does() -> None:
    async def main() -> None:
        readings = Readings()
        async with open_tabs(readings.app, TABS) as (_, tabs):
            await readings.source.first(10)
            tags = []
            for _ in range(3):
                tags.append((await readings.source.refresh()).tag)
                await asyncio.gather(*(_has(tab, readings.store, tags[-1]) for tab in tabs))
            # Nobody asked for an answer: none was made.
            assert readings.runs == []
            for tab in tabs:
                sent = {message["payload"]["componentId"] for message in tab.log}
                assert sent <= {"_flash-source-readings_of_tabs", "_flash-status-readings_of_tabs"}
                # Each of them once: what a store holds is set for news alone.
                assert tab.pushed(readings.store)[-3:] == tags

    run(main)


async def _has(tab: Tab, store: str, tag: str | None) -> None:
    await tab.until(lambda: tab.value(store) == tag)


@pytest.mark.parametrize("way", ["http", "live"])
def test_equal_arguments_run_once_a_version_and_all_get_the_same_bytes(way: str) -> None:
    async def main() -> None:
        readings = Readings()
        async with open_tabs(readings.app, TABS) as (site, tabs):
            await readings.source.first(10)
            ask = over_http(site) if way == "http" else over_live(tabs)
            for _ in range(3):
                snapshot = await readings.source.refresh()
                readings.runs.clear()
                inputs = {readings.store: snapshot.tag, "in.value": "all"}
                answers = await asyncio.gather(*(ask(number, inputs) for number in range(TABS)))
                assert readings.runs == [(snapshot.version, "all")]
                assert len(set(answers)) == 1 and f"all {snapshot.value['number']}" in answers[0]
                # Other arguments are another answer; the first one is kept.
                assert "west" in await ask(0, {**inputs, "in.value": "west"})
                assert await ask(1, inputs) == answers[0]
                assert readings.runs == [(snapshot.version, "all"), (snapshot.version, "west")]

    run(main)


Ask = Callable[[int, dict[str, Any]], Any]


def over_http(site: InProcess) -> Ask:
    """Ask as a page does by HTTP; the bytes of the answer."""

    async def ask(number: int, inputs: dict[str, Any]) -> str:
        client = site.app.server.test_client()
        answer = await client.post("/_dash-update-component", json=body("out.children", inputs))
        assert answer.status_code == 200
        return (await answer.get_data()).decode()

    return ask


def over_live(tabs: list[Tab]) -> Ask:
    """Ask over the live connection of a tab; the text of its output."""

    async def ask(number: int, inputs: dict[str, Any]) -> str:
        answer: str = await tabs[number].call("live.children", inputs)
        return answer

    return ask


@pytest.fixture
def browser() -> Iterator[Page]:
    """A browser without a page."""
    page = Page()
    yield page
    page.close()


def test_pages_in_a_browser_ask_for_nothing_between_versions(tmp_path: Path, browser: Page) -> None:
    server = LiveServer(tmp_path / "server.log", {}, Path(__file__).with_name("tabs_app.py"))
    try:
        server.start()
        for number in range(BROWSER_TABS):
            browser.new_tab(server.address) if number else browser.open(server.address)
            browser.shows("out", "all 1")
            browser.shows("live", "all 1")
        quiet = _when_quiet(server)
        # The connections are alive meanwhile: each tab answers that many heartbeats.
        beats = server.do("seen['heartbeat_ack']")
        wait_until(lambda: server.do("seen['heartbeat_ack']") >= beats + HEARTBEATS * BROWSER_TABS)
        assert server.do("asked()") == quiet

        server.do("runs.clear()")
        assert server.do("next_version()") == 2
        for handle in browser.driver.window_handles:
            browser.driver.switch_to.window(handle)
            browser.shows("out", "all 2")
            browser.shows("live", "all 2")
        new = {name: count - quiet.get(name, 0) for name, count in _when_quiet(server).items()}
        once_for_each = {"/_dash-update-component": BROWSER_TABS, "callback_request": BROWSER_TABS}
        assert {name: count for name, count in new.items() if count} == once_for_each
        assert sorted(server.do("runs")) == ["http 2", "live 2"]
        assert browser.errors() == []
    finally:
        server.kill()


def _when_quiet(server: LiveServer) -> dict[str, int]:
    """What was asked, once every page has all that it loads: nothing came while each answered a heartbeat."""
    while True:
        before, beats = server.do("asked()"), server.do("seen['heartbeat_ack']")
        wait_until(lambda beats=beats: server.do("seen['heartbeat_ack']") >= beats + BROWSER_TABS)
        if server.do("asked()") == before:
            return before
