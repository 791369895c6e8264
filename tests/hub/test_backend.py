"""Pages that wait for a backend, another app of their hub: they stay alive, and what is no longer wanted ends."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from dash.testing.browser import Browser
from selenium.webdriver.common.keys import Keys

from flash.hub.hub import Hub

from ..examples.conftest import fresh_browser
from ..examples.running import close_tab, open_tab, until
from .serving import serving

APPS = Path(__file__).parent / "apps"
PAGE = str(APPS / "asking_page.py")

#: Where the page is served: by one process of the hub's making, and by two workers of a command. The hub's process has
#: a backend too.
PAGES = ("page", "page-inline-backend", "workers")

pytestmark = [pytest.mark.browser, pytest.mark.parametrize("page", PAGES)]
every_kind = pytest.mark.parametrize("kind", ["http", "live", "stream", "remote"])
streams = pytest.mark.parametrize("kind", ["stream", "remote"])

#: Counts the callback requests of a page that are under way.
COUNT_REQUESTS = """
const ask = window.fetch;
window.underWay = 0;
window.fetch = async (...args) => {
    window.underWay++;
    try {
        const answer = await ask(...args);
        await answer.clone().text();
        return answer;
    } finally { window.underWay--; }
};
"""


class Backend:
    """The backend of a page, as the test sees it."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def told(self, name: str) -> list[str]:
        """What has become of the requests for a work."""
        told: list[str] = self._client.get(f"/told/{name}").raise_for_status().json()
        return told

    def release(self, name: str) -> None:
        """Let a work end."""
        self._client.post(f"/release/{name}").raise_for_status()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    hub = Hub(home=str(tmp_path_factory.mktemp("hub")))
    backend = str(APPS / "waiting_backend.py")
    hub.mount(backend, "/backend", isolation="process")
    hub.mount(backend, "/inline", isolation="inline")
    hub.mount(PAGE, "/page", isolation="process", env={"BACKEND_URL": "/backend/"})
    hub.mount(PAGE, "/page-inline-backend", isolation="process", env={"BACKEND_URL": "/inline/"})
    hub.mount(
        [sys.executable, "-m", "flash", "run", f"{PAGE}:app", "--workers", "2", "--port", "{port}"],
        "/workers",
        # A command is told its place by what it reads itself.
        env={
            "BACKEND_URL": "/backend/",
            "DASH_ROUTES_PATHNAME_PREFIX": "/",
            "DASH_REQUESTS_PATHNAME_PREFIX": "/workers/",
        },
    )
    with serving(hub) as url:
        yield url


@pytest.fixture
def browser(site: str) -> Iterator[Browser]:
    """A fresh browser. At the end its console must hold no error."""
    with fresh_browser() as browser:
        yield browser


@pytest.fixture
def backend(site: str, page: str) -> Iterator[Backend]:
    address = f"{site}/{'inline' if 'inline' in page else 'backend'}"
    with httpx.Client(base_url=address, timeout=60) as client:
        yield Backend(client)


_numbers = count(1)


@pytest.fixture
def name() -> str:
    """A name for the work of this test alone."""
    return f"work{next(_numbers)}"


def show(browser: Browser, address: str) -> None:
    browser.driver.get(address)
    browser.wait_for_element("#stream")
    browser.driver.execute_script(COUNT_REQUESTS)


def wish(browser: Browser, kind: str, name: str) -> None:
    """Type the name of a work where the page takes it."""
    browser.find_element(f"#{kind}").send_keys(Keys.CONTROL + "a")
    browser.find_element(f"#{kind}").send_keys(name + Keys.ENTER)


def ask_quickly(browser: Browser, clicks: int) -> None:
    """Call another callback of the page, and wait for its answer."""
    browser.find_element("#quick").click()
    browser.wait_for_text_to_equal("#quick-answer", f"quick {clicks}")


def eventually(browser: Browser, condition: Callable[[], Any]) -> Any:
    return until(browser, lambda driver: condition())


@every_kind
def test_a_page_is_alive_while_its_backend_works(
    site: str, page: str, browser: Browser, backend: Backend, name: str, kind: str
) -> None:
    show(browser, f"{site}/{page}/")
    wish(browser, kind, name)
    eventually(browser, lambda: backend.told(name) == ["began"])
    for clicks in (1, 2, 3):
        ask_quickly(browser, clicks)
    assert backend.told(name) == ["began"], "It works still."
    backend.release(name)
    browser.wait_for_text_to_equal(f"#{kind}-answer", f"result of {name}")
    assert backend.told(name) == ["began", "answered"]


@streams
def test_what_is_cancelled_ends_at_the_backend(
    site: str, page: str, browser: Browser, backend: Backend, name: str, kind: str
) -> None:
    show(browser, f"{site}/{page}/")
    wish(browser, kind, name)
    eventually(browser, lambda: backend.told(name) == ["began"])
    browser.wait_for_text_to_equal("#running", "runs")
    browser.find_element("#cancel").click()
    browser.wait_for_text_to_equal("#running", "over")
    eventually(browser, lambda: backend.told(name) == ["began", "cancelled"])
    assert browser.find_element(f"#{kind}-answer").text == (f"asking for {name}" if kind == "stream" else "")
    # The page goes on.
    wish(browser, kind, f"{name}-again")
    eventually(browser, lambda: backend.told(f"{name}-again") == ["began"])
    backend.release(f"{name}-again")
    browser.wait_for_text_to_equal(f"#{kind}-answer", f"result of {name}-again")


@every_kind
def test_what_a_tab_has_begun_ends_at_the_backend_when_it_leaves(
    site: str, page: str, browser: Browser, backend: Backend, name: str, kind: str
) -> None:
    browser.driver.get(site)
    open_tab(browser, f"{site}/{page}/")
    browser.wait_for_element("#stream")
    wish(browser, kind, name)
    eventually(browser, lambda: backend.told(name) == ["began"])
    close_tab(browser)
    eventually(browser, lambda: backend.told(name) == ["began", "cancelled"])


@pytest.mark.parametrize("kind", ["http", "live"])
def test_a_late_answer_overwrites_no_newer_one(
    site: str, page: str, browser: Browser, backend: Backend, name: str, kind: str
) -> None:
    show(browser, f"{site}/{page}/")
    clicks = count(1)
    # By HTTP, two workers share the requests as they come: until each has answered one.
    several = page == "workers" and kind == "http"
    for round_ in count(1):
        early, late = f"{name}-{round_}-early", f"{name}-{round_}-late"
        for each in (early, late):
            wish(browser, kind, each)
            eventually(browser, lambda each=each: backend.told(each) == ["began"])
        processes = set()
        for each in (late, early):
            backend.release(each)
            browser.wait_for_contains_text("#arrived", f"{each} by")
            processes.add(browser.find_element("#arrived").text.rpartition(" ")[2])
            browser.wait_for_text_to_equal(f"#{kind}-answer", f"result of {late}")
        eventually(browser, lambda: browser.driver.execute_script("return window.underWay") == 0)
        ask_quickly(browser, next(clicks))
        assert browser.find_element(f"#{kind}-answer").text == f"result of {late}"
        assert backend.told(early) == backend.told(late) == ["began", "answered"]
        if len(processes) == 2 or not several:
            return


@streams
def test_a_stream_that_is_replaced_ends_at_the_backend(
    site: str, page: str, browser: Browser, backend: Backend, name: str, kind: str
) -> None:
    show(browser, f"{site}/{page}/")
    for each in (f"{name}-early", f"{name}-late"):
        wish(browser, kind, each)
        eventually(browser, lambda each=each: backend.told(each) == ["began"])
    eventually(browser, lambda: backend.told(f"{name}-early") == ["began", "cancelled"])
    backend.release(f"{name}-late")
    browser.wait_for_text_to_equal(f"#{kind}-answer", f"result of {name}-late")
