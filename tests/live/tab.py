"""Clients of the live protocol for tests: a browser tab as Flash's own client is one, and Dash's own worker.

Example:
    >>> async with tab_of(InProcess(app)) as tab:
    ...     app.push_mods({"clock": {"children": "12:00"}})
    ...     await tab.until(lambda: tab.value("clock.children") == "12:00")
"""

from __future__ import annotations

import asyncio
import itertools
import json
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Self

from flash import patches

from ..apps import body
from .sites import TICKET, Closed, Site, Socket

#: No wait of these tests is longer, in seconds.
PATIENCE = 20.0

NUMBERED = frozenset({"set_props", "callback_response", "get_props_request"})

Json = dict[str, Any]


class Peer:
    """One end of a socket that reads all that comes, so that tests can wait for it.

    Attributes:
        closes: The close codes of all its sockets so far.
        errors: The payloads of ``error`` messages.
        byes: The ``bye`` messages of the server.
        heartbeats: How many the server has sent.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.closes: list[int] = []
        self.errors: list[Json] = []
        self.byes: list[Json] = []
        self.heartbeats = 0
        self.socket: Socket | None = None
        self._reader: asyncio.Task[None] | None = None
        self._news = asyncio.Event()

    @property
    def connected(self) -> bool:
        """Whether its socket is open, as far as it knows."""
        return self.socket is not None

    async def connect(self) -> None:
        """Open a socket, and say nothing.

        Raises:
            Refused: The handshake was answered with a status.
        """
        self.socket = await self.site.socket()
        self._reader = asyncio.create_task(self._read(self.socket))

    async def send(self, *messages: Json) -> None:
        """Send a message, or several in one frame; into nothing when there is no socket."""
        await self.send_raw(json.dumps(messages[0] if len(messages) == 1 else messages))

    async def send_raw(self, frame: str | bytes) -> None:
        """Send a frame as it is."""
        if self.socket is not None:
            await self.socket.send(frame)

    async def cut(self, *, delivered: bool = False) -> None:
        """Lose the connection, and with it what is under way; what was sent may still be ``delivered``."""
        if self.socket is not None:
            await self.socket.cut(delivered=delivered)
            await self._ended()

    async def abandon(self) -> Socket | None:
        """Lose the connection without the server's noticing. Returns the socket that it still takes to be there."""
        socket, self.socket = self.socket, None
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait([self._reader])
        return socket

    async def close(self, code: int = 1000) -> None:
        """Close the socket in good order."""
        if self.socket is not None:
            await self.socket.close(code)
            await self._ended()

    async def until(self, condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
        """Wait until a condition holds, and return its value. It is looked at after each message, and now and then."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not (value := condition()):
            if asyncio.get_running_loop().time() > deadline:
                raise AssertionError(f"Waited in vain. {self.describe()}")
            self._news.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), 0.02)
        return value

    def describe(self) -> str:
        """What a failing test prints."""
        return f"Connected: {self.connected}, closes {self.closes}, errors {self.errors}."

    async def _ended(self) -> None:
        if self._reader is not None:
            await self._reader

    async def _read(self, socket: Socket) -> None:
        try:
            while True:
                frame = json.loads(await socket.receive())
                for message in frame if isinstance(frame, list) else [frame]:
                    await self._take(message)
                self._news.set()
        except Closed as closed:
            self.closes.append(closed.code)
        finally:
            if self.socket is socket:
                self.socket = None
            self._news.set()

    async def _take(self, message: Json) -> None:
        raise NotImplementedError


@dataclass
class Request:
    """A message of the client that must arrive.

    Attributes:
        message: What is sent.
        sent: On how many links it was sent.
        acknowledged: Whether the server has it.
        answers: The payloads of its ``callback_response`` messages: one, when all is well.
        failure: Why it failed visibly, when it was lost.
    """

    message: Json
    sent: int = 0
    acknowledged: bool = False
    answers: list[Json] = field(default_factory=list)
    failure: str | None = None

    @property
    def id(self) -> str:
        return self.message["requestId"]

    @property
    def done(self) -> bool:
        """Whether the page knows how it went."""
        return bool(self.answers or self.failure)

    @property
    def status(self) -> str:
        """``ok``, ``prevent_update`` or ``error`` as answered; ``lost`` or ``open``."""
        return self.answers[0]["status"] if self.answers else "lost" if self.failure else "open"

    @property
    def response(self) -> Json:
        """The properties that the answer sets, by id."""
        return self.answers[0]["data"]["response"]


class Tab(Peer):
    """A browser tab: what Flash's client is in a page, and a model of the page's properties.

    Args:
        site: The app.
        acks_every: After how many numbered messages it says what it has received; 0 leaves that to heartbeats.
        end_id: The page's, as its configuration says.
        path: The page's path and query.
        trusts: Whether it sends a request again that was not acknowledged before all was lost. The server knows what it
            has run for a client that it cannot recover; but not for one that is gone, or that another process had.

    Attributes:
        client, key, epoch: What ``welcome`` gave.
        welcomes: All ``welcome`` messages.
        values: The page's properties by (id, property). A ``Patch`` for one that is not there begins with None.
        log: All numbered messages, in their order.
        received: The count since the client's arrival.
        requests: All requests by id.
    """

    def __init__(
        self, site: Site, *, acks_every: int = 32, end_id: str | None = None, path: str = "/", trusts: bool = False
    ) -> None:
        super().__init__(site)
        self.renderer_id = str(uuid.uuid4())
        self.end_id = end_id
        self.path = path
        self.acks_every = acks_every
        self.trusts = trusts
        self.client = self.key = self.epoch = ""
        self.welcomes: list[Json] = []
        self.values: dict[tuple[str, str], Any] = {}
        self.log: list[Json] = []
        self.received = 0
        self.answers_heartbeats = True
        self.requests: dict[str, Request] = {}
        self._outgoing: list[Request] = []
        self._numbers = itertools.count(1)

    # Arriving, leaving, coming back.

    async def open(self) -> Self:
        """Connect and say hello; returns when the server has welcomed it."""
        await self.connect()
        await self.send(self.hello())
        await self._welcomed(1)
        return self

    def hello(self) -> Json:
        """The message by which a page arrives."""
        return {"type": "hello", "version": 1, **self._page()}

    async def resume(self, *, ticket: bool = True, **fields: Any) -> Json:
        """Connect again after a cut, and send again what was not acknowledged.

        Args:
            ticket: Whether to fetch one and bring it.
            fields: What else the message says, or instead.

        Returns:
            The server's ``welcome``.
        """
        expected = len(self.welcomes) + 1
        token = await self.fetch_ticket() if ticket else None
        await self.connect()
        await self.send({**self.resumption(), **({"ticket": token} if token else {}), **fields})
        return await self._welcomed(expected)

    def resumption(self) -> Json:
        """The message by which a page is back, without a ticket."""
        return {
            "type": "resume",
            "version": 1,
            "client": self.client,
            "key": self.key,
            "received": self.received,
            **self._page(),
        }

    async def fetch_ticket(self) -> str | None:
        """A ticket, with the cookies of now; None when the guards say no."""
        status, content = await self.site.get(TICKET)
        return json.loads(content)["ticket"] if status == 200 else None

    async def leave(self) -> None:
        """What a page does on ``pagehide``."""
        await self.send({"type": "bye"})
        await self.close()

    def _page(self) -> Json:
        page = {"rendererId": self.renderer_id, "path": self.path}
        return page | ({"endId": self.end_id} if self.end_id else {})

    async def _welcomed(self, times: int) -> Json:
        await self.until(lambda: len(self.welcomes) >= times or not self.connected)
        if len(self.welcomes) < times:
            raise AssertionError(f"Not welcomed. {self.describe()}")
        return self.welcomes[times - 1]

    # What the page shows.

    def value(self, name: str) -> Any:
        """The value of ``"id.property"`` on the page; None when there is none."""
        component, prop = name.rsplit(".", 1)
        return self.values.get((component, prop))

    def pushed(self, name: str) -> list[Any]:
        """All values and Patches of ``"id.property"`` that came by ``set_props``, in their order."""
        component, prop = name.rsplit(".", 1)
        payloads = [message["payload"] for message in self.log if message["type"] == "set_props"]
        return [each["props"][prop] for each in payloads if each["componentId"] == component and prop in each["props"]]

    def _set(self, component: str, props: Json) -> None:
        for prop, value in props.items():
            if patches.is_patch(value):
                value = patches.patched(self.values.get((component, prop)), value)
            self.values[component, prop] = value

    # Asking.

    async def request(self, output: str, inputs: Json | None = None, state: Json | None = None) -> Request:
        """Send a callback request, or keep it until there is a connection."""
        return await self.request_payload(body(output, inputs, state))

    async def request_payload(self, payload: Json, request_id: str | None = None) -> Request:
        """The same with a body of the test's own."""
        name = request_id or f"{self.renderer_id}-{next(self._numbers)}"
        message = {"type": "callback_request", "rendererId": self.renderer_id, "requestId": name, "payload": payload}
        request = self.requests[name] = Request(message)
        await self._send_surely(request)
        return request

    async def call(self, output: str, inputs: Json | None = None, state: Json | None = None) -> Any:
        """The value that a callback gives to its one output."""
        request = await self.request(output, inputs, state)
        await self.until(lambda: request.done)
        assert request.status == "ok", (request.failure, request.answers)
        component, prop = output.rsplit(".", 1)
        return request.response[component][prop]

    async def _send_surely(self, request: Request) -> None:
        self._outgoing.append(request)
        if self.connected and self.client:
            request.sent += 1
            await self.send(request.message)

    # What comes.

    async def _take(self, message: Json) -> None:
        if message["type"] in NUMBERED:
            self.received += 1
            self.log.append(message)
        await getattr(self, f"_take_{message['type']}")(message)
        if self.acks_every and message["type"] in NUMBERED and self.received % self.acks_every == 0:
            await self.send({"type": "ack", "received": self.received})

    async def _take_welcome(self, message: Json) -> None:
        self.welcomes.append(message)
        if message["client"] != self.client:
            self.received = 0
            self._give_up_what_may_have_run()
        self.client, self.key, self.epoch = message["client"], message["key"], message["epoch"]
        for request in self._outgoing:
            request.sent += 1
            await self.send(request.message)

    def _give_up_what_may_have_run(self) -> None:
        """The server has welcomed a new client: what the old one may have run is lost, and not sent again."""
        for request in self.requests.values():
            if (request.acknowledged or request.sent and not self.trusts) and not request.done:
                request.failure = "The server may have run it, and its answer is lost."
        self._outgoing = [request for request in self._outgoing if not request.failure]

    async def _take_ack(self, message: Json) -> None:
        for request in self._outgoing:
            if request.id == message["requestId"]:
                request.acknowledged = True
        self._outgoing = [request for request in self._outgoing if not request.acknowledged]

    async def _take_callback_response(self, message: Json) -> None:
        payload = message["payload"]
        self.requests[message["requestId"]].answers.append(payload)
        if payload["status"] == "ok":
            data = payload["data"]
            for part in (data.get("sideUpdate") or {}, data["response"]):
                for component, props in part.items():
                    self._set(component, props)

    async def _take_set_props(self, message: Json) -> None:
        self._set(message["payload"]["componentId"], message["payload"]["props"])

    async def _take_get_props_request(self, message: Json) -> None:
        asked = message["payload"]
        found = {name: self.values.get((asked["componentId"], name)) for name in asked["properties"]}
        answer = {"type": "get_props_response", "rendererId": self.renderer_id, "requestId": message["requestId"]}
        await self._send_surely(Request({**answer, "payload": found}))

    async def _take_heartbeat(self, message: Json) -> None:
        self.heartbeats += 1
        if self.answers_heartbeats:
            await self.send({"type": "heartbeat_ack", "received": self.received})

    async def _take_large(self, message: Json) -> None:
        assert message["bytes"] > 0

    async def _take_heartbeat_ack(self, message: Json) -> None:
        raise AssertionError("The server has answered a heartbeat that this client never sends.")

    async def _take_error(self, message: Json) -> None:
        self.errors.append(message["payload"])

    async def _take_bye(self, message: Json) -> None:
        self.byes.append(message)

    def describe(self) -> str:
        waiting = [name for name, request in self.requests.items() if not request.done]
        return f"{super().describe()} {self.received} received, waiting for {waiting}, the last was {self.log[-1:]}."


@asynccontextmanager
async def tab_of(site: Site, **options: Any) -> AsyncIterator[Tab]:
    """A tab that has arrived; it leaves with the block."""
    tab = await Tab(site, **options).open()
    try:
        yield tab
    finally:
        await tab.leave()


class DashWorker(Peer):
    """Dash's own SharedWorker: one socket for several pages, no greeting, nothing of Flash's.

    Attributes:
        messages: What came for each page, by its renderer's id.
        heartbeat_acks: How many came.
    """

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self.messages: dict[str, list[Json]] = {}
        self.heartbeat_acks = 0
        self._numbers = itertools.count(1)

    def page(self) -> str:
        """A page that uses the worker: the id of its renderer, which the server learns with its first request."""
        renderer_id = str(uuid.uuid4())
        self.messages[renderer_id] = []
        return renderer_id

    async def request(self, page: str, output: str, inputs: Json | None = None, state: Json | None = None) -> str:
        """Send a callback request of a page; returns its id."""
        name = f"{page}-{next(self._numbers)}"
        message = {"type": "callback_request", "rendererId": page, "requestId": name}
        await self.send({**message, "payload": body(output, inputs, state)})
        return name

    def answer(self, request_id: str) -> Json | None:
        """The payload of a request's answer, once it is there."""
        everything = itertools.chain.from_iterable(self.messages.values())
        found = [each["payload"] for each in everything if each.get("requestId") == request_id]
        return found[0] if found else None

    async def call(self, page: str, output: str, inputs: Json | None = None) -> Any:
        """The value that a callback gives to its one output."""
        name = await self.request(page, output, inputs)
        answer = await self.until(lambda: self.answer(name))
        assert answer["status"] == "ok", answer
        component, prop = output.rsplit(".", 1)
        return answer["data"]["response"][component][prop]

    async def _take(self, message: Json) -> None:
        if message["type"] == "heartbeat_ack":
            self.heartbeat_acks += 1
            return
        assert message["type"] in NUMBERED, f"Dash's worker knows no {message['type']}."
        self.messages[message["rendererId"]].append(message)
        if message["type"] == "get_props_request":
            answer = {"type": "get_props_response", "rendererId": message["rendererId"]}
            values = dict.fromkeys(message["payload"]["properties"])
            await self.send({**answer, "requestId": message["requestId"], "payload": values})
