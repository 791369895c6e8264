"""Telling that code asked Flask for something that only ``flask_compat=True`` provides."""

from __future__ import annotations

from .exceptions import FlaskContextError

_FLASK_MESSAGES = ("Working outside of request context.", "Working outside of application context.")


def explain_flask_use(error: BaseException) -> FlaskContextError | None:
    """The error to raise in place of Flask's "Working outside of request context", or None for any other error."""
    if not isinstance(error, RuntimeError) or not str(error).startswith(_FLASK_MESSAGES):
        return None
    explained = FlaskContextError(
        "This app is served by Quart, and code in it used flask.request, flask.session, flask.g, flask.current_app "
        "or a function of Flask that needs them. Write Flash(__name__, flask_compat=True) to give it Flask's contexts; "
        "or use flash.ctx.cookies, .headers and .path in callbacks, and quart.request in async code."
    )
    explained.__cause__ = error
    return explained
