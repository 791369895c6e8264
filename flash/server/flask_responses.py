"""Flask's responses as Quart's."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextvars import copy_context
from functools import partial
from itertools import islice
from types import GeneratorType, TracebackType
from typing import Any

import flask
import quart
from quart.wrappers.response import ResponseBody
from werkzeug.wrappers import Response as WerkzeugResponse

from ..pool import Pool
from .flask_shadow import ShadowFlask

#: How many blocks of a file (8 KiB each) one visit to a thread reads.
FILE_BLOCKS = 32

#: For a WebSocket, whose refusal is a response too.
_NO_REQUEST = {"REQUEST_METHOD": "GET"}


def convert_responses(server: quart.Quart, shadow: ShadowFlask) -> None:
    """Let a server's views, guards and ``after_request`` functions return the responses of Flask."""
    make_response, process_response = server.make_response, server.process_response

    async def make(result: Any) -> Any:
        return as_quart(shadow, await make_response(_with_stream(shadow, result)))

    async def process(response: Any, request_context: Any = None) -> Any:
        return as_quart(shadow, await process_response(response, request_context))

    server.make_response = make  # type: ignore[method-assign]
    server.process_response = process  # type: ignore[method-assign]


def keep_generators(server: quart.Quart) -> None:
    """Let plain views return generators that Flask's contexts hold for, as ``flask.stream_with_context`` gives them.

    Called again after something else has replaced how the server runs plain functions, it wraps that.
    """
    to_async = server.sync_to_async
    if isinstance(to_async, _KeepingGenerators):
        return
    server.sync_to_async = _KeepingGenerators(to_async)  # type: ignore[method-assign]


class _KeepingGenerators:
    """A server's ``sync_to_async`` that does not turn generators into asynchronous ones.

    Those are iterated with another context for every piece, and popped in another one than they were pushed in.
    """

    def __init__(self, to_async: Callable[[Callable[..., Any]], Any]) -> None:
        self._to_async = to_async

    def __call__(self, func: Callable[..., Any]) -> Any:
        return self._to_async(partial(_call, func))


def as_quart(shadow: ShadowFlask, response: Any) -> Any:
    """A response of Quart's with the status, headers and body of one of Flask's; any other is returned as it is.

    A body in pieces is produced in a thread, with the context variables of now. No time limit holds for it, as none
    does in Flask.
    """
    if not isinstance(response, WerkzeugResponse):
        return response
    environ = flask.request.environ if flask.has_request_context() else _NO_REQUEST
    converted = shadow.server.response_class(status=response.status_code)
    if response.is_sequence and not response._on_close:
        converted.set_data(b"".join(response.get_app_iter(environ)))
    else:
        converted.response = StreamedBody(shadow.streams, response, environ)
        converted.timeout = None
    converted.headers = response.get_wsgi_headers(environ)
    return converted


class StreamedBody(ResponseBody):
    """The body of a Flask response that comes in pieces, each produced in a thread.

    All pieces are produced in one context, so that ``flask.stream_with_context`` can pop there what it has pushed.

    Args:
        pool: Where the pieces are produced.
        response: The response of Flask's.
        environ: The environ of the request: for a HEAD nothing is produced.
    """

    def __init__(self, pool: Pool, response: WerkzeugResponse, environ: dict[str, Any]) -> None:
        self._pool = pool
        self._response = response
        self._context = copy_context()
        self._pieces = iter(response.get_app_iter(environ))
        # A file comes in small blocks, and there is always a next one: one visit to the pool for many of them.
        self._batch = FILE_BLOCKS if response.direct_passthrough else 1
        self._lock = threading.Lock()
        self._closed = False

    async def __aenter__(self) -> AsyncIterator[bytes]:
        return self._produce()

    async def __aexit__(
        self, exc_type: type | None, exc_value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._pool.run(self._close)

    async def _produce(self) -> AsyncGenerator[bytes, None]:
        while pieces := await self._pool.run(self._next):
            yield b"".join(pieces)

    def _next(self) -> list[bytes]:
        with self._lock:
            return [] if self._closed else self._context.run(list, islice(self._pieces, self._batch))

    def _close(self) -> None:
        # A client that went away leaves a thread in the middle of a piece: the generator can be closed after it.
        with self._lock:
            self._closed = True
            self._context.run(self._response.close)


class _PlainStream:
    """A generator on its way from a plain view to ``make_response``."""

    def __init__(self, generator: GeneratorType[Any, Any, Any]) -> None:
        self.generator = generator


def _call(func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    result = func(*args, **kwargs)
    return _PlainStream(result) if isinstance(result, GeneratorType) else result


def _with_stream(shadow: ShadowFlask, result: Any) -> Any:
    """What a view returned, a generator in it made a response of Flask's."""
    if isinstance(result, tuple) and result:
        return (_with_stream(shadow, result[0]), *result[1:])
    if isinstance(result, _PlainStream):
        result = result.generator
    return shadow.response_class(result) if isinstance(result, GeneratorType) else result
