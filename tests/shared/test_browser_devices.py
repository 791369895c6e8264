"""The scenarios of dash_devices' example2, example2a, example3, example3a and timer, in windows of a real browser."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from ..live.conftest import LiveServer, wait_until
from .conftest import Open, Start
from .windows import Window

pytestmark = pytest.mark.usefixtures("browser")

LINE = "return (document.querySelector('#graph .js-plotly-plot')?.data || []).flatMap(trace => [...trace.y])"
ROWS = "return [...document.querySelectorAll('#users tbody tr')].map(row => [...row.cells].map(c => c.textContent))"
CHANGES = (
    "window.changes = 0; new MutationObserver(() => window.changes++)"
    ".observe(document.querySelector('main'), {childList: true, subtree: true, characterData: true})"
)
INSIDE = "You've successfully logged in!"
FORM = "Please sign in"


def line(window: Window) -> list[float]:
    """The temperatures that a window's graph shows."""
    found: list[float] = window.run(LINE)
    return found


def is_warm(window: Window, degrees: int) -> None:
    """Wait until a graph has come to a temperature."""
    wait_until(lambda: abs((line(window) or [0])[-1] - degrees) < 1, lambda: str(line(window)))


def props_in(layout: str, component_id: str) -> dict[str, Any]:
    """The properties of a component in a layout as it was served."""
    found = [node for node in _components(json.loads(layout)) if node["props"].get("id") == component_id]
    assert len(found) == 1
    props: dict[str, Any] = found[0]["props"]
    return props


def _components(node: Any) -> list[dict[str, Any]]:
    if isinstance(node, list):
        return [component for each in node for component in _components(each)]
    if not isinstance(node, dict) or "props" not in node:
        return []
    return [node, *_components(node["props"].get("children"))]


@pytest.mark.parametrize("example", ["example2", "example2a"])
def test_all_tabs_advance_together_without_a_hand(start_app: Start, open_window: Open, example: str) -> None:
    server = start_app(example)
    a, b = open_window(server.address), open_window(server.address)
    wait_until(lambda: len(b.watched("shown").get("progress", [])) > 4)
    # Each shows the same steps; what one has shown last may be on its way to the other.
    steps = b.watched("shown")["progress"][1:-1]
    wait_until(lambda: str(steps)[1:-1] in str(a.watched("shown")["progress"]))
    for window in (a, b):
        assert len(line(window)) == 20
        assert window.asked() == []


@pytest.mark.parametrize("example", ["example2", "example2a"])
def test_turning_the_thermostat_turns_it_for_all_and_bends_the_line(
    start_app: Start, open_window: Open, example: str
) -> None:
    server = start_app(example)
    a, b = open_window(server.address), open_window(server.address)
    for window in (a, b):
        window.points("slider", 70)
        window.shows("target", "70 °F")
        window.is_connected()
    a.press("slider")
    for value in (75, 80, 85):
        a.move("slider", value)
        for window in (a, b):
            window.points("slider", value)
            window.shows("target", f"{value} °F")
    a.release()
    for window in (a, b):
        is_warm(window, 85)
    assert server.do("thermostat.target") == 85
    assert a.asked() == ["live"] * 3
    # In example2a the text is made in each browser; neither asks the server for what the other has done.
    assert b.asked() == []

    c = open_window(server.address)
    c.is_connected()
    is_warm(c, 85)
    assert c.watched("shown")["slider"] == [85]
    assert [text for text in c.watched("shown")["target"] if text] == ["85 °F"]
    layout = c.watched("layout")
    assert props_in(layout, "slider")["value"] == 85
    temperatures = props_in(layout, "graph")["figure"]["data"][0]["y"]
    progress = int(props_in(layout, "progress")["value"])
    assert c.watched("shown")["progress"][0] == progress and progress in a.watched("shown")["progress"]
    assert len(temperatures) == 20 and temperatures[-1] > 84 and temperatures[0] < temperatures[-1]
    assert c.asked() == []


def test_the_thermostat_is_on_while_somebody_looks(start_app: Start, open_window: Open) -> None:
    server = start_app("example2")
    assert server.do("thermostat.count") == 0
    a, b = open_window(server.address), open_window(server.address)
    for window in (a, b):
        window.is_connected()
    a.drag("slider", 60)
    is_warm(b, 60)
    a.page.driver.refresh()
    a.is_connected()
    a.close()
    b.close()
    wait_until(lambda: server.do("len(app.clients)") == 0)
    # The reading that was being made.
    wait_until(lambda: not _grows(server, 0.6))
    assert not _grows(server, 1.2)

    ended, began = server.do("thermostat.count"), time.monotonic()
    c = open_window(server.address)
    is_warm(c, 60)
    assert c.watched("shown")["slider"] == [60]
    wait_until(lambda: server.do("thermostat.count") > ended + 4)
    # Twice as many with two threads.
    assert server.do("thermostat.count") - ended <= (time.monotonic() - began) / 0.5 + 1


def _grows(server: LiveServer, seconds: float) -> bool:
    before = server.do("thermostat.count")
    time.sleep(seconds)
    grown: bool = server.do("thermostat.count") > before
    return grown


def sign_in(window: Window, name: str, password: str = "") -> None:
    """Fill the form in and send it."""
    wait_until(lambda: window.page.driver.find_elements("id", "submit"))
    window.type("username", name)
    window.type("password", password or name)
    window.click("submit")


def heading(window: Window) -> str:
    """The heading of the page."""
    text: str = window.run("return document.querySelector('h1')?.textContent ?? ''")
    return text


def users(window: Window) -> list[str]:
    """Who is in the list, first to last; empty when there is no list."""
    return [row[0] for row in window.run(ROWS)]


def test_a_visitor_signs_in_and_out_and_nobody_else_notices(start_app: Start, open_window: Open) -> None:
    server = start_app("example3")
    a, b = open_window(server.address), open_window(server.address)
    wait_until(lambda: heading(b) == FORM)
    b.type("username", "half a na")
    b.run(CHANGES)

    sign_in(a, "username", "wrong")
    wait_until(lambda: a.text("message").startswith("Wrong name or password."))
    for field in ("username", "password"):
        a.reads(field, "")
    assert heading(a) == FORM

    for _ in range(2):
        sign_in(a, "username", "password")
        wait_until(lambda: heading(a) == INSIDE)
        assert a.page.driver.find_elements("id", "username") == []
        a.click("logout")
        wait_until(lambda: heading(a) == FORM)
        assert a.text("message") == ""

    # One call for each click: what is inserted calls nothing that has None as its output.
    assert [name for name, *_ in server.do("runs")] == ["sign_in"] + ["sign_in", "sign_out"] * 2
    assert b.run("return window.changes") == 0
    assert b.field("username") == "half a na"


def test_administrators_see_who_is_signed_in_as_they_come_and_go(start_app: Start, open_window: Open) -> None:
    server = start_app("example3a")
    a, b = open_window(server.address), open_window(server.address)
    sign_in(a, "admin")
    wait_until(lambda: users(a) == ["admin"])
    ((_, where, since),) = a.run(ROWS)
    assert where == "127.0.0.1" and time.strptime(since, "%H:%M:%S")

    sign_in(b, "username")
    wait_until(lambda: users(a) == ["admin", "username"])
    wait_until(lambda: heading(b) == INSIDE)
    assert b.text("users") == ""
    b.click("logout")
    wait_until(lambda: users(a) == ["admin"])

    sign_in(b, "username")
    wait_until(lambda: users(a) == ["admin", "username"])
    b.page.driver.refresh()
    wait_until(lambda: heading(b) == FORM)
    wait_until(lambda: users(a) == ["admin"])

    sign_in(b, "admin")
    for window in (a, b):
        wait_until(lambda window=window: users(window) == ["admin", "admin"])
    b.close()
    wait_until(lambda: users(a) == ["admin"])
    # Each signed in, signed out, and was shown the list: nothing else has run.
    assert sorted({name for name, *_ in server.do("runs")}) == ["sign_in", "sign_out", "users_at_first"]


def test_the_stopwatch_measures_both_ways_of_a_regular_callback(start_app: Start, open_window: Open) -> None:
    server = start_app("timer")
    a, b = open_window(server.address), open_window(server.address)
    for transport in ("http", "live"):
        for window in (a, b):
            window.shows(f"{transport}-echo", "5")
        for value in (6, 7, 8):
            a.step(f"{transport}-slider")
            a.shows(f"{transport}-echo", str(value))
        assert set(a.asked(f"{transport}-answer.data")) == {transport}
        wait_until(lambda transport=transport: a.text(f"{transport}-mean").endswith("on average, 3 times"))
        assert 0 < float(a.text(f"{transport}-time").removesuffix(" ms")) < 10_000
        assert b.text(f"{transport}-echo") == "5" and b.text(f"{transport}-mean") == "Move the slider."
