"""examples/remote-celery: a page whose work a Celery worker does, in a process that knows nothing of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from dash.testing.browser import Browser

from ..storage.servers import RedisServer
from .running import EXAMPLES, Open, close_tab, open_tab, until


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    """A Redis with a worker of the example's tasks, which writes down what it does in ``worker.txt``."""
    server = RedisServer(tmp_path)
    with (tmp_path / "worker.txt").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "tasks", "worker", "--concurrency=1", "--loglevel=INFO"],
            cwd=EXAMPLES / "remote-celery",
            env={**os.environ, "REDIS_URL": server.url},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        yield server.url
        worker.terminate()
        worker.wait(30)
    server.kill()


def runs(browser: Browser) -> None:
    """Wait until the task has begun, and see that the buttons say so."""
    until(browser, lambda _: float(browser.find_element("#bar").get_attribute("value")) > 0)
    assert browser.find_element("#start").get_attribute("disabled") is not None
    assert browser.find_element("#stop").get_attribute("disabled") is None


def at_rest(browser: Browser) -> None:
    until(browser, lambda _: browser.find_element("#start").get_attribute("disabled") is None)
    until(browser, lambda _: float(browser.find_element("#bar").get_attribute("value")) == 0)


def test_a_worker_counts_and_the_page_shows_how_far_it_is(open_example: Open, browser: Browser, redis_url: str) -> None:
    open_example("remote-celery", REDIS_URL=redis_url)
    browser.wait_for_element("#start").click()
    runs(browser)
    browser.wait_for_text_to_equal("#answer", "There are 21,336,326 primes below 400,000,000.", timeout=60)
    at_rest(browser)


def test_stop_and_closing_the_page_end_the_task(
    open_example: Open, browser: Browser, redis_url: str, tmp_path: Path
) -> None:
    def ended(times: int) -> bool:
        return len(re.findall(r"Terminating [0-9a-f-]+", (tmp_path / "worker.txt").read_text())) == times

    address = open_example("remote-celery", REDIS_URL=redis_url)
    browser.wait_for_element("#start").click()
    runs(browser)
    browser.find_element("#stop").click()
    at_rest(browser)
    until(browser, lambda _: ended(1))

    open_tab(browser, address)
    browser.wait_for_element("#start").click()
    runs(browser)
    close_tab(browser)
    until(browser, lambda _: ended(2))


def test_without_redis_the_page_says_so(open_example: Open, browser: Browser) -> None:
    open_example("remote-celery", REDIS_URL="redis://127.0.0.1:1/0")
    browser.wait_for_element("#start").click()
    browser.wait_for_text_to_equal("#answer", "The backend cannot be reached.")
    at_rest(browser)
