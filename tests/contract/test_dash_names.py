"""The private names of Dash that the seam uses, each as it is used. A new release of Dash fails here first."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Any

import dash
import pytest
from dash import Input, Output
from dash import dash as dash_module

from flash import _dash

PACKAGE = Path(_dash.__file__).parent

#: Private attributes of an app object, read or assigned by the seam.
APP_ATTRIBUTES = [
    "_assets_files",
    "_callback_list",
    "_dev_tools",
    "_extra_components",
    "_got_first_request",
    "_hooks",
    "_inline_scripts",
    "_layout",
    "_layout_is_function",
    "_on_error",
    "_use_async",
    "_websocket_callbacks",
]
#: Methods of an app object with their parameters.
APP_METHODS = {
    "_add_url": ["name", "view_func", "methods"],
    "_execute_callback": ["func", "args", "outputs_list", "g"],
    "_initialize_context": ["body"],
    "_inputs_to_vals": ["inputs"],
    "_layout_value": [],
    "_prepare_callback": ["g", "body"],
    "_setup_hooks": [],
    "_setup_server": [],
}
#: Functions with their parameters.
FUNCTIONS: dict[Any, list[str]] = {
    _dash.prepare_response: [
        "output_value",
        "output_spec",
        "multi",
        "response",
        "callback_ctx",
        "app",
        "original_packages",
        "background",
        "has_update",
        "has_output",
        "output",
        "callback_id",
        "allow_dynamic_callbacks",
    ],
    _dash.start_background: [
        "kwargs",
        "background",
        "background_key",
        "func",
        "func_args",
        "func_kwargs",
        "callback_ctx",
    ],
    _dash.poll_background: [
        "error_handler",
        "callback_ctx",
        "response",
        "kwargs",
        "background",
        "multi",
        "cache_key",
        "job_id",
    ],
    _dash._dash_callback_id: ["output", "inputs", "no_output"],
    _dash.invoke_function: ["func", "args", "kwargs"],
    _dash.await_function: ["func", "args", "kwargs"],
    _dash.fail_unencodable: ["output_value", "output"],
    dash._validate.validate_output_spec: ["output", "output_spec", "Output"],
    dash._validate.validate_and_group_input_args: ["flat_args", "arg_index_grouping"],
    _dash._run_plainly: ["func", "args", "kwargs"],
    _dash.page_of_path: ["path_id"],
    _dash.validate_layout: ["layout", "layout_value"],
    _dash.validate_layout_type: ["value"],
    _dash.validate_javascript_path: ["registered_paths", "package_name", "path_in_package_dist"],
    _dash.check_fingerprint: ["path"],
}


@pytest.fixture
def plain_app() -> Any:
    return _dash.OriginalDash("contract", backend="quart")


@pytest.mark.parametrize("name", APP_ATTRIBUTES)
def test_the_attribute_exists(plain_app: Any, name: str) -> None:
    assert hasattr(plain_app, name)


@pytest.mark.parametrize("name", APP_METHODS)
def test_the_method_takes_these_parameters(plain_app: Any, name: str) -> None:
    assert list(inspect.signature(getattr(plain_app, name)).parameters) == APP_METHODS[name]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_the_function_takes_these_parameters(function: Any) -> None:
    assert list(inspect.signature(function).parameters) == FUNCTIONS[function]


def test_the_facts_of_a_callback_stand_in_its_closure(plain_app: Any) -> None:
    async def asynchronous(value: Any) -> Any: ...

    def plain(value: Any) -> Any: ...

    for number, func in enumerate((asynchronous, plain)):
        plain_app.callback(Output(f"out{number}", "x"), Input("in", "x"))(func)
        stored = plain_app.callback_map[f"out{number}.x"]["callback"]
        assert set(stored.__code__.co_freevars) == _dash.CLOSURE_FACTS
        assert _dash.closure_facts(stored)["func"] is func


def test_the_backend_has_what_the_seam_reads(plain_app: Any) -> None:
    assert list(inspect.signature(plain_app.backend._get_traceback).parameters) == ["_secret", "error"]
    assert plain_app.backend._ws_shutdown_event is None
    assert plain_app.backend.error_handling_mode == "ignore"
    assert _dash.HooksManager.HookErrorHandler("handler").original == "handler"


def test_dash_registers_its_set_up_functions_with_the_backend() -> None:
    registered = []

    class Backend(_dash.QuartDashServer):
        def before_request(self, func: Any) -> None:
            registered.append(func)

    app = _dash.OriginalDash("contract", server=False, backend=Backend, use_pages=True, pages_folder="")
    app._use_async = True
    registered.clear()
    app.init_app(app.server)
    setup, router = registered
    assert setup.__func__ is _dash.OriginalDash._setup_server
    assert router.__qualname__ == "Dash.enable_pages.<locals>.router_async"


def test_the_names_that_are_replaced_are_looked_up_when_they_are_called() -> None:
    assert dash._callback.create_callback_id is _dash._callback_id
    assert dash_module.execute_async_function is _dash._run_page_function
    assert dash._pages._path_to_page is _dash._page_of_path
    assert "create_callback_id" in dash._callback.insert_callback.__code__.co_names
    assert "_path_to_page" in dash._pages._page_meta_tags.__code__.co_names
    assert "make_server" in dash._jupyter.JupyterDash.run_app.__code__.co_names
    assert dash._jupyter.make_server.__module__ == "flash.server.notebook"


def test_only_the_seam_touches_private_names_of_dash() -> None:
    """No other file imports a private module or name of Dash, or a private attribute from one."""
    for path in PACKAGE.rglob("*.py"):
        if path.name in ("_dash.py", "_dash_scopes.py") or "templates" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "dash":
                private = [part for part in (node.module or "").split(".") if part.startswith("_")]
                private += [name.name for name in node.names if name.name.startswith("_") and name.name != "__all__"]
                assert not private, f"{path.relative_to(PACKAGE)} line {node.lineno} imports {private} from Dash"
            if isinstance(node, ast.Import):
                for name in node.names:
                    assert not name.name.startswith("dash._"), f"{path.relative_to(PACKAGE)} imports {name.name}"
