"""examples/thermostat: the scenarios of dash_devices' example2 and example2a: two browsers, and a third tab later."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dash.testing.browser import Browser
from selenium.webdriver import ActionChains
from selenium.webdriver.common.keys import Keys

from .running import Open, close_tab, open_tab, served_layout, until

THUMB = "#slider [role=slider]"
LINE = "return (document.querySelector('#graph .js-plotly-plot')?.data || []).flatMap((trace) => trace.y)"
# The callbacks that the page asks the server for.
RECORD = """
window.asked = 0;
const {fetch} = window;
window.fetch = (url, ...rest) => {
    if (String(url).includes("_dash-update-component")) window.asked++;
    return fetch(url, ...rest);
};
const {send} = WebSocket.prototype;
WebSocket.prototype.send = function (frame) {
    if (String(frame).includes("callback_request")) window.asked++;
    return send.call(this, frame);
};
"""


def turned_to(browser: Browser) -> int:
    return int(browser.wait_for_element(THUMB).get_attribute("aria-valuenow"))


def shows(browser: Browser, degrees: int) -> None:
    """Wait until the slider and both texts show a temperature."""
    until(browser, lambda _: turned_to(browser) == degrees)
    browser.wait_for_text_to_equal("#fahrenheit", f"{degrees} °F")
    browser.wait_for_text_to_equal("#celsius", f"{(degrees - 32) / 1.8:.1f} °C")


def readings(browser: Browser) -> int:
    return int(browser.wait_for_element("#readings").text.split()[0])


def line(driver: Any) -> list[float]:
    found: list[float] = driver.execute_script(LINE)
    return found


def test_turning_it_turns_it_for_all_while_it_is_dragged(
    open_example: Open, browser: Browser, another_browser: Callable[[str], Browser]
) -> None:
    address = open_example("thermostat")
    other = another_browser(address)
    for each in (browser, other):
        shows(each, 70)
        each.driver.execute_script(RECORD)

    hand = ActionChains(browser.driver).click_and_hold(browser.find_element(THUMB))
    for _ in range(8):
        hand = hand.move_by_offset(12, 0).pause(0.05)
    hand.perform()
    # The button of the mouse is still down.
    held = turned_to(browser)
    assert held > 73
    shows(other, held)
    shows(browser, held)
    ActionChains(browser.driver).release().perform()
    for each in (browser, other):
        until(each, lambda driver: line(driver)[-1:] == [held])

    # The text in Fahrenheit is made in each browser, and the other one has asked the server for nothing.
    assert browser.driver.execute_script("return window.asked") > 2
    assert other.driver.execute_script("return window.asked") == 0

    # Back to where it was, by the other: neither takes that for an echo.
    other.find_element(THUMB).send_keys(Keys.ARROW_LEFT)
    shows(browser, held - 1)
    browser.find_element(THUMB).send_keys(Keys.ARROW_RIGHT)
    shows(other, held)


def test_two_who_turn_it_at_once_see_the_same_afterwards(
    open_example: Open, browser: Browser, another_browser: Callable[[str], Browser]
) -> None:
    address = open_example("thermostat")
    other = another_browser(address)
    for each in (browser, other):
        shows(each, 70)
    for _ in range(15):
        browser.find_element(THUMB).send_keys(Keys.ARROW_RIGHT)
        other.find_element(THUMB).send_keys(Keys.ARROW_LEFT)
    # What it is set to, once it is set no more: the last of its line.
    until(browser, lambda driver: len(set(line(driver)[-4:])) == 1 and line(driver)[-1] == turned_to(browser))
    target = turned_to(browser)
    for each in (browser, other):
        shows(each, target)


def test_all_advance_together_and_who_comes_late_sees_the_state(
    open_example: Open, browser: Browser, another_browser: Callable[[str], Browser]
) -> None:
    address = open_example("thermostat")
    other = another_browser(address)
    shows(browser, 70)
    browser.find_element(THUMB).send_keys(Keys.END)
    shows(other, 90)
    before = readings(other)
    for each in (browser, other):
        until(each, lambda _, each=each: readings(each) > before + 3)
        until(each, lambda driver: line(driver)[-3:] == [90, 90, 90])
        until(each, lambda _, each=each: each.find_element("#progress").get_attribute("value") != "0")

    open_tab(browser, address)
    shows(browser, 90)
    late = until(browser, lambda driver: line(driver))
    assert len(late) == 20 and late[-3:] == [90, 90, 90]
    assert readings(browser) > before


def test_the_timer_ends_with_the_last_tab_and_begins_with_the_first(
    open_example: Open, browser: Browser, tmp_path: Path
) -> None:
    address = open_example("thermostat")
    shows(browser, 70)
    browser.find_element(THUMB).send_keys(Keys.HOME)
    shows(browser, 50)
    until(browser, lambda driver: line(driver)[-2:] == [50, 50])

    for _ in range(3):
        browser.driver.refresh()
        shows(browser, 50)
    open_tab(browser, "about:blank")
    browser.driver.switch_to.window(browser.driver.window_handles[0])
    close_tab(browser)
    log = tmp_path / "thermostat-0.txt"
    said = until(browser, lambda _: re.findall(r"Nobody looks: (\d+) readings", log.read_text()))
    # A time in which three more would come.
    until(browser, lambda _: served(address) == _later(address, 0.6))
    ended = served(address)
    assert ended >= int(said[-1])
    assert _later(address, 1.6) == ended

    browser.driver.get(address)
    shows(browser, 50)
    assert until(browser, lambda driver: line(driver))[-3:-1] == [50, 50]
    began = time.monotonic()
    first = readings(browser)
    until(browser, lambda _: readings(browser) > first + 5)
    # Twice as many with two timers.
    assert readings(browser) - first <= (time.monotonic() - began) / 0.5 + 2


def served(address: str) -> int:
    """How many readings a page that is opened now begins with."""
    return int(re.findall(r"(\d+) readings", served_layout(address))[0])


def _later(address: str, seconds: float) -> int:
    time.sleep(seconds)
    return served(address)
