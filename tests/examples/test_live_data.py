"""examples/live-data: surveys come by themselves and are drawn in all tabs, and the region that is chosen stays."""

from __future__ import annotations

from typing import Any

from dash.testing.browser import Browser

from .running import Open, open_tab, until

#: The name of each line, and how many points it has: the arrays come as bytes, which Plotly has read.
LINES = """
return document.querySelector('#lives .js-plotly-plot')?._fullData?.map(line => [line.name, line.x.length]);
"""
BUBBLES = "return document.querySelector('#wealth .js-plotly-plot')?.data?.[0]?.text?.length"
YEAR = "return document.querySelector('#year strong')?.textContent"
POPULATION = "return document.querySelector('#population strong')?.textContent"
CHOOSE = "dash_clientside.set_props('region', {value: arguments[0]})"
#: Every text that comes over the live connection, from the time that this is run.
FRAMES = """
window.frames = [];
const {get} = Object.getOwnPropertyDescriptor(MessageEvent.prototype, "data");
Object.defineProperty(MessageEvent.prototype, "data", {get() {
    const data = get.call(this);
    if (typeof data === "string") window.frames.push(data);
    return data;
}});
"""

#: Whether a version is among them: one that was told before may be drawn yet.
TOLD = "return window.frames.some(each => each.includes('_flash-source-'))"


def years_drawn(driver: Any) -> int:
    """How many surveys the line of the region in front shows."""
    lines = driver.execute_script(LINES)
    return lines[-1][1] if lines else 0


def front(driver: Any) -> str:
    """The region in front."""
    lines = driver.execute_script(LINES)
    return lines[-1][0] if lines else ""


def test_new_surveys_are_drawn_in_all_tabs(open_example: Open, browser: Browser) -> None:
    address = open_example("live-data")
    first = browser.driver.current_window_handle
    seen = until(browser, years_drawn)
    assert until(browser, lambda driver: driver.execute_script(BUBBLES)) == 142
    assert front(browser.driver) == "World"
    browser.driver.execute_script(FRAMES)
    until(browser, lambda driver: driver.execute_script(TOLD))
    until(browser, lambda driver: years_drawn(driver) > seen or years_drawn(driver) == 1)
    # What is pushed are versions, and not the figures.
    frames = browser.driver.execute_script("return window.frames")
    assert frames and max(map(len, frames)) < 1000, max(frames, key=len)

    open_tab(browser, address)
    until(browser, lambda driver: years_drawn(driver))
    year = until(browser, lambda driver: driver.execute_script(YEAR))
    browser.driver.switch_to.window(first)
    until(browser, lambda driver: driver.execute_script(YEAR) == year)


def test_another_region_is_drawn_and_stays(open_example: Open, browser: Browser) -> None:
    open_example("live-data")
    world = until(browser, lambda driver: driver.execute_script(POPULATION))
    browser.driver.execute_script(CHOOSE, "Asia")
    until(browser, lambda driver: front(driver) == "Asia")
    until(browser, lambda driver: driver.execute_script(POPULATION) != world)
    seen = years_drawn(browser.driver)
    until(browser, lambda driver: years_drawn(driver) not in (seen, 0))
    assert front(browser.driver) == "Asia"


def test_the_button_reads_at_once(open_example: Open, browser: Browser) -> None:
    open_example("live-data")
    until(browser, years_drawn)
    browser.wait_for_contains_text("#freshness", "Updated")
    year = browser.driver.execute_script(YEAR)
    browser.find_element("#freshness button").click()
    # The schedule alone would take up to five seconds.
    until(browser, lambda driver: driver.execute_script(YEAR) != year, seconds=2.5)
