"""Resolving the layout of an app: its function called, libraries' components added, hooks run."""

from __future__ import annotations

import inspect
import logging
from typing import TYPE_CHECKING, Any

from dash import html

from . import _dash
from .calls import call, call_here
from .functions import is_async

if TYPE_CHECKING:
    from .app import Flash

logger = logging.getLogger("flash")


async def resolve_layout(app: Flash) -> Any:
    """The app's layout: what was assigned, or what the function returns that was assigned.

    The function is awaited when it is asynchronous, and runs in the app's pool when it is not.

    Raises:
        Exception: What the function raises.
    """
    layout = app.declared_layout
    if callable(layout):
        try:
            layout = await call(app.flash_pool, layout)
        except RuntimeError as error:
            explained = app.explained(error)
            if explained is error:
                raise
            raise explained from error
    return _with_extra_components(app, layout)


async def resolve_served_layout(app: Flash) -> Any:
    """The layout as a browser gets it: resolved, and changed by the ``layout`` hooks one after the other."""
    layout = await resolve_layout(app)
    for hook in app.layout_functions:
        layout = await call(app.flash_pool, hook, layout)
    return layout


def served_layout_here(app: Flash) -> Any:
    """The same for plain code in a thread: plain functions run in that thread."""
    layout = app.declared_layout
    if callable(layout):
        layout = call_here(layout)
    layout = _with_extra_components(app, layout)
    for hook in app.layout_functions:
        layout = call_here(hook, layout)
    return layout


def _with_extra_components(app: Flash, layout: Any) -> Any:
    if not (extra := app.extra_components):
        return layout
    children = layout if isinstance(layout, list) else [layout]
    # An element that takes no part in the page's layout.
    return html.Div([*children, *extra], style={"display": "contents"})


def try_layout(function: Any) -> Any:
    """Call a plain layout function when it is assigned, as Dash does to learn the app's ids early.

    Returns:
        The tree; None when it cannot be had yet: the function is asynchronous or fails. The app's start tries again.
    """
    if is_async(function):
        return None
    try:
        tree = function()
    except _dash.DashException:
        raise
    except Exception:
        logger.warning(
            "The layout function failed when it was assigned; it is called again at the start.", exc_info=True
        )
        return None
    if inspect.iscoroutine(tree):
        tree.close()
        return None
    return tree
