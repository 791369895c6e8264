"""examples/hub: every other example, on one address, unchanged."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from dash.testing.browser import Browser
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support import expected_conditions as expected

from .conftest import fresh_browser
from .running import EXAMPLES, STOP_SECONDS, free_port, until, until_answered

APPS: dict[str, dict[str, Any]] = {
    app["prefix"]: app for app in tomllib.loads((EXAMPLES / "hub/hub.toml").read_text())["app"]
}
PAGES = [prefix for prefix, app in APPS.items() if not app.get("hidden")]

# What leads out of an app: addresses of this server that do not begin with the app's prefix.
LEADS_OUT = """
    const out = [];
    for (const each of document.querySelectorAll("[href], [src], [action]"))
        for (const name of ["href", "src", "action"]) {
            const written = each.getAttribute(name);
            if (written?.startsWith("/") && !written.startsWith(arguments[0])) out.push(written);
        }
    return out;
"""


def test_no_example_is_forgotten() -> None:
    files = {(EXAMPLES / "hub" / app["target"].partition(":")[0]).resolve() for app in APPS.values()}
    folders = {path for path in EXAMPLES.iterdir() if path.is_dir()} - {EXAMPLES / "hub"}
    assert {file if file.parent == EXAMPLES else file.parent for file in files} == folders
    scripts = {path for path in EXAMPLES.glob("dash-devices/*.py") if path.name != "thermostat.py"}
    scripts |= {path for path in EXAMPLES.glob("many-kinds/*.py")}
    assert scripts <= files


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the example hub, started as its README says, with a home of its own."""
    folder = tmp_path_factory.mktemp("hub")
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    environment = {
        **os.environ,
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "NOTES_DATABASE": str(folder / "notes.db"),
    }
    command = [sys.executable, "-m", "flash", "hub", "--home", str(folder / "home")]
    log = folder / "log.txt"
    with log.open("wb") as output:
        hub = subprocess.Popen(command, cwd=EXAMPLES / "hub", env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        until_answered(address, hub, log)
        yield address
    finally:
        hub.send_signal(signal.SIGTERM)
        code = hub.wait(2 * STOP_SECONDS)
    assert code == 0, log.read_text()
    assert "Traceback" not in log.read_text(), log.read_text()


@pytest.fixture
def browser(site: str) -> Iterator[Browser]:
    """A fresh browser. At the end its console must hold no error."""
    with fresh_browser() as browser:
        yield browser


@pytest.mark.parametrize("prefix", PAGES)
def test_each_example_shows_its_page_and_no_link_leads_out_of_it(site: str, browser: Browser, prefix: str) -> None:
    browser.driver.get(f"{site}{prefix}/")
    until(browser, lambda driver: driver.execute_script("return document.querySelector('h1, h2, button')?.innerText"))
    assert browser.driver.execute_script(LEADS_OUT, f"{prefix}/") == []


def test_the_start_page_leads_to_all_of_them(site: str, browser: Browser) -> None:
    browser.driver.get(site)
    until(browser, lambda driver: browser.find_elements(f"a[href='{PAGES[0]}/']"))
    for prefix in PAGES:
        assert browser.find_elements(f"a[href='{prefix}/']"), prefix


def test_the_pages_of_an_example_lead_to_each_other(site: str, browser: Browser) -> None:
    browser.driver.get(f"{site}/demo/")
    browser.wait_for_element("a[href='/demo/world']").click()
    browser.wait_for_element("#world-bubbles .js-plotly-plot")
    browser.wait_for_element("#world-chosen a").click()
    until(browser, expected.url_to_be(f"{site}/demo/country/KOR"))
    browser.wait_for_element("a.brand").click()
    until(browser, expected.url_to_be(f"{site}/demo/"))


def test_a_site_s_own_sign_in_stays_in_its_place(site: str, browser: Browser) -> None:
    browser.driver.get(f"{site}/quart-login/dashboard/")
    until(browser, expected.url_to_be(f"{site}/quart-login/login?next=/dashboard/"))
    browser.wait_for_element("#name").send_keys("ada")
    browser.find_element("#password").send_keys("analytical")
    browser.find_element("#sign-in").click()
    browser.wait_for_text_to_equal("#caption", "20 apples, shown to ada")
    assert browser.driver.current_url == f"{site}/quart-login/dashboard/"
    assert {cookie["path"] for cookie in browser.driver.get_cookies() if cookie["name"] == "session"} == {
        "/quart-login/"
    }
    browser.find_element("#sign-out").click()
    until(browser, expected.url_to_be(f"{site}/quart-login/"))


def test_sockets_and_streams_of_the_examples_find_their_server(site: str, browser: Browser) -> None:
    browser.driver.get(f"{site}/websocket/")
    browser.wait_for_element("#text").send_keys("stressed" + Keys.ENTER)
    browser.wait_for_text_to_equal("#answer", "desserts")
    # A browser that another test has ended is counted until it is sure that it does not come back.
    until(browser, lambda driver: int(browser.find_element("#tabs").text or 0) >= 1)
    until(browser, lambda driver: browser.find_elements("#graph .bars path"))
    browser.driver.get(f"{site}/server-sent-events/")
    browser.wait_for_element("#send").click()
    browser.wait_for_text_to_equal("#state", "Done.")


def test_the_page_of_dash_hub_is_answered_by_the_backend_beside_it(site: str, browser: Browser) -> None:
    browser.driver.get(f"{site}/dash-hub/")
    browser.wait_for_element("#num_1").send_keys("6")
    browser.find_element("#num_2").send_keys("7")
    browser.find_element("#button").click()
    browser.wait_for_text_to_equal("#response-output", "6 * 7 = 42.0")


def test_apps_of_factories_keep_what_is_theirs(site: str, browser: Browser) -> None:
    browser.driver.get(f"{site}/dash-engine/orders/")
    browser.wait_for_element("#customer").send_keys("Ada")
    browser.find_element("#amount").send_keys("12")
    browser.find_element("#add").click()
    browser.wait_for_text_to_equal("#message", "Added.")
    browser.wait_for_contains_text("#table", "12.00")
    browser.driver.get(f"{site}/dash-engine/handbook/")
    browser.wait_for_element("ul a").click()
    browser.wait_for_text_to_equal("h1", "Orders")
    prices = urllib.request.urlopen(f"{site}/dash-engine/stock/prices.csv").read().decode()
    assert prices.startswith("day,Alder,Birch,Cedar\n1,100,100,100\n")


def test_one_of_each_kind_works_as_it_is(site: str, browser: Browser) -> None:
    kinds = f"{site}/many-kinds"
    browser.driver.get(f"{kinds}/dash-flask/")
    browser.wait_for_text_to_equal("#square", "4 squared is 16.")
    browser.driver.get(f"{kinds}/dash-quart/")
    browser.wait_for_text_to_equal("#backwards", "desserts")
    browser.driver.get(f"{kinds}/dash-fastapi/")
    browser.wait_for_text_to_equal("#link", "The square of 4")
    with urllib.request.urlopen(browser.find_element("#link").get_attribute("href"), timeout=10) as answer:
        assert answer.read() == b'{"number":4,"square":16}'
    browser.driver.get(f"{kinds}/fastapi/")
    browser.wait_for_text_to_equal("#backwards", "desserts")
    with urllib.request.urlopen(browser.find_element("a").get_attribute("href"), timeout=10) as answer:
        assert len(answer.read().split()) == 20
    browser.driver.get(f"{kinds}/flask/")
    browser.wait_for_element("#name").send_keys("Ada" + Keys.ENTER)
    browser.wait_for_text_to_equal("#guests", "Ada")
    assert browser.driver.current_url == f"{kinds}/flask/"
    browser.driver.get(f"{kinds}/reports/")
    browser.wait_for_element("li a").click()
    browser.wait_for_text_to_equal("h1", "April 2026")
