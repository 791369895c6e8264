"""The browser's end of each transport: what Dash's renderer and Flash's client send, and what they read of the answer.

A client asks one server for one callback after the other, and times each: from the request's first byte to the parsed
answer. ``post`` and ``take`` do the halves, for requests that do not wait for each other.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
import uuid
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self

from live_tabs import HELLO, MOST_UNTOLD, PATH
from load import BROWSER_HEADERS, Connection
from websockets.asyncio.client import ClientConnection, connect

Json = dict[str, Any]

NUMBERED = frozenset({"set_props", "callback_response", "get_props_request", "changed"})


class Wrong(Exception):
    """An answer that is not the one that was asked for: the figures would be worthless."""


def body(source: str, target: str, value: Any) -> Json:
    """What the renderer sends for a change of ``source``; both are written ``id.property``."""
    source_id, _, source_property = source.rpartition(".")
    target_id, _, target_property = target.rpartition(".")
    return {
        "output": target,
        "outputs": {"id": target_id, "property": target_property},
        "inputs": [{"id": source_id, "property": source_property, "value": value}],
        "changedPropIds": [source],
        "parsedChangedPropsIds": [source],
    }


def value_of(answer: Json, target: str) -> Any:
    """What an answer says of a property."""
    target_id, _, target_property = target.rpartition(".")
    return answer["response"][target_id][target_property]


class Client:
    """A tab with one callback.

    Args:
        port: Where the server, or what delays it, listens on 127.0.0.1.
        source: The callback's input, ``id.property``.
        target: Its output.

    Attributes:
        connections: How many it has opened.
    """

    def __init__(self, port: int, source: str, target: str) -> None:
        self.port = port
        self.source = source
        self.target = target
        self.connections = 0

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Connect."""
        raise NotImplementedError

    async def close(self) -> None:
        """Go away."""
        raise NotImplementedError

    async def ask(self, value: int) -> float:
        """Change the input, and return the seconds until the output was there.

        Raises:
            Wrong: Another value came, or an error.
        """
        raise NotImplementedError


class _Counted(Connection):
    """A connection that tells its client whenever it is opened, also anew."""

    def __init__(self, client: Client) -> None:
        super().__init__(client.port)
        self._client = client

    async def open(self) -> None:
        self._client.connections += 1
        await super().open()


class HttpClient(Client):
    """One kept connection of HTTP/1.1, with the headers of a browser."""

    async def open(self) -> None:
        self._connection = _Counted(self)
        await self._connection.open()

    async def close(self) -> None:
        self._connection.close()

    async def ask(self, value: int) -> float:
        request = self.request(value)
        began = time.perf_counter()
        answer = json.loads(await self._connection.send(request))
        took = time.perf_counter() - began
        if value_of(answer, self.target) != value:
            raise Wrong(answer)
        return took

    async def answer(self, value: Any) -> Any:
        """What the callback returns."""
        return value_of(json.loads(await self._connection.send(self.request(value))), self.target)

    def request(self, value: Any) -> bytes:
        """The request of a browser."""
        content = json.dumps(body(self.source, self.target, value)).encode()
        site = f"127.0.0.1:{self.port}"
        headers = {
            "Host": site,
            "Origin": f"http://{site}",
            "Referer": f"http://{site}/",
            **BROWSER_HEADERS,
            "Content-Type": "application/json",
            "Content-Length": str(len(content)),
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"POST /_dash-update-component HTTP/1.1\r\n{lines}\r\n".encode() + content


class SocketClient(Client):
    """A WebSocket that speaks as Dash's own worker does."""

    async def open(self) -> None:
        self._numbers = itertools.count(1)
        self._page = str(uuid.uuid4())
        self.connections += 1
        site = f"127.0.0.1:{self.port}"
        self._socket: ClientConnection = await connect(
            f"ws://{site}{PATH}",
            origin=f"http://{site}",  # type: ignore[arg-type]
            additional_headers={"Cookie": BROWSER_HEADERS["Cookie"]},
            user_agent_header=BROWSER_HEADERS["User-Agent"],
            compression=None,
            ping_interval=None,
            max_size=None,
        )
        self._messages = self._read()

    async def close(self) -> None:
        await self._socket.close()

    async def ask(self, value: int) -> float:
        name, text = self.request(value)
        began = time.perf_counter()
        await self._socket.send(text)
        answered, shown = await self.take()
        took = time.perf_counter() - began
        if (answered, shown) != (name, value):
            raise Wrong(f"{shown} instead of {value}")
        return took

    async def post(self, value: int) -> None:
        """Ask, and do not wait for the answer."""
        await self._socket.send(self.request(value)[1])

    async def take(self) -> tuple[str, Any]:
        """The next answer: the request's id, and the value."""
        message = await self.until("callback_response")
        payload = message["payload"]
        if payload["status"] != "ok":
            raise Wrong(payload)
        return message["requestId"], value_of(payload["data"], self.target)

    def request(self, value: int) -> tuple[str, str]:
        """A request: its id, and the message."""
        name = f"{self._page}-{next(self._numbers)}"
        message = {"type": "callback_request", "rendererId": self._page, "requestId": name}
        return name, json.dumps({**message, **self.more(value), "payload": body(self.source, self.target, value)})

    def more(self, value: int) -> Json:
        """What else a request says."""
        return {}

    async def until(self, *types: str) -> Json:
        """The next message of one of these types."""
        async for message in self._messages:
            if message["type"] in types:
                return message
        raise Wrong("The server has closed the connection.")

    async def _read(self) -> AsyncIterator[Json]:
        async for frame in self._socket:
            content = json.loads(frame)
            for message in content if isinstance(content, list) else [content]:
                await self.heed(message)
                yield message

    async def heed(self, message: Json) -> None:
        """Do what the protocol asks for when a message has come."""


class LiveClient(SocketClient):
    """A WebSocket that speaks as Flash's client does: it arrives, acknowledges, and answers heartbeats."""

    async def open(self) -> None:
        await super().open()
        self._received = 0
        await self._socket.send(json.dumps({**HELLO, "rendererId": self._page}))
        await self.until("welcome")

    async def close(self) -> None:
        await self._socket.send('{"type":"bye"}')
        await super().close()

    async def heed(self, message: Json) -> None:
        if message["type"] in NUMBERED:
            self._received += 1
            if self._received % MOST_UNTOLD == 0:
                await self._socket.send(json.dumps({"type": "ack", "received": self._received}))
        elif message["type"] == "heartbeat":
            await self._socket.send(json.dumps({"type": "heartbeat_ack", "received": self._received}))
        elif message["type"] in ("error", "bye"):
            raise Wrong(message)


class SharedClient(LiveClient):
    """The same for a shared callback: the output comes to every tab, and the request is answered beside it."""

    async def open(self) -> None:
        self._changes = itertools.count(1)
        await super().open()

    def more(self, value: int) -> Json:
        return {"changes": {self.source: next(self._changes)}}

    async def ask(self, value: int) -> float:
        _, text = self.request(value)
        began = time.perf_counter()
        await self._socket.send(text)
        shown = answered = 0.0
        while not (shown and answered):
            message = await self.until("set_props", "callback_response")
            if message["type"] == "callback_response":
                self._check_answer(message)
                answered = time.perf_counter()
            elif self.shows(message, value):
                shown = time.perf_counter()
        return shown - began

    async def take(self) -> tuple[str, Any]:
        message = await self.until("callback_response")
        self._check_answer(message)
        return message["requestId"], None

    def shows(self, message: Json, value: int) -> bool:
        """Whether a message sets the output to a value."""
        name, _, prop = self.target.rpartition(".")
        payload = message["payload"]
        return bool(payload["componentId"] == name and payload["props"].get(prop) == value)

    async def until_shown(self, value: int) -> float:
        """The time when the output has been set to a value by somebody."""
        while not self.shows(await self.until("set_props"), value):
            pass
        return time.perf_counter()

    @staticmethod
    def _check_answer(message: Json) -> None:
        if message["payload"]["status"] not in ("ok", "prevent_update"):
            raise Wrong(message)


class SharedPair(Client):
    """Two tabs of one shared callback: one changes the input, and what is timed is the output in the other."""

    async def open(self) -> None:
        self._tabs = [SharedClient(self.port, self.source, self.target) for _ in range(2)]
        for tab in self._tabs:
            await tab.open()
        self.connections = len(self._tabs)

    async def close(self) -> None:
        for tab in self._tabs:
            await tab.close()

    async def ask(self, value: int) -> float:
        asker, other = self._tabs
        shown = asyncio.create_task(other.until_shown(value))
        began = time.perf_counter()
        await asker.ask(value)
        return await shown - began
