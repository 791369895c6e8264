"""Frames that no honest client sends, made by a seed, and what a server must look like after them.

A *witness*, an honest tab on the same server, is asked again and again whether all is well for others.
"""

from __future__ import annotations

import asyncio
import copy
import gc
import json
import logging
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import psutil

from flash import Flash, Input, Output, html

from ..apps import body, flash_app
from .sites import Closed, InProcess, InProcessSocket
from .tab import Tab

Json = dict[str, Any]

#: Values that a field is not made for.
ODD: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    2**53,
    2**63,
    2**64,
    -(2**70),
    10**300,
    0.5,
    1e308,
    "",
    "x",
    "x" * 5000,
    "\0",
    "\ud800",
    "../../etc/passwd",
    "__proto__",
    "a.b",
    "..a.b...c.d..",
    "..",
    '{"index":1}',
    "{not json",
    [],
    [[]],
    [1, "a", None],
    {},
    {"a": {"b": [1, 2]}},
    {"__dash_patch_update": "__dash_patch_update", "operations": [{"operation": "None"}]},
    {"namespace": "dash_html_components", "type": "Div", "props": {}},
]

#: Frames that are not JSON, or barely.
TEXTS = [
    "",
    " ",
    "\n",
    "nonsense",
    "{",
    "}",
    "[",
    "]",
    '"',
    '{"type"',
    '{"type":}',
    "{'type': 'hello'}",
    '{"type": "heartbeat"} trailing',
    '{"type": "heartbeat"}{"type": "heartbeat"}',
    "NaN",
    "Infinity",
    '{"type": "ack", "received": NaN}',
    '{"type": "ack", "received": -Infinity}',
    '{"type": "ack", "received": 1e999}',
    '{"type": "ack", "received": %s}' % ("9" * 5000),
    '{"type": "heartbeat", "type": "bye"}',
    '{"type": "\\ud800"}',
    '"\\ud800\\udc00\\ud800"',
    "\ufeff{}",
    "\0",
    "[" * 100_000,
    "[" * 900 + "]" * 900,
    '{"a":' * 50_000,
    '{"type": "callback_request", "requestId": "deep", "payload": ' + '{"a":' * 900 + "1" + "}" * 901,
    "[" + ",".join(['{"type": "heartbeat_ack"}'] * 300) + "]",
    "[[]]",
    '[[{"type": "heartbeat_ack"}]]',
    "[null]",
    "0",
    "null",
    "true",
]


class Fuzzer:
    """Makes frames.

    Args:
        seed: Makes them.

    Attributes:
        kinds: How many of each kind it has made.
    """

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.kinds: Counter[str] = Counter()
        self._number = 0

    def messages(self) -> list[Json]:
        """One message of each type, as an honest client would send it."""
        self._number += 1
        page = {"rendererId": f"page-{self.chance.randint(1, 3)}"}
        request_id = f"request-{self.chance.randint(self._number // 2, self._number)}"
        asked = {"type": "callback_request", "requestId": request_id, **page}
        return [
            {"type": "hello", "version": 1, "endId": "end", "path": "/?a=b", **page},
            {"type": "resume", "version": 1, "client": "c", "key": "k", "received": 3, "ticket": "t", **page},
            {"type": "ack", "received": self.chance.randint(0, 50)},
            {**asked, "payload": body("echo.children", {"in.value": self._number}, {"state.data": None})},
            {**asked, "payload": body("echo.children", {"in.value": self._number})},
            {"type": "get_props_response", "requestId": request_id, "payload": {"value": 1}, **page},
            {"type": "heartbeat"},
            {"type": "heartbeat_ack", "received": self.chance.randint(0, 50)},
            {"type": "ticket", "ticket": "forged"},
            {"type": "bye"},
        ]

    def frame(self) -> str | bytes:
        """The next frame."""
        kind: Callable[[], str | bytes] = self.chance.choice(
            [self.mutated, self.mutated, self.mutated, self.in_payload, self.in_payload, self.honest, self.text]
            + [self.cut_off, self.several, self.noise, self.flipped, self.unknown]
        )
        self.kinds[kind.__name__] += 1
        if self.chance.random() < 0.005:
            self.kinds["binary"] += 1
            return self.chance.randbytes(self.chance.choice([0, 1, 200]))
        return kind()

    def odd(self) -> Any:
        """A value that hardly any field is made for."""
        return copy.deepcopy(self.chance.choice(ODD))

    def honest(self) -> str:
        """A correct message, probably at the wrong time."""
        return json.dumps(self.chance.choice(self.messages()))

    def mutated(self) -> str:
        """A message with fields that are missing, odd or too many."""
        message = self.chance.choice(self.messages())
        for _ in range(self.chance.randint(1, 3)):
            self._mutate(message)
        return json.dumps(message)

    def in_payload(self) -> str:
        """A request whose body is wrong somewhere deep inside."""
        message = self.chance.choice([each for each in self.messages() if "payload" in each])
        node: Any = message["payload"]
        while isinstance(node, (dict, list)) and node and self.chance.random() < 0.7:
            key = self.chance.choice(list(node) if isinstance(node, dict) else range(len(node)))
            if isinstance(node[key], (dict, list)) and self.chance.random() < 0.6:
                node = node[key]
            else:
                node[key] = self.odd()
        return json.dumps(message)

    def several(self) -> str:
        """Several messages in one frame."""
        return json.dumps([self.chance.choice([*self.messages(), *ODD[:10]]) for _ in range(self.chance.randint(0, 6))])

    def unknown(self) -> str:
        """A type that there is not, one of the server's among them."""
        names = ["welcome", "set_props", "callback_response", "error", "connected", "", "HELLO", "__init__", 5, None]
        return json.dumps({**self.chance.choice(self.messages()), "type": self.chance.choice(names)})

    def text(self) -> str:
        """No JSON, or hardly."""
        return self.chance.choice(TEXTS)

    def cut_off(self) -> str:
        """The beginning of a message."""
        text = self.honest()
        return text[: self.chance.randrange(len(text))]

    def flipped(self) -> str:
        """A message with some characters replaced."""
        text = list(self.honest())
        for _ in range(self.chance.randint(1, 4)):
            text[self.chance.randrange(len(text))] = chr(self.chance.choice([0, 34, 44, 58, 92, 123, 125, 233, 8232]))
        return "".join(text)

    def noise(self) -> str:
        """Random characters."""
        return "".join(chr(self.chance.randint(1, 0xD7FF)) for _ in range(self.chance.randint(1, 200)))

    def _mutate(self, message: Json) -> None:
        name = self.chance.choice(list(message) or ["type"])
        match self.chance.randrange(4):
            case 0:
                message.pop(name, None)
            case 1:
                message[f"{name}{self.chance.randint(0, 9)}"] = self.odd()
            case _:
                message[name] = self.odd()


class Log(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@asynccontextmanager
async def logged() -> AsyncIterator[Log]:
    """Keep what all loggers write while the block runs."""
    log = Log()
    root = logging.getLogger()
    root.addHandler(log)
    try:
        yield log
    finally:
        root.removeHandler(log)


def target(**live: Any) -> Flash:
    """The app that is attacked."""
    app = flash_app(live={"enabled": True, "resume_seconds": 0.2, **live}, websocket_callbacks=True)
    app.layout = html.Div([html.Div(id="in"), html.Div(id="echo"), html.Div(id="witness")])

    @app.callback(Output("echo", "children"), Input("in", "value"))
    async def echo(value: Any) -> str:
        return f"{value}"

    return app


class Witness:
    """An honest tab, for which everything must go on working."""

    def __init__(self, app: Flash, tab: Tab) -> None:
        self.app = app
        self.tab = tab
        self._number = 0

    async def testify(self) -> None:
        """Ask for a callback, and be pushed a value.

        Raises:
            AssertionError: One of them did not work.
        """
        self._number += 1
        assert await self.tab.call("echo.children", {"in.value": self._number}) == str(self._number)
        self.app.push_mods({"witness": {"children": self._number}})
        await self.tab.until(lambda: self.tab.value("witness.children") == self._number)
        # What a witness keeps would look like a leak.
        self.tab.log.clear()
        self.tab.requests.clear()


class Attack:
    """Sends frames to an app in this process, and looks at it after each.

    Args:
        app: The app.
        fuzzer: Makes the frames.
        log: What is logged.

    Attributes:
        sent: How many frames were sent.
        codes: The codes with which connections were closed.
        levels: What was logged, by level.
    """

    def __init__(self, app: Flash, fuzzer: Fuzzer, log: Log) -> None:
        self.app = app
        self.fuzzer = fuzzer
        self.log = log
        self.sent = 0
        self.codes: Counter[int] = Counter()
        self.levels: Counter[str] = Counter()

    async def run(self, frames: int, witness: Witness) -> None:
        """Send so many frames over as many connections as that takes."""
        while self.sent < frames:
            await self._connection(self.fuzzer.chance.randint(1, 60))
            if self.fuzzer.chance.random() < 0.1:
                await witness.testify()

    async def _connection(self, frames: int) -> None:
        socket: InProcessSocket = await InProcess(self.app).socket()
        reader = asyncio.create_task(self._read(socket))
        base = len(asyncio.all_tasks())
        if self.fuzzer.chance.random() < 0.6:
            await socket.send(json.dumps({"type": "hello", "version": 1}))
        for _ in range(frames):
            if reader.done():
                break
            frame = self.fuzzer.frame()
            await socket.send(frame)
            self.sent += 1
            await _quiet(base, socket)
            self._judge(frame)
        if self.fuzzer.chance.random() < 0.5:
            await socket.close()
        else:
            await socket.cut(delivered=True)
        self.codes[await reader] += 1

    async def _read(self, socket: InProcessSocket) -> int:
        try:
            while True:
                json.loads(await socket.receive())
        except Closed as closed:
            return int(closed.code)

    def _judge(self, frame: str | bytes) -> None:
        """A frame may leave a line in the log; one of several messages, one for each of them."""
        records, self.log.records = self.log.records, []
        self.levels.update(record.levelname for record in records)
        assert len(records) <= _messages_in(frame), (frame[:300], [record.getMessage() for record in records])
        for record in records:
            assert record.levelno < logging.ERROR, (frame[:300], record.getMessage(), record.exc_info)
            assert len(record.getMessage()) < 1000, "What came from the wire must not fill the log."


def _messages_in(frame: str | bytes) -> int:
    with suppress(ValueError, RecursionError):
        decoded = json.loads(frame)
        if isinstance(decoded, list):
            return max(1, len(decoded))
    return 1


async def _quiet(tasks: int, socket: InProcessSocket) -> None:
    """Wait until what was sent has been taken, and the tasks that it started have ended."""
    for _ in range(200):
        await asyncio.sleep(0)
        if socket.idle and len(asyncio.all_tasks()) <= tasks:
            return


def memory() -> int:
    """The bytes of memory that this process occupies."""
    gc.collect()
    size: int = psutil.Process().memory_info().rss
    return size


async def fuzz(seed: int, frames: int, report: Callable[[str], None] = lambda line: None) -> Attack:
    """Send seeded frames to an app in this process.

    Args:
        seed: Makes them.
        frames: How many.
        report: Told of the progress.

    Raises:
        AssertionError: A frame did harm, or something was left behind.
    """
    app = target(rate=1e9, burst=1_000_000)
    async with app.server.test_app(), logged() as log:
        tab = await Tab(InProcess(app)).open()
        witness = Witness(app, tab)
        attack = Attack(app, Fuzzer(seed), log)
        await witness.testify()
        await attack.run(min(1000, frames // 2), witness)
        await tab.until(lambda: len(app.clients) == 1)
        tasks, before = len(asyncio.all_tasks()), memory()
        while attack.sent < frames:
            await attack.run(min(attack.sent + 5000, frames), witness)
            report(f"{attack.sent} frames, {(memory() - before) / 1e6:+.1f} MB")
        await witness.testify()
        await tab.until(lambda: len(app.clients) == 1)
        await tab.until(lambda: len(asyncio.all_tasks()) <= tasks)
        grown = memory() - before
        assert grown < 32e6, f"{grown / 1e6:.1f} MB more than before."
        assert tab.closes == [] and tab.errors == []
        await tab.leave()
    return attack
