"""What kind of app a hub is given, and each kind as an ASGI app below its prefix."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from quart import Quart

from .. import _dash
from ..app import Flash
from ..exceptions import ConfigurationError
from ..server.serving import Backend
from .layers import ASGI, answering_lifespan, below, beside, in_context, knowing_visitors, unstripped, warmed_up
from .prefixes import apps_of, drop_own_place, keep_own_places, set_requests_prefix
from .static import StaticFolder, static_folder
from .wsgi import served_by_threads

__all__ = ["Application", "Kind", "application_of", "is_application", "static_folder"]

Kind = Literal["flash", "dash-flask", "dash-quart", "dash-fastapi", "quart", "wsgi", "asgi", "static"]


@dataclass(frozen=True, slots=True)
class Application:
    """An app as a hub serves it.

    Attributes:
        asgi: Takes requests and WebSockets whose path begins after the prefix, and the lifespan.
        kind: What it was made of.
        dash: The Dash or Flash app in it, if it is one.
        backend: What a server tells of its end, by setting ``stop_event``; None where there is nothing to be told.
    """

    asgi: ASGI
    kind: Kind
    dash: Any = None
    backend: Backend | None = None


def application_of(target: Any, prefix: str) -> Application:
    """Make what a hub serves of an app of any kind.

    Args:
        target: A Flash or Dash app or the server of one, a Flask, Quart, Starlette or FastAPI app, any other ASGI or
            WSGI app, or the path of a folder of static pages.
        prefix: Where it is found: ``"/sales"``, or ``""`` for the root.

    Raises:
        ConfigurationError: It is no app, or of a kind that has to run in another way.

    Example:
        >>> application_of(flask.Flask("legacy"), "/legacy").kind
        'wsgi'
    """
    app = _application_of(target, prefix)
    return replace(app, asgi=knowing_visitors(app.asgi))


def is_application(target: Any) -> bool:
    """Whether :func:`application_of` takes an object as it is. A factory, which has to be called first, is none."""
    return isinstance(target, (_dash.OriginalDash, Quart)) or _is_starlette(target) or _protocol(target) is not None


def _application_of(target: Any, prefix: str) -> Application:
    if isinstance(target, (str, Path)):
        target = static_folder(target)
    if isinstance(target, _dash.OriginalDash):
        return _of_dash(target, prefix)
    if isinstance(target, StaticFolder):
        return Application(below(target, prefix), "static")
    hosted = apps_of(target)
    if len(hosted) == 1:
        return _of_dash(hosted[0], prefix)
    keep_own_places(prefix)
    app = _of_server(target, prefix)
    return replace(app, asgi=warmed_up(app.asgi, _dependencies(hosted))) if hosted else app


def _dependencies(hosted: list[Any]) -> list[str]:
    """What sets each of several Dash apps up that share a server."""
    return [f"{each.config.routes_pathname_prefix}_dash-dependencies" for each in hosted]


def _of_server(target: Any, prefix: str) -> Application:
    if isinstance(target, Quart):
        return Application(below(target, prefix), "quart")
    if _is_starlette(target):
        return Application(below(target, prefix), "asgi")
    protocol = _protocol(target)
    if protocol == "asgi":
        return Application(answering_lifespan(beside(target, prefix)), "asgi")
    if protocol == "wsgi":
        return Application(below(served_by_threads(target), prefix), "wsgi")
    raise ConfigurationError(
        f"A {type(target).__name__} is no app that a hub can serve: it takes Flash, Dash, Flask, Quart, FastAPI and "
        "any other ASGI or WSGI app. For a server of another kind, write the command that starts it."
    )


# Dash ----------------------------------------------------------------------------------------------------------------


def _of_dash(dash_app: Any, prefix: str) -> Application:
    server = dash_app.server
    routes: str = dash_app.config.routes_pathname_prefix
    place = below
    if prefix and routes == f"{prefix}/":
        place, routes = unstripped, "/"
    elif dash_app.config.requests_pathname_prefix != prefix + routes:
        set_requests_prefix(dash_app, prefix + routes)  # It was made before its prefix was known.
    drop_own_place(dash_app)
    if isinstance(dash_app, Flash):
        return Application(in_context(place(server, prefix), dash_app), "flash", dash_app, dash_app.backend)
    backend = None
    if isinstance(server, Quart):
        kind: Kind = "dash-quart"
        asgi, backend = place(server, prefix), _dash.StoppableBackend(dash_app)
    elif _is_starlette(server):
        # Dash compares the whole path with its routes' prefix: it must not be told of another.
        kind, asgi = "dash-fastapi", server if place is below else place(server, prefix)
    else:
        kind, asgi = "dash-flask", place(served_by_threads(server), prefix)
    warm = warmed_up(in_context(asgi, dash_app), [f"{routes}_dash-dependencies"])
    return Application(warm, kind, dash_app, backend)


# Protocols -----------------------------------------------------------------------------------------------------------


def _is_starlette(target: Any) -> bool:
    return any(
        each.__name__ == "Starlette" and each.__module__.split(".")[0] == "starlette" for each in type(target).__mro__
    )


def _protocol(target: Any) -> Literal["asgi", "wsgi"] | None:
    """Which protocol a callable speaks, as far as its arguments show."""
    own = 0
    if not inspect.isroutine(target):
        target, own = None if isinstance(target, type) else _written_call(type(target)), 1
    if not inspect.isroutine(target):
        return None
    if inspect.iscoroutinefunction(target):
        return "asgi" if _takes(target, 3 + own) else None
    return "wsgi" if _takes(target, 2 + own) else "asgi" if _takes(target, 3 + own) else None


def _written_call(kind: type) -> Any:
    """``__call__`` as a class has it: proxies of Flask's and Quart's fail when they are touched outside a request."""
    return next((vars(each)["__call__"] for each in kind.__mro__ if "__call__" in vars(each)), None)


def _takes(function: Any, count: int) -> bool:
    """Whether a function can be called with so many arguments, and needs one at least."""
    try:
        signature = inspect.signature(function)
        signature.bind(*range(count))
    except (TypeError, ValueError):
        return False
    return any(
        each.kind is each.VAR_POSITIONAL
        or (each.default is each.empty and each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD))
        for each in signature.parameters.values()
    )
