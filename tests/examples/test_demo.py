"""examples/demo: every page, by mouse and by keyboard, wide and narrow."""

from __future__ import annotations

from typing import Any

from dash.testing.browser import Browser
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support import expected_conditions as expected

from .running import Open, until

PAGES = {
    "/": ("Overview · Flash demo", "The world is living longer", 1),
    "/world": ("World · Flash demo", "Health and wealth", 1),
    "/country/KOR": ("Korea, Rep. · Flash demo", "Korea, Rep.", 3),
    "/stocks": ("Stocks · Flash demo", "Six companies, two years", 2),
    "/waiting": ("Waiting · Flash demo", "Nothing waits in line", 3),
    "/nowhere": ("Not found · Flash demo", "There is no such page", 0),
}
DRAWN = """
const graphs = [...document.querySelectorAll("main .dash-graph")];
return graphs.every((graph) => graph.querySelector(".main-svg")) ? graphs.length : -1
"""
FITS = "return document.documentElement.scrollWidth <= document.documentElement.clientWidth"
BARS = """
const {base, x} = document.querySelector(arguments[0] + " .js-plotly-plot").data[0];
return {base: [...base], x: [...x]}
"""
# How often the clock moves while the callback that waits longest has not answered.
COUNT_TICKS = """
window.ticks = 0;
const [clock, result] = ["#waiting-clock", "#line-result"].map((id) => document.querySelector(id));
new MutationObserver(() => { if (!result.textContent) window.ticks++; })
    .observe(clock, {childList: true, characterData: true, subtree: true});
"""
TRACES = "return (document.querySelector(arguments[0] + ' .js-plotly-plot')?.data || []).map((trace) => trace.name)"


def test_every_page_is_drawn_wide_and_narrow(open_example: Open, browser: Browser) -> None:
    address = open_example("demo")
    for path, (title, heading, graphs) in PAGES.items():
        browser.driver.get(address + path)
        browser.wait_for_text_to_equal("h1", heading)
        until(browser, expected.title_is(title))
        for width in (1280, 390):
            resize(browser, width)
            until(browser, lambda driver, graphs=graphs: driver.execute_script(DRAWN) == graphs)
            until(browser, lambda driver: driver.execute_script(FITS))


def test_the_menu_works_by_keyboard_and_marks_the_open_page(open_example: Open, browser: Browser) -> None:
    open_example("demo")
    browser.wait_for_text_to_equal("[aria-current=page]", "Overview")
    press(browser, Keys.TAB)
    assert focused(browser).text == "Skip to the content"
    # The brand and the first page of the menu come before the second.
    press(browser, Keys.TAB, Keys.TAB, Keys.TAB)
    assert focused(browser).text == "World"
    press(browser, Keys.ENTER)
    browser.wait_for_text_to_equal("h1", "Health and wealth")
    browser.wait_for_text_to_equal("[aria-current=page]", "World")


def test_the_world_follows_its_controls(open_example: Open, browser: Browser) -> None:
    open_example("demo", "/world")
    browser.wait_for_contains_text("#world-chosen", "Korea, Rep., 2007")
    until(browser, lambda driver: len(traces(driver, "#world-bubbles")) == 5)
    browser.find_elements("#world-continents input")[0].click()
    until(browser, lambda driver: traces(driver, "#world-bubbles") == ["Americas", "Asia", "Europe", "Oceania"])

    browser.find_element("#world-play").click()
    browser.wait_for_contains_text("#world-chosen", "Korea, Rep., 1952")
    browser.wait_for_contains_text("#world-chosen", "Korea, Rep., 1957")
    browser.wait_for_text_to_equal("#world-play", "Pause")

    browser.find_element("#world-chosen a").click()
    browser.wait_for_text_to_equal("h1", "Korea, Rep.")


def test_stocks_are_compared(open_example: Open, browser: Browser) -> None:
    open_example("demo", "/stocks")
    browser.wait_for_contains_text("#stocks-tiles", "Netflix")
    for box in browser.find_elements("#stocks-companies input")[2:]:
        box.click()
    until(browser, lambda driver: traces(driver, "#stocks-lines") == ["AAPL", "AMZN"])
    assert "Netflix" not in browser.find_element("#stocks-tiles").text


def test_what_waits_at_once_overlaps(open_example: Open, browser: Browser) -> None:
    open_example("demo", "/waiting")
    browser.wait_for_contains_text("#waiting-clock", ":")
    for name, at_once in (("line", False), ("gather", True), ("threads", True)):
        browser.find_element(f"#{name}-start").click()
        browser.wait_for_contains_text(f"#{name}-result", "s for 2.4 s of waiting")
        until(browser, lambda driver, name=name: any(bars(driver, name)["x"]))
        drawn = bars(browser.driver, name)
        ends = [start + length for start, length in zip(drawn["base"], drawn["x"], strict=True)]
        assert (max(drawn["base"]) < min(ends)) is at_once, (name, drawn)


def test_a_waiting_callback_does_not_stop_the_clock(open_example: Open, browser: Browser) -> None:
    open_example("demo", "/waiting")
    browser.wait_for_contains_text("#waiting-clock", ":")
    browser.driver.execute_script(COUNT_TICKS)
    browser.find_element("#line-start").click()
    browser.wait_for_contains_text("#line-result", "s for 2.4 s of waiting")
    assert browser.driver.execute_script("return window.ticks") > 0


def resize(browser: Browser, width: int) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def press(browser: Browser, *keys: str) -> None:
    for key in keys:
        focused(browser).send_keys(key)


def focused(browser: Browser) -> Any:
    return browser.driver.switch_to.active_element


def bars(driver: Any, name: str) -> dict[str, list[float]]:
    drawn: dict[str, list[float]] = driver.execute_script(BARS, f"#{name}-figure")
    return drawn


def traces(driver: Any, graph: str) -> list[str]:
    names: list[str] = driver.execute_script(TRACES, graph)
    return names
