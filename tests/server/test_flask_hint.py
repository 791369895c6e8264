"""Without ``flask_compat``: using Flask fails with a sentence that names the switch."""

from __future__ import annotations

import contextvars
import logging
from typing import Any

import flask
import pytest
import quart

from flash.exceptions import FlaskContextError
from flash.server.compat import hint_flask_compat, install_flask_compat

from ..apps import run
from .flask_apps import both, text_of

USES = {
    "request": lambda: flask.request.path,
    "session": lambda: flask.session.get("a"),
    "g": lambda: flask.g.get("a"),
    "jsonify": lambda: flask.jsonify(a=1),
    "url_for": lambda: flask.url_for("view"),
}


def hinted_server() -> quart.Quart:
    """A Quart server without Flask's contexts."""
    server = quart.Quart("hinted")
    hint_flask_compat(server)
    hint_flask_compat(server)
    server.add_url_rule("/", "view", lambda: "fine")
    return server


async def failure_of(server: quart.Quart, caplog: Any) -> BaseException:
    """The error that the log has for a request; the browser gets nothing of it."""
    caplog.clear()
    answer = await server.test_client().get("/")
    assert (answer.status_code, "flask" in (await text_of(answer)).lower()) == (500, False)
    record = next(record for record in caplog.records if record.levelno == logging.ERROR)
    assert record.exc_info and record.exc_info[1]
    error: BaseException = record.exc_info[1]
    return error


@pytest.mark.parametrize("use", USES.values(), ids=USES)
@both
def test_a_guard_that_uses_flask_fails_with_the_hint(kind: Any, use: Any, caplog: Any) -> None:
    server = hinted_server()
    server.before_request(kind(use))

    async def main() -> None:
        error = await failure_of(server, caplog)
        assert isinstance(error, FlaskContextError)
        assert "flask_compat=True" in str(error)
        assert "Working outside of" in str(error.__cause__)

    run(main)


@both
def test_so_do_after_request_functions(kind: Any, caplog: Any) -> None:
    server = hinted_server()

    def mark(response: Any) -> Any:
        response.headers["X-Path"] = flask.request.path
        return response

    server.after_request(kind(mark))

    async def main() -> None:
        assert isinstance(await failure_of(server, caplog), FlaskContextError)

    run(main)


def test_a_handler_of_all_errors_is_given_the_hint() -> None:
    server = hinted_server()
    given = []
    server.before_request(lambda: flask.request.path)

    @server.errorhandler(Exception)
    async def handle(error: Exception) -> Any:
        given.append(error)
        return "failed", 500

    async def main() -> None:
        await server.test_client().get("/")

    run(main)
    assert [type(error) for error in given] == [FlaskContextError]


@pytest.mark.parametrize("message", ["Not within a request context", "Something else"])
def test_other_errors_are_left_alone(message: str, caplog: Any) -> None:
    server = hinted_server()
    original = RuntimeError(message)

    @server.before_request
    async def guard() -> None:
        raise original

    async def main() -> None:
        assert await failure_of(server, caplog) is original
        assert not original.__suppress_context__

    run(main)


def test_there_is_no_hint_where_the_switch_is_on(caplog: Any) -> None:
    server = hinted_server()
    install_flask_compat(server)
    # A thread of the user's own has no request, whatever is switched on.
    server.before_request(lambda: contextvars.Context().run(lambda: flask.request.path))

    async def main() -> None:
        error = await failure_of(server, caplog)
        assert "Working outside of" in str(error) and not isinstance(error, FlaskContextError)

    run(main)
