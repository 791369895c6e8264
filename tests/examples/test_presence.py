"""examples/presence: a list of all tabs, which is right at any time."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from dash.testing.browser import Browser

from ..live.proxy import proxy_beside
from .running import Open, close_tab, open_tab, until

LIST = """return [...document.querySelectorAll("#clients li")]
    .map((row) => [row.querySelector("b").textContent, row.querySelector(".state").textContent])"""


def me(browser: Browser) -> str:
    return str(browser.wait_for_element("#you b").text)


def test_who_comes_and_goes(open_example: Open, browser: Browser) -> None:
    address = open_example("presence")
    first = me(browser)
    until(browser, lambda driver: driver.execute_script(LIST) == [[first, "here"]])

    open_tab(browser, address)
    second = me(browser)
    until(browser, lambda driver: driver.execute_script(LIST) == [[first, "here"], [second, "here"]])

    # At once: long before its connection could be missed.
    close_tab(browser)
    until(browser, lambda driver: driver.execute_script(LIST) == [[first, "here"]], seconds=5)

    # A reload is a new tab.
    browser.driver.refresh()
    until(browser, lambda driver: driver.execute_script(LIST) == [[me(browser), "here"]])


def test_who_loses_the_connection_is_away_and_comes_back(
    open_example: Open, browser: Browser, another_browser: Callable[[str], Browser]
) -> None:
    address = open_example("presence")
    first = me(browser)
    with proxy_beside(urlsplit(address).port or 0) as proxy:
        other = another_browser(proxy.address)
        second = me(other)

        proxy.down = True
        proxy.cut()
        until(browser, lambda driver: driver.execute_script(LIST) == [[first, "here"], [second, "away"]])
        proxy.down = False
        until(browser, lambda driver: driver.execute_script(LIST) == [[first, "here"], [second, "here"]])
        until(other, lambda driver: driver.execute_script(LIST) == [[first, "here"], [second, "here"]])
        assert me(other) == second
        # What its console says of the cut.
        other.get_logs()
        other.reset_log_timestamp()
