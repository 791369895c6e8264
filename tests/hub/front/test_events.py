"""What pages are told as it happens: only to whom it may be told, and until it may not be told any more."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from flash.hub.front import events, watch
from flash.hub.host import Usage
from flash.hub.hub import Hub
from flash.hub.visitor import Visitor

from ...live.conftest import wait_until
from ..serving import PATIENCE, on_loop, serving
from .site import ADMINISTRATOR, ByCookie, broken, client, hub_at, listening, page


@pytest.fixture
def signin() -> ByCookie:
    return ByCookie()


@pytest.fixture
def hub(tmp_path: Path, signin: ByCookie) -> Hub:
    hub = hub_at(tmp_path, signin)
    hub.mount(page, "/sales", title="Sales", access=["finance"])
    hub.mount(page, "/news", title="News", access="public")
    hub.mount(page, "/hidden", title="Hidden", access="public", hidden=True)
    return hub


@pytest.fixture
def url(hub: Hub) -> Iterator[str]:
    with serving(hub) as url:
        yield url


def until(told: Iterator[tuple[str, Any]], kind: str, **fields: Any) -> Any:
    """Read events until one of a kind has these fields."""
    for each, data in told:
        if each == kind and all(data.get(field) == value for field, value in fields.items()):
            return data
    raise AssertionError(f"The stream has ended without {kind} {fields}.")


def test_a_page_is_told_everything_and_then_what_changes(hub: Hub, url: str) -> None:
    with client(url, "ann:finance") as ann, listening(ann) as told:
        first = until(told, "apps")
        assert (first["visitor"], [each["name"] for each in first["apps"]]) == ("ann", ["sales", "news"])
        on_loop(hub, hub.stop("sales"))
        card = until(told, "app", name="sales", state="off")
        assert (card["label"], card["desired"], card["managed"]) == ("Off", "off", None)
        on_loop(hub, hub.start("sales"))
        until(told, "app", name="sales", state="running")


def test_apps_that_come_and_go_are_told(hub: Hub, url: str) -> None:
    with client(url) as visitor, listening(visitor) as told:
        until(told, "apps")
        on_loop(hub, hub.add(page, "/new", access="public", title="New"))
        until(told, "app", name="new", title="New", state="running")
        on_loop(hub, hub.remove("new"))
        until(told, "gone", name="new")


def test_nobody_is_told_of_what_they_may_not_use(hub: Hub, url: str) -> None:
    with client(url, "bob:") as bob, listening(bob) as told:
        assert [each["name"] for each in until(told, "apps")["apps"]] == ["news"]
        on_loop(hub, hub.stop("sales"))
        on_loop(hub, hub.stop("hidden"))
        on_loop(hub, hub.stop("news"))
        assert next(data["name"] for kind, data in told if kind == "app") == "news"


def test_a_page_about_one_app_is_told_of_that_alone(hub: Hub, url: str) -> None:
    with client(url, "bob:") as bob:
        with listening(bob, "/_hub/events?app=hidden") as told:
            assert [each["name"] for each in until(told, "apps")["apps"]] == ["hidden"]
        with listening(bob, "/_hub/events?app=sales") as told:
            assert until(told, "apps")["apps"] == []


def test_why_an_app_failed_is_told_to_those_who_manage_it(hub: Hub, url: str) -> None:
    hub_is_told = {}
    on_loop(hub, hub.add(broken, "/broken", access="public", keep=False))
    for who in (ADMINISTRATOR, "ann:finance"):
        with client(url, who) as visitor, listening(visitor) as told:
            apps = {each["name"]: each for each in until(told, "apps")["apps"]}
            hub_is_told[who] = str(apps["broken"])
    assert "hunter2" in hub_is_told[ADMINISTRATOR]
    assert "hunter2" not in hub_is_told["ann:finance"]


def test_use_is_measured_while_somebody_listens_who_may_see_it(
    hub: Hub, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = iter(range(1000))
    asked = []

    async def usage() -> Usage:
        asked.append(1)
        return Usage(cpu=float(next(seconds)), memory=120 << 20, processes=2)

    monkeypatch.setattr(watch, "MEASURE", 0.02)
    host = hub["sales"].host
    assert host is not None
    monkeypatch.setattr(host, "usage", usage)
    with client(url, "ann:finance") as ann, listening(ann) as told:
        until(told, "apps")
        on_loop(hub, hub.stop("news"))
        until(told, "app", name="news", state="off")
    assert not asked
    with client(url, ADMINISTRATOR) as admin, listening(admin) as told:
        until(told, "apps")
        card = next(each for kind, each in told if kind == "app" and (each["managed"]["used"] or {}).get("cpu"))
        assert card["managed"]["used"]["text"].endswith("% CPU · 120 MB · 2 processes")
    wait_until(lambda: len(hub.front.watch) == 0)
    count = len(asked)
    on_loop(hub, asyncio.sleep(0.1))
    assert len(asked) == count


def test_an_app_that_cannot_be_measured_is_no_harm_to_others(
    hub: Hub, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def usage() -> Usage:
        raise OSError("there is no such process")

    monkeypatch.setattr(watch, "MEASURE", 0.02)
    monkeypatch.setattr(hub["sales"].host, "usage", usage)
    with client(url, ADMINISTRATOR) as admin, listening(admin) as told:
        until(told, "apps")
        on_loop(hub, asyncio.sleep(0.1))
        on_loop(hub, hub.stop("news"))
        until(told, "app", name="news", state="off")


def test_a_stream_ends_with_its_session(hub: Hub, url: str, signin: ByCookie) -> None:
    async def sign_out() -> None:
        signin.sign_out("ann")

    with (
        client(url, "ann:finance") as ann,
        listening(ann) as told,
        client(url, "bob:") as bob,
        listening(bob) as others,
    ):
        until(told, "apps")
        until(others, "apps")
        on_loop(hub, sign_out())
        assert list(told) == []
        on_loop(hub, hub.stop("news"))
        until(others, "app", name="news", state="off")


def test_streams_end_when_the_hub_does(hub: Hub) -> None:
    with ExitStack() as stack:
        # It would take as long to end, were it to wait for this stream.
        with serving(hub, graceful_timeout=2 * PATIENCE) as url:
            told = stack.enter_context(listening(stack.enter_context(client(url, "ann:finance"))))
            until(told, "apps")
        assert list(told) == []


def test_silent_streams_show_that_they_live(hub: Hub, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT", 0.02)
    with client(url) as visitor, visitor.stream("GET", "/_hub/events") as answer:
        assert any(line == ": still here" for line in answer.iter_lines())


def test_no_more_than_so_many_listen(hub: Hub, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "LISTENERS", 1)
    with client(url) as visitor, listening(visitor) as told:
        until(told, "apps")
        assert httpx.get(f"{url}/_hub/events").status_code == 503


def test_strangers_leave_places_for_others(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "LISTENERS", 4)
    with ExitStack() as stack:
        strangers = [stack.enter_context(listening(stack.enter_context(client(url)))) for _ in range(2)]
        for told in strangers:
            until(told, "apps")
        assert httpx.get(f"{url}/_hub/events").status_code == 503
        until(stack.enter_context(listening(stack.enter_context(client(url, "ann:finance")))), "apps")


def test_strangers_take_no_place_where_nothing_is_told(tmp_path: Path) -> None:
    hub = hub_at(tmp_path, ByCookie())
    hub.mount(page, "/sales", access=["finance"])
    with serving(hub) as url, httpx.Client(base_url=url) as stranger, client(url, "ann") as ann, listening(ann):
        assert stranger.get("/_hub/events").status_code == 401


def test_who_reads_slowly_is_told_the_newest_state_once() -> None:
    async def scenario() -> set[str]:
        listener = watch.Listener(Visitor(), None)
        for _ in range(10_000):
            listener.mark("sales")
            listener.mark("news")
        return await listener.changes(1.0)

    assert asyncio.run(scenario()) == {"sales", "news"}
