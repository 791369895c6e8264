"""The page that an index request asks for, with its title and description resolved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _dash
from .calls import call

if TYPE_CHECKING:
    from .app import Flash


async def resolve_page(app: Flash, path: str) -> tuple[dict[str, Any], Any] | None:
    """The page of a path and its path variables, title and description called if they are functions.

    Args:
        app: The app that serves the page.
        path: The path of the request, with the app's prefix still on.

    Returns:
        None when the app writes no page's data into its index.
    """
    if not (app.use_pages and app.config.include_pages_meta):
        return None
    prefix = app.config.routes_pathname_prefix
    inner = path[len(prefix) :] if path.startswith(prefix) else path
    page, variables = _dash.page_of_path(inner.strip("/"))
    resolved = dict(page)
    for name in ("title", "description"):
        if callable(resolved.get(name)):
            resolved[name] = await call(app.flash_pool, resolved[name], **(variables or {}))
    return resolved, variables
