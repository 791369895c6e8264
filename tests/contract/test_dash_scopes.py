"""What Dash keeps once per process, where :mod:`flash._dash_scopes` looks for it, and how Dash uses it."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import dash
import pytest
from dash import _callback, _dash_renderer, _get_app, _get_paths, _hooks, _pages, dcc
from dash import dash as dash_module
from dash.background_callback.managers import BaseBackgroundCallbackManager
from dash.development.base_component import ComponentRegistry

#: Run in an interpreter of its own: where nobody has put anything in the place of Dash's containers.
CHECK = """
import collections, importlib, threading
import dash
from dash import _callback, _dash_renderer, _get_app, _get_paths, _hooks, _pages, dcc
from dash._utils import AttributeDict, OrderedSet
from dash.background_callback.managers import BaseBackgroundCallbackManager as Manager
from dash.development.base_component import ComponentRegistry
from dash.mcp import _configure, _decorator
from dash.mcp.primitives import tools

kinds = {
    list: [
        _callback.GLOBAL_CALLBACK_LIST, _callback.GLOBAL_INLINE_SCRIPTS, _hooks.hooks._js_dist, _hooks.hooks._css_dist,
        _hooks.hooks._clientside_callbacks, Manager.managers, Manager.functions, _dash_renderer._js_dist_dependencies,
        dcc._js_dist, _configure.MCP_RESOURCE_PROVIDERS, tools._TOOL_PROVIDERS,
    ],
    dict: [
        _callback.GLOBAL_CALLBACK_MAP, _callback.GLOBAL_API_PATHS, _hooks.hooks._ns, _hooks.hooks._finals,
        _decorator.MCP_DECORATED_FUNCTIONS, _configure._current_config,
    ],
    collections.OrderedDict: [_pages.PAGE_REGISTRY],
    OrderedSet: [ComponentRegistry.registry],
    AttributeDict: [_get_paths.CONFIG, _pages.CONFIG],
}
for kind, containers in kinds.items():
    assert all(type(each) is kind for each in containers), kind
assert all(type(each) is list for each in _hooks.hooks._ns.values())
assert _hooks.HooksManager.hooks is _hooks.hooks is dash.hooks
assert dash.page_registry is _pages.PAGE_REGISTRY
assert _get_app.APP is None and _get_app.app_context.get(None) is None
try:
    hub = importlib.import_module("dash._stream_hub")
except ImportError:
    assert dash.__version__.startswith("4.4")
else:
    assert type(hub._streaming_shutdown) is threading.Event
    assert type(hub._active_subscriptions) is type(hub._pending_pumps) is set
    hub.shutdown_active_streams()
"""

#: Names that Dash must look up when it uses them, rather than hold on to: function by names.
LOOKED_UP: dict[Any, set[str]] = {
    _callback.callback: {"GLOBAL_CALLBACK_MAP", "GLOBAL_CALLBACK_LIST"},
    _callback.clientside_callback: {"GLOBAL_CALLBACK_MAP", "GLOBAL_CALLBACK_LIST", "GLOBAL_INLINE_SCRIPTS"},
    dash_module.Dash._setup_server: {"GLOBAL_CALLBACK_MAP", "GLOBAL_CALLBACK_LIST"},
    dash_module.Dash._generate_scripts_html: {"GLOBAL_INLINE_SCRIPTS"},
    dash_module.Dash.setup_apis: {"GLOBAL_API_PATHS"},
    _get_paths.get_relative_path: {"CONFIG"},
    _get_paths.strip_relative_path: {"CONFIG"},
    _get_paths.get_asset_url: {"CONFIG"},
    _get_app.get_app: {"APP", "app_context"},
    _pages._import_layouts_from_pages: {"importlib", "spec_from_file_location", "module_from_spec", "PAGE_REGISTRY"},
    dash_module.Dash._setup_plotlyjs: {"_js_dist"},
}


def test_dash_keeps_these_once_per_process() -> None:
    subprocess.run([sys.executable, "-W", "ignore", "-c", CHECK], check=True, timeout=60)


@pytest.mark.parametrize("function", LOOKED_UP, ids=lambda function: function.__qualname__)
def test_the_names_are_looked_up_when_they_are_used(function: Any) -> None:
    assert LOOKED_UP[function] <= set(function.__code__.co_names)


def test_settings_and_the_newest_app_are_assigned_to_the_modules() -> None:
    assigned = {
        f"{ast.unparse(target)}"
        for node in ast.walk(ast.parse(Path(dash_module.__file__).read_text()))
        if isinstance(node, ast.Assign)
        for target in node.targets
    }
    assert {"_get_paths.CONFIG", "_pages.CONFIG", "_get_app.APP"} <= assigned


def test_the_functions_take_these_parameters() -> None:
    assert next(iter(inspect.signature(BaseBackgroundCallbackManager.build_cache_key).parameters)) == "self"
    assert next(iter(inspect.signature(dash.register_page).parameters)) == "module"
    assert "registry" in vars(ComponentRegistry)
    assert _hooks.HooksManager.register_setuptools.__func__.__code__.co_argcount == 1


def test_plotly_is_told_from_the_other_scripts_by_its_namespace() -> None:
    before = len(dcc._js_dist)
    dash_module.Dash("contract", backend="quart")
    assert [each["namespace"] for each in dcc._js_dist[before:]] == ["plotly"]
    assert _dash_renderer._js_dist_dependencies[0]["namespace"] == "dash"
