"""The seam: every private name of Dash that Flash uses, and nothing else touches one.

Three kinds of things live here. Names that Dash does not export, under the names that Flash uses.
:class:`DashSeam` and :class:`DashBackend`, which stand between Dash's classes and Flash's and give their private
parts public faces. And :func:`install`, the replacements of module attributes that Dash looks up when it calls them;
each keeps Dash's meaning for apps that are not Flash's.

What differs between Dash 4.4 and 4.5 lives here too. ``tests/contract`` holds every name that is used, so a new
release of Dash fails there first.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import inspect
import json
import os
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import dash as _dash_package
import dash.dash as _dash_module
from dash import _callback, _callback_signing, _get_app, _jupyter, _pages, _validate, html
from dash._callback_context import CallbackContext, context_value
from dash._configs import pathname_configs
from dash._hooks import HooksManager
from dash._utils import AttributeDict, create_callback_id, get_caller_name, inputs_to_dict, stringify_id
from dash.backends._quart import QuartDashServer, QuartRequestAdapter
from dash.backends.ws import DashWebsocketCallback
from dash.development.base_component import Component, ComponentRegistry
from dash.exceptions import DashException, DependencyException, WebSocketCallbackError, WebsocketDisconnected
from dash.fingerprint import check_fingerprint as _check_fingerprint
from plotly.io._json import clean_to_json_compatible
from plotly.io.json import to_json_plotly
from quart import Quart

from ._dash_scopes import per_app
from .functions import is_async

__all__ = [
    "AttributeDict",
    "CallbackContext",
    "Component",
    "DashBackend",
    "DashException",
    "DashSeam",
    "DashWebsocketCallback",
    "DependencyException",
    "OriginalDash",
    "PAGES_LOCATION",
    "QuartRequestAdapter",
    "WebsocketDisconnected",
    "await_function",
    "caller_name",
    "check_fingerprint",
    "clean_to_json_compatible",
    "closure_facts",
    "component_json",
    "component_properties",
    "context_field",
    "context_value",
    "current_app",
    "Register",
    "StoppableBackend",
    "choose_prefixes",
    "dash_callback",
    "dash_json",
    "disconnected",
    "fail_unencodable",
    "global_declarations",
    "global_register",
    "global_callbacks",
    "install",
    "invoke_function",
    "page_of_path",
    "page_registry",
    "path_variables",
    "poll_background",
    "prepare_response",
    "query_parameters",
    "registered_packages",
    "resolved_layout",
    "resolved_page",
    "running_setup",
    "running_triples",
    "start_background",
    "stringify_id",
    "validate_callback_body",
    "validate_javascript_path",
    "validate_layout",
    "validate_layout_type",
]

#: Held under a name of our own: ``dash.Dash`` may be replaced by Flash (a test-suite does), and would call itself.
OriginalDash = _dash_module.Dash

caller_name: Callable[[], str] = get_caller_name
check_fingerprint: Callable[[str], tuple[str, bool]] = _check_fingerprint
current_app: ContextVar[Any] = _get_app.app_context
page_registry: dict[str, Any] = _pages.PAGE_REGISTRY
page_of_path: Callable[..., Any] = _pages._path_to_page
path_variables: Callable[[str, str], dict[str, str] | None] = _pages._parse_path_variables
query_parameters: Callable[[str | None], dict[str, Any]] = _pages._parse_query_string
#: The id of the location that tells the pages' router the path.
PAGES_LOCATION: str = _dash_module._ID_LOCATION
dash_callback: Callable[..., Any] = _callback.callback
dash_json: Callable[[Any], str] = functools.partial(to_json_plotly, engine="json")
invoke_function: Callable[..., Any] = _callback._invoke_callback
await_function: Callable[..., Any] = _callback._async_invoke_callback
start_background: Callable[..., Any] = _callback._setup_background_callback
poll_background: Callable[..., Any] = _callback._update_background_callback
prepare_response: Callable[..., Any] = _callback._prepare_response
fail_unencodable: Callable[..., Any] = _validate.fail_callback_output
validate_layout: Callable[..., Any] = _validate.validate_layout
validate_layout_type: Callable[..., Any] = _validate.validate_layout_type
validate_javascript_path: Callable[..., Any] = _validate.validate_js_path
_run_plainly = _dash_module.execute_async_function
_dash_callback_id = create_callback_id

#: The app that is being set up, and the tree that stands for its layout while Dash's own set-up reads it.
resolved_layout: ContextVar[tuple[Any, Any] | None] = ContextVar("flash_resolved_layout", default=None)
#: The page and path variables of an index page, with title and description resolved.
resolved_page: ContextVar[tuple[dict[str, Any], Any] | None] = ContextVar("flash_resolved_page", default=None)
#: Hooks of these kinds are run by Flash itself at the moment, so Dash must not see them.
hidden_hooks: ContextVar[frozenset[str]] = ContextVar("flash_hidden_hooks", default=frozenset())
#: Dev-tool entries whose ``props`` functions have been called.
resolved_dev_tools: ContextVar[list[Any] | None] = ContextVar("flash_resolved_dev_tools", default=None)
#: Set while an app is set up: page layouts that fail then are a matter of time, not of a request.
running_setup: ContextVar[bool] = ContextVar("flash_running_setup", default=False)


# Facts of a callback -------------------------------------------------------------------------------------------------

#: The free variables of the callable that Dash stores for each callback: all that running it needs.
CLOSURE_FACTS = frozenset(
    {
        "allow_dynamic_callbacks",
        "background",
        "background_key",
        "callback_id",
        "func",
        "has_output",
        "inputs_state_indices",
        "insert_output",
        "multi",
        "on_error",
        "output",
    }
)


def closure_facts(stored: Callable[..., Any]) -> dict[str, Any]:
    """What Dash knows of a callback, read from the closure of the callable that it stores.

    It holds also for callbacks that ``dash.callback`` declared before Flash was imported.

    Raises:
        TypeError: The callable is not one that Dash's decorator made.
    """
    facts = _free_variables(stored)
    if "_astream_frames" in facts:
        # Dash 4.5 has a wrapper of its own for asynchronous generators, and two functions behind it.
        frames = _free_variables(facts["_astream_frames"])
        facts = {"background": None, "background_key": None, **_free_variables(frames["_build_stream_frame"]), **facts}
    if not CLOSURE_FACTS <= set(facts):
        raise TypeError(f"{stored!r} is not a callback that Dash's decorator has registered.")
    return facts


def _free_variables(func: Callable[..., Any]) -> dict[str, Any]:
    code, cells = getattr(func, "__code__", None), getattr(func, "__closure__", None)
    if code is None or cells is None:
        return {}
    return {name: cell.cell_contents for name, cell in zip(code.co_freevars, cells, strict=True)}


def running_triples(spec: dict[str, dict[str, Any]]) -> Iterator[tuple[Any, Any, Any]]:
    """What ``running=`` said: the outputs with both values, from the form in which the renderer gets it."""
    for name, value in spec["running"].items():
        component, prop = name.rsplit(".", 1)
        component_id = json.loads(component) if component.startswith("{") else component
        yield _dash_package.Output(component_id, prop), value, spec["runningOff"].get(name)


def validate_callback_body(facts: Any, values: list[Any], outputs: Any) -> tuple[list[Any], dict[str, Any]]:
    """Hold a request's values and outputs against the declaration; group the values as the function takes them.

    Returns:
        The positional and the keyword arguments of the function.

    Raises:
        Exception: Of several types, for what does not fit; no code of the user's runs here.
    """
    if facts.has_output:
        _validate.validate_output_spec(facts.insert_output, outputs, _dash_package.Output)
        declared, sent = (facts.insert_output, outputs) if facts.multi else ([facts.insert_output], [outputs])
        for output, entry in zip(declared, sent, strict=True):
            if isinstance(entry, list) and not output.has_wildcard():
                raise ValueError("Only a pattern has several outputs.")
    args, kwargs = _validate.validate_and_group_input_args(values, facts.inputs_state_indices)
    return list(args), dict(kwargs)


def component_json(component: Component) -> dict[str, Any]:
    """One level of a component, as its class writes it."""
    level: dict[str, Any] = component.to_plotly_json()
    return level


def component_properties(component: Component) -> list[Any]:
    """The values of the properties that are set on a component."""
    return [value for name, value in vars(component).items() if name not in _COMPONENT_INTERNALS]


_COMPONENT_INTERNALS = {
    "_prop_names",
    "_valid_wildcard_attributes",
    "available_properties",
    "available_wildcard_properties",
}


def disconnected() -> Exception:
    """Dash's error for a callback whose page is gone."""
    return WebsocketDisconnected()


def context_field(name: str) -> Any:
    """A field of the context of the callback that runs.

    Raises:
        MissingCallbackContextException: No callback runs.
    """
    context = context_value.get({})
    if not context:
        raise _dash_package.exceptions.MissingCallbackContextException(
            f"dash.callback_context.{name} is only available from a callback!"
        )
    return context.get(name)


def registered_packages() -> set[str]:
    """The component packages that are imported now."""
    return set(ComponentRegistry.registry)


def global_declarations() -> list[dict[str, Any]]:
    """What Dash keeps of the callbacks that no app has claimed yet."""
    return list(_callback.GLOBAL_CALLBACK_MAP.values())


@dataclass(frozen=True, slots=True)
class Register:
    """Where Dash registers callbacks: those of an app, or those declared without one.

    Attributes:
        entries: The map of what the server keeps of each.
        specs: The list of what the renderer gets of each.
        options: What Dash's decorator gets besides.
    """

    entries: dict[str, Any]
    specs: list[dict[str, Any]]
    options: dict[str, Any] = field(default_factory=dict)


def global_register() -> Register:
    """Where callbacks without an app are registered, until an app claims them."""
    return Register(_callback.GLOBAL_CALLBACK_MAP, _callback.GLOBAL_CALLBACK_LIST)


def global_callbacks() -> list[str]:
    """The ids of the callbacks that ``flash.callback`` declared and no app has claimed yet."""
    return list(_callback.GLOBAL_CALLBACK_MAP)


# The app -------------------------------------------------------------------------------------------------------------


class HookView:
    """Dash's registry of hooks as one app sees it.

    Dash calls hooks without awaiting them. What Flash runs itself is left out of what Dash sees, and asynchronous
    ``setup`` hooks, which a constructor cannot await, are kept for the app's start.
    """

    def __init__(self) -> None:
        self.waiting_setups: list[Callable[..., Awaitable[Any]]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(HooksManager, name)

    def get_hooks(self, kind: str) -> list[Any]:
        if kind in hidden_hooks.get():
            return []
        hooks: list[Any] = HooksManager.get_hooks(kind)
        if kind == "setup":
            self.waiting_setups = [hook.func for hook in hooks if is_async(hook.func)]
            return [hook for hook in hooks if not is_async(hook.func)]
        if kind == "dev_tools" and (resolved := resolved_dev_tools.get()) is not None:
            return resolved
        return hooks


class DashSeam(OriginalDash):
    """Dash's app with public faces for the private parts that Flash reads, and hooks where Flash differs."""

    backend: DashBackend

    # What Flash gives.

    def run_stored_callback(self, stored: Callable[..., Any], values: list[Any], outputs: Any, context: Any) -> Any:
        """Run a callback for Dash's own callers. See :meth:`flash.app.Flash.run_stored_callback`."""
        raise NotImplementedError

    def _execute_callback(self, func: Any, args: Any, outputs_list: Any, g: Any) -> Callable[[], Any]:
        return functools.partial(self.run_stored_callback, func, args, outputs_list, g)

    def _layout_value(self) -> Any:
        resolved = self.layout_in_setup()
        return super()._layout_value() if resolved is None else resolved[0]

    def layout_in_setup(self) -> tuple[Any] | None:
        """The resolved layout while this app is set up, in a tuple, for it may be None itself."""
        raise NotImplementedError

    def _config(self) -> dict[str, Any]:
        config: dict[str, Any] = super()._config()
        if not self.opens_connection():
            # Dash 4.4 opens a WebSocket in every page whose server could answer it, used or not.
            config.pop("websocket", None)
        elif self.all_callbacks_live and not self.tell_transports():
            config["websocket"]["enabled"] = False
        if "validation_layout" in config and (hidden := self.hidden_components()):
            config["validation_layout"] = html.Div([config["validation_layout"], *hidden])
        return config

    def opens_connection(self) -> bool:
        """Whether pages open a live connection."""
        raise NotImplementedError

    def tell_transports(self) -> bool:
        """Whether every callback goes live; if not, each declaration says for itself whether it does."""
        raise NotImplementedError

    def _generate_scripts_html(self) -> str:
        return self.first_scripts() + str(super()._generate_scripts_html())

    def first_scripts(self) -> str:
        """The script elements that stand before all others."""
        raise NotImplementedError

    def _setup_hooks(self) -> None:
        # Dash assigns its registry to `_hooks` here, before it uses it; the property below keeps the view instead.
        self.hook_view = HookView()
        super()._setup_hooks()

    @property  # type: ignore[override]
    def _hooks(self) -> HookView:
        return self.hook_view

    @_hooks.setter
    def _hooks(self, registry: Any) -> None:
        pass

    # What Flash reads and calls.

    @property
    def error_handlers(self) -> list[Callable[..., Any]]:
        """The app's ``on_error`` and then the ``error`` hooks, as plain or asynchronous functions."""
        handler = self._on_error
        if isinstance(handler, HooksManager.HookErrorHandler):
            own = [handler.original] if handler.original else []
            return own + [hook.func for hook in HooksManager.get_hooks("error")]
        return [handler] if handler else []

    @property
    def debugging(self) -> bool:
        """Whether errors may be shown in the browser."""
        return self.backend.error_handling_mode != "ignore"

    @property
    def layout_functions(self) -> list[Callable[..., Any]]:
        """The ``layout`` hooks, in their order."""
        return [hook.func for hook in HooksManager.get_hooks("layout")]

    @property
    def index_functions(self) -> list[Callable[..., Any]]:
        """The ``index`` hooks, in their order."""
        return [hook.func for hook in HooksManager.get_hooks("index")]

    @property
    def custom_data_functions(self) -> list[tuple[str, Callable[..., Any]]]:
        """The ``custom_data`` hooks with their namespaces, in their order."""
        return [(hook.data["namespace"], hook.func) for hook in HooksManager.get_hooks("custom_data")]

    @property
    def dev_tool_entries(self) -> list[dict[str, Any]]:
        """The ``devtool`` hooks when the dev tools are shown."""
        return list(HooksManager.get_hooks("dev_tools")) if self._dev_tools.ui else []

    @property
    def extra_components(self) -> list[Any]:
        """Components that libraries, and Flash itself, add to every layout."""
        return [*self._extra_components, *self.hidden_components()]

    def hidden_components(self) -> list[Any]:
        """What Flash adds to every layout."""
        raise NotImplementedError

    @property
    def declared_layout(self) -> Any:
        """What was assigned to ``layout``, a function included."""
        return self._layout

    @property
    def routes_silenced(self) -> bool:
        """Whether the dev tools hide requests from the log."""
        return bool(self._dev_tools.silence_routes_logging)

    @property
    def hot_reloading(self) -> bool:
        """Whether the dev tools watch assets and component packages for changes."""
        return bool(self._dev_tools.hot_reload)

    def add_route(self, name: str, view: Callable[..., Any], methods: tuple[str, ...] = ("GET",)) -> None:
        """Serve a view at a path below the app's prefix."""
        self._add_url(name, view, list(methods))

    def declare_layout(self, layout: Any) -> None:
        """Keep a layout as it is, without calling it."""
        self._layout_is_function = callable(layout)
        self._layout = layout

    def use_async_pages(self) -> None:
        """Make Dash register its asynchronous pages router. Its own switch demands asgiref, which nothing here uses."""
        self._use_async = True

    @property
    def all_callbacks_live(self) -> bool:
        """Whether every callback goes over the live connection: Dash's ``websocket_callbacks``."""
        return bool(self._websocket_callbacks)

    @property
    def allowed_origins(self) -> list[str]:
        """Further origins whose pages may connect: Dash's ``websocket_allowed_origins``."""
        return list(getattr(self, "_websocket_allowed_origins", None) or [])

    @property
    def signing_secret(self) -> bytes:
        """What this app signs with: the server's secret key, or Dash's stand-in for one."""
        secret: bytes = self._get_signing_secret()
        return secret

    def verified_end_id(self, token: str | None) -> str | None:
        """The page load that a token names, if this app has signed it."""
        return _callback_signing.unsign(self.signing_secret, _callback_signing.END_SCOPE, token)

    @property
    def callback_list(self) -> list[dict[str, Any]]:
        """The declarations as the renderer gets them."""
        declarations: list[dict[str, Any]] = self._callback_list
        return declarations

    @property
    def register(self) -> Register:
        """Where the callbacks of this app are registered."""
        options = {
            "config_prevent_initial_callbacks": self.config.prevent_initial_callbacks,
            "callback_api_paths": self.callback_api_paths,
        }
        return Register(self.callback_map, self._callback_list, options)

    def allowed_live(self, callback_id: Any) -> bool:
        """Whether a callback may be asked for over the live connection."""
        try:
            _validate.validate_websocket_callback_request(callback_id, self.callback_map, self._websocket_callbacks)
        except WebSocketCallbackError:
            return False
        return True

    def callback_context(self, body: dict[str, Any]) -> Any:
        """The context that ``ctx`` shows for an HTTP request with this body."""
        return self._initialize_context(cast(Any, body))

    def live_context(self, body: dict[str, Any], requester: Any) -> Any:
        """The same for a request over the live connection, from a :class:`flash.context.Requester`."""
        inputs, states = body.get("inputs", []), body.get("state", [])
        values = inputs_to_dict(inputs)
        return AttributeDict(
            {
                "inputs_list": inputs,
                "states_list": states,
                "outputs_list": body.get("outputs", []),
                "input_values": values,
                "state_values": inputs_to_dict(states),
                "triggered_inputs": [{"prop_id": x, "value": values.get(x)} for x in body.get("changedPropIds", [])],
                "dash_response": self.backend.response_adapter(),
                "updated_props": {},
                "cookies": requester.cookies,
                "headers": requester.headers,
                "args": requester.args,
                "path": requester.path,
                "remote": requester.remote,
                "origin": requester.origin,
                "dash_websocket": requester.websocket,
            }
        )

    def stored_callback(self, context: Any, body: dict[str, Any]) -> Callable[..., Any]:
        """The stored callable for ``body["output"]``; completes the context for it."""
        stored: Callable[..., Any] = self._prepare_callback(context, cast(Any, body))
        return stored

    def callback_values(self, context: Any) -> list[Any]:
        """The values of inputs and states, flat, patterns as lists."""
        values: list[Any] = self._inputs_to_vals(context.inputs_list + context.states_list)
        return values

    def validate_index_page(self, index: str) -> None:
        """Refuse an index page that lacks what the renderer needs."""
        _validate.validate_index(
            "index",
            (
                _dash_module._re_index_entry_id,
                _dash_module._re_index_config_id,
                _dash_module._re_index_scripts_id,
                _dash_module._re_renderer_scripts_id,
            ),
            index,
        )

    def plain_index(self) -> str:
        """Dash's own index page. Blocks: it reads files."""
        index: str = self.index()
        return index

    def run_server_setup(self) -> None:
        """Dash's own set-up: assets, layout check, scripts, and the callbacks declared without an app."""
        self._setup_server()

    @contextmanager
    def undone_on_failure(self) -> Iterator[None]:
        """Put back all that Dash's set-up appends to when the block fails, so that it can be tried again."""
        lists = [
            self._callback_list,
            self._inline_scripts,
            self._assets_files,
            self.scripts._resources._resources,
            self.css._resources._resources,
            _callback.GLOBAL_CALLBACK_LIST,
            _callback.GLOBAL_INLINE_SCRIPTS,
        ]
        maps = [self.callback_map, _callback.GLOBAL_CALLBACK_MAP, self._got_first_request]
        backgrounds = [
            entry["background"]
            for callbacks in (self.callback_map, _callback.GLOBAL_CALLBACK_MAP)
            for entry in callbacks.values()
            if entry.get("background")
        ]
        saved_lists = [list(each) for each in lists]
        saved_maps = [dict(each) for each in maps + backgrounds]
        saved_layout = self._layout, self._layout_is_function, self.validation_layout
        try:
            yield
        except BaseException:
            # Dash replaces this list by a new one.
            self._callback_list = lists[0]
            for target, saved in zip(lists, saved_lists, strict=True):
                target[:] = saved
            for mapping, entries in zip(maps + backgrounds, saved_maps, strict=True):
                mapping.clear()
                mapping.update(entries)
            self._layout, self._layout_is_function, self.validation_layout = saved_layout
            raise


class DashBackend(QuartDashServer):
    """Dash's Quart backend with its set-up functions told apart from the hooks of users and libraries."""

    error_handling_mode: str

    def __init__(self, server: Quart) -> None:
        super().__init__(server)
        #: Dash's own set-up of pages, which it registers to run before every request.
        self.page_setup: Callable[[], Awaitable[None]] | None = None

    @property
    def stop_event(self) -> asyncio.Event | None:
        """Ends the server when it is set. Dash's test fixtures look for it under its private name."""
        return self._ws_shutdown_event

    @stop_event.setter
    def stop_event(self, event: asyncio.Event | None) -> None:
        self._ws_shutdown_event = event

    def before_request(self, func: Callable[..., Any]) -> None:
        """Register a function to run before each request, unless it is one of Dash's set-up functions."""
        if getattr(func, "__func__", None) is OriginalDash._setup_server:
            return  # Flash runs it once, at the start.
        if getattr(func, "__qualname__", "") == f"{OriginalDash.enable_pages.__qualname__}.<locals>.router_async":
            self.page_setup = func
            return
        super().before_request(func)

    def register_dash_error_handlers(self) -> None:
        """Dash's own: 204 for PreventUpdate, 404 for unknown resources."""
        super().register_error_handlers()

    def debug_page(self, secret: str, error: Exception) -> str:
        """The HTML page that shows an error while debugging."""
        page: str = self._get_traceback(secret, error)
        return page


# Replacements in Dash's modules --------------------------------------------------------------------------------------

_ids_given: Counter[str] = per_app(Counter())
_ids_lock = threading.Lock()
_PACKAGES = tuple(str(Path(str(path)).parent) + os.sep for path in (_dash_package.__file__, __file__))


def _callback_id(output: Any, inputs: Any, no_output: bool = False) -> str:
    """Dash's callback id; for a callback without outputs, one that no other callback has.

    Dash names such callbacks by their inputs, or by the line of the first stack frame outside its package: two on the
    same inputs, or two that one library declares, get one id, and only the last is kept. The second here gets the
    suffix ``-2`` and so on: the same in every worker that imports the same modules.
    """
    if not no_output:
        name: str = _dash_callback_id(output, inputs, no_output)
        return name
    base: str = _dash_callback_id(output, inputs, no_output) if inputs else _call_site_id()
    with _ids_lock:
        _ids_given[base] += 1
        number = _ids_given[base]
    return base if number == 1 else f"{base}-{number}"


def _call_site_id() -> str:
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGES):
        frame = frame.f_back
    site = f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else ""
    return hashlib.sha256(site.encode()).hexdigest()


async def _run_page_function(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a page's layout or title for Dash's router: in the app's pool when it is a plain function."""
    app = current_app.get(None)
    if isinstance(app, DashSeam):
        return await app.call_page_function(func, *args, **kwargs)
    return await _run_plainly(func, *args, **kwargs)


def _page_of_path(path: str) -> Any:
    """The page of a path; the one that Flash has resolved when it renders an index page."""
    return resolved_page.get() or page_of_path(path)


def install(notebook_servers: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Put Flash's replacements into Dash's modules. Called once, when Flash is imported.

    Args:
        notebook_servers: Gets the function that makes Dash's servers in notebooks, Werkzeug's, and gives the one to
            use in its place.
    """
    _jupyter.make_server = notebook_servers(_jupyter.make_server)  # type: ignore[attr-defined]
    _callback.create_callback_id = _callback_id  # type: ignore[attr-defined]
    _dash_module.execute_async_function = _run_page_function
    _pages._path_to_page = _page_of_path


# Apps of a hub -------------------------------------------------------------------------------------------------------


def choose_prefixes(choose: Callable[[str | None, str | None, str | None], tuple[str, str] | None]) -> None:
    """Let a function choose the prefixes of every app that is made from now on.

    Args:
        choose: Gets ``url_base_pathname``, ``routes_pathname_prefix`` and ``requests_pathname_prefix`` as the app gave
            them, and returns the prefix of its routes and that of its pages' requests; None leaves it to Dash.
    """
    read = pathname_configs

    @functools.wraps(read)
    def chosen(
        url_base_pathname: str | None = None,
        routes_pathname_prefix: str | None = None,
        requests_pathname_prefix: str | None = None,
    ) -> Any:
        own = url_base_pathname, routes_pathname_prefix, requests_pathname_prefix
        prefixes = choose(*own)
        return read(*own) if prefixes is None else (None, *prefixes)

    _dash_module.pathname_configs = chosen  # type: ignore[attr-defined]


class StoppableBackend:
    """What ends the WebSockets of a plain Dash app on Quart: its own ``run()`` would, which a hub does not call.

    Attributes:
        startup_error: As :class:`flash.server.serving.Backend` has it; such an app knows nothing of it.
    """

    def __init__(self, app: Any) -> None:
        self.startup_error: BaseException | None = None
        self._backend = app.backend

    @property
    def stop_event(self) -> asyncio.Event | None:
        """Ends the app's WebSockets when it is set."""
        event: asyncio.Event | None = self._backend._ws_shutdown_event
        return event

    @stop_event.setter
    def stop_event(self, event: asyncio.Event | None) -> None:
        self._backend._ws_shutdown_event = event
