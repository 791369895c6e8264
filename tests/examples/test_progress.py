"""examples/progress: a job shows how far it is, can be stopped, and ends with its tab."""

from __future__ import annotations

import re
from pathlib import Path

from dash.testing.browser import Browser

from .running import Open, close_tab, open_tab, until

RECORD = """
window.seen = [];
const bar = document.querySelector("#bar");
new MutationObserver(() => window.seen.push(Number(bar.getAttribute("value")))).observe(bar, {attributes: true});
"""


def disabled(browser: Browser, button: str) -> bool:
    return browser.find_element(button).get_attribute("disabled") is not None


def runs(browser: Browser) -> None:
    """Wait until the job has begun, and see that the buttons say so."""
    until(browser, lambda _: float(browser.find_element("#bar").get_attribute("value")) > 0)
    assert disabled(browser, "#start") and not disabled(browser, "#stop")


def test_a_job_reports_how_far_it_is_until_it_is_done(open_example: Open, browser: Browser) -> None:
    open_example("progress")
    browser.wait_for_element("#start")
    browser.driver.execute_script(RECORD)
    browser.find_element("#start").click()
    runs(browser)
    browser.wait_for_text_to_equal("#title", "All books read")
    until(browser, lambda _: not disabled(browser, "#start") and disabled(browser, "#stop"))
    assert len(browser.find_elements("#found li")) == 12

    seen = browser.driver.execute_script("return window.seen")
    assert seen == sorted(seen) and seen[-1] == 100 and len(set(seen)) > 30, seen


def test_a_job_can_be_stopped_and_started_again(open_example: Open, browser: Browser, tmp_path: Path) -> None:
    open_example("progress")
    browser.wait_for_element("#start").click()
    runs(browser)
    browser.find_element("#stop").click()
    until(browser, lambda _: not disabled(browser, "#start") and disabled(browser, "#stop"))
    assert books_read(browser, tmp_path) < 12
    stopped_at = browser.find_element("#bar").get_attribute("value")

    browser.find_element("#start").click()
    until(browser, lambda _: float(browser.find_element("#bar").get_attribute("value")) < float(stopped_at))
    browser.wait_for_text_to_equal("#title", "All books read")


def test_a_job_ends_with_its_tab_and_no_other(open_example: Open, browser: Browser, tmp_path: Path) -> None:
    address = open_example("progress")
    browser.wait_for_element("#start").click()
    runs(browser)
    open_tab(browser, address)
    browser.wait_for_element("#start").click()
    runs(browser)
    close_tab(browser)
    assert books_read(browser, tmp_path) < 12
    browser.wait_for_text_to_equal("#title", "All books read")


def books_read(browser: Browser, tmp_path: Path) -> int:
    """How far the first job to end has come, which its cleanup tells the log."""
    log = tmp_path / "progress-0.txt"
    return int(until(browser, lambda _: re.search(r"Read (\d+) of 12", log.read_text()))[1])
