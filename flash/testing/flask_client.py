"""Flask's synchronous test client for apps that Quart serves."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar, cast

import quart
from flask.testing import FlaskClient
from quart.signals import got_request_exception

from ..server.flask_contexts import KEEP_CONTEXT
from ..server.flask_shadow import ShadowFlask

if TYPE_CHECKING:
    from ..app import Flash

T = TypeVar("T")

_quart_test_client = quart.Quart.test_client

_ERRORS = "flash.test_errors"


def flask_test_client(app: quart.Quart | Flash, use_cookies: bool = True, **options: Any) -> FlaskClient:
    """A test client of Flask's that sends its requests to an app on Quart.

    It works with and without ``flask_compat``; with it, ``with client:`` keeps ``flask.request`` and ``flask.session``
    of the last request, as in Flask. The requests of one client are served on one event loop, in a thread of its own,
    so it can also be used where a loop is running, and what an app keeps between requests (a connection pool) goes on
    living. The loop ends with the client. The lifespan is not run, and a streamed answer comes as a whole.

    Args:
        app: The app, or its Quart server.
        use_cookies: Whether the client keeps cookies.
        **options: Further arguments of :class:`flask.testing.FlaskClient`.

    Example:
        >>> client = flask_test_client(app)
        >>> client.get("/_dash-layout").get_json()["type"]
        'Div'
    """
    shadow = _ServedShadow(app if isinstance(app, quart.Quart) else app.server)
    client = shadow.test_client(use_cookies, **options)
    weakref.finalize(client, shadow.loop.stop)
    return client


def install_flask_test_client(server: quart.Quart | type[quart.Quart]) -> Callable[[], None]:
    """Make ``server.test_client()`` give Flask's client to plain tests, and Quart's where a loop is running.

    Args:
        server: One server, or the class :class:`quart.Quart` for all servers, which is what a fixture installs for
            the time of a test: unit tests make their app themselves and ask its server for a client.

    Returns:
        A function that puts back what was there.

    Example:
        >>> @pytest.fixture
        ... def synchronous_test_client():
        ...     undo = install_flask_test_client(quart.Quart)
        ...     yield
        ...     undo()
    """
    before = vars(server).get("test_client")
    replacement = _test_client if isinstance(server, type) else partial(_test_client, server)
    setattr(server, "test_client", replacement)  # noqa: B010 - a method, for one object or for the class

    def undo() -> None:
        if before is None:
            del server.test_client
        else:
            setattr(server, "test_client", before)  # noqa: B010

    return undo


def _test_client(server: quart.Quart, use_cookies: bool = True, **options: Any) -> Any:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return flask_test_client(server, use_cookies, **options)
    return _quart_test_client(server, use_cookies, **options)


class _ServedShadow(ShadowFlask):
    """A Flask app whose WSGI face hands each request to the Quart server, on a loop in a thread."""

    def __init__(self, server: quart.Quart) -> None:
        super().__init__(server)
        self.loop = _LoopThread()

    def wsgi_app(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one WSGI request."""
        status, headers, body = self.loop.run(_exchange(self.server, environ))
        start_response(f"{status} {_phrase(status)}", headers)
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]


class _LoopThread:
    """An event loop in a thread, started by the first coroutine that it is to run."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._started = threading.Event()
        self._stopped: asyncio.Event | None = None

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop, with the context variables of the caller, and wait for its result."""
        if self._loop is None:
            threading.Thread(target=self._serve, name="flask-test-client", daemon=True).start()
            self._started.wait()
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def stop(self) -> None:
        """End the loop and its tasks. Waits for nothing: it is called when the client is collected."""
        if self._loop is not None and self._stopped is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stopped.set)

    def _serve(self) -> None:
        asyncio.run(self._wait())

    async def _wait(self) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        self._started.set()
        await self._stopped.wait()


async def _exchange(server: quart.Quart, environ: dict[str, Any]) -> tuple[int, list[tuple[str, str]], bytes]:
    """Send a WSGI request to an ASGI app and collect the answer, or raise what the app did not handle."""
    errors: list[Exception] = []
    scope = _scope(environ) | {_ERRORS: errors}
    incoming = [{"type": "http.request", "body": _body(environ), "more_body": False}]
    outgoing: list[Any] = []

    async def receive() -> Any:
        if not incoming:
            await asyncio.Event().wait()  # The client stays until it has its answer.
        return incoming.pop()

    async def send(message: Any) -> None:
        outgoing.append(message)

    with got_request_exception.connected_to(_collect_error, sender=server):
        await server(cast(Any, scope), receive, send)
    if errors and _propagates(server):
        raise errors[0]
    started = next(message for message in outgoing if message["type"] == "http.response.start")
    headers = [(name.decode("latin1"), value.decode("latin1")) for name, value in started["headers"]]
    return started["status"], headers, b"".join(message.get("body", b"") for message in outgoing)


async def _collect_error(server: quart.Quart, exception: Exception, **extra: Any) -> None:
    errors: list[Exception] | None = cast(Any, quart.request.scope).get(_ERRORS)
    if errors is not None:
        errors.append(exception)


def _propagates(server: quart.Quart) -> bool:
    """Whether a test sees the error itself, by Flask's rule. Quart answers with a page that shows it."""
    setting: bool | None = server.config["PROPAGATE_EXCEPTIONS"]
    return server.testing or server.debug if setting is None else setting


def _scope(environ: dict[str, Any]) -> dict[str, Any]:
    root_path = _from_wsgi(environ.get("SCRIPT_NAME", ""))
    path = root_path + _from_wsgi(environ.get("PATH_INFO", ""))
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": environ.get("SERVER_PROTOCOL", "HTTP/1.1").partition("/")[2],
        "method": environ["REQUEST_METHOD"],
        "scheme": environ["wsgi.url_scheme"],
        "path": path or "/",
        "raw_path": path.encode(),
        "root_path": root_path,
        "query_string": environ.get("QUERY_STRING", "").encode("latin1"),
        "headers": [(name, value.encode("latin1")) for key, value in environ.items() if (name := _header_name(key))],
        "client": (environ.get("REMOTE_ADDR", "127.0.0.1"), int(environ.get("REMOTE_PORT", 0))),
        "server": (environ["SERVER_NAME"], int(environ["SERVER_PORT"])),
        "extensions": {},
    }
    if keep := environ.get("werkzeug.debug.preserve_context"):
        scope[KEEP_CONTEXT] = keep
    return scope


def _body(environ: dict[str, Any]) -> bytes:
    length = environ.get("CONTENT_LENGTH")
    body: bytes = environ["wsgi.input"].read(int(length) if length else -1)
    return body


def _header_name(key: str) -> bytes:
    """The header that a key of the environ stands for, or nothing."""
    if key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        return key.lower().replace("_", "-").encode()
    return key.removeprefix("HTTP_").lower().replace("_", "-").encode() if key.startswith("HTTP_") else b""


def _from_wsgi(path: str) -> str:
    return path.encode("latin1").decode(errors="replace")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
