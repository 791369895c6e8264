"""examples/gather: an asynchronous callback does not wait for a plain one that was asked before it."""

from __future__ import annotations

from dash.testing.browser import Browser

from .running import Open

RECORD = """
window.answered = [];
for (const kind of ["plain", "async"]) {
    new MutationObserver(() => window.answered.push(kind))
        .observe(document.getElementById(`${kind}-result`), {childList: true});
}
for (const kind of ["plain", "async"]) document.getElementById(`${kind}-start`).click();
"""


def test_the_asynchronous_callback_answers_first(open_example: Open, browser: Browser) -> None:
    open_example("gather")
    browser.wait_for_element("#async-start")
    browser.driver.execute_script(RECORD)

    browser.wait_for_contains_text("#plain-result", "seconds")
    browser.wait_for_contains_text("#async-result", "seconds")
    assert browser.driver.execute_script("return window.answered") == ["async", "plain"]
