"""examples/login: the scenarios of dash_devices' example3 and example3a, with two browsers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from dash.testing.browser import Browser

from .running import Open, close_tab, open_tab, until

INSIDE = "You've successfully logged in!"
FORM = "Please sign in"
ROWS = "return [...document.querySelectorAll('#users tbody tr')].map((row) => [...row.cells].map((c) => c.textContent))"
# The inputs of the callbacks that the page asks for, over HTTP and over the live connection.
RECORD = """(() => {
    window.asked = [];
    const {fetch} = window;
    window.fetch = (url, options) => {
        if (String(url).includes("_dash-update-component")) window.asked.push(JSON.parse(options.body).inputs[0].id);
        return fetch(url, options);
    };
    const {send} = WebSocket.prototype;
    WebSocket.prototype.send = function (frame) {
        if (String(frame).includes("callback_request")) window.asked.push(String(frame));
        return send.call(this, frame);
    };
})()"""


def sign_in(browser: Browser, name: str, password: str = "") -> None:
    browser.wait_for_element("#username").send_keys(name)
    browser.find_element("#password").send_keys(password or name)
    browser.find_element("#submit").click()


def users(driver: Any) -> list[str]:
    """Who is in the list, first to last; empty when there is no list."""
    return [row[0] for row in driver.execute_script(ROWS)]


def test_a_visitor_signs_in_and_out_and_nobody_else_notices(
    open_example: Open, browser: Browser, another_browser: Callable[[str], Browser]
) -> None:
    address = open_example("login")
    other = another_browser(address)
    other.wait_for_element("#username").send_keys("half a na")
    changes = (
        "window.changes = 0; new MutationObserver(() => window.changes++)"
        ".observe(document.querySelector('main'), {childList: true, subtree: true, characterData: true})"
    )
    other.driver.execute_script(changes)

    sign_in(browser, "username", "wrong")
    browser.wait_for_contains_text("#message", "Wrong name or password.")
    for field in ("#username", "#password"):
        until(browser, lambda _, field=field: browser.find_element(field).get_attribute("value") == "")
    assert browser.find_element("h1").text == FORM

    for _ in range(2):
        sign_in(browser, "username")
        browser.wait_for_text_to_equal("h1", INSIDE)
        assert not browser.find_elements("#username")
        browser.find_element("#logout").click()
        browser.wait_for_text_to_equal("h1", FORM)
        assert browser.find_element("#message").text == ""

    assert other.driver.execute_script("return window.changes") == 0
    assert other.find_element("#username").get_attribute("value") == "half a na"


def test_a_callback_with_none_as_its_output_is_not_called_when_its_inputs_appear(
    open_example: Open, browser: Browser
) -> None:
    browser.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": RECORD})
    open_example("login")
    for _ in range(2):
        sign_in(browser, "admin")
        until(browser, lambda driver: users(driver) == ["admin"])
        browser.find_element("#logout").click()
        browser.wait_for_text_to_equal("h1", FORM)
    sign_in(browser, "admin")
    until(browser, lambda driver: users(driver) == ["admin"])
    # The callback of the list is called whenever the list is inserted, as Dash's are.
    assert browser.driver.execute_script("return window.asked") == ["submit", "users", "logout"] * 2 + [
        "submit",
        "users",
    ]


def test_an_administrator_sees_who_comes_and_goes(
    open_example: Open, browser: Browser, another_browser: Callable[[str], Browser]
) -> None:
    address = open_example("login")
    sign_in(browser, "admin")
    until(browser, lambda driver: users(driver) == ["admin"])
    ((name, where, since),) = browser.driver.execute_script(ROWS)
    assert (name, where) == ("admin", "127.0.0.1")
    assert time.strptime(since, "%H:%M:%S")

    other = another_browser(address)
    sign_in(other, "username")
    until(browser, lambda driver: users(driver) == ["admin", "username"])
    other.wait_for_text_to_equal("h1", INSIDE)
    assert users(other.driver) == []
    assert other.find_element("#users").text == ""

    other.find_element("#logout").click()
    until(browser, lambda driver: users(driver) == ["admin"])

    open_tab(other, address)
    sign_in(other, "username")
    until(browser, lambda driver: users(driver) == ["admin", "username"])
    close_tab(other)
    until(browser, lambda driver: users(driver) == ["admin"])


def test_two_administrators_see_the_same(
    open_example: Open, browser: Browser, another_browser: Callable[[str], Browser]
) -> None:
    address = open_example("login")
    sign_in(browser, "admin")
    until(browser, lambda driver: users(driver) == ["admin"])
    other = another_browser(address)
    sign_in(other, "admin")
    for each in (browser, other):
        until(each, lambda driver: users(driver) == ["admin", "admin"])

    other.driver.refresh()
    other.wait_for_text_to_equal("h1", FORM)
    until(browser, lambda driver: users(driver) == ["admin"])
