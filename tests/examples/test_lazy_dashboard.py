"""examples/lazy-dashboard: charts load when they are seen, the clock ticks, the badge says that the page is live."""

from __future__ import annotations

from dash.testing.browser import Browser

from .running import Open, until

DRAWN = "return document.querySelectorAll('.js-plotly-plot').length"
VALUES = "return [...document.querySelectorAll('.js-plotly-plot')].map(plot => plot.data[0].y[0])"


def test_charts_load_when_they_are_seen(open_example: Open, browser: Browser) -> None:
    open_example("lazy-dashboard")
    browser.wait_for_text_to_equal("#status", "Live")
    browser.wait_for_contains_text("#time", "UTC")
    first = browser.find_element("#time").text
    seen = until(browser, lambda driver: driver.execute_script(DRAWN))
    assert seen < 6
    browser.driver.execute_script("scrollTo(0, document.body.scrollHeight)")
    until(browser, lambda driver: driver.execute_script(DRAWN) > seen)
    until(browser, lambda driver: driver.find_element("id", "time").text != first)


def test_another_year_draws_what_has_been_seen_anew(open_example: Open, browser: Browser) -> None:
    open_example("lazy-dashboard")
    old = until(browser, lambda driver: driver.execute_script(VALUES))
    browser.driver.execute_script("dash_clientside.set_props('year', {value: 2022})")
    until(browser, lambda driver: driver.execute_script(VALUES)[0] != old[0])
