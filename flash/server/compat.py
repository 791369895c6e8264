"""Flask habits on a Quart server: what ``Flash(flask_compat=True)`` switches on, and the hint that names it."""

from __future__ import annotations

from functools import partial
from typing import Any

import quart

from ..exceptions import ConfigurationError
from ..flask_use import explain_flask_use
from .flask_contexts import FlaskAppContext, FlaskRequestContext
from .flask_responses import convert_responses, keep_generators
from .flask_shadow import add_shadow, shadow_of

_HINTED = "flash_flask_hint"


def install_flask_compat(server: quart.Quart) -> None:
    """Give code that a Quart server runs the contexts of Flask.

    For every HTTP request a real request context of Flask's stands beside Quart's, in guards, views, hooks, layouts
    and callbacks, plain or asynchronous: ``flask.request``, ``session``, ``g``, ``current_app``, ``url_for``,
    ``flash``, ``render_template``, ``after_this_request``. Responses of Flask's become Quart's. ``flask.session`` is
    the very object that ``quart.session`` is, and ``flask.g`` the one that ``quart.g`` is, so neither loses what the
    other wrote. ``with server.app_context():`` works in scripts and threads.

    Only this server is changed; a ``flask.Flask`` or ``dash.Dash`` app in the same process stays what it is. Calling
    it again does nothing.

    What holds for it: the body of a request is read before the first guard runs; what a response writes to the
    session after its headers were sent (in a stream) is lost, as in Flask; the live
    connection has the request of its handshake, other WebSockets have Flask's application context and no request.

    Args:
        server: The server; later changes of its configuration count.

    Raises:
        ConfigurationError: ``server`` is no Quart app.

    Example:
        >>> server = quart.Quart(__name__)
        >>> install_flask_compat(server)
        >>> @server.before_request
        ... def guard():
        ...     if "user" not in flask.session:
        ...         return flask.redirect(flask.url_for("login"))
    """
    if not isinstance(server, quart.Quart):
        raise ConfigurationError(
            f"flask_compat is for a quart.Quart server, not for a {type(server).__module__}.{type(server).__name__}. "
            "A flask.Flask app needs no compatibility; serve it by dash.Dash."
        )
    keep_generators(server)
    if shadow_of(server) is not None:
        return
    shadow = add_shadow(server)
    server.app_context = partial(FlaskAppContext, server)  # type: ignore[method-assign]
    server.request_context = partial(FlaskRequestContext, server)  # type: ignore[method-assign]
    convert_responses(server, shadow)
    # What Flask has and Quart has not, for extensions that were given the server and wrap asynchronous functions.
    server.ensure_sync = shadow.ensure_sync  # type: ignore[attr-defined]

    async def close() -> None:
        shadow.streams.close()

    server.after_serving_funcs.append(close)


def hint_flask_compat(server: quart.Quart) -> None:
    """Make guards and routes that use Flask without ``flask_compat`` fail with a sentence that names the switch.

    The answer is still status 500; the sentence is in the log, with Flask's own error as its cause. Calling it again
    does nothing, and it has no effect where :func:`install_flask_compat` is called before or after.
    """
    if _HINTED in server.extensions:
        return
    server.extensions[_HINTED] = True
    handle, dispatch = server.handle_user_exception, server.full_dispatch_request

    def explained(error: Exception) -> Exception:
        return (explain_flask_use(error) if shadow_of(server) is None else None) or error

    async def handle_user_exception(error: Exception) -> Any:
        return await handle(explained(error))

    async def full_dispatch_request(request_context: Any = None) -> Any:
        # Around it all, for after_request functions: their errors meet no handler.
        try:
            return await dispatch(request_context)
        except RuntimeError as error:
            hint = explained(error)
            if hint is error:
                raise
            raise hint from error

    server.handle_user_exception = handle_user_exception  # type: ignore[method-assign]
    server.full_dispatch_request = full_dispatch_request  # type: ignore[method-assign]
