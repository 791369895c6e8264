"""Shared callbacks in the windows of a real browser: the scenarios of dash_devices' example1 and example1a."""

from __future__ import annotations

import re

import pytest
from selenium.webdriver.common.keys import Keys

from ..live.conftest import LiveServer, Page, wait_until
from .conftest import Open, Start
from .windows import Window, ran, show

pytestmark = pytest.mark.usefixtures("browser")

SLIDER = "shared-slider-output.children"
TEXT = "shared-input-output.children"


def two(server: LiveServer, open_window: Open) -> tuple[Window, Window]:
    """Two windows that are connected and show the regular callbacks' first answers."""
    a, b = open_window(server.address), open_window(server.address)
    for window in (a, b):
        window.shows("regular-slider-output", "5")
        window.is_connected()
    return a, b


def test_shared_callbacks_run_once_at_first_and_regular_ones_in_each_tab(start_app: Start, open_window: Open) -> None:
    server = start_app("example1")
    windows = two(server, open_window)
    show(windows, 5, "")
    assert sorted(name for name, *_ in server.do("runs")) == [
        "regular_input",
        "regular_input",
        "regular_slider",
        "regular_slider",
        "shared_input",
        "shared_slider",
    ]
    for window in windows:
        assert window.asked(SLIDER) == window.asked(TEXT) == []


def test_a_drag_is_seen_in_the_other_tab_while_it_lasts_and_nothing_is_sent_back(
    start_app: Start, open_window: Open
) -> None:
    server = start_app("example1")
    a, b = two(server, open_window)
    a.press("shared-slider")
    for value in (6, 7, 8):
        a.move("shared-slider", value)
        for window in (a, b):
            window.points("shared-slider", value)
            window.shows("shared-slider-output", str(value))
    a.release()
    show((a, b), 8, "")
    assert ran(server, "shared_slider") == [5, 6, 7, 8]
    assert a.asked(SLIDER) == ["live"] * 3
    assert b.asked(SLIDER) == []
    assert b.watched("shown")["shared-slider"] == [5, 6, 7, 8]

    # Back to where it was, by the other: that is no echo.
    b.drag("shared-slider", 7)
    show((a, b), 7, "")
    a.step("shared-slider")
    show((a, b), 8, "")
    assert ran(server, "shared_slider") == [5, 6, 7, 8, 7, 8]


def test_what_is_typed_is_seen_letter_by_letter_and_never_changed_under_the_hands(
    start_app: Start, open_window: Open
) -> None:
    server = start_app("example1")
    a, b = two(server, open_window)
    for text in ("a", "ab", "abc"):
        a.type("shared-input", text[-1])
        show((a, b), 5, text)
    a.run("window.values = []; document.getElementById('shared-input').oninput = e => values.push(e.target.value)")
    a.keys("defghijkl", Keys.ARROW_LEFT, Keys.ARROW_LEFT, "-")
    show((a, b), 5, "abcdefghij-kl")
    assert a.run("return document.getElementById('shared-input').selectionStart") == len("abcdefghij-")
    assert a.run("return values") == [*("abc" + "defghijkl"[:n] for n in range(1, 10)), "abcdefghij-kl"]
    assert b.asked(TEXT) == []
    assert ran(server, "shared_input")[-1] == "abcdefghij-kl"


def test_the_caret_stays_while_another_tab_changes_the_same_field(start_app: Start, open_window: Open) -> None:
    server = start_app("example1")
    a, b = two(server, open_window)
    a.type("shared-input", "one two")
    show((a, b), 5, "one two")
    a.keys(Keys.HOME)
    b.type("shared-input", "!")
    show((a, b), 5, "one two!")
    a.keys("zero ")
    show((a, b), 5, "zero one two!")
    assert ran(server, "shared_input")[-1] == "zero one two!"


def test_two_who_type_into_one_field_at_once_come_to_the_same(start_app: Start, open_window: Open) -> None:
    server = start_app("example1")
    a, b = two(server, open_window)
    for window in (a, b):
        window.click("shared-input")
    for letter in range(8):
        a.keys("abcdefgh"[letter])
        b.keys("12345678"[letter])
    # The first run is the server's own; after that there is one for each request.
    wait_until(lambda: len(ran(server, "shared_input")) == 1 + len(a.asked(TEXT)) + len(b.asked(TEXT)))
    wait_until(lambda: a.field("shared-input") == b.field("shared-input") == ran(server, "shared_input")[-1])
    show((a, b), 5, ran(server, "shared_input")[-1])


def test_regular_callbacks_change_only_their_own_tab(start_app: Start, open_window: Open) -> None:
    server = start_app("example1")
    a, b = two(server, open_window)
    a.drag("regular-slider", 6, 9)
    a.type("regular-input", "mine")
    a.shows("regular-slider-output", "9")
    a.shows("regular-input-output", "mine")
    # What is sent after that has come, so nothing is on its way.
    a.type("shared-input", "ours")
    show((a, b), 5, "ours")
    assert (b.thumb("regular-slider"), b.text("regular-slider-output")) == (5, "5")
    assert (b.field("regular-input"), b.text("regular-input-output")) == ("", "")


def test_a_tab_that_opens_later_shows_the_state_from_its_first_paint_on(start_app: Start, open_window: Open) -> None:
    server = start_app("example1")
    a, b = two(server, open_window)
    a.drag("shared-slider", 8)
    b.type("shared-input", "abc")
    b.drag("regular-slider", 2)
    show((a, b), 8, "abc")
    before = [run for run in server.do("runs") if run[0].startswith("shared")]

    c = open_window(server.address)
    c.shows("regular-slider-output", "5")
    c.is_connected()
    show((c,), 8, "abc")
    shown = c.watched("shown")
    assert shown["shared-slider"] == [8] and shown["shared-slider-output"] == ["8"]
    assert shown["shared-input-output"] == ["abc"]
    assert shown["regular-slider"] == [5]
    layout = c.watched("layout")
    assert re.search(r'"id":"shared-slider"[^}]*"value":8|"value":8[^}]*"id":"shared-slider"', layout), layout
    assert c.field("regular-input") == ""

    # What it does next is a change like any other, and no shared callback has run for it so far.
    assert c.asked(SLIDER) == c.asked(TEXT) == []
    assert [run for run in server.do("runs") if run[0].startswith("shared")] == before
    c.type("shared-input", "d")
    show((a, b, c), 8, "abcd")


def test_two_who_drag_at_once_come_to_the_last_value_that_the_function_saw(start_app: Start, open_window: Open) -> None:
    server = start_app("example1")
    a, b = two(server, open_window)
    c = open_window(server.address)
    a.press("shared-slider")
    b.press("shared-slider")
    for up, down in zip((6, 7, 8, 9, 10), (4, 3, 2, 1, 0), strict=True):
        a.move("shared-slider", up)
        b.move("shared-slider", down)
    wait_until(lambda: {0, 10} <= set(ran(server, "shared_slider")))
    last = ran(server, "shared_slider")[-1]
    c.points("shared-slider", last)
    for window in (a, b, c):
        window.shows("shared-slider-output", str(last))
    # While a hand holds the thumb, it stays where the hand has it.
    assert (a.thumb("shared-slider"), b.thumb("shared-slider")) == (10, 0)
    b.release()
    a.release()
    show((a, b, c), last, "")
    assert ran(server, "shared_slider")[-1] == last
    assert c.asked(SLIDER) == []


def test_two_people_with_browsers_of_their_own_share_the_same(
    start_app: Start, another_browser: Page, open_window: Open
) -> None:
    server = start_app("example1")
    a, b = open_window(server.address), open_window(server.address, another_browser)
    for window in (a, b):
        window.is_connected()
    a.drag("shared-slider", 6, 7)
    b.type("shared-input", "hello")
    show((a, b), 7, "hello")
    assert (a.asked(TEXT), b.asked(SLIDER)) == ([], [])
    assert another_browser.errors() == []


def test_callbacks_without_output_run_once_for_a_change_and_never_at_first(start_app: Start, open_window: Open) -> None:
    server = start_app("example1a")
    a, b = two(server, open_window)
    show((a, b), 5, "")
    assert "Slider:" not in server.log and "Text:" not in server.log

    a.drag("silent-slider", 6, 7)
    a.type("silent-input", "hi")
    b.points("silent-slider", 7)
    b.reads("silent-input", "hi")
    c = open_window(server.address)
    c.points("silent-slider", 7)
    c.reads("silent-input", "hi")
    assert c.watched("shown")["silent-slider"] == [7]
    wait_until(lambda: "Text: hi" in server.log)
    # What follows faster than the page can ask for it counts as one change.
    printed = re.findall(r"(?:Slider|Text): .*", server.log)
    assert printed == [each for each in ("Slider: 6", "Slider: 7", "Text: h", "Text: hi") if each in printed]
    assert {"Slider: 7", "Text: hi"} <= set(printed)
    assert b.asked() == ["http", "http"], "The regular callbacks at load, and nothing since."

    # The others work beside them.
    b.drag("shared-slider", 9)
    show((a, b, c), 9, "")
    assert (a.thumb("regular-slider"), a.thumb("silent-slider")) == (5, 7)
