"""examples/server-sent-events: words arrive one after the other, and the end is known."""

from __future__ import annotations

from dash.testing.browser import Browser

from .running import Open

WATCH = """
window.seen = [];
new MutationObserver(() => window.seen.push(document.querySelector("#echo").textContent))
    .observe(document.querySelector("#echo"), {childList: true, characterData: true, subtree: true});
"""


def test_words_come_one_by_one(open_example: Open, browser: Browser) -> None:
    open_example("server-sent-events")
    text = browser.wait_for_element("#text").get_attribute("value")
    browser.driver.execute_script(WATCH)
    browser.find_element("#send").click()

    browser.wait_for_text_to_equal("#state", "Done.")
    assert browser.find_element("#echo").text == text
    seen = browser.driver.execute_script("return window.seen")
    assert len(set(seen)) > 5, seen
    assert all(text.startswith(part.strip()) for part in seen)


def test_a_text_is_sent_in_any_language(open_example: Open, browser: Browser) -> None:
    open_example("server-sent-events")
    browser.wait_for_element("#text")
    browser.clear_input("#text")
    browser.find_element("#text").send_keys("Grüße, 世界")
    browser.find_element("#send").click()
    browser.wait_for_text_to_equal("#echo", "Grüße, 世界")
