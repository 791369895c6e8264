"""examples/chat: what one says all hear, once and in order, and who comes late reads what was said."""

from __future__ import annotations

from collections.abc import Callable

from dash.testing.browser import Browser
from selenium.webdriver.common.keys import Keys

from .running import Open, close_tab, open_tab, until

MESSAGES = "return [...document.querySelectorAll('#messages p')].map((text) => text.textContent)"
PEOPLE = "return [...document.querySelectorAll('#people li')].map((name) => name.textContent)"


def say(browser: Browser, *texts: str) -> None:
    for text in texts:
        browser.find_element("#text").send_keys(text + Keys.ENTER)
        until(browser, lambda _: browser.find_element("#text").get_attribute("value") == "")


def shows(browser: Browser, script: str, expected: list[str]) -> None:
    until(browser, lambda driver: driver.execute_script(script) == expected)


def test_all_tabs_hear_what_one_says(
    open_example: Open, browser: Browser, another_browser: Callable[[str], Browser]
) -> None:
    address = open_example("chat")
    shows(browser, PEOPLE, ["Guest 1"])
    other = another_browser(address)
    shows(browser, PEOPLE, ["Guest 1", "Guest 2"])

    said = [f"Number {number}" for number in range(8)]
    say(browser, *said[:4])
    say(other, *said[4:])
    for each in (browser, other):
        shows(each, MESSAGES, said)

    open_tab(browser, address)
    shows(browser, MESSAGES, said)
    shows(other, PEOPLE, ["Guest 1", "Guest 2", "Guest 3"])
    close_tab(browser)
    shows(other, PEOPLE, ["Guest 1", "Guest 2"])


def test_a_name_is_seen_by_all_and_survives_a_reload(
    open_example: Open, browser: Browser, another_browser: Callable[[str], Browser]
) -> None:
    address = open_example("chat")
    other = another_browser(address)
    browser.wait_for_element("#name").send_keys("Ada" + Keys.ENTER)
    shows(other, PEOPLE, ["Ada", "Guest 2"])
    browser.driver.refresh()
    shows(other, PEOPLE, ["Guest 2", "Ada"])


def test_a_message_is_text_and_not_empty(open_example: Open, browser: Browser) -> None:
    open_example("chat")
    browser.wait_for_element("#text").send_keys("  " + Keys.ENTER)
    browser.clear_input("#text")
    say(browser, "<b>not bold</b>")
    browser.find_element("#text").send_keys("by the button")
    browser.find_element("#send").click()
    shows(browser, MESSAGES, ["<b>not bold</b>", "by the button"])
