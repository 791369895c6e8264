"""Callbacks with services, and a field that sends what is typed at its end, in the windows of a real browser."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from ..live.conftest import LiveServer, wait_until
from .conftest import Open, Start
from .windows import Window, ran

pytestmark = pytest.mark.usefixtures("browser")

APP = Path(__file__).with_name("services_app.py")


def two(server: LiveServer, open_window: Open) -> tuple[Window, Window]:
    """Two windows that are connected and show the first answers."""
    a, b = open_window(server.address), open_window(server.address)
    for window in (a, b):
        window.shows("chosen", "left")
        window.is_connected()
    return a, b


def overlap(server: LiveServer, name: str) -> bool:
    """Whether a device was ever busy with two things at once."""
    spans = sorted((began, ended) for what, began, ended in server.do("spans") if what == name)
    assert len(spans) > 1
    return any(ended > next_began for (_, ended), (next_began, _) in pairwise(spans))


def test_s2_gives_each_tab_its_own_device_and_never_does_two_things_at_once(
    start_app: Start, open_window: Open
) -> None:
    server = start_app(APP)
    a, b = two(server, open_window)
    b.page.driver.find_element("css selector", "#device input[value=right]").click()
    b.shows("chosen", "right")
    for window in (a, b) * 4:
        window.click("measure")
    a.shows("measured", "left 4")
    b.shows("measured", "right 4")
    assert a.text("chosen") == "left"
    for window, device in ((a, "left"), (b, "right")):
        assert all(text.startswith(device) for text in window.watched("shown")["measured"] if text)
        assert set(window.asked("measured.children")) == {"live"}
    assert not overlap(server, "measure") and not overlap(server, "choose")


def test_shared_callbacks_of_one_resource_take_turns(start_app: Start, open_window: Open) -> None:
    server = start_app(APP)
    a, b = two(server, open_window)
    a.press("zoom")
    b.press("focus")
    for value in range(1, 6):
        a.move("zoom", value)
        b.move("focus", value)
    a.release()
    b.release()
    for window in (a, b):
        for name in ("zoom", "focus"):
            window.points(name, 5)
            window.shows(f"{name}-output", "5")
    assert not overlap(server, "camera")
    for name in ("zoom", "focus"):
        seen = ran(server, name)
        assert seen[0] == 0 and seen == sorted(set(seen)) and seen[-1] == 5


def test_the_most_recent_change_replaces_the_one_that_waits(start_app: Start, open_window: Open) -> None:
    server = start_app(APP)
    a, b = two(server, open_window)
    a.press("slow")
    a.move("slow", 1)
    wait_until(lambda: ran(server, "slow") == [1])
    for value in range(2, 11):
        a.move("slow", value)
    a.release()
    # The others see it move while the first call still runs.
    b.points("slow", 10)
    assert a.text("slow-output") == ""
    server.do("done.set()")
    for window in (a, b):
        window.points("slow", 10)
        window.shows("slow-output", "10")
    assert ran(server, "slow") == [1, 10]
    assert len(a.asked("slow-output.children")) > 2


@pytest.mark.parametrize("service", ["http", "live"])
def test_shared_callbacks_are_live_whatever_regular_ones_are(start_app: Start, open_window: Open, service: str) -> None:
    server = start_app(APP, SERVICE=service)
    a, b = two(server, open_window)
    a.type("own", "x")
    a.shows("own-output", "x")
    assert set(a.asked("own-output.children")) == {service}
    a.drag("zoom", 7)
    for window in (a, b):
        window.points("zoom", 7)
        window.shows("zoom-output", "7")
    assert set(a.asked("zoom-output.children")) == {"live"} and b.asked("zoom-output.children") == []
    assert b.text("own-output") == ""


def test_a_half_typed_word_is_safe_until_it_is_sent(start_app: Start, open_window: Open) -> None:
    server = start_app(APP)
    a, b = two(server, open_window)
    a.type("note", "half a wo")
    b.type("note", "theirs" + Keys.ENTER)
    for window in (a, b):
        window.shows("note-output", "theirs")
    assert a.field("note") == "half a wo"
    a.keys("rd", Keys.ENTER)
    for window in (a, b):
        window.shows("note-output", "half a word")
        window.reads("note", "half a word")
    assert ran(server, "note") == ["", "theirs", "half a word"]


def test_who_gives_up_what_was_half_typed_sees_what_the_others_have(start_app: Start, open_window: Open) -> None:
    server = start_app(APP)
    a, b = two(server, open_window)
    a.type("note", "ha")
    b.type("note", "theirs" + Keys.ENTER)
    a.shows("note-output", "theirs")
    assert a.field("note") == "ha"
    a.keys(Keys.BACK_SPACE, Keys.BACK_SPACE)
    a.reads("note", "theirs")
    a.click("own")
    a.type("own", "x")
    a.shows("own-output", "x")
    wait_until(lambda: (a.field("note"), b.field("note")) == ("theirs", "theirs"))
    assert a.asked("note-output.children") == []
