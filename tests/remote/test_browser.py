"""Remote callbacks in a real browser: the page of dash_hub, without WebSockets, and served by two workers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from dash.testing.browser import Browser

from ..examples.running import close_tab, free_port, open_tab, until, until_answered
from ..live.proxy import proxy_beside
from .backends import module_of
from .conftest import Held, Serve
from .seed import BACKEND, changed_page

#: Twice the interval at which the page's receiver would ask.
WATCHED_SECONDS = 2.2

REQUESTS = "return performance.getEntriesByType('resource').map(each => each.name)"

Start = Callable[..., str]


@pytest.fixture
def backend(serve: Serve) -> Held:
    """The backend of dash_hub, which waits for the test."""
    return Held(module_of(BACKEND, "seed_backend").app)


@pytest.fixture
def start_page(tmp_path: Path, serve: Serve, backend: Held) -> Iterator[Start]:
    """Start the page of dash_hub; takes the arguments of a command, or runs it as a script. Returns its address."""
    with ExitStack() as stack:

        def start(*command: str) -> str:
            port = free_port()
            (tmp_path / "page.py").write_text(changed_page(serve(backend), port).replace("debug=True, ", ""))
            log = tmp_path / "page.txt"
            with log.open("wb") as output:
                process = subprocess.Popen(
                    [sys.executable, *(each.format(port=port) for each in command or ["page.py"])],
                    cwd=tmp_path,
                    env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
            stack.callback(_end, process, log)
            until_answered(f"http://127.0.0.1:{port}", process, log)
            return f"http://127.0.0.1:{port}"

        yield start


def _end(process: subprocess.Popen[bytes], log: Path) -> None:
    process.terminate()
    code = process.wait(20)
    text = log.read_text()
    assert code == 0 and "Traceback" not in text and "ResourceWarning" not in text, text


def fill(browser: Browser, a: str, b: str) -> None:
    browser.wait_for_element("#num_1").send_keys(a)
    browser.find_element("#num_2").send_keys(b)
    browser.find_element("#button").click()


def shows(browser: Browser, text: str) -> None:
    browser.wait_for_text_to_equal("#response-output", text)


def eventually(browser: Browser, condition: Callable[[], Any]) -> Any:
    return until(browser, lambda driver: condition())


def test_a_page_is_usable_while_its_backend_works_and_asks_for_nothing(
    start_page: Start, browser: Browser, backend: Held
) -> None:
    browser.driver.get(start_page("-X", "dev", "page.py"))
    fill(browser, "6", "7")
    eventually(browser, lambda: backend.asked == 1)
    before = browser.driver.execute_script(REQUESTS)
    watched_until = time.monotonic() + WATCHED_SECONDS
    typed = "6"
    while time.monotonic() < watched_until:
        browser.find_element("#num_1").send_keys("1")
        typed += "1"
        until(browser, lambda driver, typed=typed: browser.find_element("#num_1").get_attribute("value") == typed)
        assert browser.find_element("#button").is_enabled()
        time.sleep(0.1)
    assert browser.driver.execute_script(REQUESTS) == before and backend.asked == 1
    backend.release()
    shows(browser, "6 * 7 = 42.0")
    assert browser.driver.execute_script(REQUESTS) == before


def test_without_websockets_the_answer_comes_another_way(start_page: Start, browser: Browser, backend: Held) -> None:
    address = start_page()
    with proxy_beside(int(address.rpartition(":")[2])) as proxy:
        proxy.blocks_upgrades = "swallow"
        browser.driver.get(proxy.address)
        fill(browser, "6", "7")
        eventually(browser, lambda: backend.asked == 1)
        backend.release()
        shows(browser, "6 * 7 = 42.0")
        browser.driver.get("about:blank")
        browser.get_logs()  # A refused WebSocket is told there.


def test_a_late_answer_overwrites_no_newer_one(start_page: Start, browser: Browser, backend: Held) -> None:
    browser.driver.get(start_page())
    fill(browser, "6", "7")
    eventually(browser, lambda: backend.asked == 1)
    fill(browser, "0", "0")
    eventually(browser, lambda: backend.asked == 2 and backend.left == 1)
    backend.release()
    shows(browser, "60 * 70 = 4200.0")


def test_a_tab_that_leaves_hangs_up(start_page: Start, browser: Browser, backend: Held) -> None:
    address = start_page()
    browser.driver.get(address)
    open_tab(browser, address)
    fill(browser, "6", "7")
    eventually(browser, lambda: backend.asked == 1)
    close_tab(browser)
    eventually(browser, lambda: backend.left == 1)


def test_two_workers_serve_the_tabs_of_one_backend(start_page: Start, browser: Browser, backend: Held) -> None:
    address = start_page("-m", "flash", "run", "page.py:app", "--workers", "2", "--port", "{port}")
    browser.driver.get(address)
    backend.release()
    for number in range(1, 7):
        open_tab(browser, address)
        fill(browser, str(number), "7")
        shows(browser, f"{number} * 7 = {number * 7}.0")
    assert backend.asked == 6
