"""examples/remote: a page whose work another server does, with progress, stopping, typing ahead and a queue."""

from __future__ import annotations

from pathlib import Path

import pytest
from dash.testing.browser import Browser
from selenium.webdriver.common.keys import Keys

from .running import Open, Start, close_tab, open_tab, until


@pytest.fixture
def address(start_example: Start, open_example: Open, browser: Browser) -> str:
    backend = start_example("remote", "backend.py")
    address = open_example("remote", BACKEND_URL=backend)
    # The first answer, for the value that the page begins with.
    browser.wait_for_text_to_equal("#factors", "360 = 2 × 2 × 2 × 3 × 3 × 5")
    return address


def type_into(browser: Browser, name: str, text: str) -> None:
    browser.find_element(f"#{name}").send_keys(Keys.CONTROL + "a")
    browser.find_element(f"#{name}").send_keys(text)


def enabled(browser: Browser, name: str) -> bool:
    return bool(browser.find_element(f"#{name}").is_enabled())


def bar(browser: Browser) -> int:
    return int(browser.find_element("#bar").get_attribute("value"))


def begin(browser: Browser) -> None:
    browser.find_element("#count").click()
    until(browser, lambda _: bar(browser) > 0)
    assert not enabled(browser, "count") and enabled(browser, "stop")


def test_the_page_shows_how_far_the_work_is_and_is_usable_meanwhile(address: str, browser: Browser) -> None:
    type_into(browser, "limit", "100000")
    begin(browser)
    browser.wait_for_contains_text("#step", "up to")
    type_into(browser, "number", "91")
    browser.wait_for_text_to_equal("#factors", "91 = 7 × 13")
    browser.wait_for_text_to_equal("#primes", "9,592 primes are smaller than 100,000.")
    until(browser, lambda _: bar(browser) == 0 and enabled(browser, "count") and not enabled(browser, "stop"))


def test_stop_ends_the_work_at_the_backend(address: str, browser: Browser, tmp_path: Path) -> None:
    type_into(browser, "limit", "1000000")
    begin(browser)
    browser.find_element("#stop").click()
    until(browser, lambda _: enabled(browser, "count") and bar(browser) == 0)
    until(browser, lambda _: "Counted" in (tmp_path / "remote-0.txt").read_text())
    assert "Counted 78498." not in (tmp_path / "remote-0.txt").read_text()
    assert browser.find_element("#primes").text == ""


def test_a_tab_that_is_closed_ends_its_work(address: str, browser: Browser, tmp_path: Path) -> None:
    open_tab(browser, address)
    browser.wait_for_text_to_equal("#factors", "360 = 2 × 2 × 2 × 3 × 3 × 5")
    type_into(browser, "limit", "1000000")
    begin(browser)
    close_tab(browser)
    until(browser, lambda _: "Counted" in (tmp_path / "remote-0.txt").read_text())
    assert "Counted 78498." not in (tmp_path / "remote-0.txt").read_text()


def test_calls_that_wait_are_answered_in_their_order(address: str, browser: Browser) -> None:
    type_into(browser, "number", "12")
    browser.find_element("#keep").click()
    browser.find_element("#keep").click()
    type_into(browser, "number", "7")
    browser.find_element("#keep").click()
    until(browser, lambda _: len(browser.find_elements("#kept li")) == 3)
    lines = [each.text for each in browser.find_elements("#kept li")]
    assert lines == ["12 has 3 prime factors."] * 2 + ["7 has 1 prime factors."]


def test_what_the_backend_does_not_accept_is_explained(address: str, browser: Browser) -> None:
    type_into(browser, "limit", "5")
    browser.find_element("#count").click()
    browser.wait_for_contains_text("#primes", "Please change it: limit: Input should be greater than or equal to 100")
