"""Many tabs that idle on a source: what comes from them between versions, and how fast a new version reaches all.

The tabs are Flash's client reduced to its protocol, and a few real ones in Chromium, which alone can tell what the
client asks for by itself. While nothing happens, all that comes to the server is counted. Then the source is run, and
each tab asks for the callback's answer as soon as it has the version, as a page does. Times begin before the source is
run, so they hold its run too.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, ExitStack
from typing import Any

from live_tabs import Tab, Tabs
from load import BROWSER_HEADERS, Connection, Connections, page_request
from report import print_heading, print_table
from seed_browser import chromium
from servers import LOAD_CORE, Server, pin, serving

#: Each kind of ``data_apps``, and what its table says.
KINDS = {"data-http": "HTTP", "data-live": "live connection"}
SOURCE = "_flash-source-readings"
VERSION = re.compile(rb'"componentId":"%s","props":\{"data":"([^"]+)"\}' % SOURCE.encode())

Ask = Callable[["DataTab", str], Awaitable[bytes]]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--program", default="hypercorn", choices=("hypercorn", "uvicorn"))
    parser.add_argument("--tabs", type=int, default=500)
    parser.add_argument("--browser-tabs", type=int, default=5, help="tabs in Chromium beside them")
    parser.add_argument("--idle", type=float, default=60.0, help="seconds in which nothing happens")
    parser.add_argument("--versions", type=int, default=20)
    return parser.parse_args()


def main() -> None:
    options = parse()
    packages = ["dash-flash", "dash", "quart", options.program]
    print_heading(f"{options.tabs:,} tabs that idle on a source, and {options.browser_tabs} in Chromium", packages)
    pin(LOAD_CORE)
    rows = []
    for kind in options.kinds:
        with serving(kind, options.program, "data_apps") as server:
            rows.append([KINDS[kind], *asyncio.run(Bench(server, options).run())])
    columns = ["callbacks by", f"requests in {options.idle:g} s", "callback frames", "heartbeats answered"]
    columns += [
        "a version reaches a tab, ms, p50",
        "all, ms, median",
        "all, ms, longest",
        "answered to all, ms, median",
    ]
    print_table([*columns, "runs of the callback a version", "requests for it a version"], rows)


class DataTab(Tab):
    """A tab that notes the versions of the source.

    Attributes:
        version: The newest that it has, by its tag.
        at: When it came.
        asked: The request for the callback's answer, which it sends then.
    """

    version = ""
    at = 0.0
    asked: asyncio.Task[bytes] | None = None
    wants: Ask | None = None

    def _is_one_message(self, data: bytes) -> bool:
        return False

    def _message(self, payload: bytes) -> None:
        if found := VERSION.search(payload):
            self.version, self.at = found[1].decode(), time.perf_counter()
            if self.wants is not None:
                self.asked = asyncio.ensure_future(self.wants(self, self.version))
        super()._message(payload)


class Bench:
    """One server, its tabs, and what is measured there."""

    def __init__(self, server: Server, options: argparse.Namespace) -> None:
        self.server = server
        self.options = options
        self.reach: list[list[float]] = []
        self.answered: list[float] = []
        self.runs: list[int] = []
        self.requests: list[int] = []

    async def run(self) -> list[str]:
        """The cells of one row."""
        tabs, port = self.options.tabs, self.server.port
        async with AsyncExitStack() as stack:
            browser = stack.enter_context(ExitStack())
            (self.control,) = await stack.enter_async_context(Connections(port, 1))
            await self._open_browser(browser)
            self.tabs = await stack.enter_async_context(Tabs(port, tabs, flash=True, kind=DataTab))
            lines = await stack.enter_async_context(Connections(port, tabs if self.server.kind == "data-http" else 0))
            idle = await self._idle()
            for tab in self.tabs.all:
                tab.wants = _by_http(lines[tab.number], port) if lines else _by_live
            await self._version()
            for each in (self.reach, self.answered, self.runs, self.requests):
                each.clear()
            for _ in range(self.options.versions):
                await self._version()
        return self._cells(idle)

    def _cells(self, idle: Counter[str]) -> list[str]:
        last = [each[-1] for each in self.reach]
        return [
            str(idle["request"]),
            str(idle["callback_request"]),
            f"{idle['heartbeat_ack']:,}",
            f"{statistics.median(time for each in self.reach for time in each) * 1000:.0f}",
            f"**{statistics.median(last) * 1000:.0f}**",
            f"{max(last) * 1000:.0f}",
            f"{statistics.median(self.answered) * 1000:.0f}",
            _range(self.runs),
            _range(self.requests),
        ]

    async def _open_browser(self, stack: ExitStack) -> None:
        """Open the tabs in Chromium, and wait until each has its first answer."""
        count = self.options.browser_tabs
        if not count:
            return
        driver = await asyncio.to_thread(stack.enter_context, chromium())
        for number in range(count):
            if number:
                await asyncio.to_thread(driver.switch_to.new_window, "tab")
            await asyncio.to_thread(driver.get, f"http://127.0.0.1:{self.server.port}/")
            await self._until(lambda: asyncio.to_thread(_shows_something, driver))

    async def _idle(self) -> Counter[str]:
        """What comes while nothing happens. It begins when the last page has all that it loads."""
        await self._settled()
        before = await self._seen()
        await asyncio.sleep(self.options.idle)
        return await self._seen() - before

    async def _version(self) -> None:
        """Run the source, and wait until all tabs have its version and the callback's answer for it."""
        before = await self._seen()
        began = time.perf_counter()
        answer = json.loads(await self.control.send(page_request("/read", self.server.port)))
        tabs: list[DataTab] = self.tabs.all  # type: ignore[assignment]
        await self.tabs.until(lambda: all(tab.version == answer["version"] for tab in tabs))
        answers = await asyncio.gather(*(tab.asked for tab in tabs if tab.asked is not None))
        ended = time.perf_counter()
        if not all(b"all " in each for each in answers):
            raise RuntimeError(f"A tab was answered {next(each for each in answers if b'all ' not in each)!r}")
        await self._settled()
        came = await self._seen() - before
        self.reach.append(sorted(tab.at - began for tab in tabs))
        self.answered.append(ended - began)
        self.runs.append(came["run"])
        self.requests.append(came["request"] + came["callback_request"])

    async def _seen(self) -> Counter[str]:
        return Counter(json.loads(await self.control.send(page_request("/seen", self.server.port))))

    async def _settled(self) -> None:
        """Wait until a second has passed in which nothing came but answers to heartbeats."""
        before = None
        while before != (before := _asked(await self._seen())):  # noqa: ASYNC110
            await asyncio.sleep(1)

    async def _until(self, condition: Callable[[], Awaitable[Any]]) -> None:
        deadline = time.monotonic() + 60
        while not await condition():
            if time.monotonic() > deadline:
                raise RuntimeError("A page in Chromium shows nothing.")
            await asyncio.sleep(0.05)


def _asked(seen: Counter[str]) -> int:
    return seen["request"] + seen["callback_request"]


def _shows_something(driver: Any) -> bool:
    return bool(driver.execute_script("return document.getElementById('out')?.textContent"))


def _range(counts: list[int]) -> str:
    return str(counts[0]) if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"


def _payload(version: str) -> dict[str, Any]:
    """The body by which a page calls the callback."""
    return {
        "output": "out.children",
        "outputs": {"id": "out", "property": "children"},
        "inputs": [
            {"id": SOURCE, "property": "data", "value": version},
            {"id": "in", "property": "value", "value": "all"},
        ],
        "changedPropIds": [f"{SOURCE}.data"],
        "parsedChangedPropsIds": [f"{SOURCE}.data"],
    }


def _by_live(tab: DataTab, version: str) -> Awaitable[bytes]:
    message = {"type": "callback_request", "rendererId": "", "requestId": f"{tab.number}-{version}"}
    return tab.ask(json.dumps({**message, "payload": _payload(version)}).encode())


def _by_http(connection: Connection, port: int) -> Ask:
    def ask(tab: DataTab, version: str) -> Awaitable[bytes]:
        body = json.dumps(_payload(version)).encode()
        headers = {
            "Host": f"127.0.0.1:{port}",
            "Origin": f"http://127.0.0.1:{port}",
            **BROWSER_HEADERS,
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return connection.send(b"POST /_dash-update-component HTTP/1.1\r\n" + lines.encode() + b"\r\n" + body)

    return ask


if __name__ == "__main__":
    main()
