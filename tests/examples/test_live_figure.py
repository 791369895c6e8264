"""examples/live-figure: a line that grows in all tabs by the same points, as long as somebody looks."""

from __future__ import annotations

import time
from typing import Any

from dash.testing.browser import Browser

from .running import Open, close_tab, open_tab, served_layout, until

LINE = "const [line] = document.querySelector('#figure .js-plotly-plot')?.data || [{}]; return [line.x, line.y]"
FRAMES = """
window.frames = [];
const {get} = Object.getOwnPropertyDescriptor(MessageEvent.prototype, "data");
Object.defineProperty(MessageEvent.prototype, "data", {get() {
    const data = get.call(this);
    if (typeof data === "string" && data.includes('"figure"')) window.frames.push(data.length);
    return data;
}});
"""


def line(driver: Any) -> list[tuple[str, float]]:
    times, speeds = driver.execute_script(LINE)
    return list(zip(times or [], speeds or [], strict=True))


def test_the_line_grows_by_the_same_points_in_all_tabs(open_example: Open, browser: Browser) -> None:
    address = open_example("live-figure")
    first = browser.driver.current_window_handle
    seen = until(browser, lambda driver: len(line(driver)) > 4 and line(driver))
    browser.driver.execute_script(FRAMES)
    until(browser, lambda driver: line(driver)[: len(seen)] == seen and len(line(driver)) > len(seen) + 3)
    sizes = browser.driver.execute_script("return window.frames")
    # A point is sent, and not the line.
    assert sizes and max(sizes) < 600, sizes

    second = open_tab(browser, address)
    late = until(browser, lambda driver: line(driver))
    assert late[: len(seen)] == seen
    browser.wait_for_text_to_equal("#tabs", "2")
    browser.driver.switch_to.window(first)
    until(browser, lambda driver: line(driver)[: len(late)] == late)

    before = max(speed for _, speed in line(browser.driver))
    browser.find_element("#blow").click()
    browser.driver.switch_to.window(second)
    until(browser, lambda driver: max(speed for _, speed in line(driver)) > before + 4)


def test_nothing_is_measured_while_nobody_looks(open_example: Open, browser: Browser) -> None:
    address = open_example("live-figure")
    until(browser, lambda driver: len(line(driver)) > 2)
    open_tab(browser, "about:blank")
    browser.driver.switch_to.window(browser.driver.window_handles[0])
    close_tab(browser)

    # The last point may still be under way when the tab closes.
    until(browser, lambda _: served_layout(address) == _later(address, 0.6))
    points = served_layout(address)
    assert _later(address, 1.5) == points

    browser.driver.get(address)
    until(browser, lambda driver: len(line(driver)) > 2)
    assert served_layout(address) != points


def _later(address: str, seconds: float) -> str:
    """The layout after a time in which several points would be measured."""
    time.sleep(seconds)
    return served_layout(address)
