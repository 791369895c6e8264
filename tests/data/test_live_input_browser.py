"""LiveInput in a real page: at load, at each version, after a gap and after the server's restart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ..live.conftest import LiveServer, Page, wait_until
from ..live.proxy import proxy_beside

pytestmark = pytest.mark.usefixtures("browser")

APP = Path(__file__).with_name("browser_app.py")
Open = Callable[..., Page]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    server = LiveServer(tmp_path / "server.log", {}, APP)
    server.start()
    wait_until(lambda: server.do("orders.version") == 1)
    yield server
    server.kill()


def refresh(server: LiveServer) -> int:
    """Run the source; gives the new version."""
    before = server.do("orders.version")
    server.do("orders.refresh()")
    assert server.do("orders.version") == before + 1
    return before + 1


def shows(page: Page, version: int, value: int | None = None, region: str = "north") -> None:
    page.shows("shown", f"{region} {version if value is None else value} v{version}")
    page.shows("of-each", f"v{version} live True")
    page.shows("of-all", f"all v{version}")


def requests_of(page: Page) -> list[Any]:
    """The HTTP requests that the page has sent since the last look."""
    script = "const all = performance.getEntriesByType('resource'); performance.clearResourceTimings(); return all"
    found: list[Any] = page.run(script)
    return found


def test_a_page_runs_once_at_load_and_once_for_each_version(server: LiveServer, open_page: Open) -> None:
    page = open_page(server.address)
    page.shows("shown", "north 1 v1")
    page.comes_to("connected")
    server.do("asked.clear()")
    requests_of(page)
    for _ in range(3):
        shows(page, refresh(server))
    # Each version has fired the callback once, and what was pushed at the arrival has not.
    assert server.do("asked") == [["_flash-source-orders.data"]] * 3
    assert server.do("runs") == ["north 1", "north 2", "north 3", "north 4"]
    assert page.errors() == []


def test_two_pages_share_a_run_and_each_has_its_own_region(server: LiveServer, open_page: Open) -> None:
    one, two = open_page(server.address), open_page(server.address)
    for page in (one, two):
        page.shows("shown", "north 1 v1")
        page.comes_to("connected")
    shows(one, refresh(server))
    shows(two, 2)
    assert server.do("runs") == ["north 1", "north 2"]
    two.run("dash_clientside.set_props('region', {value: 'south'})")
    shows(two, 2, region="south")
    refresh(server)
    shows(one, 3)
    shows(two, 3, region="south")
    assert sorted(server.do("runs")) == ["north 1", "north 2", "north 3", "south 2", "south 3"]


def test_a_page_asks_nothing_between_versions(server: LiveServer, open_page: Open) -> None:
    page = open_page(server.address)
    shows_first = "north 1 v1"
    page.shows("shown", shows_first)
    page.comes_to("connected")
    wait_until(lambda: len(server.do("asked")) >= 1)
    requests_of(page)
    before = server.do("[len(asked), len(runs)]")
    beats = "return window.FlashLive.connection.state"
    # Two heartbeats of the connection go by.
    server.do("__import__('asyncio').sleep(2)")
    assert page.run(beats)["status"] == "connected"
    assert requests_of(page) == []
    assert server.do("[len(asked), len(runs)]") == before


def test_versions_missed_while_the_link_was_cut_come_as_one(server: LiveServer, open_page: Open) -> None:
    with proxy_beside(server.port) as proxy:
        page = open_page(proxy.address)
        page.shows("shown", "north 1 v1")
        page.comes_to("connected")
        proxy.down = True
        proxy.cut()
        page.comes_to("reconnecting")
        for _ in range(5):
            refresh(server)
        proxy.down = False
        shows(page, 6)
        assert server.do("runs") == ["north 1", "north 6"]


def test_after_a_restart_the_page_shows_what_the_new_server_has(server: LiveServer, open_page: Open) -> None:
    page = open_page(server.address)
    page.shows("shown", "north 1 v1")
    for _ in range(4):
        refresh(server)
    shows(page, 5)
    server.kill()
    page.comes_to("reconnecting")
    # It counts its versions anew: a smaller number, and yet a newer one.
    server.start(FIRST="100")
    shows(page, 1, 100)
    shows(page, refresh(server), 101)


def test_after_a_restart_an_equal_number_means_nothing_and_equal_data_do(server: LiveServer, open_page: Open) -> None:
    page = open_page(server.address)
    shows(page, 1, 1)
    server.kill()
    page.comes_to("reconnecting")
    server.start(FIRST="200")
    shows(page, 1, 200)
    server.kill()
    page.comes_to("reconnecting")
    server.start(FIRST="200")
    page.comes_to("connected")
    wait_until(lambda: server.do("orders.version") == 1)
    # What is pushed later comes later: the version of the arrival has been taken, and has fired nothing.
    server.do("app.push_mods({'of-each': {'children': 'pushed'}})")
    page.shows("of-each", "pushed")
    assert server.do("asked") == []


def test_a_page_without_websockets_gets_versions_too(server: LiveServer, open_page: Open) -> None:
    page = open_page(server.address, "window.WebSocket = class { constructor() { throw new Error('blocked') } }")
    page.shows("shown", "north 1 v1")
    page.comes_to("connected")
    assert page.state["transport"] in ("stream", "poll")
    shows(page, refresh(server))
