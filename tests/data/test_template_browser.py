"""The live dashboards that ``flash new`` writes, in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ..live.conftest import Page, wait_until
from .projects import Served, served, write_project

FORMS = pytest.mark.parametrize("form", [[], ["--flask"]], ids=["flash", "flask"])

#: Notes that the loading screen was there.
WATCH_SCREEN = """
new MutationObserver(() => { window.hadScreen ||= !!document.querySelector('.screen .spinner'); })
    .observe(document, {childList: true, subtree: true});
"""
LINES = "return document.querySelectorAll('#load .scatterlayer .trace').length"
POINTS = "return document.querySelector('#load .js-plotly-plot').calcdata[0].length"
BADGE = "return document.querySelector('header').innerText"


@pytest.fixture
def page() -> Iterator[Page]:
    page = Page(WATCH_SCREEN)
    yield page
    page.close()


def opened(page: Page, running: Served) -> None:
    """Open the dashboard as somebody who has typed name and password."""
    page.open(f"http://admin:{running.password}@127.0.0.1:{running.port}/assets/style.css")
    # The browser sends them from now on by itself.
    page.open(running.url)


@FORMS
def test_a_browser_shows_a_loading_screen_and_then_charts_that_go_on(
    tmp_path: Path, page: Page, form: list[str]
) -> None:
    folder, password = write_project(tmp_path / "numbers", *form)
    with served(folder, password) as running:
        opened(page, running)
        wait_until(lambda: page.run(LINES) == 4, lambda: page.text("_dash-app-content"))
        assert page.run("return window.hadScreen")
        assert not page.run("return !!document.querySelector('.screen')")
        assert len(page.run("return [...document.querySelectorAll('.card strong')].map(each => each.innerText)")) == 4
        # New data come without a reload, and without the screen.
        page.run("window.hadScreen = false; window.same = true")
        points = page.run(POINTS)
        wait_until(lambda: page.run(POINTS) > points + 1)
        assert page.run("return window.same && !window.hadScreen")
        page.driver.save_screenshot(str(tmp_path / "dashboard.png"))
        assert page.errors() == []


@FORMS
def test_a_browser_shows_why_a_reading_failed_and_the_old_data(tmp_path: Path, page: Page, form: list[str]) -> None:
    folder, password = write_project(tmp_path / "numbers", *form)
    config = folder / "config.json"
    config.write_text(config.read_text().replace('"machine_stale": "1m"', '"machine_stale": "3s"'))
    with served(folder, password) as running:
        opened(page, running)
        wait_until(lambda: page.run(LINES) == 4)
        running.fail(True)
        wait_until(lambda: "The machine does not answer." in page.run(BADGE), lambda: page.run(BADGE))
        assert page.run(LINES) == 4
        old = "Stale: read at" if form else "Showing the data of"
        wait_until(lambda: old in page.run(BADGE), lambda: page.run(BADGE))
        running.fail(False)
        wait_until(lambda: "The machine does not answer." not in page.run(BADGE), lambda: page.run(BADGE), 60)
        points = page.run(POINTS)
        wait_until(lambda: page.run(POINTS) > points)
