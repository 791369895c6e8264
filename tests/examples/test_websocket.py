"""examples/websocket: sockets of the app's own, on whatever port it is served, beside the live connection."""

from __future__ import annotations

from dash.testing.browser import Browser
from selenium.webdriver.common.keys import Keys

from .running import Open, close_tab, open_tab, until

HEIGHTS = "return (document.querySelector('#graph .js-plotly-plot')?.data || []).flatMap((trace) => trace.y)"


def test_numbers_are_drawn_as_they_come(open_example: Open, browser: Browser) -> None:
    open_example("websocket")
    first = until(browser, lambda driver: driver.execute_script(HEIGHTS))
    assert len(first) == 6
    assert all(200 <= height <= 1000 for height in first)

    until(browser, lambda driver: driver.execute_script(HEIGHTS) != first)


def test_what_is_said_is_answered(open_example: Open, browser: Browser) -> None:
    open_example("websocket")
    browser.wait_for_element("#text").send_keys("stressed" + Keys.ENTER)
    browser.wait_for_text_to_equal("#answer", "desserts")


def test_the_live_connection_goes_on_beside_them(open_example: Open, browser: Browser) -> None:
    address = open_example("websocket")
    browser.wait_for_text_to_equal("#tabs", "1")
    open_tab(browser, address)
    browser.wait_for_text_to_equal("#tabs", "2")
    close_tab(browser)
    browser.wait_for_text_to_equal("#tabs", "1")
    before = until(browser, lambda driver: driver.execute_script(HEIGHTS))
    until(browser, lambda driver: driver.execute_script(HEIGHTS) != before)
