"""Random runs of a browser's page, pushes, clicks and a network that misbehaves, at whose end the page shows what the
server believes that it shows.

Each run is made by its seed and can be repeated: ``LIVE_SEEDS=17 pytest tests/live/test_browser_property.py``, or
``0-300``, with ``LIVE_STEPS=100`` for longer ones.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from .conftest import LiveServer, Page, wait_until
from .proxy import Proxy, proxy_beside
from .test_property import seeds

pytestmark = pytest.mark.usefixtures("browser")

APP = Path(__file__).with_name("property_app.py")
STEPS = int(os.environ.get("LIVE_STEPS", "40"))

#: Seconds for a page that was told to connect, before it is told again.
PATIENCE = [1, 2, 4, 8, 16]

#: Notes what Dash's renderer asks its worker for, and what the worker answers, between the two.
RECORD = """
(() => {
    let made = window.SharedWorker;
    window.asked = {};
    const nameOf = id => (typeof id === "object" ? id.type + id.index : id);
    const ask = message => {
        if (message.type === "callback_request") {
            const [{id, value}] = message.payload.inputs;
            asked[message.requestId] = {token: `${nameOf(id)} ${value}`, answers: 0, errors: []};
        }
    };
    const answer = message => {
        if (message.type === "callback_response" && message.requestId in asked) {
            asked[message.requestId].answers += 1;
            if (message.payload.status === "error") {
                asked[message.requestId].errors.push(message.payload.message);
            }
        }
    };
    const Recorded = function (...args) {
        const {port} = new made(...args);
        return {
            port: {
                start: () => port.start(),
                close: () => port.close(),
                postMessage: message => { ask(message); port.postMessage(message); },
                set onmessage(called) { port.onmessage = event => { answer(event.data); called(event); }; },
                get onmessage() { return port.onmessage; },
            },
        };
    };
    Object.defineProperty(window, "SharedWorker", {get: () => Recorded, set: value => { made = value; }});
})();
"""

#: What components of the page show, by id and property, as its renderer holds them.
SHOWN = """
return arguments[0].map(([id, property]) => {
    try {
        const found = dash_component_api.getLayout(id.startsWith("{") ? JSON.parse(id) : id);
        return found && found.props && found.props.id !== undefined ? found.props[property] : "not there";
    } catch (unknownId) {
        return "not there";
    }
});
"""

CLICK = "document.getElementById(arguments[0]).click()"

CLICK_ROW = """
const rows = [...document.querySelectorAll("#rows button")];
if (rows.length > 0) {
    rows[arguments[0] % rows.length].click();
}
"""

RETRY = "window.FlashLive.connection.retry()"


class Run:
    """One random run.

    Args:
        seed: Makes it.
        server: The app, which makes what is pushed.
        proxy: The network between the two.
        page: The browser.
    """

    def __init__(self, seed: int, server: LiveServer, proxy: Proxy, page: Page) -> None:
        self.seed = seed
        self.chance = random.Random(seed)
        self.server = server
        self.proxy = proxy
        self.page = page
        self.mounted: set[str] = set()

    def go(self, steps: int) -> None:
        """Do random things, mend what is broken, and compare."""
        self.arrive()
        actions: list[Callable[[], None]] = [
            *[self.push] * 8,
            self.push_burst,
            *[self.ask] * 4,
            *[self.click_row] * 2,
            self.mount,
            *[self.cut] * 3,
            self.lose_network,
            self.stall,
            self.change_delay,
            self.change_way,
            *[self.go_on] * 3,
            *[self.retry] * 2,
            *[self.come_back] * 2,
        ]
        for _ in range(steps):
            self.chance.choice(actions)()
        self.come_back()
        self.compare()

    # What happens.

    def arrive(self) -> None:
        self.proxy.delay, self.proxy.blocks_upgrades = 0, ""
        self.go_on()
        self.server.do("world.begin()")
        self.page.open(self.proxy.address)
        wait_until(
            lambda: self.page.text("greeted") and self.server.do("[c.id for c in clients]") == [self.client],
            lambda: f"Seed {self.seed}: {self.server.do('[repr(c) for c in clients]')} is not {self.client} alone",
        )

    @property
    def client(self) -> str:
        """The name of the page's client."""
        name: str = self.page.state["client"]
        return name

    def push(self) -> None:
        self.server.do(f"world.push({self.chance.getrandbits(32)}, {self.chance.choice([1, 1, 2, 5])})")

    def push_burst(self) -> None:
        self.server.do(f"world.push({self.chance.getrandbits(32)}, {self.chance.randint(20, 60)})")

    def ask(self) -> None:
        self.page.run(CLICK, "ask")

    def click_row(self) -> None:
        self.page.run(CLICK_ROW, self.chance.randrange(100))

    def mount(self) -> None:
        self.mount_once(self.chance.choice(["late-0", "late-2"]))

    def mount_once(self, name: str) -> None:
        if name not in self.mounted:
            self.mounted.add(name)
            self.page.run(CLICK, f"mount-{name}")

    def cut(self) -> None:
        self.chance.choice([self.proxy.cut, lambda: self.proxy.cut(sockets_only=True), self.proxy.half_open])()

    def lose_network(self) -> None:
        self.proxy.down = True
        self.proxy.cut()

    def stall(self) -> None:
        self.proxy.stall()

    def change_delay(self) -> None:
        self.proxy.delay = self.chance.choice([0, 0.002, 0.02])

    def change_way(self) -> None:
        """Block WebSockets, or let them through again."""
        self.proxy.blocks_upgrades = self.chance.choice(["", "502"])

    def go_on(self) -> None:
        self.proxy.down = False
        self.proxy.go_on()
        self.proxy.bury()

    def retry(self) -> None:
        self.page.run(RETRY)

    def come_back(self) -> None:
        """Wait until the page is connected. By itself it would be patient: it has lost many links in a short time."""
        self.go_on()
        for seconds in PATIENCE:
            self.retry()
            with suppress(AssertionError):
                wait_until(lambda: self.page.state["status"] == "connected", seconds=seconds)
                return
        raise AssertionError(f"Seed {self.seed}: The state is {self.page.state}")

    # How it ends.

    def compare(self) -> None:
        self.proxy.delay = 0
        for name in ("late-0", "late-2"):
            self.mount_once(name)
        self.server.do("world.push_missing()")
        wait_until(lambda: not self.differences(), lambda: f"Seed {self.seed}: {self.differences()}")
        # Behind the answer to this nothing is under way any more.
        self.page.run(CLICK, "barrier")
        self.page.shows("passed", "passed 1")
        assert not self.differences(), f"Seed {self.seed}: {self.differences()}"
        assert self.page.state["recovered"], f"Seed {self.seed}"
        arrivals = self.server.do("[each for each in world.arrivals if each[0] == clients[0].id]")
        assert arrivals == [[self.client, True]], f"Seed {self.seed}: {arrivals}"
        complaints = [each for each in self.page.errors() if "Flash:" in each or "Uncaught" in each]
        assert not complaints, f"Seed {self.seed}: {complaints}"

    def differences(self) -> list[Any]:
        """Where the page and the server do not agree."""
        report = self.server.do("world.report()")
        asked = [each for each in self.page.run("return Object.values(asked)") if not each["token"].startswith("_")]
        tokens = [each["token"] for each in asked]
        told = {(name, prop): value for name, prop, value in report["shown"]}
        expected = {**told, ("rows", "children"): with_answers(told["rows", "children"], tokens), **answers(tokens)}
        values = self.page.run(SHOWN, list(expected))
        shown = {place: without_clicks(value) for place, value in zip(expected, values, strict=True)}
        return [
            *[f"{place}: {shown[place]}, not {value}" for place, value in expected.items() if shown[place] != value],
            *[f"{token} was asked and run unequally" for token in different(Counter(tokens), report["runs"])],
            *[f"{each} was not answered once" for each in asked if each["answers"] != 1 or each["errors"]],
        ]


def answers(tokens: list[str]) -> dict[tuple[str, str], Any]:
    """What the outputs show of the callbacks that a page has asked for last."""
    last = dict(token.split(" ", 1) for token in tokens)
    return {
        ("answered", "children"): f"answer {last['ask']}" if "ask" in last else None,
        ("heard", "children"): f"heard {last['typed']}" if "typed" in last else None,
    }


def with_answers(rows: list[Any], tokens: list[str]) -> list[Any]:
    """The rows that were pushed, with what the callbacks inside them have said."""
    last = dict(token.split(" ", 1) for token in tokens)
    found: list[Any] = without_clicks(rows)
    for each in found:
        button, said = each["props"]["children"]
        number = button["props"]["id"]["index"]
        said["props"]["children"] = f"said {last.get(f'row{number}')}"
    return found


def without_clicks(value: Any) -> Any:
    """Components as they are pushed, whatever the user has done with them."""
    if isinstance(value, dict):
        return {name: without_clicks(inner) for name, inner in value.items() if not name.startswith("n_clicks")}
    return [without_clicks(inner) for inner in value] if isinstance(value, list) else value


def different(one: Counter[str], other: dict[str, int]) -> list[str]:
    """The names whose counts are not the same."""
    return sorted(name for name in {*one, *other} if one[name] != other.get(name, 0))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """The app, for all runs."""
    server = LiveServer(tmp_path_factory.mktemp("property") / "server.log", {}, APP)
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def proxy(server: LiveServer) -> Iterator[Proxy]:
    """The network, for all runs."""
    with proxy_beside(server.port) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """One browser, in which each run loads the page anew."""
    page = Page(RECORD)
    yield page
    page.close()


@pytest.mark.parametrize("seed", seeds(8))
def test_the_page_shows_what_the_server_believes_and_each_request_runs_once(
    seed: int, server: LiveServer, proxy: Proxy, page: Page
) -> None:
    Run(seed, server, proxy, page).go(STEPS)
