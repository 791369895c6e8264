"""Apps of a hub in a real browser: what is pushed, shared and called arrives, whichever way they are hosted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from dash.testing.browser import Browser
from selenium.webdriver.common.keys import Keys

from flash.hub.hub import Hub

from ..examples.conftest import fresh_browser
from ..examples.running import EXAMPLES, open_tab, until
from .serving import serving

APPS = Path(__file__).parent / "apps"
WAYS = ("process", "inline")
DASH = {
    "flash": "flash_app",
    "dash-flask": "dash_flask",
    "dash-quart": "dash_quart",
    "dash-fastapi": "dash_fastapi",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A hub whose apps start when they are opened."""
    hub = Hub(home=str(tmp_path_factory.mktemp("hub")))
    for way in WAYS:
        for name, file in DASH.items():
            hub.mount(str(APPS / f"{file}.py"), f"/{way}/{name}", isolation=way, on_demand=True)
        for name in ("chat/app", "dash-devices/example1"):
            path = f"/{way}/{name.partition('/')[0]}"
            hub.mount(str(EXAMPLES / f"{name}.py"), path, isolation=way, on_demand=True)
    with serving(hub) as url:
        yield url


@pytest.fixture
def browser(site: str) -> Iterator[Browser]:
    """A fresh browser. At the end its console must hold no error."""
    with fresh_browser() as browser:
        yield browser


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", DASH)
def test_what_is_typed_is_answered(site: str, browser: Browser, way: str, name: str) -> None:
    browser.driver.get(f"{site}/{way}/{name}/deep/link")
    browser.wait_for_element("#in").send_keys("seven" + Keys.ENTER)
    browser.wait_for_text_to_equal("#out", f"{name}: seven")
    browser.wait_for_contains_text("#_pages_content", f"{name} deep")


@pytest.mark.parametrize("way", WAYS)
def test_what_is_pushed_reaches_all_tabs(site: str, browser: Browser, way: str) -> None:
    browser.driver.get(f"{site}/{way}/chat/")
    browser.wait_for_contains_text("#people", "Guest")
    first = browser.driver.current_window_handle
    open_tab(browser, f"{site}/{way}/chat/")
    until(browser, lambda driver: len(browser.find_elements("#people li")) == 2)
    browser.wait_for_element("#text").send_keys("Hello" + Keys.ENTER)
    browser.wait_for_contains_text("#messages", "Hello")
    browser.driver.switch_to.window(first)
    browser.wait_for_contains_text("#messages", "Hello")


@pytest.mark.parametrize("way", WAYS)
def test_what_is_shared_is_shared_by_all_tabs(site: str, browser: Browser, way: str) -> None:
    browser.driver.get(f"{site}/{way}/dash-devices/")
    browser.wait_for_element("#shared-input")
    first = browser.driver.current_window_handle
    open_tab(browser, f"{site}/{way}/dash-devices/")
    browser.wait_for_element("#shared-input").send_keys(f"for all of {way}")
    browser.wait_for_text_to_equal("#shared-input-output", f"for all of {way}")
    browser.driver.switch_to.window(first)
    browser.wait_for_text_to_equal("#shared-input-output", f"for all of {way}")
    assert browser.find_element("#shared-input").get_attribute("value") == f"for all of {way}"
