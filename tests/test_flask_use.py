"""The sentence that replaces Flask's "Working outside of request context"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flask
import pytest

from flash.flask_use import explain_flask_use

USES: dict[str, Callable[[], Any]] = {
    "request": lambda: flask.request.args["a"],
    "session": lambda: flask.session["a"],
    "g": lambda: flask.g.a,
    "current_app": lambda: flask.current_app.name,
    "jsonify": lambda: flask.jsonify(a=1),
    "url_for": lambda: flask.url_for("page"),
    "flash": lambda: flask.flash("hello"),
    "after_this_request": lambda: flask.after_this_request(lambda response: response),
}


def error_of(use: Callable[[], Any]) -> BaseException:
    """The error that a function raises."""

    def who_used_it() -> None:
        use()

    with pytest.raises(RuntimeError) as raised:
        who_used_it()
    return raised.value


@pytest.mark.parametrize("name", USES)
def test_it_names_what_was_used_where_and_the_switch(name: str) -> None:
    error = error_of(USES[name])
    explained = explain_flask_use(error)
    assert explained is not None and explained.__cause__ is error
    assert str(explained).startswith(f"flask.{name} was used in <lambda> ({__name__}, line ")
    assert "Flash(__name__, flask_compat=True)" in str(explained)


def test_other_errors_are_not_explained() -> None:
    assert explain_flask_use(KeyError("Working outside of request context.")) is None
    assert explain_flask_use(RuntimeError("Not within a request context")) is None
    assert explain_flask_use(RuntimeError()) is None


def test_an_error_without_a_traceback_is_explained_too() -> None:
    explained = explain_flask_use(RuntimeError("Working outside of request context.\n\nThis typically means ..."))
    assert str(explained).startswith("Code used flask.request")
