"""The hub's own pages in a real browser: by keyboard, live, in light and dark, narrow and wide, and without scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from dash.testing.browser import Browser
from selenium.webdriver import ActionChains
from selenium.webdriver.common.keys import Keys

from flash.hub.hub import Hub

from ...examples.conftest import fresh_browser
from ...live.conftest import wait_until
from ..serving import on_loop, serving
from .site import ADMINISTRATOR, COOKIE, ByCookie, Slow, hub_at, page

#: How well a text can be told from its ground, as WCAG 2 counts it: 1 to 21.
CONTRAST = """
const read = colour => {
    const canvas = Object.assign(document.createElement('canvas'), {width: 1, height: 1}).getContext('2d');
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
};
const light = ([r, g, b]) => [r, g, b]
    .map(each => each / 255)
    .map(each => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4)
    .reduce((sum, each, at) => sum + each * [0.2126, 0.7152, 0.0722][at], 0);
const over = (top, below) => top.slice(0, 3).map((each, at) => each * top[3] / 255 + below[at] * (1 - top[3] / 255));
const ground = element => element === null ? [255, 255, 255]
    : over(read(getComputedStyle(element).backgroundColor), ground(element.parentElement));
return [...document.querySelectorAll(arguments[0])].filter(each => each.checkVisibility()).map(each => {
    const [one, other] = [light(read(getComputedStyle(each).color)), light(ground(each))];
    return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
});
"""
TEXTS = "h1, h2, .description, .tags li, .status, .users, .usage, .small:enabled, .tag, .brand, .name"


@pytest.fixture
def signin() -> ByCookie:
    return ByCookie()


@pytest.fixture
def hub(tmp_path: Path, signin: ByCookie) -> Hub:
    hub = hub_at(tmp_path, signin)
    for name, title, tags in (
        ("alarms", "Alarms", ["live"]),
        ("budget", "Budget", ["finance"]),
        ("costs", "Costs", ["finance", "live"]),
        ("delays", "Delays", []),
    ):
        hub.mount(page, f"/{name}", title=title, tags=tags, description=f"About {name}.", access="public")
    return hub


@pytest.fixture
def url(hub: Hub) -> Iterator[str]:
    with serving(hub) as url:
        wait_until(lambda: all(mount.status().state == "running" for mount in hub.mounts.values()))
        yield url


@pytest.fixture
def browser(url: str) -> Iterator[Browser]:
    """A fresh browser. At the end its console must hold no error, and so no violation of the pages' policy."""
    with fresh_browser() as browser:
        yield browser


@pytest.fixture
def open_as(url: str, browser: Browser) -> Callable[..., None]:
    """Open a page of the hub as somebody."""

    def open_(who: str | None, path: str = "/") -> None:
        if who is not None:
            browser.driver.execute_cdp_cmd("Network.setCookie", {"name": COOKIE, "value": who, "url": url})
        browser.driver.get(url + path)

    return open_


def keys(browser: Browser, *written: str) -> None:
    ActionChains(browser.driver, duration=0).send_keys(*written).perform()


def focused(browser: Browser) -> str:
    """The name of the app whose card has the focus, or the id of what has it."""
    script = "return document.activeElement.closest('.card')?.dataset.app ?? document.activeElement.id"
    return str(browser.driver.execute_script(script))


def shown(browser: Browser) -> list[str]:
    script = "return [...document.querySelectorAll('.card')].filter(each => !each.hidden).map(each => each.dataset.app)"
    found: list[str] = browser.driver.execute_script(script)
    return found


def text(browser: Browser, selector: str) -> str:
    return str(browser.driver.execute_script("return document.querySelector(arguments[0])?.innerText", selector))


def shows(browser: Browser, selector: str, expected: str) -> None:
    wait_until(
        lambda: text(browser, selector) == expected,
        lambda: f"{selector} shows {text(browser, selector)!r}, not {expected!r}",
    )


def look(browser: Browser, width: int, scheme: str) -> None:
    """Have the browser look as on a device of a width, whose user prefers light or dark."""
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)


def test_apps_are_found_and_opened_by_keyboard(open_as: Any, browser: Browser, url: str) -> None:
    open_as("ann:")
    keys(browser, "/")
    assert focused(browser) == "search"
    keys(browser, "FINANCE")
    assert shown(browser) == ["budget", "costs"]
    assert browser.driver.current_url.endswith("?q=FINANCE")
    shows(browser, "#said", "2 apps")
    keys(browser, Keys.ARROW_DOWN)
    assert focused(browser) == "budget"
    keys(browser, Keys.ARROW_RIGHT)
    assert focused(browser) == "costs"
    keys(browser, Keys.ARROW_RIGHT, Keys.HOME)
    assert focused(browser) == "budget"
    keys(browser, Keys.ARROW_UP)
    assert focused(browser) == "search"
    keys(browser, Keys.ESCAPE)
    assert len(shown(browser)) == 4
    keys(browser, Keys.ARROW_DOWN, Keys.END)
    assert focused(browser) == "delays"
    keys(browser, Keys.ENTER)
    wait_until(lambda: browser.driver.current_url == f"{url}/delays/")


def test_arrows_follow_the_rows(open_as: Any, browser: Browser) -> None:
    open_as("ann:")
    look(browser, 1000, "light")
    wait_until(lambda: browser.driver.execute_script("return document.querySelector('.card').offsetWidth") < 400)
    keys(browser, "/", Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    assert focused(browser) == "delays"
    keys(browser, Keys.ARROW_UP)
    assert focused(browser) == "alarms"


def test_tags_filter(open_as: Any, browser: Browser) -> None:
    open_as("ann:")
    browser.find_element('.filter [data-tag="live"]').click()
    assert shown(browser) == ["alarms", "costs"]
    browser.driver.refresh()
    assert shown(browser) == ["alarms", "costs"]
    browser.find_element('.filter [data-tag=""]').click()
    assert len(shown(browser)) == 4


def test_cards_change_as_apps_do(open_as: Any, browser: Browser, hub: Hub) -> None:
    open_as("ann:")
    browser.driver.execute_script("window.same = true")
    wait_until(lambda: len(hub.front.watch) == 1)
    on_loop(hub, hub.stop("budget"))
    shows(browser, '[data-app="budget"] .status', "Off")
    shows(browser, "#said", "Budget: Off")
    keys(browser, "/", Keys.ARROW_DOWN)
    on_loop(hub, hub.add(page, "/extra", title="<b>Extra", access="public"))
    wait_until(lambda: "extra" in shown(browser))
    assert text(browser, '[data-app="extra"] h2') == "<b>Extra"
    assert focused(browser) == "extra" or focused(browser) == "alarms"
    on_loop(hub, hub.remove("extra"))
    wait_until(lambda: "extra" not in shown(browser))
    assert browser.driver.execute_script("return window.same")


def test_buttons_switch_without_leaving_the_page(open_as: Any, browser: Browser, hub: Hub) -> None:
    open_as(ADMINISTRATOR)
    browser.driver.execute_script("window.same = true")
    switch = browser.find_element('[data-app="costs"] .switch')
    assert switch.get_attribute("aria-checked") == "true"
    switch.click()
    shows(browser, '[data-app="costs"] .status', "Off")
    assert switch.get_attribute("aria-checked") == "false"
    assert not browser.find_element('[data-app="costs"] [data-restart] button').is_enabled()
    wait_until(lambda: hub["costs"].status().state == "off")
    keys(browser, Keys.SPACE)
    shows(browser, '[data-app="costs"] .status', "Running")
    assert browser.driver.execute_script("return window.same")


def test_the_page_goes_on_after_the_hub_was_away(open_as: Any, browser: Browser, hub: Hub) -> None:
    open_as("ann:")
    wait_until(lambda: len(hub.front.watch) == 1)

    async def break_off() -> None:
        for listener in hub.front.watch._listeners:
            listener.close()

    on_loop(hub, break_off())
    wait_until(lambda: len(hub.front.watch) == 0)
    on_loop(hub, hub.stop("alarms"))
    shows(browser, '[data-app="alarms"] .status', "Off")


def test_a_page_that_nobody_looks_at_listens_to_nothing(open_as: Any, browser: Browser, hub: Hub) -> None:
    open_as("ann:")
    wait_until(lambda: len(hub.front.watch) == 1)
    first = browser.driver.current_window_handle
    browser.driver.switch_to.new_window("tab")
    wait_until(lambda: len(hub.front.watch) == 0)
    browser.driver.close()
    browser.driver.switch_to.window(first)
    wait_until(lambda: len(hub.front.watch) == 1)


def test_signing_out_elsewhere_ends_what_the_page_shows(
    open_as: Any, browser: Browser, hub: Hub, signin: ByCookie
) -> None:
    async def sign_out() -> None:
        signin.sign_out("root")

    open_as(ADMINISTRATOR)
    wait_until(lambda: len(hub.front.watch) == 1)
    on_loop(hub, sign_out())
    wait_until(lambda: not browser.find_elements(".switch"))
    assert text(browser, ".account .button") == "Sign in"


def test_everything_works_without_scripts(open_as: Any, browser: Browser, hub: Hub) -> None:
    open_as(ADMINISTRATOR)
    browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    browser.driver.refresh()
    browser.find_element("#search").send_keys("budg" + Keys.ENTER)
    wait_until(lambda: browser.driver.current_url.endswith("?q=budg"))
    assert not browser.find_element('[data-app="alarms"]').is_displayed()
    browser.find_element('[data-app="budget"] .switch').click()
    wait_until(lambda: hub["budget"].status().state == "off")
    wait_until(lambda: browser.find_element('[data-app="budget"]').get_attribute("data-state") == "off")
    browser.find_element('[data-app="budget"] a[href$="/log"]').click()
    wait_until(lambda: browser.driver.title.startswith("Log of Budget"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_pages_fit_and_can_be_read(open_as: Any, browser: Browser, hub: Hub, width: int, scheme: str) -> None:
    look(browser, width, scheme)
    on_loop(hub, hub.stop("budget"))
    for path in ("/_hub/", "/_hub/apps/alarms/log"):
        open_as(ADMINISTRATOR, path)
        assert browser.driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")
        contrasts = browser.driver.execute_script(CONTRAST, TEXTS)
        assert contrasts and min(contrasts) >= 4.5, contrasts
        ground = browser.driver.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert (ground == "rgb(15, 17, 21)") == (scheme == "dark")


def test_light_and_dark_can_be_chosen(open_as: Any, browser: Browser) -> None:
    def is_dark() -> bool:
        ground = browser.driver.execute_script("return getComputedStyle(document.body).backgroundColor")
        return bool(ground == "rgb(15, 17, 21)")

    look(browser, 1280, "light")
    open_as("ann:")
    assert not is_dark()
    browser.find_element("#theme").click()
    assert is_dark()
    browser.driver.refresh()
    assert is_dark()
    browser.find_element("#theme").click()
    look(browser, 1280, "dark")
    assert is_dark()


def test_a_log_is_followed_until_somebody_scrolls_up(open_as: Any, browser: Browser, hub: Hub) -> None:
    log = hub.folders.log("alarms")

    def write(first: int, last: int) -> None:
        with log.open("a") as file:
            file.writelines(f"line {number} <b>\n" for number in range(first, last + 1))

    def from_end() -> int:
        script = (
            "const log = document.getElementById('log'); return log.scrollHeight - log.clientHeight - log.scrollTop"
        )
        return int(browser.driver.execute_script(script))

    def last_line() -> str:
        return str(browser.driver.execute_script("return document.querySelector('.log .line:last-child')?.innerText"))

    write(1, 200)
    open_as(ADMINISTRATOR, "/_hub/apps/alarms/log")
    wait_until(lambda: len(hub.front.watch) == 2)
    write(201, 210)
    wait_until(lambda: last_line().strip() == "line 210 <b>")
    assert from_end() < 2
    browser.driver.execute_script("document.getElementById('log').scrollTop = 100")
    write(211, 220)
    wait_until(lambda: last_line().strip() == "line 220 <b>")
    assert browser.driver.execute_script("return document.getElementById('log').scrollTop") == 100
    browser.find_element("#down").click()
    assert from_end() < 2 and not browser.find_element("#down").is_displayed()


def test_a_page_in_an_apps_place_gives_way_when_it_runs(url: str, hub: Hub) -> None:
    with Slow() as slow:
        hub.patience = 0.1
        on_loop(hub, hub.stop("delays"))
        on_loop(hub, hub.add(slow, "/slow", title="Slow", access="public"))
        # Its console says that the first answers were no pages of the apps.
        with Browser("chrome", headless=True, percy_run=False, wait_timeout=30) as browser:
            browser.driver.get(f"{url}/slow/")
            shows(browser, "h1", "Slow is starting")
            slow.may_go_on.set()
            shows(browser, "h1", "The app")
            browser.driver.get(f"{url}/delays/")
            shows(browser, "h1", "Delays is switched off")
            on_loop(hub, hub.start("delays"))
            shows(browser, "h1", "The app")
