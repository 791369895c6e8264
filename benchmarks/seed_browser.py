"""Round trips of a real browser: from setting the slider to the text in the page, with Dash's renderer between them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from seed_arms import Arm
from seed_clients import HttpClient
from seed_latency import Plan, Taken

#: Milliseconds between an answer and the next change, in which the renderer finishes what it does afterwards.
PAUSE = 10

#: Changes the slider again and again, one in flight, and notes the milliseconds until the page shows each value.
SCRIPT = """
const [slider, text, pause, untimed, samples, done] = arguments;
const shown = document.getElementById(text);
const times = [];
let value = Number(shown.textContent), began = 0, waits = false;
function change() {
    value = value % 100 + 1;
    waits = true;
    began = performance.now();
    dash_clientside.set_props(slider, {value});
}
const observer = new MutationObserver(() => {
    if (!waits || shown.textContent !== String(value)) return;
    times.push(performance.now() - began);
    waits = false;
    if (times.length < untimed + samples) return void setTimeout(change, pause);
    observer.disconnect();
    done(times.slice(untimed));
});
observer.observe(document.body, {subtree: true, childList: true, characterData: true});
change();
"""

#: Counts the callbacks that go over HTTP from now on. The browser keeps no more than 250 such entries by itself.
COUNT_POSTS = """
window.posts = 0;
new PerformanceObserver(list => {
    window.posts += list.getEntries().filter(each => each.name.includes('_dash-update-component')).length;
}).observe({type: 'resource'});
"""

#: Whether the page shows a value.
READY = "return Boolean(document.getElementById(arguments[0])?.textContent);"


class WrongWay(Exception):
    """A page's callbacks did not go the way that was to be measured."""


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser, on the cores of this process."""
    from selenium.webdriver import Chrome, ChromeOptions

    options = ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1000,800"):
        options.add_argument(argument)
    driver = Chrome(options=options)
    driver.set_script_timeout(120)
    try:
        yield driver
    finally:
        driver.quit()


def measure(driver: Any, arms: Sequence[Arm], ports: Mapping[str, int], plan: Plan) -> dict[str, Taken]:
    """Time the arms in turn, in blocks, each in a page that is loaded for it.

    Args:
        driver: The browser.
        arms: What to measure.
        ports: Where each kind listens, or what delays it.
        plan: How much of each.

    Returns:
        What was taken, by the arm's label.

    Raises:
        WrongWay: An arm of HTTP went over a WebSocket, or the other way round.
    """
    taken = {arm.label: Taken() for arm in arms}
    order = random.Random(4)
    for _ in range(plan.blocks):
        for arm in order.sample(arms, len(arms)):
            times = run_block(driver, arm, ports[arm.kind], plan.first, plan.samples)
            taken[arm.label].blocks.append(times)
    return taken


def run_block(driver: Any, arm: Arm, port: int, untimed: int, samples: int) -> list[float]:
    """The seconds of each timed round trip of one block."""
    from selenium.webdriver.support.ui import WebDriverWait

    driver.get(f"http://127.0.0.1:{port}/")
    text = f"text-{arm.callback}"
    WebDriverWait(driver, 60).until(lambda it: it.execute_script(READY, text))
    driver.execute_script(COUNT_POSTS)
    slider = f"slider-{arm.callback}"
    times = driver.execute_async_script(SCRIPT, slider, text, PAUSE, untimed, samples)
    posts = driver.execute_script("return window.posts")
    if (posts > 0) is not (arm.client is HttpClient):
        raise WrongWay(f"{arm.label}: {posts} of {untimed + samples} callbacks went over HTTP.")
    return [each / 1e3 for each in times]
