"""Streaming callbacks of the tabs that are live.

A request is answered with the first item, and the others are pushed. Otherwise the page would hide the outputs and hold
back what listens to them until the end.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from enum import Enum
from typing import TYPE_CHECKING, Any

from dash import MATCH, Patch

from .. import _dash
from ..answers import Answer, Props
from ..callbacks import Streaming
from ..exceptions import CallbackValueError, RequestRefused
from ..failures import described
from .clients import Client
from .outbox import Update

if TYPE_CHECKING:
    from ..app import Flash
    from ..requests import Call

logger = logging.getLogger("flash")

#: A request that has got no item by then is answered with no update.
_FIRST_SECONDS = 0.1

#: Streams of one callback in one tab that run beside each other, or wait for each other.
_MOST_PARALLEL = 100
_MOST_WAITING = 100

#: Streams of one tab in all, whatever they are of.
_MOST_OF_CLIENT = 1000

#: The time that the cleanup of generators has when the app is closed.
_CLOSING_SECONDS = 5.0

_NO_UPDATE = b'{"multi":true,"response":{}}'

#: Which instance of a callback: its id, and what MATCH stands for.
Key = tuple[Any, ...]


class State(Enum):
    """Where a stream is."""

    WAITING = "waiting"
    RUNNING = "running"
    CLOSED = "closed"


class Stream:
    """One run of a streaming callback for one tab, in a task of its own.

        waiting ──those before it have ended──▶ running ──its end, an error, or close()──▶ closed

    Args:
        streams: The streams of the app.
        call: What to run.
        key: Which instance of the callback it is.
        before: The streams that must have ended before it begins.
    """

    __slots__ = ("_asker", "_before", "_first", "_streams", "call", "client", "how", "key", "state", "task")

    def __init__(self, streams: Streams, call: Call, key: Key, before: list[Stream]) -> None:
        how = call.declaration.streaming
        assert how is not None
        self._streams = streams
        self._before = [stream.task for stream in before]
        self._asker = asyncio.current_task()
        self._first: asyncio.Future[bytes | Exception] = asyncio.get_running_loop().create_future()
        self.call = call
        self.client: Client = call.context.client
        self.how: Streaming = how
        self.key = key
        self.state = State.WAITING
        self.task: asyncio.Task[None] = asyncio.create_task(self._run())

    async def first(self) -> bytes:
        """What its request is answered with: its first item; no update when there is none in time.

        Raises:
            Exception: It has failed before.
        """
        await asyncio.wait({self._first}, timeout=_FIRST_SECONDS)
        answer = self.answer_now()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def answer_now(self) -> bytes | Exception:
        """The first item if it is there; if not, it will be pushed like the others."""
        if not self._first.done():
            self._first.set_result(_NO_UPDATE)
        return self._first.result()

    def close(self) -> None:
        """End it: the generator is closed, and nothing of it reaches the page any more but ``running``."""
        if self.state is not State.CLOSED:
            self.state = State.CLOSED
            self.task.cancel()

    async def _run(self) -> None:
        if self._before:
            await asyncio.wait(self._before)
        self._before = []
        if self.client.gone:
            return
        self.state = State.RUNNING
        take_back = self.client.on_departure(self.close)
        self._streams.show_running(self, True)
        try:
            async with aclosing(self._streams.app.flash_dispatcher.answers(self.call)) as answers:
                await self._deliver(answers)
        except asyncio.CancelledError as error:
            if self.state is not State.CLOSED and self.task.cancelling():
                raise
            if not self.task.cancelling():
                failure = RuntimeError("The stream has waited for something that was cancelled.")
                failure.__cause__ = error
                self._fail(failure, shown=self.state is not State.CLOSED)
        except Exception as error:
            self._fail(error, shown=self.state is not State.CLOSED)
        finally:
            self.state = State.CLOSED
            take_back()
            self._streams.show_running(self, False)

    async def _deliver(self, answers: AsyncGenerator[Answer, None]) -> None:
        async for answer in answers:
            if self.state is State.CLOSED:
                return  # The generator has swallowed its cancellation.
            if answer.recovered:
                self.reset()
            if self._first.done():
                await self._push(answer)
            else:
                await self._answer_with(answer)
            # A turn for the writer, which conflates what waits, and for the rest of the server.
            await asyncio.sleep(0)
            if self.how.waits or _has_patch(answer):
                await self.client.room()

    async def _answer_with(self, answer: Answer) -> None:
        """Let an item be the answer to the request, unless that has got too late meanwhile."""
        encoded = await self._streams.app.flash_dispatcher.encoded(self.call, answer)
        updates = await self._updates(answer, answer.pushed)
        if self._first.done():
            return await self._push(answer)
        _push(self.client, updates)
        self._first.set_result(encoded)

    async def _push(self, answer: Answer) -> None:
        """Push an item, behind the answer to the request."""
        if "dist" in answer.response:
            raise CallbackValueError(
                "A component library was imported after the first item of a stream, and the page cannot load it any "
                "more. Import it at the top of the module."
            )
        parts = [answer.response.get("sideUpdate", {}), answer.response["response"]]
        props = [*answer.pushed, *(each for part in parts for each in part.items())]
        updates = await self._updates(answer, props)
        if self._asker is not None and not self._asker.done():
            await asyncio.wait({self._asker})  # It sends the answer.
        self._asker = None
        _push(self.client, updates)

    async def _updates(self, answer: Answer, props: list[Props]) -> list[Update]:
        """The messages that set properties of an item, large ones encoded in the pool."""
        return await self._streams.app.flash_dispatcher.encode_by(self.call, answer, self._updates_of, props)

    def _updates_of(self, props: list[Props]) -> list[Update]:
        update = self._streams.app.flash_live.sending.update
        return [update(component_id, values, self.client) for component_id, values in props if values]

    def _fail(self, error: Exception, shown: bool) -> None:
        """Tell the page: by the answer, or when that is gone, in its log of errors. Who has closed it asks no more."""
        if shown and not self._first.done():
            self.reset()
            self._first.set_result(error)
            return
        text = described(self._streams.app, f"The stream of the callback {self.call.declaration.callback_id!r}", error)
        if shown:
            self.reset()
            self.client.show_error(text)

    def reset(self) -> None:
        """Set what is to be set when it is cancelled or fails."""
        for component_id, props in self.how.reset:
            self.client.set_props(component_id, props)


class Streams:
    """The streams of an app, by the tab that watches them.

    Args:
        app: The app.
    """

    def __init__(self, app: Flash) -> None:
        self.app = app
        self._of_client: dict[str, dict[Key, list[Stream]]] = {}

    def __len__(self) -> int:
        return sum(len(streams) for of_client in self._of_client.values() for streams in of_client.values())

    async def answer(self, call: Call) -> bytes:
        """Begin a stream, and return the JSON that answers its request.

        Who is not live gets all of it at the end.

        Raises:
            RequestRefused: Too many of the tab's streams run or wait.
            Exception: What the generator raised before its first item.
        """
        client: Client = call.context.client
        if not client.live or call.context.get("dash_websocket") is None:
            answer: bytes = await self.app.flash_dispatcher.run(call)
            return answer
        if client.gone:
            raise _dash.disconnected()
        key = self._key_of(call)
        before = list(self._of_client.get(client.id, {}).get(key, ()))
        how = call.declaration.streaming
        assert how is not None
        if before and how.overlap == "ignore":
            return _NO_UPDATE
        self._refuse_too_many(how, client, len(before))
        if how.overlap == "latest":
            for stream in before:
                stream.close()
        stream = Stream(self, call, key, before if how.overlap in ("latest", "queue") else [])
        self._add(stream)
        if before and how.overlap == "queue":
            stream.answer_now()
            return _NO_UPDATE
        return await stream.first()

    def cancel(self, client: Client, callback_id: str) -> None:
        """Close the streams of a callback in a tab, those that wait included."""
        for key, streams in list(self._of_client.get(client.id, {}).items()):
            if key[0] == callback_id:
                for stream in list(streams):
                    if stream.state is State.RUNNING:
                        stream.reset()
                    stream.close()

    async def close(self) -> None:
        """Close all streams, and wait until their generators have been."""
        streams = [each for of_client in self._of_client.values() for streams in of_client.values() for each in streams]
        for stream in streams:
            stream.close()
        if streams:
            _, left = await asyncio.wait([stream.task for stream in streams], timeout=_CLOSING_SECONDS)
            if left:
                logger.warning("%d streams have not ended: their generators wait for something.", len(left))

    def show_running(self, stream: Stream, begins: bool) -> None:
        """Set what ``running`` names, when the first stream of a callback begins in a tab and when the last ends."""
        if stream.how.running and not any(
            other.state is State.RUNNING and other is not stream for other in self._beside(stream)
        ):
            for output, during, after in stream.how.running:
                value = during if begins else after
                stream.client.set_props(output.component_id, {output.component_property: value})

    def _beside(self, stream: Stream) -> list[Stream]:
        return self._of_client.get(stream.client.id, {}).get(stream.key, [])

    def _add(self, stream: Stream) -> None:
        self._of_client.setdefault(stream.client.id, {}).setdefault(stream.key, []).append(stream)
        stream.task.add_done_callback(lambda _: self._remove(stream))

    def _remove(self, stream: Stream) -> None:
        stream.state = State.CLOSED
        of_client = self._of_client[stream.client.id]
        of_client[stream.key].remove(stream)
        if not of_client[stream.key]:
            del of_client[stream.key]
        if not of_client:
            del self._of_client[stream.client.id]
        stream.answer_now()

    def _refuse_too_many(self, how: Streaming, client: Client, others: int) -> None:
        if sum(map(len, self._of_client.get(client.id, {}).values())) >= _MOST_OF_CLIENT:
            raise RequestRefused(429, f"{_MOST_OF_CLIENT} streams of this page run or wait already.")
        if how.overlap == "parallel" and others >= _MOST_PARALLEL:
            raise RequestRefused(429, f"This callback already streams {_MOST_PARALLEL} times in this page.")
        if how.overlap == "queue" and others > _MOST_WAITING:
            raise RequestRefused(429, f"{_MOST_WAITING} calls of this callback already wait in this page.")

    def _key_of(self, call: Call) -> Key:
        """Which instance of a callback is called: with MATCH, each combination that it stands for is one."""
        declaration = call.declaration
        if declaration.has_output:
            declared = declaration.insert_output if declaration.multi else [declaration.insert_output]
            sent = call.outputs if declaration.multi else [call.outputs]
        else:
            declared = self.app.callback_map[declaration.callback_id]["raw_inputs"]
            sent = call.context.inputs_list
        matched = {
            (name, repr(_id_in(entry).get(name)))
            for dependency, entry in zip(declared, sent, strict=False)
            if isinstance(dependency.component_id, dict)
            for name, wildcard in dependency.component_id.items()
            if wildcard is MATCH
        }
        return (declaration.callback_id, *sorted(matched))


def _id_in(entry: Any) -> dict[str, Any]:
    """The dict id of an entry of a request, or of the first in the list of those that a pattern has matched."""
    if isinstance(entry, list):
        entry = entry[0] if entry else {}
    component_id = entry.get("id")
    return component_id if isinstance(component_id, dict) else {}


def _push(client: Client, updates: list[Update]) -> None:
    connection = client._connection
    assert connection is not None
    connection.live.sending.send(connection, updates)


def _has_patch(answer: Answer) -> bool:
    parts = [*answer.response["response"].values(), *answer.response.get("sideUpdate", {}).values()]
    parts += [props for _, props in answer.pushed]
    return any(isinstance(value, Patch) for props in parts for value in props.values())
