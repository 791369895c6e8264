"""examples/database: notes are kept, listed and shown, with titles from the database."""

from __future__ import annotations

from pathlib import Path

from dash.testing.browser import Browser
from selenium.webdriver.support import expected_conditions as expected

from .running import Open, until


def test_a_note_is_saved_and_has_a_page_of_its_own(open_example: Open, browser: Browser, tmp_path: Path) -> None:
    database = str(tmp_path / "notes.db")
    address = open_example("database", NOTES_DATABASE=database)
    until(browser, expected.title_is("Notes (0)"))
    browser.wait_for_element("#title").send_keys("Milk")
    browser.find_element("#body").send_keys("Two bottles")
    browser.find_element("#save").click()

    browser.wait_for_text_to_equal("#message", "Saved.")
    browser.wait_for_text_to_equal("#notes", "Milk")
    assert browser.find_element("#title").get_attribute("value") == ""

    browser.find_element("#notes a").click()
    browser.wait_for_text_to_equal("#body-of-note", "Two bottles")
    until(browser, expected.title_is("Milk"))
    assert browser.driver.current_url == f"{address}/note/1"

    # Another server finds what the first one wrote.
    open_example("database", "/note/1", NOTES_DATABASE=database)
    browser.wait_for_text_to_equal("#body-of-note", "Two bottles")


def test_what_is_missing_is_said(open_example: Open, browser: Browser, tmp_path: Path) -> None:
    address = open_example("database", NOTES_DATABASE=str(tmp_path / "notes.db"))
    browser.wait_for_element("#save").click()
    browser.wait_for_text_to_equal("#message", "A note needs a title.")

    browser.driver.get(f"{address}/note/7")
    browser.wait_for_text_to_equal("h1", "No such note")
