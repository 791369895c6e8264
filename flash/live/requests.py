"""The callback requests of one tab: each runs once, however often it comes, and gets one answer."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from dash.exceptions import PreventUpdate

from .. import _dash
from ..context import Requester
from ..exceptions import CallbackFailed, PoolFull, RequestRefused, SetupPending
from ..failures import described
from ..pool import serving_loop
from . import protocol
from .callback import LiveCallback
from .outbox import Message

if TYPE_CHECKING:
    from .connection import Connection

logger = logging.getLogger("flash")

#: So many times as many requests of shared callbacks may be open.
_SHARED_MORE = 10

#: How many ids of requests are remembered. A client repeats only those that it has not seen acknowledged.
_REMEMBERED = 1000


class Requests:
    """What one tab has asked, and the tasks that answer it.

    Args:
        connection: The tab's connection.
    """

    __slots__ = ("_connection", "_endless", "_lost", "_seen", "_tasks", "_waiting")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._seen: dict[str, None] = {}
        self._lost: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._endless: set[asyncio.Task[None]] = set()
        self._waiting: dict[str, asyncio.Future[dict[str, Any] | None]] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def take(self, request: protocol.CallbackRequest) -> None:
        """Begin to answer a request, unless it has come before. It must have been acknowledged."""
        connection = self._connection
        if request.requestId in self._seen:
            return
        self._remember(request.requestId)
        if request.requestId in self._lost and not self._may_repeat(request):
            connection.push(Message(protocol.failed(request.requestId, "The answer of this callback was lost.")))
            return
        if len(self._tasks) >= self._most(request):
            connection.push(Message(protocol.failed(request.requestId, "Too many callbacks of this page run at once.")))
            return
        context = connection.handshake.context.copy()
        task = asyncio.get_running_loop().create_task(self._answer(request), context=context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if connection.live.app.is_persistent(request.payload.get("output")):
            self._endless.add(task)
            task.add_done_callback(self._endless.discard)

    def _most(self, request: protocol.CallbackRequest) -> int:
        """How many callbacks of the page may run when this one is asked for.

        Changes of shared properties wait for their turn, and the last one of a drag counts: more of them may.
        """
        output = request.payload.get("output")
        shared = isinstance(output, str) and output in self._connection.live.app.flash_shared.graph.callbacks
        return self._connection.live.settings.requests * (_SHARED_MORE if shared else 1)

    def _may_repeat(self, request: protocol.CallbackRequest) -> bool:
        return request.payload.get("output") in self._connection.live.app.repeatable_callbacks()

    def inherit(self, other: Requests) -> None:
        """Know the requests of a connection that could not be resumed: none runs again, but those that may."""
        self._lost = set([*other._lost, *other._seen][-_REMEMBERED:])

    def _remember(self, request_id: str) -> None:
        self._seen[request_id] = None
        if len(self._seen) > _REMEMBERED:
            del self._seen[next(iter(self._seen))]

    async def _answer(self, request: protocol.CallbackRequest) -> None:
        frame = await self._run(request)
        await self._connection.live.sending.settled()
        self._connection.live.shared.answered(self._connection.client)
        self._connection.push(Message(frame))
        self._connection.live.shared.look_again(self._connection.client)

    async def _run(self, request: protocol.CallbackRequest) -> bytes:
        """The frame that answers a request, whatever happens while it runs."""
        request_id = request.requestId
        app = self._connection.live.app
        try:
            _dash.current_app.set(app)
            serving_loop.set(asyncio.get_running_loop())
            if not app.flash_setup.done:
                await app.flash_setup.ensure()
            # From before it runs: what its components hold is of this version or newer.
            state = app.flash_shared.version
            return protocol.answered(request_id, await self._result(request), state)
        except (PreventUpdate, _dash.WebsocketDisconnected):
            return protocol.prevented(request_id)
        except RequestRefused as refused:
            logger.warning("A live callback request was refused: %s", refused.reason)
            return protocol.failed(request_id, refused.reason)
        except CallbackFailed as error:
            return protocol.failed(request_id, str(error))
        except (PoolFull, SetupPending) as error:
            logger.error("A live callback request was refused: %s", error)
            return protocol.failed(request_id, "The server is busy. Try again in a moment.")
        except asyncio.CancelledError as error:
            if (task := asyncio.current_task()) is None or task.cancelling():
                raise
            failure = RuntimeError("The callback has waited for something that was cancelled.")
            failure.__cause__ = error
            return protocol.failed(request_id, self._describe(failure, request))
        except Exception as error:
            return protocol.failed(request_id, self._describe(error, request))

    async def _result(self, request: protocol.CallbackRequest) -> bytes:
        connection = self._connection
        app, handshake = connection.live.app, connection.handshake
        requester = Requester(
            client=connection.client,
            cookies=handshake.cookies,
            headers=handshake.headers,
            args=connection.live.query_of(connection.client.path),
            path=connection.client.path,
            remote=handshake.address,
            origin=handshake.origin,
            websocket=LiveCallback(connection),
            changes=request.changes,
            elsewhere=request.elsewhere or (),
        )
        output = request.payload.get("output")
        if isinstance(output, str) and not app.allowed_live(output):
            raise RequestRefused(403, "This callback is not declared with websocket=True.")
        return await app.answer(app.flash_dispatcher.read(request.payload, requester))

    def _describe(self, error: Exception, request: protocol.CallbackRequest) -> str:
        # What a client names is not to fill the log.
        name = str(request.payload.get("output"))[:200]
        return described(self._connection.live.app, f"The callback {name!r}", error)

    # Properties of the page.

    async def ask(self, request_id: str, component_id: str, prop: str, seconds: float) -> Any:
        """Ask the page for a property.

        Raises:
            TimeoutError: No answer came in so many ``seconds``.
            WebsocketDisconnected: The client is gone.
        """
        if self._connection.gone:
            raise _dash.disconnected()
        answer = self._waiting[request_id] = asyncio.get_running_loop().create_future()
        try:
            self._connection.push(Message(protocol.get_props(request_id, component_id, [prop])))
            async with asyncio.timeout(seconds):
                values = await answer
        except TimeoutError:
            raise TimeoutError(f"Timeout waiting for {component_id}.{prop}") from None
        finally:
            del self._waiting[request_id]
        if values is None:
            raise _dash.disconnected()
        return values.get(prop)

    def answered(self, response: protocol.GetPropsResponse) -> None:
        """The page has answered a question."""
        waiting = self._waiting.get(response.requestId)
        if waiting is not None and not waiting.done():
            waiting.set_result(response.payload or {})

    # The end.

    def cancel(self) -> None:
        """Cancel all that runs, because the client is gone."""
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_result(None)
        for task in self._tasks:
            task.cancel()

    def cancel_endless(self) -> None:
        """Cancel what would never end by itself: callbacks that were declared as persistent."""
        for task in self._endless:
            task.cancel()

    async def finish(self) -> None:
        """Wait until all that runs has been answered."""
        if self._tasks:
            await asyncio.wait(set(self._tasks))
