"""Parallel routes: several page containers in one layout, each filled by a callback of its own."""

from __future__ import annotations

import json
import logging
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import dash
from dash import Input, Output, State, dcc, html
from dash.exceptions import PreventUpdate

from . import _dash
from ._dash_scopes import per_app
from .calls import call
from .exceptions import ConfigurationError, new_error_id
from .startup import call_page_function

if TYPE_CHECKING:
    from .app import Flash

logger = logging.getLogger("flash")

_register_page: Callable[..., None] = dash.register_page
_CONTENT = "_flash_container_"
_SHOWN = "_flash_shown_"

#: The pages of the named containers by container and module, as ``dash.page_registry`` holds those of the main one.
container_registry: defaultdict[str, dict[str, dict[str, Any]]] = per_app(defaultdict(dict))


def PageContainer(name: str, loading: Any = None, **properties: Any) -> html.Div:
    """A named place in a layout that is filled by pages: a parallel route, beside ``flash.page_container``.

    Args:
        name: What ``register_page(..., container=name)`` says.
        loading: What it shows until its first page is ready.
        **properties: As :class:`dash.html.Div` takes them: ``className``, ``style`` ...

    Raises:
        ConfigurationError: The name is empty, or has a character that an id cannot have.

    Example:
        >>> from flash import Flash, PageContainer, html, page_container
        >>> app = Flash(__name__, use_pages=True)
        >>> app.layout = html.Div([PageContainer("sidebar"), page_container])
    """
    check_name(name)
    content = html.Div(loading, id=_CONTENT + name, disable_n_clicks=True)
    return html.Div([content, dcc.Store(id=_SHOWN + name)], **{"disable_n_clicks": True, **properties})


def check_name(name: Any) -> None:
    """Refuse what cannot be the name of a container.

    Raises:
        ConfigurationError: It is no string, is empty, or has a dot or a brace.
    """
    if not isinstance(name, str) or not name or set(name) & set(".{}"):
        raise ConfigurationError(
            f"The name of a page container must be a text without '.', '{{' and '}}', like 'sidebar', not {name!r}."
        )


def register_page(
    module: str,
    path: str | None = None,
    path_template: str | None = None,
    *args: Any,
    container: str | None = None,
    default: bool = False,
    **options: Any,
) -> None:
    """Register a page, as :func:`dash.register_page` does, in the main container or in a named one.

    Args:
        module: The module of the page, often ``__name__``.
        path: As Dash takes it.
        path_template: As Dash takes it.
        *args: As Dash takes them: name, order, title ...
        container: The name of a :class:`PageContainer` of the layout. None is Dash's ``page_container``.
        default: The container shows this page for every path that none of its other pages is for.
        **options: As Dash takes them: ``layout``, ``redirect_from`` ...

    Raises:
        ConfigurationError: The declaration cannot work.

    Example:
        >>> flash.register_page(__name__, path="/sales", container="sidebar", layout=sidebar)
    """
    if container is None:
        if default:
            raise ConfigurationError(
                "default=True is for named containers: register_page(..., container='sidebar', default=True). In the "
                "main one a module called not_found_404 is shown for unknown paths."
            )
        _register_page(module, path, path_template, *args, **options)
        return
    check_name(container)
    page = _read_page(module, path, path_template, *args, **options)
    if page is None:
        return
    page |= {"container": container, "default": default, "matches": not default or path or path_template}
    pages = container_registry[container]
    _refuse_second(page, [other for name, other in pages.items() if name != module])
    pages[module] = page


def _read_page(module: str, *args: Any, **options: Any) -> dict[str, Any] | None:
    """A page as Dash reads it, taken out of its registry again. None where Dash ignores pages, in background jobs."""
    registry = dash.page_registry
    order = options.pop("order", None)  # Given one, Dash would number the main pages in another way.
    before = dict(registry)
    registry.pop(module, None)
    try:
        _register_page(module, *args, **options)
        page: dict[str, Any] | None = registry.get(module)
    finally:
        registry.clear()
        registry.update(before)
    return None if page is None else page | {"order": order, "supplied_order": order}


def _refuse_second(page: dict[str, Any], others: list[dict[str, Any]]) -> None:
    name = page["container"]
    for other in others:
        if page["default"] and other["default"]:
            raise ConfigurationError(
                f"The container {name!r} has two default pages, {other['module']} and {page['module']}. Keep one."
            )
        if page["matches"] and other["matches"] and page["path"] == other["path"]:
            raise ConfigurationError(
                f"The container {name!r} has two pages for the path {page['path']!r}, {other['module']} and "
                f"{page['module']}. Give one of them another path."
            )


# At the start of the app ---------------------------------------------------------------------------------------------


def fill_containers(app: Flash) -> None:
    """Have the set-up of an app's pages declare the callbacks that fill its named containers, too."""
    page_setup = app.backend.page_setup
    if page_setup is None:
        return

    async def set_up() -> None:
        await page_setup()
        for name in container_registry:
            if f"..{_CONTENT}{name}.children...{_SHOWN}{name}.data.." not in app.callback_map:
                _declare(app, name)
        await _check_layout(app)

    app.backend.page_setup = set_up


def _declare(app: Flash, name: str) -> None:
    inputs = {
        "pathname_": Input(_dash.PAGES_LOCATION, "pathname"),
        "search_": Input(_dash.PAGES_LOCATION, "search"),
        "shown_": State(_SHOWN + name, "data"),
        **app.routing_callback_inputs,
    }

    @app.callback(
        Output(_CONTENT + name, "children"),
        Output(_SHOWN + name, "data"),
        inputs=inputs,
        # A container that comes with a page finds the path there, and nothing else would start its callback.
        prevent_initial_call=False,
        hidden=True,
        optional=True,
    )
    async def fill(pathname_: str | None, search_: str | None, shown_: Any, **states: Any) -> tuple[Any, Any]:
        if pathname_ is None:
            raise PreventUpdate
        page, variables = page_of(name, app.strip_relative_path(pathname_) or "")
        if page is None:
            return None, None
        layout = layout_of(page)
        arguments = {**variables, **_dash.query_parameters(search_), **states}
        wanted = _described(page, arguments if callable(layout) else {})
        if wanted == shown_:
            raise PreventUpdate
        return await _resolved(app, page, layout, arguments), wanted


def page_of(container: str, path: str) -> tuple[dict[str, Any] | None, dict[str, str]]:
    """The page that a container shows for a path, and the path's variables; None when it shows nothing.

    Args:
        container: The name.
        path: Below the app's prefix, with or without slashes around it.
    """
    path, fallback = path.strip("/"), None
    for page in container_registry[container].values():
        if page["default"]:
            fallback = page
        if not page["matches"]:
            continue
        if page["path_template"] and (variables := _dash.path_variables(path, page["path_template"].strip("/"))):
            return page, variables
        if path == page["path"].strip("/"):
            return page, {}
    return fallback, {}


def layout_of(page: dict[str, Any]) -> Any:
    """The layout of a page: what was given, or the ``layout`` of its module.

    Raises:
        ConfigurationError: There is neither.
    """
    if page["supplied_layout"] is not None:
        return page["supplied_layout"]
    module = sys.modules.get(page["module"])
    if not hasattr(module, "layout"):
        raise ConfigurationError(
            f"The page {page['module']} of the container {page['container']!r} has no layout. Define `layout` in its "
            "module, or give register_page(..., layout=...)."
        )
    return module.layout  # type: ignore[union-attr]


def _described(page: dict[str, Any], arguments: dict[str, Any]) -> str:
    """What a container shows, as a text that tells one page and its arguments from another."""
    return json.dumps([page["module"], arguments], sort_keys=True, default=str)


async def _resolved(app: Flash, page: dict[str, Any], layout: Any, arguments: dict[str, Any]) -> Any:
    """The content of a page, or what stands in its place when it fails; the other containers do not notice."""
    if not callable(layout):
        return layout
    try:
        return await call_page_function(app, layout, **arguments)
    except PreventUpdate:
        raise
    except Exception as error:
        if app.debugging:
            raise  # The dev tools show it.
        return await _failure(app, page, error)


async def _failure(app: Flash, page: dict[str, Any], error: Exception) -> Any:
    error_id = new_error_id()
    logger.error(
        "The page %s failed in the container %r. Error id: %s",
        page["module"],
        page["container"],
        error_id,
        exc_info=error,
    )
    for handler in app.error_handlers:
        await call(app.flash_pool, handler, error)
    return html.Div(
        ["This part of the page could not be loaded. Error id: ", html.Code(error_id)],
        className="flash-container-error",
        role="alert",
    )


async def _check_layout(app: Flash) -> None:
    """Tell the dev tools the ids of the containers' pages, and say which containers no page is for."""
    pages = [page for each in container_registry.values() for page in each.values()]
    layouts = [layout_of(page) for page in pages]
    tree = app.validation_layout
    if tree is not None and layouts:
        resolved = [await call_page_function(app, each) if callable(each) else each for each in layouts]
        tree = app.validation_layout = html.Div([tree, *resolved])
    for name in sorted(set(_containers_in(tree if tree is not None else app.layout)) - set(container_registry)):
        logger.warning(
            "The layout has the page container %r, and no page is for it: it stays empty. Register one with "
            "register_page(..., container=%r), or correct the name; there are pages for %s.",
            name,
            name,
            ", ".join(map(repr, sorted(container_registry))) or "none",
        )


def _containers_in(tree: Any) -> Iterator[str]:
    for part in tree if isinstance(tree, (list, tuple)) else [tree]:
        if isinstance(part, _dash.Component):
            ids = [getattr(part, "id", None), *part]
            yield from (each.removeprefix(_CONTENT) for each in ids if str(each).startswith(_CONTENT))
