"""Quart's contexts with Flask's beside them: pushed together, popped together, in the task of the request."""

from __future__ import annotations

import asyncio
import functools
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import IO, Any, NoReturn, cast

import flask.ctx
import flask.globals
import quart.ctx
from quart.wrappers import BaseRequestWebsocket, Request
from werkzeug.exceptions import HTTPException, RequestTimeout

from ..pool import serving_loop
from .flask_shadow import QUART_SESSION, ShadowFlask, shadow_of

#: Where the scope of a request holds what takes over its Flask contexts when it ends (the test client's ``with``).
KEEP_CONTEXT = "flash.keep_flask_context"


class FlaskAppContext(quart.ctx.AppContext):
    """The server's application context, with Flask's beside it and one ``g`` for both.

    ``async with server.app_context()`` pushes both. ``with server.app_context()``, as scripts written for Flask have
    it, pushes Flask's alone.
    """

    def __init__(self, app: quart.Quart) -> None:
        super().__init__(app)
        shadow = shadow_of(app)
        assert shadow is not None
        self._shadow: ShadowFlask = shadow
        self._flask = flask.ctx.AppContext(shadow)
        self._outside: flask.ctx.AppContext | None = None

    async def push(self) -> None:
        """Push Quart's context, then Flask's."""
        await super().push()
        self._flask.g = self.g
        self._flask.push()

    async def pop(self, exc: BaseException | None = None) -> None:
        """Pop Quart's context, whose teardown functions still see Flask's, then Flask's."""
        try:
            await super().pop(exc)
        finally:
            self._flask.pop(exc)

    def __enter__(self) -> flask.ctx.AppContext:
        self._outside = self._shadow.app_context()
        self._outside.g = self.g
        return self._outside.__enter__()

    def __exit__(self, exc_type: type | None, exc_value: BaseException | None, traceback: TracebackType | None) -> None:
        assert self._outside is not None
        self._outside.__exit__(exc_type, exc_value, traceback)


class FlaskRequestContext(quart.ctx.RequestContext):
    """The context of a Quart request, with a real one of Flask's beside it.

    Both share the session, the match of the URL, ``g`` and the ``after_this_request`` functions.
    """

    def __init__(self, app: quart.Quart, request: Request, session: Any = None) -> None:
        super().__init__(app, request, session)
        self._flask: flask.ctx.RequestContext | None = None

    def copy(self) -> FlaskRequestContext:
        """A copy for another task (``stream_with_context``), with the same two requests and the same session."""
        copied = cast(FlaskRequestContext, super().copy())
        copied._flask = self._flask and self._flask.copy()
        return copied

    async def push(self) -> None:
        """Read the body, which plain code cannot wait for, then push Quart's context and Flask's."""
        body = None if self._flask else await _read_body(self.request)
        await super().push()
        if body is not None:
            self._flask = self._make(body)
        assert self._flask is not None
        self._flask.push()
        # Not before the push, which would match the URL once more and against the shadow's idea of the request.
        self._flask.url_adapter = self.url_adapter
        serving_loop.set(asyncio.get_running_loop())

    async def pop(self, exc: BaseException | None = None) -> None:
        """Pop Quart's context, whose teardown functions still see Flask's, then Flask's."""
        assert self._flask is not None
        if keep := cast(Any, self.request.scope).get(KEEP_CONTEXT):
            keep(flask.globals.app_ctx._get_current_object())  # type: ignore[attr-defined]
            keep(self._flask)
        try:
            await super().pop(exc)
        finally:
            self._flask.pop(exc)

    def _make(self, body: IO[bytes]) -> flask.ctx.RequestContext:
        shadow = shadow_of(self.app)
        assert shadow is not None
        context = shadow.request_context(environ_of(self.request, body) | {QUART_SESSION: self.session})
        context.request.url_rule = self.request.url_rule
        context.request.view_args = self.request.view_args
        context.request.routing_exception = cast(HTTPException | None, self.request.routing_exception)
        context._after_request_functions = cast(list[Any], self._after_request_functions)
        return context


@contextmanager
def flask_request_beside(websocket: quart.Websocket, session: Any) -> Iterator[None]:
    """A request context of Flask's for what runs over a WebSocket: its handshake, and Quart's session.

    Nothing without ``flask_compat``. Entered and left in one task; what runs in others gets a copy of its context.

    Args:
        websocket: The WebSocket, whose context in Quart is pushed.
        session: The session that Quart has opened for it.
    """
    shadow = shadow_of(quart.current_app)
    if shadow is None:
        yield
        return
    scheme = {"wss": "https", "ws": "http"}.get(websocket.scheme, websocket.scheme)
    environ = environ_of(websocket, io.BytesIO()) | {"wsgi.url_scheme": scheme, QUART_SESSION: session}
    with shadow.request_context(environ):
        serving_loop.set(asyncio.get_running_loop())
        yield


def environ_of(request: BaseRequestWebsocket, body: IO[bytes]) -> dict[str, Any]:
    """The WSGI environ of a request of Quart's.

    Header names with an underscore are left out: in an environ they could not be told from those with a dash, and a
    client could pass for the proxy in front of the server.

    Args:
        request: The request.
        body: What ``wsgi.input`` reads.
    """
    host, port = request.scope.get("server") or ("localhost", None)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": _as_wsgi(request.root_path),
        "PATH_INFO": _as_wsgi(request.path),
        "QUERY_STRING": request.query_string.decode("latin1"),
        "REMOTE_ADDR": request.remote_addr,
        "SERVER_NAME": host,
        "SERVER_PORT": str(port or (443 if request.scheme == "https" else 80)),
        "SERVER_PROTOCOL": f"HTTP/{request.http_version}",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": request.scheme,
        "wsgi.input": body,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        key = _environ_key(name)
        if key in environ:
            environ[key] += f"{';' if key == 'HTTP_COOKIE' else ','}{value}"
        elif key:
            environ[key] = value
    return environ


@functools.lru_cache(maxsize=512)
def _environ_key(name: str) -> str:
    """The environ's key for a header, or an empty string for one that has none."""
    if "_" in name or name.lower() == "remote-addr":  # Quart's own name for the client's address.
        return ""
    key = name.upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"


def _as_wsgi(path: str) -> str:
    return path.encode().decode("latin1")


async def _read_body(request: Request) -> IO[bytes]:
    """The whole body, or a stream that raises what is wrong with it when code reads it, as in Flask."""
    try:
        async with asyncio.timeout(request.body_timeout):
            return io.BytesIO(await request.body)
    except HTTPException as error:
        return cast(IO[bytes], _Unreadable(error))
    except TimeoutError:
        request.body_timeout = 0  # Quart's own readers need not wait as long again.
        return cast(IO[bytes], _Unreadable(RequestTimeout()))


class _Unreadable:
    """The body of a request that is too large, or has not arrived in time."""

    def __init__(self, error: HTTPException) -> None:
        self._error = error

    def read(self, size: int = -1) -> NoReturn:
        """Raise what is wrong with the body."""
        raise self._error

    readline = read
