"""examples/parallel-routes: three places, each with pages of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from dash.testing.browser import Browser
from selenium.webdriver import ChromeOptions

from .running import Example, until


@pytest.fixture
def shop(tmp_path) -> Iterator[Example]:  # type: ignore[no-untyped-def]
    """The example; its log holds the traceback of the news that fail."""
    example = Example("parallel-routes", tmp_path / "log.txt", {})
    example.wait_until_ready()
    yield example
    with pytest.raises(AssertionError, match="The news server does not answer"):
        example.stop()


@pytest.fixture
def browser() -> Iterator[Browser]:
    options = ChromeOptions()
    options.add_argument("--window-size=1200,1000")
    with Browser("chrome", headless=True, options=[options], percy_run=False, wait_timeout=30) as browser:
        yield browser
        logs = browser.get_logs()
    assert logs == []


def test_the_places_are_filled_side_by_side(shop: Example, browser: Browser) -> None:
    browser.driver.get(shop.address)
    browser.wait_for_text_to_equal("#overview h1", "Overview")
    browser.wait_for_text_to_equal("#panel", "Choose a page above.")
    browser.wait_for_contains_text("#news", "Open on Sunday.")

    browser.find_element("#to-orders").click()
    browser.wait_for_element("#notes").send_keys("count the shelves")
    browser.wait_for_contains_text("#orders", "Grace: 5")
    browser.wait_for_text_to_equal("#news", "Two orders came in today.")
    assert until(browser, lambda driver: driver.title) == "Orders · Shop"

    browser.find_element("#to-stock").click()
    browser.wait_for_contains_text("#stock", "412 things")
    browser.wait_for_contains_text("#news [role=alert]", "could not be loaded. Error id:")
    assert browser.find_element("#notes").get_attribute("value") == "count the shelves"
