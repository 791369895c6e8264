"""Requests to an app in this process: its start and end, cookies, and what is raised while it answers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dash
import quart
from quart import Quart, Response
from werkzeug.datastructures import Headers

from ..server.lifespan import Lifespan
from .results import Answer

if TYPE_CHECKING:
    from ..app import Flash

#: Where the code lies that a request passes on its way to a callback.
_SERVER_CODE = tuple(
    str(folder) + os.sep
    for folder in (Path(dash.__file__).parent, Path(quart.__file__).parent, Path(__file__).parents[1])
)

#: Collects what is raised while one request is served.
_raised: ContextVar[list[Exception]] = ContextVar("flash_testing_raised")


class Transport:
    """Sends requests to an app by way of Quart's test client, which keeps cookies.

    Args:
        app: The app.
        headers: Headers for every request.
        timeout: How long the start and the end may take, in seconds.
    """

    def __init__(self, app: Flash, headers: Mapping[str, str], timeout: float) -> None:
        self.headers = dict(headers)
        self._app = app
        self._timeout = timeout
        self._http = app.server.test_client_class(app.server)
        self._lifespan: Lifespan | None = None

    async def start(self) -> None:
        """Start the app as a server does.

        Raises:
            Exception: What keeps it from starting.
        """
        _collect_errors(self._app.server)
        backend = self._app.backend
        backend.startup_error = None
        lifespan = Lifespan(self._app.server)
        try:
            await lifespan.start(self._timeout)
        except Exception:
            await self._app.close()  # A start that fails has no shutdown.
            if original := backend.startup_error:
                raise original from None
            raise
        self._lifespan = lifespan

    async def stop(self) -> None:
        """Stop the app."""
        lifespan, self._lifespan = self._lifespan, None
        if lifespan is not None:
            await lifespan.stop(self._timeout)

    async def send(self, method: str, path: str, headers: Mapping[str, str] | None = None, **options: Any) -> Answer:
        """Send a request and wait for its answer.

        Args:
            method: The HTTP method.
            path: The path below the app's prefix.
            headers: Headers beside those of every request.
            **options: As :meth:`quart.testing.QuartClient.open` takes them.
        """
        if self._lifespan is None:
            raise RuntimeError("The app has not been started. Write `with Client(app) as client:`, or `async with`.")
        raised: list[Exception] = []
        _raised.set(raised)
        sent = Headers({**self._csrf_header(), **self.headers, **(headers or {})})
        path = self._app.config.routes_pathname_prefix + path.lstrip("/")
        try:
            response = await self._http.open(path, method=method, headers=sent, **options)
            data: Any = await response.get_data(as_text=False)
        except Exception as error:
            if error not in raised:
                raise
            # An app with `server.testing` on hands its errors to the test client.
            return Answer(500, Headers(), str(error).encode(), _without_server_frames(error))
        assert isinstance(response, Response)
        last = _without_server_frames(raised[-1]) if raised else None
        return Answer(response.status_code, response.headers, data, last)

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that are sent, by name."""
        return {cookie.name: cookie.value or "" for cookie in self._http.cookie_jar or ()}

    def set_cookie(self, name: str, value: str) -> None:
        """Send a cookie with every request from now on."""
        self._http.set_cookie("localhost", name, value)

    def _csrf_header(self) -> dict[str, str]:
        """The header that Dash's renderer makes of the cookie of CSRF protection."""
        token = self.cookies.get(self._app.config.csrf_token_name)
        return {self._app.config.csrf_header_name: token} if token else {}


def _collect_errors(server: Quart) -> None:
    """Have a server tell its test clients what is raised, also what it answers by an error handler.

    It stays so: clients of one server may come and go in any order, and to other requests nothing changes.
    """
    handle = server.handle_user_exception
    if getattr(handle, "collects_errors", False):
        return

    async def handle_user_exception(error: Exception) -> Any:
        raised = _raised.get([])
        raised.append(error)
        try:
            return await handle(error)
        except Exception as other:
            raised.append(other)
            raise

    handle_user_exception.collects_errors = True  # type: ignore[attr-defined]
    server.handle_user_exception = handle_user_exception  # type: ignore[method-assign]


def _without_server_frames(error: Exception) -> Exception:
    """The error with a traceback that begins in the app's code, if it comes from there; the log has all of it."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith(_SERVER_CODE):
        frames = frames.tb_next
    return error if frames is None else error.with_traceback(frames)
