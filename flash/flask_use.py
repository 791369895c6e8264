"""Telling that code asked Flask for something that only ``flask_compat=True`` provides."""

from __future__ import annotations

import inspect
import traceback
from types import FrameType

import flask

from .exceptions import FlaskContextError

_FLASK_MESSAGES = (
    "Working outside of request context.",
    "Working outside of application context.",
    "'after_this_request' can only be used when",
    "'copy_current_request_context' can only be used when",
    "'stream_with_context' can only be used when",
)
_PROXIES = ("request", "session", "g", "current_app")


def explain_flask_use(error: BaseException) -> FlaskContextError | None:
    """The error to raise in place of Flask's "Working outside of request context", or None for any other error.

    Its sentence names what of Flask's was used, the function that used it, and the switch.
    """
    if not isinstance(error, RuntimeError) or not str(error).startswith(_FLASK_MESSAGES):
        return None
    explained = FlaskContextError(
        f"{_use(error)}, but this app is served by Quart, where Flask has no context. Write "
        "Flash(__name__, flask_compat=True) to give it Flask's contexts; or use flash.ctx.cookies, .headers and .path "
        "in callbacks, and quart.request in async code."
    )
    explained.__cause__ = error
    return explained


def _use(error: BaseException) -> str:
    """What was used and where, as the traceback tells."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    users = [index for index, frame in enumerate(frames) if _package(frame) not in ("flask", "werkzeug")]
    if not users or users[-1] == len(frames) - 1:
        return "Code used flask.request, flask.session, flask.g or flask.current_app"
    user, inner = frames[users[-1]], frames[users[-1] + 1]
    used = inner.f_code.co_name if _package(inner) == "flask" else _proxy(frames[-1])
    line = next(number for frame, number in traceback.walk_tb(error.__traceback__) if frame is user)
    return f"flask.{used} was used in {user.f_code.co_qualname} ({user.f_globals.get('__name__')}, line {line})"


def _package(frame: FrameType) -> str:
    name: str = frame.f_globals.get("__name__", "")
    return name.partition(".")[0]


def _proxy(frame: FrameType) -> str:
    """Which of Flask's proxies failed, by the function that looks its object up."""
    looked_up = frame.f_locals.get("get_name")
    for name in _PROXIES:
        if inspect.getclosurevars(getattr(flask, name)._get_current_object).nonlocals.get("get_name") is looked_up:
            return name
    return "request"
