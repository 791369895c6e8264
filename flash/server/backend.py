"""Dash's server backend on Quart: its routes, each with the app's set-up, context and errors around it."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from dash import Dash
from quart import Quart, Response, request
from quart.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, InternalServerError

from .. import _dash
from ..calls import call
from ..encoding import dumps
from ..exceptions import ConfigurationError, PoolFull, RequestRefused, SetupPending, new_error_id
from ..functions import is_async
from ..pool import serving_loop
from ..storage import SeveralProcesses
from .assets import Bundles
from .compression import ThreadedCompress
from .guards import read_body, read_json
from .requests import FlashRequestAdapter

if TYPE_CHECKING:
    from ..app import Flash

logger = logging.getLogger("flash")

#: Answers that fit into a socket's buffer are sent without Quart's timeout, which costs a task and a timer.
SMALL_ANSWER = 16 * 1024

_BACKEND = "flash_backend"
_NAMED = "flash_error_ids"
_ERROR_ID = "__flash_error_id__"


class FlashBackend(_dash.DashBackend):
    """Serves one Flash app on a Quart server.

    Dash calls its methods while the app is constructed; the app calls :meth:`attach` before that.
    """

    app: Flash

    def __init__(self, server: Quart) -> None:
        super().__init__(server)
        self.request_adapter = FlashRequestAdapter
        #: Why the app could not be set up when its server started; :func:`flash.server.run.serve` raises it.
        self.startup_error: BaseException | None = None

    def attach(self, app: Flash, server: Quart) -> None:
        """Say which app is served, and on which server."""
        self.app = app
        server.extensions.setdefault(_BACKEND, self)
        name_errors(server)

    # Routes.

    def add_url_rule(
        self,
        rule: str,
        view_func: Callable[..., Any],
        endpoint: str | None = None,
        methods: list[str] | None = None,
    ) -> None:
        """Add a route of the app. A plain view runs in a thread, an asynchronous one on the loop."""
        self.server.add_url_rule(rule, endpoint, self._served(view_func), methods=methods or ["GET"])

    def setup_index(self, dash_app: Dash) -> None:
        """Serve the index page at the app's prefix."""
        self.app.add_route("", self._index)

    def setup_catchall(self, dash_app: Dash) -> None:
        """Serve the index page at every path below the prefix that nothing else serves."""
        self.app.add_route("<path:path>", self._index)

    async def _index(self, path: str = "") -> Response:
        return Response(await self.app.render_index(), content_type="text/html")

    def setup_component_suites(self, dash_app: Dash) -> str:
        """Serve the bundles of component packages, and return the route's path."""
        route = "_dash-component-suites/<string:package_name>/<path:fingerprinted_path>"
        self.app.add_route(route, Bundles(self.app).serve)
        return route

    def serve_callback(self, dash_app: Dash) -> Callable[..., Any]:
        """The view that runs a callback."""
        app, dispatcher, chores = self.app, self.app.flash_dispatcher, self.app.flash_chores

        async def dispatch() -> Any:
            called = dispatcher.read(await read_json(chores))
            headers = app.flash_live.shared.headers(called.context.client)
            try:
                answer = await app.answer(called)
            finally:
                app.flash_live.shared.look_again(called.context.client)
            response = called.context.dash_response.set_response(data=answer)
            response.headers.update(headers)
            if len(answer) < SMALL_ANSWER:
                response.timeout = None
            return response

        # The name by which extensions know Dash's view, to exempt it from CSRF checks for example.
        dispatch.__name__ = dispatch.__qualname__ = "dispatch"
        dispatch.__module__ = "dash.dash"
        return dispatch

    def register_callback_api_routes(self, callback_api_paths: dict[str, Callable[..., Any]]) -> None:
        """Serve the callbacks that have an ``api_endpoint``, below the app's prefix."""
        for path, func in callback_api_paths.items():
            rule = self.app.config.routes_pathname_prefix + path.lstrip("/")
            self.add_url_rule(rule, self._endpoint_view(func), f"dash_callback_api_{rule}", ["POST"])

    def serve_websocket_callback(self, dash_app: Dash) -> None:
        """Dash asks for its WebSocket endpoint here; :class:`flash.live.serve.LiveEndpoint` serves it."""

    def _endpoint_view(self, func: Callable[..., Any]) -> Callable[..., Any]:
        async def endpoint() -> Any:
            arguments = await read_json(self.app.flash_chores) if await read_body() else {}
            if not isinstance(arguments, dict):
                raise RequestRefused(400, "The body must be a JSON object.")
            answer, context = await self.app.flash_dispatcher.run_endpoint(func, arguments)
            return context.dash_response.set_response(data=answer)

        return endpoint

    def _served(self, view: Callable[..., Any]) -> Callable[..., Any]:
        """A view with what every route of the app needs around it."""
        app = self.app
        run = view if is_async(view) else partial(call, app.flash_views, view)

        async def serve(**arguments: Any) -> Any:
            _dash.current_app.set(app)
            serving_loop.set(asyncio.get_running_loop())
            try:
                if not app.flash_setup.done:
                    await app.flash_setup.ensure()
                return await run(**arguments)
            except (HTTPException, RequestRefused, SetupPending, SeveralProcesses, PoolFull):
                raise
            except Exception as error:
                explained = app.explained(error)
                _add_id(explained)
                if explained is error:
                    raise
                raise explained from error

        serve.__name__ = getattr(view, "__name__", "view")
        serve.__module__ = getattr(view, "__module__", __name__)
        return serve

    # Errors.

    def register_error_handlers(self) -> None:
        """Answer Flash's errors with their status, and unexpected ones with an id that is in the log."""
        self.register_dash_error_handlers()
        self.server.register_error_handler(RequestRefused, _answer_refused)
        self.server.register_error_handler(SetupPending, _answer_pending)
        self.server.register_error_handler(SeveralProcesses, _answer_several)
        self.server.register_error_handler(PoolFull, _answer_busy)
        if not self.server.error_handler_spec[None][InternalServerError.code]:
            self.server.register_error_handler(InternalServerError, _answer_failure)

    def register_prune_error_handler(self, secret: str, prune_errors: bool) -> None:
        """Show errors in the browser while debugging; called by Dash when the dev tools are on."""
        self.error_handling_mode = "prune" if prune_errors else "raise"

        @self.server.errorhandler(Exception)
        async def show_error(error: Exception) -> ResponseReturnValue:
            if isinstance(error, HTTPException):
                return error.get_response()  # abort(403) stays 403.
            if not getattr(_dash.current_app.get(None), "debugging", True):
                raise error  # Of another app of the server, which is not being debugged.
            page = await self.app.flash_chores.run(self._describe, secret, error)
            return Response(page, status=500, content_type="text/html")

    def _describe(self, secret: str, error: Exception) -> str:
        """Log an error and write its debug page, in a thread: it reads the source of every frame."""
        logger.error("%s %s failed", request.method, request.path, exc_info=error)
        return self.debug_page(secret, error)

    # The rest.

    def enable_compression(self) -> None:
        """Compress dynamic responses, in threads."""
        ThreadedCompress(self.server, self.app.flash_chores)

    def run(self, dash_app: Dash, host: str, port: int, debug: bool, **options: Any) -> None:
        """Serve the app until it is stopped. See :func:`flash.server.run.serve`."""
        from .run import serve

        serve(self.app, host, port, debug, **options)


def backend_for(backend: Any, server: Any) -> type[FlashBackend]:
    """The backend class to hand to Dash's constructor.

    Args:
        backend: The app's ``backend`` argument.
        server: The app's ``server`` argument. A Quart app becomes what the class "creates": Dash takes a server or a
            backend class, not both.

    Raises:
        ConfigurationError: One of the two is not Quart's.
    """
    if not (
        backend is None
        or (isinstance(backend, str) and backend.lower() == "quart")
        or (inspect.isclass(backend) and issubclass(FlashBackend, backend))
    ):
        raise ConfigurationError(
            f"Flash is served by Quart and cannot use backend={backend!r}. Leave backend out, or use dash.Dash."
        )
    if server in (None, True, False):
        return FlashBackend
    if not isinstance(server, Quart):
        raise ConfigurationError(
            f"Flash is served by Quart and cannot use a server of type {kind_of(server)}. Pass a quart.Quart app, or "
            "leave server out. An app that relies on Flask runs with Flash(flask_compat=True)."
        )
    return type("FlashBackend", (FlashBackend,), {"create_app": staticmethod(lambda name, config=None: server)})


def kind_of(value: Any) -> str:
    """A value's package and class, for messages: ``flask.Flask``."""
    return f"{type(value).__module__.partition('.')[0]}.{type(value).__name__}"


def backend_of(server: Quart) -> FlashBackend | None:
    """The backend of the Flash app that a server serves, the first one's of several, or None."""
    return server.extensions.get(_BACKEND)


def _add_id(error: Exception) -> None:
    """Give an error an id, which the log shows with its traceback and the browser is told."""
    if not hasattr(error, _ERROR_ID):
        error_id = new_error_id()
        setattr(error, _ERROR_ID, error_id)
        error.add_note(f"Error id: {error_id}")


def name_errors(server: Quart) -> None:
    """Give every error that a server logs an id, those of guards and of routes that are not Dash's included."""
    if _NAMED in server.extensions:
        return
    server.extensions[_NAMED] = True
    handle = server.handle_exception

    async def handle_exception(error: Exception) -> Any:
        _add_id(error)
        return await handle(error)

    server.handle_exception = handle_exception  # type: ignore[method-assign]


async def _answer_failure(failure: InternalServerError) -> ResponseReturnValue:
    error_id = getattr(failure.original_exception, _ERROR_ID, None)
    if error_id is None:
        return failure.get_response()  # abort(500)
    return _refusal({"error": "The server could not answer. Its log says more.", "id": error_id}, 500)


async def _answer_refused(refused: RequestRefused) -> ResponseReturnValue:
    logger.warning("%s %s refused with %s: %s", request.method, request.path, refused.status, refused.reason)
    logger.debug("It was refused because of", exc_info=refused.__cause__)
    return _refusal({"error": refused.reason}, refused.status)


async def _answer_pending(pending: SetupPending) -> ResponseReturnValue:
    body = {"error": "The app is not ready yet. Try again in a moment.", "id": pending.error_id}
    return _refusal(body, 503, {"Retry-After": "5"})


async def _answer_several(several: SeveralProcesses) -> ResponseReturnValue:
    logger.error("%s %s refused with 503: %s", request.method, request.path, several)
    return _refusal({"error": "The app is not served here. Try again in a moment."}, 503, {"Retry-After": "5"})


async def _answer_busy(full: PoolFull) -> ResponseReturnValue:
    logger.error("%s %s refused with 503: %s", request.method, request.path, full)
    return _refusal({"error": "The server is busy. Try again in a moment."}, 503, {"Retry-After": "1"})


def _refusal(body: dict[str, str], status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(dumps(body), status=status, headers=headers, content_type="application/json")
