"""examples/quart-login: nobody sees the dashboard, nor calls it, who is not signed in."""

from __future__ import annotations

import urllib.error
import urllib.request
from urllib.parse import urlsplit

import pytest
from dash.testing.browser import Browser
from selenium.webdriver.support import expected_conditions as expected

from .running import Open, Start, until


def sign_in(browser: Browser, password: str) -> None:
    browser.wait_for_element("#name").send_keys("ada")
    browser.find_element("#password").send_keys(password)
    browser.find_element("#sign-in").click()


def test_a_visitor_signs_in_works_and_signs_out(open_example: Open, browser: Browser) -> None:
    address = open_example("quart-login")
    browser.wait_for_element("#to-dashboard").click()
    sign_in(browser, "analytical")

    browser.wait_for_text_to_equal("#welcome", "Welcome, ada")
    browser.wait_for_text_to_equal("#caption", "20 apples, shown to ada")
    browser.find_elements("#fruit input")[1].click()
    browser.wait_for_text_to_equal("#caption", "15 pears, shown to ada")

    browser.find_element("#sign-out").click()
    until(browser, expected.url_to_be(f"{address}/"))
    browser.driver.get(f"{address}/dashboard/")
    until(browser, expected.url_to_be(f"{address}/login?next=/dashboard/"))


def test_a_wrong_password_is_refused(open_example: Open, browser: Browser) -> None:
    open_example("quart-login", "/login")
    sign_in(browser, "wrong")
    browser.wait_for_text_to_equal("#message", "Wrong name or password.")
    assert refusals(browser) == ["/login"]


def test_a_session_that_ends_leads_back_to_the_login(open_example: Open, browser: Browser) -> None:
    address = open_example("quart-login", "/login")
    sign_in(browser, "analytical")
    browser.wait_for_text_to_equal("#caption", "20 apples, shown to ada")

    browser.driver.delete_all_cookies()
    browser.find_elements("#fruit input")[1].click()
    until(browser, expected.url_to_be(f"{address}/login?next=/dashboard/"))
    assert refusals(browser) == ["/dashboard/_dash-update-component"]


def test_a_stranger_is_answered_401(start_example: Start) -> None:
    address = start_example("quart-login")
    for path, body in (("_dash-layout", None), ("_dash-dependencies", None), ("_dash-update-component", b"{}")):
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"{address}/dashboard/{path}", body)


def refusals(browser: Browser) -> list[str]:
    """The paths that the browser's console calls refused with 401. Reading them takes them out of the console."""
    messages = [entry["message"] for entry in browser.get_logs()]
    assert all("401" in message for message in messages), messages
    return [urlsplit(message.split()[0]).path for message in messages]
