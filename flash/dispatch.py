"""Running one callback, whoever calls: HTTP, Dash's WebSocket, an ``api_endpoint`` or Dash's MCP server.

Dash's own wrapper around a callback never runs here: it cannot await an error handler, encodes slowly and knows one
caller. The user's function is called itself, on the loop when it is asynchronous and in the app's pool when it is
not, and one function, :meth:`Dispatcher.run`, turns what it returns or raises into the answer. A generator gives one
answer for each item (:meth:`Dispatcher.answers`); who can send only one gets them merged.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
from dash import no_update
from dash.exceptions import PreventUpdate

from . import _dash
from .answers import Answer, Merged, StreamedProps, answer_of, encode_part
from .callbacks import Declaration, declaration_of
from .calls import call
from .context import Requester
from .encoding import dumps, is_light
from .exceptions import CallbackValueError, RequestRefused
from .functions import is_async
from .generators import values_of
from .pool import Pool, ended_program, run_on_loop
from .requests import Call, read_call

if TYPE_CHECKING:
    from .app import Flash

BACKGROUND_THREADS = 4

#: Makes of a call's answer what its caller wants.
Finish = Callable[[Call, Answer], Any]

T = TypeVar("T")
R = TypeVar("R")


@dataclass(slots=True)
class _Waiting:
    """What a plain function returned that is to be awaited, on the loop."""

    awaitable: Awaitable[Any]


@dataclass(slots=True)
class _Raised:
    """An error that left a pool's thread because an asynchronous handler waits for it on the loop."""

    error: Exception


class Dispatcher:
    """Runs the callbacks of one app.

    Args:
        app: The app whose callbacks it runs.
        pool: Where plain functions run.
    """

    def __init__(self, app: Flash, pool: Pool) -> None:
        self.app = app
        self.pool = pool
        self.background_pool = Pool(BACKGROUND_THREADS, "flash-background")

    # From a request to a call.

    def read(self, body: Any, requester: Requester | None = None) -> Call:
        """Hold a callback request against the declarations.

        Args:
            body: The decoded JSON body that Dash's renderer sends.
            requester: Who asks over the live connection; None for the HTTP request that is being served.

        Raises:
            RequestRefused: 400 when the body has not the shape of a request or does not fit its callback, 404 when
                there is no such callback.
            PreventUpdate: The page has appeared, or the callback's inputs have, and it was declared not to run then.
        """
        return read_call(self.app, body, requester)

    # From a call to an answer.

    async def run(self, request: Call, finish: Finish | None = None) -> Any:
        """Run a callback and return the JSON that answers it.

        Args:
            request: The call.
            finish: What makes of the answer what is returned instead; where a large one would be encoded, in the pool.

        Raises:
            PreventUpdate: Nothing is to be updated.
            Exception: What the function raised, when no ``on_error`` took it.
        """
        declaration = request.declaration
        if declaration.streaming is not None:
            return await self._run_to_end(request)
        request.finish = finish or self.to_bytes
        await self._begin(request)
        if declaration.is_async and not declaration.runs_in_manager:
            awaitable = _dash.await_function(declaration.func, *request.args, **request.kwargs)
            return await self._answer_awaitable(request, awaitable)
        if declaration.runs_in_manager:
            answer = await self.background_pool.run(self._run_in_manager, request)
        else:
            answer = await self.pool.run(self._run_in_thread, request)
        if isinstance(answer, _Raised):
            return await self._answer_off_loop(request, await self._recover(declaration, answer.error))
        if isinstance(answer, _Waiting):
            return await self._answer_awaitable(request, answer.awaitable)
        return answer

    async def answers(self, request: Call) -> AsyncGenerator[Answer, None]:
        """Run a streaming callback: one answer for each value that it yields.

        All of it runs in the task that iterates, which closes it when it wants no more (``contextlib.aclosing``).

        Raises:
            Exception: What the generator raised, when no ``on_error`` took it, or a value that cannot be sent.
        """
        try:
            await self._begin(request)
        except PreventUpdate:
            return
        declaration = request.declaration
        values = values_of(self.pool, declaration.func, request.args, request.kwargs)
        recovered = False
        try:
            while not recovered:
                try:
                    value = _allowed(declaration, await values.next())
                except (StopAsyncIteration, PreventUpdate):
                    return
                except SystemExit as error:
                    value, recovered = await self._last_value(declaration, ended_program(error)), True
                except Exception as error:
                    value, recovered = await self._last_value(declaration, error), True
                yield self._item(request, value, recovered)
        finally:
            await values.close()

    async def encoded(self, request: Call, answer: Answer) -> bytes:
        """The JSON of an answer; a large one is encoded in the pool.

        Raises:
            InvalidCallbackReturnValue: A value has no JSON form.
        """
        encode = partial(self.app.encode, client=request.context.get("client"))
        return await self.encode_by(request, answer, encode, answer.response)

    async def encode_by(self, request: Call, answer: Answer, encode: Callable[[T], R], value: T) -> R:
        """The same for a part of the answer, by a function of the caller's."""
        if is_light(value):
            return encode_part(request, answer, encode, value)
        return await self.pool.run(encode_part, request, answer, encode, value)

    async def _run_to_end(self, request: Call) -> bytes:
        """Run a streaming callback for one who can send a single answer: all of its answers, merged."""
        merged = Merged()
        async with aclosing(self.answers(request)) as answers:
            async for answer in answers:
                answer.merge_pushed()
                merged.add(orjson.loads(await self.encoded(request, answer)))
        if merged.empty:
            raise PreventUpdate
        return await self.pool.run(dumps, merged.response())

    async def run_endpoint(self, func: Callable[..., Any], arguments: dict[str, Any]) -> tuple[bytes, Any]:
        """Run the function of an ``api_endpoint`` with arguments of its own names.

        Returns:
            The JSON of what it returned, and the context that it had.

        Raises:
            RequestRefused: 400 when the arguments are not those of the function.
        """
        try:
            inspect.signature(func).bind(**arguments)
        except TypeError as error:
            raise RequestRefused(400, "The fields of the body are not the parameters of this endpoint.") from error
        context = self.app.callback_context({})
        context.background_callback_manager = None
        await self._add_custom_data(context)
        _dash.context_value.set(context)
        try:
            value = await call(self.pool, func, **arguments)
        except PreventUpdate:
            raise
        except Exception as error:
            value = await self._handle(self._endpoint_handlers(func), error)
        return dumps(value) if is_light(value) else await self.pool.run(dumps, value), context

    def close(self) -> None:
        """End the threads that poll background jobs."""
        self.background_pool.close()

    async def _begin(self, request: Call) -> None:
        _dash.current_app.set(self.app)
        await self.app.identify_requester(request.context)
        await self._add_custom_data(request.context)
        _dash.context_value.set(request.shown_context or request.context)
        if request.fed:
            await request.make_ready()

    async def _add_custom_data(self, context: Any) -> None:
        context.custom_data = _dash.AttributeDict({})
        for namespace, hook in self.app.custom_data_functions:
            context.custom_data[namespace] = await call(self.pool, hook, context)

    async def _answer_awaitable(self, request: Call, awaitable: Awaitable[Any]) -> Any:
        try:
            value = await awaitable
        except PreventUpdate:
            raise
        except SystemExit as error:
            value = await self._recover(request.declaration, ended_program(error))
        except Exception as error:
            value = await self._recover(request.declaration, error)
        return await self._answer_off_loop(request, value)

    async def _answer_off_loop(self, request: Call, value: Any) -> Any:
        if is_light(value):
            return self._answer(request, value)
        return await self.pool.run(self._answer, request, value)

    def _run_in_thread(self, request: Call) -> Any:
        """Call a plain function and encode what it returns, in one visit to the pool."""
        declaration = request.declaration
        try:
            value = _dash.invoke_function(declaration.func, *request.args, **request.kwargs)
        except PreventUpdate:
            raise
        except Exception as error:
            handlers = self._handlers(declaration)
            if any(is_async(handler) for handler in handlers):
                return _Raised(error)
            value = _as_output(declaration, self._handle_in_thread(handlers, error))
        if inspect.isawaitable(value):
            # A plain decorator around an async function: the stored function is plain, its result is not.
            return _Waiting(value)
        return self._answer(request, value)

    def _run_in_manager(self, request: Call) -> Any:
        """Start, poll or cancel a background job: all that touches the manager, in one visit to its own pool."""
        if request.declaration.is_cancel:
            return self._run_in_thread(request)
        context = request.context
        return self._poll(request) if context.args and context.args.get("cacheKey") else self._start(request)

    def _start(self, request: Call) -> bytes | _Raised:
        """Start a background job; the answer names it to the browser, signed."""
        declaration = request.declaration
        try:
            started: str = _dash.start_background(
                {"background_callback_manager": request.context.background_callback_manager},
                declaration.background,
                declaration.background_key,
                declaration.func,
                request.args,
                request.kwargs,
                request.context,
            )
        except Exception as error:
            return _Raised(error)
        return started.encode()

    def _poll(self, request: Call) -> bytes:
        """Ask for the progress, the updates and the result of a background job. Its error goes to the handlers."""
        declaration = request.declaration
        response: dict[str, Any] = {"multi": True}
        handlers = self._handlers(declaration)
        value, has_update, waiting = _dash.poll_background(
            (lambda error: run_on_loop(self._handle(handlers, error))) if handlers else None,
            request.context,
            response,
            {"background_callback_manager": request.context.background_callback_manager},
            declaration.background,
            declaration.multi,
        )
        return str(value).encode() if waiting else self._answer(request, value, response, has_update)

    def _answer(
        self, request: Call, value: Any, response: dict[str, Any] | None = None, has_update: bool = False
    ) -> Any:
        """What is made of a result: its JSON, if nothing else is asked for."""
        return request.finish(request, answer_of(self.app, request, value, response, has_update))

    def to_bytes(self, request: Call, answer: Answer) -> bytes:
        """The JSON of an answer. What it sets besides its outputs is pushed, or goes along."""
        client = request.context.get("client")
        if client is not None and client.live:
            for component_id, props in answer.pushed:
                client.set_props(component_id, props)
        else:
            answer.merge_pushed()
        return encode_part(request, answer, partial(self.app.encode, client=client), answer.response)

    def _item(self, request: Call, value: Any, recovered: bool) -> Answer:
        """The answer of one value of a stream, and what ``set_props`` has gathered since the last."""
        try:
            answer = answer_of(self.app, request, value)
        except PreventUpdate:
            answer = Answer(value, {"multi": True, "response": {}})
        request.context.updated_props.clear()
        answer.recovered = recovered
        return answer

    # Errors.

    def _handlers(self, declaration: Declaration) -> list[Callable[..., Any]]:
        return [declaration.on_error] if declaration.on_error else self.app.error_handlers

    def _endpoint_handlers(self, func: Callable[..., Any]) -> list[Callable[..., Any]]:
        for entry in self.app.callback_map.values():
            if (stored := entry.get("callback")) and (declaration := declaration_of(stored)).func is func:
                return self._handlers(declaration)
        return self.app.error_handlers

    async def _recover(self, declaration: Declaration, error: Exception) -> Any:
        return _as_output(declaration, await self._handle(self._handlers(declaration), error))

    async def _last_value(self, declaration: Declaration, error: Exception) -> Any:
        """What a stream that has failed shows at its end."""
        try:
            return await self._recover(declaration, error)
        except PreventUpdate:
            return no_update if declaration.has_output else None

    async def _handle(self, handlers: list[Callable[..., Any]], error: Exception) -> Any:
        """Give an error to every handler; what the first of them returns is the callback's value."""
        error = self.app.explained(error)
        if not handlers:
            raise error
        return _first([await call(self.pool, handler, error) for handler in handlers])

    def _handle_in_thread(self, handlers: list[Callable[..., Any]], error: Exception) -> Any:
        """The same for plain handlers, in the thread where the function failed."""
        error = self.app.explained(error)
        if not handlers:
            raise error
        return _first([handler(error) for handler in handlers])


def _first(values: list[Any]) -> Any:
    """What the first of the handlers returned that returned something."""
    return next((value for value in values if value is not None), None)


def _as_output(declaration: Declaration, value: Any) -> Any:
    """A handler that returns nothing updates nothing."""
    return no_update if value is None and declaration.has_output else value


def _allowed(declaration: Declaration, value: Any) -> Any:
    """A value of a stream that may be sent.

    Raises:
        CallbackValueError: An event callback has yielded something that names no property.
    """
    if declaration.streaming is not None and declaration.streaming.props_only and not isinstance(value, StreamedProps):
        raise CallbackValueError(
            f"The event callback {declaration.func.__qualname__} has yielded a {type(value).__name__}. It has no "
            "outputs: yield stream_props(component_id, {property: value})."
        )
    return value
