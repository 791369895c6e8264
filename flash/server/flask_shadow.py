"""The Flask app that stands behind a Quart server for the code that expects one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, cast

import flask
import quart
from flask.ctx import AppContext
from flask.json.provider import DefaultJSONProvider
from flask.sessions import SecureCookieSessionInterface, SessionMixin
from jinja2 import Environment
from quart.wrappers.response import DataBody
from werkzeug.routing import MapAdapter

from ..pool import Pool, run_on_loop, serving_loop

#: Where the environ of a request holds the session that Quart has opened for it.
QUART_SESSION = "flash.quart_session"

#: Bodies of Flask responses that are produced at the same time; each holds a thread while it waits for its next piece.
STREAM_THREADS = 100

_EXTENSION = "flash_flask_compat"
_SHARED = (
    "aborter",
    "after_request_funcs",
    "before_request_funcs",
    "blueprints",
    "error_handler_spec",
    "extensions",
    "jinja_options",
    "url_build_error_handlers",
    "url_default_functions",
    "url_map",
    "url_value_preprocessors",
    "view_functions",
)


class ShadowFlask(flask.Flask):
    """A Flask app that shows what a Quart server has: configuration, routes, blueprints, extensions, templates.

    It is ``flask.current_app``. The configuration is the server's own object, so a ``server.secret_key`` that is set
    later counts, and what an extension stores on the server (``app.login_manager``) is found on it. It serves nothing.

    Args:
        server: The Quart server.
    """

    def __init__(self, server: quart.Quart) -> None:
        self.server = server
        super().__init__(
            server.import_name,
            static_folder=None,
            template_folder=server.template_folder,
            instance_path=server.instance_path,
            root_path=server.root_path,
        )
        for name in _SHARED:
            setattr(self, name, getattr(server, name))
        self.json = ServerJSON(self)
        self.session_interface = SharedSessionInterface()
        self.streams = Pool(STREAM_THREADS, "flash-flask-stream")

    def __getattr__(self, name: str) -> Any:
        if name == "server":  # Asked for before the constructor has run, by copy and pickle.
            raise AttributeError(name)
        return getattr(self.server, name)

    def __eq__(self, other: object) -> bool:
        """Equal to the server: extensions keep a dictionary by app, filled with one and read with the other."""
        return self.server is (other.server if isinstance(other, ShadowFlask) else other)

    def __hash__(self) -> int:
        return hash(self.server)

    def make_config(self, instance_relative: bool = False) -> flask.Config:
        """Flask's constructor asks here for a configuration: the server's."""
        return self.server.config

    def create_url_adapter(self, request: flask.Request | None) -> MapAdapter | None:
        """None for a request that Quart has matched already: its adapter is put in place after the push."""
        if request is None:
            return self.server.create_url_adapter(None)
        return None if QUART_SESSION in request.environ else super().create_url_adapter(request)

    def app_context(self) -> AppContext:
        """A context for code outside of requests; leaving it runs the server's teardown functions."""
        return OutsideContext(self)

    def tear_down(self, error: BaseException | None) -> None:
        """Run the server's ``teardown_appcontext`` functions, from plain code."""
        for function in reversed(self.server.teardown_appcontext_funcs):
            self.ensure_sync(cast(Callable[..., Any], function))(error)

    def async_to_sync(self, func: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
        """A plain function that runs ``func`` on the server's loop, for extensions that wrap views.

        Flask's own needs asgiref and runs a loop of its own.
        """

        def call(*args: Any, **kwargs: Any) -> Any:
            if serving_loop.get(None) is None:
                return asyncio.run(func(*args, **kwargs))
            return run_on_loop(func(*args, **kwargs))

        return call

    def create_jinja_environment(self) -> Any:
        """Flask's environment, which is not asynchronous, with the filters, tests and globals of the server's."""
        environment: Environment = super().create_jinja_environment()
        theirs = self.server.jinja_env
        environment.filters, environment.tests = theirs.filters, theirs.tests
        environment.globals = {**theirs.globals, **environment.globals}
        return environment

    def update_template_context(self, context: dict[str, Any]) -> None:
        """Add what Flask's and the server's context processors give to the variables of a template."""
        given = context.copy()
        super().update_template_context(context)
        for name in (None, *reversed(flask.request.blueprints if flask.request else [])):
            for processor in self.server.template_context_processors.get(name, ()):
                if getattr(processor, "__module__", "") != "quart.templating":
                    context.update(self.ensure_sync(cast(Callable[..., Any], processor))())
        context.update(given)


class OutsideContext(AppContext):
    """An application context that user's code enters itself, in a thread or a script."""

    app: ShadowFlask

    def __exit__(self, exc_type: type | None, exc_value: BaseException | None, traceback: TracebackType | None) -> None:
        try:
            self.app.tear_down(exc_value)
        finally:
            super().__exit__(exc_type, exc_value, traceback)


class SharedSessionInterface(SecureCookieSessionInterface):
    """Gives a request the session object that Quart has opened for it, and that Quart will save.

    Where Quart has no part (``session_transaction`` of the test client) it is Flask's own interface; the cookies of
    the two are the same.
    """

    def open_session(self, app: flask.Flask, request: flask.Request) -> Any:
        """The session of Quart's request, else the one in the cookie."""
        shared: SessionMixin | None = request.environ.get(QUART_SESSION)
        return super().open_session(app, request) if shared is None else shared


class ServerJSON(DefaultJSONProvider):
    """JSON as the server's own provider writes and reads it, in Flask responses."""

    def __init__(self, app: ShadowFlask) -> None:
        super().__init__(app)
        self._shadow = app

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        """Encode by the server's provider."""
        return self._shadow.server.json.dumps(obj, **kwargs)

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Decode by the server's provider."""
        return self._shadow.server.json.loads(s, **kwargs)

    def response(self, *args: Any, **kwargs: Any) -> Any:
        """A :class:`flask.Response` with the bytes that the server's provider would answer with."""
        answer = cast(quart.Response, self._shadow.server.json.response(*args, **kwargs))
        body = cast(DataBody, answer.response)
        return self._shadow.response_class(body.data, mimetype=answer.mimetype)


def shadow_of(server: quart.Quart) -> ShadowFlask | None:
    """The Flask app behind a server, or None when the server has no ``flask_compat``."""
    shadow: ShadowFlask | None = server.extensions.get(_EXTENSION)
    return shadow


def add_shadow(server: quart.Quart) -> ShadowFlask:
    """Put a Flask app behind a server."""
    shadow = ShadowFlask(server)
    server.extensions[_EXTENSION] = shadow
    return shadow
