"""The application class: Dash's, served by Quart and run asynchronously."""

from __future__ import annotations

import contextvars
import inspect
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from quart import Quart, request

from . import _dash
from .callbacks import tell_transports
from .calls import call
from .companions import Companions
from .containers import fill_containers
from .declare import declare, refuse_clientside_service
from .dispatch import Dispatcher
from .exceptions import ConfigurationError
from .feeds import Feed
from .flask_use import explain_flask_use
from .lanes import Lanes
from .layout import resolve_served_layout, served_layout_here, try_layout
from .leases import LaneLeases
from .live.app import LiveApp
from .live.live import Live
from .live.serve import LiveEndpoint
from .live.settings import live_settings
from .once import Once
from .pages import resolve_page
from .pool import Pool, awaited_or_run
from .requests import body_of, call_of
from .server.backend import FlashBackend, backend_for, kind_of
from .server.compat import hint_flask_compat, install_flask_compat
from .server.guards import limit_bodies
from .server.lifespan import ending_when_refused
from .server.threads import run_plain_functions_in
from .services import served_app
from .shared.shared import Shared
from .startup import Setup, call_page_function
from .storage import MemoryStorage, storage_of
from .storage.dash import is_dash_storage
from .turns import run_in_turn

CHORE_THREADS = 8


class Flash(LiveApp):
    """A Dash app that runs asynchronously on Quart.

    Takes every argument of :class:`dash.Dash` and means the same by it; ``docs/compatibility.md`` names each
    difference. Asynchronous callbacks, layouts, pages, titles, error handlers and hooks are awaited on the event
    loop; plain ones run in a pool of threads, with their context variables and the whole callback context.

    Args:
        *args: As :class:`dash.Dash` takes them.
        callback_threads: How many plain functions of the user's run at once.
        max_content_length: The largest request body in bytes; a larger one is refused with 413. None keeps what the
            given server is configured with.
        flask_compat: Give the code of the app Flask's contexts, so that ``flask.request``, ``flask.session`` and
            their kind work in callbacks, layouts, routes and guards.
        live: The live connection. None opens it in the pages of apps that use it, True in every page, False in none;
            a dict names settings of :class:`flash.live.settings.LiveSettings`.
        identify: Says who asks: a plain or asynchronous function that gets Quart's request and returns a text, or
            None for an unknown user. ``client.user`` is what it returned. None asks quart-auth, Flask-Login, or the
            hub that serves the app.
        server_service: How pages ask for callbacks whose service does not say it: ``"live"``, ``"http"``, or None (as
            ``websocket_callbacks`` says). Shared callbacks are live in any case.
        shared_storage: Where shared state is kept: ``"redis://..."`` for apps of several processes, a
            :class:`flash.storage.Storage`, or an object of Dash 4.5's shared storage. None: as ``FLASH_REDIS_URL`` or
            ``DASH_SHARED_STORAGE`` say, else the memory of this process.
        **kwargs: As :class:`dash.Dash` takes them. ``server`` may be a Quart app. ``backend`` may be left out or
            ``"quart"``.

    Raises:
        ConfigurationError: An argument cannot work with Quart.

    Example:
        >>> from flash import Flash, Input, Output, html
        >>> app = Flash(__name__)
        >>> app.layout = html.Div([html.Button("Go", id="go"), html.Div(id="out")])
        >>> @app.callback(Output("out", "children"), Input("go", "n_clicks"))
        ... async def go(clicks):
        ...     await asyncio.sleep(1)
        ...     return f"{clicks} clicks"
        >>> app.run(debug=True)
    """

    backend: FlashBackend
    flash_setup: Setup

    def __init__(
        self,
        *args: Any,
        callback_threads: int = 40,
        max_content_length: int | None = 64 * 1024 * 1024,
        flask_compat: bool = False,
        live: bool | dict[str, Any] | None = None,
        identify: Callable[[Any], Any] | None = None,
        server_service: Literal["live", "http"] | None = None,
        shared_storage: Any = None,
        **kwargs: Any,
    ) -> None:
        options = inspect.signature(_dash.OriginalDash).bind_partial(*args, **kwargs).arguments
        options |= options.pop("obsolete", {})
        options = served_app(server_service, options, live)
        if not isinstance(callback_threads, int) or callback_threads < 1:
            raise ConfigurationError(
                f"callback_threads must be a number of threads, 1 or more, not {callback_threads!r}."
            )
        self.flask_compat = flask_compat
        self.flash_pool = Pool(callback_threads, "flash-callback")
        self.flash_views = Pool(callback_threads, "flash-view")
        self.flash_chores = Pool(CHORE_THREADS, "flash-chore")
        self.flash_dispatcher = Dispatcher(self, self.flash_pool)
        self.flash_storage = storage_of(shared_storage)
        self.flash_shared = Shared(self, self.flash_storage)
        #: What callbacks get in place of the versions that hidden stores hold, by the id of the store.
        self.flash_feeds: dict[str, Feed] = {}
        self.flash_once = Once(self, contextvars.copy_context())
        self.flash_companions = Companions(self)
        self.flash_live: Live = Live(self, live_settings(live), identify)
        for pool in (self.flash_pool, self.flash_views, self.flash_chores, self.flash_dispatcher.background_pool):
            weakref.finalize(self, pool.close).atexit = False
        self._max_content_length = max_content_length
        server = options.get("server", True)
        if options.get("name") is None:
            options["name"] = server.name if isinstance(server, Quart) else _dash.caller_name()
        options["backend"] = backend_for(options.get("backend"), server)
        options["server"] = server is not False and server is not None
        if is_dash_storage(shared_storage if isinstance(shared_storage, type) else type(shared_storage)):
            options["shared_storage"] = shared_storage  # Dash's own streaming uses it too.
        # Dash's switch for asynchronous Flask; here everything is asynchronous, and asgiref is not needed.
        options.pop("use_async", None)
        super().__init__(**options)
        several = not isinstance(self.flash_storage, MemoryStorage)
        self.flash_lanes = Lanes(
            LaneLeases(self.flash_storage, f"lanes:{self.name_in_storage}").held if several else None
        )

    @property
    def name_in_storage(self) -> str:
        """Tells this app from others that use the same storage: the same in all of its processes."""
        name: str = self.config.name
        if name == "__main__":  # One of many: it is told by the name of its file.
            name = Path(getattr(sys.modules[name], "__file__", None) or name).stem
        return f"{name}{self.config.requests_pathname_prefix}"

    # Construction.

    def init_app(self, app: Quart | None = None, **kwargs: Any) -> None:
        """Attach the app to a Quart server: routes, set-up at its start, limits.

        Args:
            app: The server, for an app that was made with ``server=False``.
            **kwargs: Settings to change, as :meth:`dash.Dash.init_app` takes them.
        """
        if app is not None and not isinstance(app, Quart):
            raise ConfigurationError(f"init_app takes a quart.Quart, not a {kind_of(app)}: Flash is served by Quart.")
        server: Quart = app or self.server
        self.backend.attach(self, server)
        new = getattr(self, "_attached_to", None) is not server
        if new:
            self._attached_to = server
            self.flash_setup = Setup(self)
            self._attach(server)
        self.use_async_pages()
        super().init_app(app, **kwargs)
        if new:
            self.add_live_routes()

    def enable_pages(self) -> None:
        """Read the pages and have the app's set-up declare what shows them. Called when the app gets its server."""
        super().enable_pages()
        fill_containers(self)

    def _attach(self, server: Quart) -> None:
        if self._max_content_length is not None:
            limit_bodies(server, self._max_content_length)
        run_plain_functions_in(self.flash_views, server)
        (install_flask_compat if self.flask_compat else hint_flask_compat)(server)
        server.asgi_app = LiveEndpoint(server.asgi_app, self.flash_live)  # type: ignore[method-assign]
        start = server.startup

        async def start_server() -> None:
            self.flash_once.begin_in(contextvars.copy_context())
            # After all of the server's own start, whose connections a layout may need.
            try:
                await start()
                async with server.app_context():
                    await self.flash_setup.at_start()
            except Exception as error:
                self.backend.startup_error = error
                raise

        server.startup = start_server  # type: ignore[method-assign]
        server.asgi_lifespan_class = ending_when_refused(server.asgi_lifespan_class, lambda: self.backend.startup_error)
        server.after_serving(self.close)

    async def close(self) -> None:
        """End the app's idle threads. The server calls it when it stops."""
        await self.flash_companions.close()
        await self.flash_live.close()
        await self.flash_once.close()
        await self.flash_shared.close()
        await self.flash_lanes.close()
        await self.flash_storage.aclose()
        self.flash_setup.end()
        self.flash_pool.close()
        self.flash_views.close()
        self.flash_chores.close()
        self.flash_dispatcher.close()

    def run(self, *args: Any, **options: Any) -> None:
        """Serve the app until Ctrl+C or SIGTERM, as :meth:`dash.Dash.run` does, on Hypercorn.

        Args:
            *args: As Dash takes them: host, port, proxy, debug ...
            **options: As Dash takes them; and every setting of Hypercorn's by its name, ``workers``, ``ssl_context``,
                ``use_reloader``, ``extra_files``. ``docs/running.md`` lists them.

        Raises:
            ConfigurationError: An option is unknown or cannot work.
            SystemExit: Several processes would serve an app whose shared state is in memory; the log says so.
            Exception: The app could not be set up; the error is the original one.

        Example:
            >>> app.run(debug=True, port=8060, graceful_timeout=30)
        """
        if options.get("certfile") and options.get("keyfile") and not options.get("ssl_context"):
            # Dash's banner says https when it sees this one.
            options["ssl_context"] = options.pop("certfile"), options.pop("keyfile")
        super().run(*args, **options)

    def refuse_workers(self, count: int) -> None:
        """Object, before anything is set up, to being served by so many processes.

        Raises:
            SeveralProcesses: They would have to share what each would have in its memory.
        """
        self.flash_shared.refuse_workers(count)
        self.flash_companions.refuse_workers(count)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one ASGI connection, so that ``hypercorn module:app`` and its kind can be given the app itself."""
        await self.server(scope, receive, send)

    # Layout and index.

    @property
    def layout(self) -> Any:
        """The layout: a component, a list of them, or a plain or asynchronous function that returns one."""
        resolved = self.layout_in_setup()
        return self.declared_layout if resolved is None else resolved[0]

    @layout.setter
    def layout(self, value: Any) -> None:
        _dash.validate_layout_type(value)
        self.declare_layout(value)
        if callable(value) and not self.validation_layout and not self.config.suppress_callback_exceptions:
            tree = try_layout(value)
            if tree is not None:
                _dash.validate_layout(value, tree)
                self.validation_layout = tree

    def get_layout(self) -> Any:
        """The layout as a browser gets it, for plain code: its function called and the hooks run.

        Plain functions run in the calling thread; for asynchronous ones it waits for the loop. On the loop itself
        use :func:`flash.layout.resolve_served_layout`.
        """
        return served_layout_here(self)

    def layout_in_setup(self) -> tuple[Any] | None:
        """The resolved layout while the app is set up, for Dash's own set-up; None at any other time."""
        resolved = _dash.resolved_layout.get()
        # A task that was begun during set-up keeps the variable.
        return (resolved[1],) if resolved and resolved[0] is self and not self.flash_setup.done else None

    async def serve_layout(self) -> Any:
        """Answer the renderer's request for the layout."""
        self.declare_carrier()
        client = await self.client_of_page()
        layout = await resolve_served_layout(self)
        headers = self.flash_live.shared.headers(client)  # Before it is encoded: it may hold newer values.
        body = await self.flash_chores.run(self.encode, layout, client)
        response = self.backend.make_response(body, content_type="application/json")
        response.headers.update(headers)
        return response

    async def render_index(self) -> str:
        """The index page for the current request, hooks, titles and descriptions awaited."""
        self.declare_carrier()
        page = await resolve_page(self, request.path)
        tools = [await self._resolve_dev_tool(tool) for tool in self.dev_tool_entries]
        index = await self.flash_chores.run(self._render_plain_index, page, tools)
        for hook in self.index_functions:
            index = await call(self.flash_pool, hook, index)
        self.validate_index_page(index)
        return index

    def _render_plain_index(self, page: Any, tools: list[Any]) -> str:
        """Dash's index, in a thread, with what had to be awaited put where Dash looks for it."""
        _dash.resolved_page.set(page)
        _dash.resolved_dev_tools.set(tools)
        _dash.hidden_hooks.set(frozenset({"index"}))
        return self.plain_index()

    async def _resolve_dev_tool(self, tool: dict[str, Any]) -> dict[str, Any]:
        props = tool.get("props", {})
        return {**tool, "props": await call(self.flash_pool, props) if callable(props) else props}

    # Callbacks.

    def run_stored_callback(self, stored: Callable[..., Any], values: list[Any], outputs: Any, context: Any) -> Any:
        """Run a callback for Dash's WebSocket and MCP server, which bring a context of their own.

        Returns:
            On the loop a coroutine, which the caller awaits; in a thread the JSON text of the answer.
        """
        called = call_of(stored, values, outputs, context, self.flash_feeds)
        called.body = body_of(called.declaration.callback_id, context)
        return awaited_or_run(self._run_to_text(called))

    async def _run_to_text(self, called: Any) -> str:
        return (await self._answer_once(called)).decode()

    def callback(self, *args: Any, **kwargs: Any) -> Callable[..., Any]:
        """Declare a callback of this app. See :func:`flash.callback`."""
        return declare(self.register, args, kwargs)

    async def answer(self, called: Any) -> bytes:
        """Run a callback for the HTTP route or the live connection, and return the JSON that answers it."""
        if called.declaration.streaming is not None:
            await self.authorize(called)
            return await self.flash_live.streams.answer(called)
        return await self._answer_once(called)

    async def _answer_once(self, called: Any) -> bytes:
        if called.declaration.service.shared:
            await self.identify_requester(called.context)
            return await self.flash_shared.asks.answer(called)
        await self.authorize(called)
        if self.flash_once.takes(called):
            return await self.flash_once.answer(called, self.flash_dispatcher.run)
        return await run_in_turn(self, self.flash_lanes, called, self.flash_dispatcher.run)

    def clientside_callback(self, clientside_function: Any, *args: Any, **kwargs: Any) -> Any:
        """Declare a clientside callback, as :meth:`dash.Dash.clientside_callback` does. It takes no service."""
        refuse_clientside_service(kwargs)
        return super().clientside_callback(clientside_function, *args, **kwargs)  # type: ignore[no-untyped-call]

    def tell_transports(self) -> bool:
        """Whether every callback goes live; if not, each declaration says for itself whether it does."""
        return tell_transports(self.callback_map, self.callback_list)

    async def call_page_function(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a page's layout or title for Dash's pages router."""
        return await call_page_function(self, func, *args, **kwargs)

    def explained(self, error: Exception) -> Exception:
        """The error itself, or one that names ``flask_compat`` when code asked Flask in vain."""
        return (None if self.flask_compat else explain_flask_use(error)) or error


def _signature() -> inspect.Signature:
    """Dash's constructor with Flash's own arguments behind it, as editors and ``help`` show it."""
    own = [p for p in inspect.signature(Flash.__init__).parameters.values() if p.kind is inspect.Parameter.KEYWORD_ONLY]
    names = {p.name for p in own}
    dash_parameters = [
        p for p in inspect.signature(_dash.OriginalDash.__init__).parameters.values() if p.name not in names
    ]
    return inspect.Signature([*dash_parameters[:-1], *own, dash_parameters[-1]])


Flash.__init__.__signature__ = _signature()  # type: ignore[attr-defined]
Flash.run.__signature__ = inspect.signature(_dash.OriginalDash.run)  # type: ignore[attr-defined]
