"""examples/dash-engine: apps that functions make, alone and on one site."""

from __future__ import annotations

import urllib.request
from pathlib import Path

from dash.testing.browser import Browser

from .running import Open, Start, until


def test_the_start_page_leads_to_the_apps(open_example: Open, browser: Browser, tmp_path: Path) -> None:
    address = open_example("dash-engine", HUB_HOME=str(tmp_path / "hub"))
    until(browser, lambda driver: browser.find_elements("a[href='/stock/']"))
    browser.find_element("a[href='/stock/']").click()
    browser.wait_for_contains_text("#summary", "Alder")
    prices = urllib.request.urlopen(browser.find_element("#file").get_attribute("href"), timeout=10).read()
    assert prices.startswith(b"day,Alder,Birch,Cedar\n1,100,100,100\n")

    browser.driver.get(f"{address}/handbook/")
    browser.wait_for_element("a[href='/handbook/prices']").click()
    browser.wait_for_text_to_equal("#text", "Prices are those at the end of the day.")


def test_an_app_keeps_its_data_in_its_own_folder(open_example: Open, browser: Browser, tmp_path: Path) -> None:
    home = tmp_path / "hub"
    open_example("dash-engine", "/orders/", HUB_HOME=str(home))
    browser.wait_for_element("#customer").send_keys("Ada")
    browser.find_element("#amount").send_keys("12")
    browser.find_element("#add").click()
    browser.wait_for_text_to_equal("#message", "Added.")
    browser.driver.refresh()
    browser.wait_for_contains_text("#table", "12.00")
    assert (home / "instance" / "orders" / "orders.db").is_file()


def test_each_app_also_runs_alone(start_example: Start, tmp_path: Path) -> None:
    for file, mark in (("stock.py", b"Stock today"), ("orders.py", b"Orders"), ("handbook.py", b"Handbook")):
        address = start_example("dash-engine", file=file, FLASH_INSTANCE_PATH=str(tmp_path / "instance"))
        with urllib.request.urlopen(f"{address}/", timeout=10) as page:
            assert mark in page.read()
