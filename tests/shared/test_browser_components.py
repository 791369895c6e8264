"""A component of each kind, shared by the windows of a real browser: none sends back what the server has set in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ..live.conftest import wait_until
from .conftest import Open, Start
from .windows import Window

pytestmark = pytest.mark.usefixtures("browser")

APP = Path(__file__).with_name("components_app.py")

PUSHED: dict[str, dict[str, Any]] = {
    "slider": {"value": 7},
    "range": {"value": [2, 9]},
    "text": {"value": "pushed"},
    "number": {"value": 2.5},
    "area": {"value": "two\nlines"},
    "dropdown": {"value": "three"},
    "several": {"value": ["three", "one"]},
    "checklist": {"value": ["two"]},
    "radio": {"value": "two"},
    "date": {"date": "2026-02-28"},
    "tabs": {"value": "two"},
    "store": {"data": {"a": [None, 0.1], "b": "x"}},
    "graph": {"figure": {"data": [{"y": [3, 1, 2]}], "layout": {"title": {"text": "pushed"}}}},
    "button": {"n_clicks": 5},
}


def shown(window: Window, name: str) -> list[Any]:
    """The values of a component's shared properties, as the function has seen them last; empty before its first run."""
    values: list[Any] = json.loads(window.text(f"{name}-output") or "[]")
    return values


def comes_to(window: Window, name: str, *values: Any) -> None:
    """Wait until a window shows these values of a component, or for more properties these as the first of them."""
    wait_until(lambda: shown(window, name)[: len(values)] == list(values), lambda: f"{name} is {shown(window, name)}")


def is_ready(window: Window) -> None:
    """Wait until a window is connected and shows what the first runs have returned."""
    window.is_connected()
    for name in PUSHED:
        wait_until(lambda name=name: shown(window, name), lambda name=name: name)


def test_what_is_pushed_is_shown_in_all_tabs_and_no_component_sends_it_back(
    start_app: Start, open_window: Open
) -> None:
    server = start_app(APP)
    a, b = open_window(server.address), open_window(server.address)
    for window in (a, b):
        is_ready(window)
        assert window.asked() == []
    ran = server.do("len(runs)")
    server.do(f"app.push_mods({PUSHED!r})")
    for window in (a, b):
        for name, props in PUSHED.items():
            comes_to(window, name, *props.values())
    # A change of theirs after that has come, so nothing is on its way.
    a.type("area", "!")
    b.shows("area-output", json.dumps(["two\nlines!"]))
    assert a.asked() == ["live"] and b.asked() == []
    assert server.do("len(runs)") == ran + len(PUSHED) + 1


def test_what_one_changes_by_hand_is_shown_to_the_other_who_sends_nothing(start_app: Start, open_window: Open) -> None:
    server = start_app(APP)
    a, b = open_window(server.address), open_window(server.address)
    for window in (a, b):
        is_ready(window)
    a.drag("slider", 3, 6)
    a.drag("fine", 0.5, 0.7)
    for name in ("radio", "checklist"):
        a.page.driver.find_element("css selector", f"#{name} input[value=three]").click()
    a.page.driver.find_elements("css selector", "#tabs .tab")[2].click()
    for _ in range(3):
        a.click("button")
    a.type("number", "5")
    for window in (a, b):
        comes_to(window, "slider", 6, 6)
        comes_to(window, "fine", 0.7)
        comes_to(window, "radio", "three")
        comes_to(window, "checklist", ["three"])
        comes_to(window, "tabs", "three")
        comes_to(window, "button", 3)
        comes_to(window, "number", 15)
    b.points("slider", 6)
    assert b.asked() == []

    # Both count, also when neither has seen the other's click.
    a.click("button")
    b.click("button")
    wait_until(lambda: [args[0] for _, args, _ in server.do("runs")][-2:] in ([4, 4], [4, 5]))
    comes_to(a, "button", *shown(b, "button"))
