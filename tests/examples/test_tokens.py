"""examples/tokens: a text that grows word by word under dcc.Loading, while another callback listens to it."""

from __future__ import annotations

from dash.testing.browser import Browser
from selenium.webdriver.common.keys import Keys

from .running import Open, until

# What is seen at each change: the words, the count, and whether dcc.Loading hides the text.
RECORD = """
window.seen = [];
const [text, count] = ["#text", "#count"].map((id) => document.querySelector(id));
new MutationObserver(() => window.seen.push([
    text.textContent, parseInt(count.textContent), getComputedStyle(text).visibility, text.className,
])).observe(document.querySelector("main"), {childList: true, characterData: true, subtree: true, attributes: true});
"""


def test_words_are_seen_and_counted_while_they_come(open_example: Open, browser: Browser) -> None:
    open_example("tokens")
    browser.wait_for_element("#write")
    browser.driver.execute_script(RECORD)
    browser.find_element("#write").click()
    until(browser, lambda driver: driver.execute_script("return window.seen.at(-1)?.[1] > 20"))
    stop(browser)

    written = text(browser)
    seen = browser.driver.execute_script("return window.seen")
    during = [(words, count, visible) for words, count, visible, state in seen if words and state == "writing"]
    assert len({words for words, _, _ in during}) > 15
    assert all(written.startswith(words) for words, _, _ in during)
    assert len({count for _, count, _ in during}) > 10, "The count came at the end only."
    assert {visible for _, _, visible in during} == {"visible"}, "dcc.Loading hid the text."
    browser.wait_for_text_to_equal("#count", f"{len(written.replace('.', '').split())} words")


def test_what_is_stopped_stays_stopped(open_example: Open, browser: Browser) -> None:
    open_example("tokens")
    browser.wait_for_element("#write").click()
    until(browser, lambda _: len(text(browser)) > 40)
    stop(browser)
    first = text(browser)
    browser.find_element("#write").click()
    # It begins anew, and nothing of the first text comes in between.
    until(browser, lambda _: text(browser) and not text(browser).startswith(first))
    begun = text(browser)
    until(browser, lambda _: len(text(browser)) > len(begun) + 40)
    assert text(browser).startswith(begun)


def test_another_first_word_stops_too(open_example: Open, browser: Browser) -> None:
    open_example("tokens")
    browser.wait_for_element("#write").click()
    until(browser, lambda _: len(text(browser)) > 20)
    browser.clear_input("#first")
    browser.find_element("#first").send_keys("nobody" + Keys.ENTER)
    until(browser, lambda _: not writes(browser))
    browser.find_element("#write").click()
    until(browser, lambda _: text(browser).startswith("Nobody "))


def text(browser: Browser) -> str:
    """What is written, seen or hidden."""
    return str(browser.find_element("#text").get_attribute("textContent"))


def writes(browser: Browser) -> bool:
    return "writing" in browser.find_element("#text").get_attribute("class")


def stop(browser: Browser) -> None:
    browser.find_element("#stop").click()
    until(browser, lambda _: not writes(browser))
