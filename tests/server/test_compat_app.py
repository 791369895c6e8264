"""``Flash(flask_compat=True)``: Flask habits in callbacks, layouts, hooks, routes and guards of an app."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import flask
import pytest

from flash import Input, Output, hooks, html
from flash.testing.flask_client import flask_test_client

from ..apps import body, flash_app
from .flask_apps import both


@pytest.fixture
def own_hooks() -> Iterator[None]:
    """Dash's hooks, put back afterwards: they are the process's."""
    names = {name: list(known) for name, known in hooks._ns.items()}
    yield
    for name, known in names.items():
        hooks._ns[name] = known


def compat_app(**options: Any) -> Any:
    """An app with Flask's contexts and a secret key."""
    app = flash_app(flask_compat=True, **options)
    app.server.secret_key = "secret"
    return app


def call(client: Any, value: Any) -> Any:
    """Run the callback of a test."""
    return client.post("/_dash-update-component", json=body("out.children", {"in.children": value}))


@both
def test_callbacks_have_the_request_and_write_the_session(kind: Any) -> None:
    app = compat_app()
    app.layout = html.Div()

    def update(value: str) -> str:
        flask.session["values"] = [*flask.session.get("values", []), value]
        flask.g.seen = flask.request.get_json()["output"]
        return f"{flask.request.path} {flask.g.seen} {flask.session['values']} {flask.current_app.secret_key}"

    app.callback(Output("out", "children"), Input("in", "children"))(kind(update))
    app.server.add_url_rule("/values", "values", kind(lambda: flask.jsonify(flask.session["values"])))
    client = flask_test_client(app)
    call(client, "a")
    answer = call(client, "b").get_json()["response"]["out"]["children"]
    assert answer == "/_dash-update-component out.children ['a', 'b'] secret"
    assert client.get("/values").get_json() == ["a", "b"]


@both
def test_callbacks_may_abort_and_set_cookies(kind: Any) -> None:
    app = compat_app()
    app.layout = html.Div()

    def update(value: str) -> str:
        if value == "deny":
            flask.abort(403)

        @flask.after_this_request
        def mark(response: Any) -> Any:
            response.set_cookie("taste", value)
            return response

        return value

    app.callback(Output("out", "children"), Input("in", "children"))(kind(update))
    client = flask_test_client(app)
    assert call(client, "deny").status_code == 403
    assert call(client, "sweet").status_code == 200
    assert client.get_cookie("taste").value == "sweet"


@both
def test_guards_abort_and_redirect(kind: Any) -> None:
    app = compat_app()
    app.layout = html.Div("page")

    def guard() -> Any:
        if flask.request.endpoint == "login":
            return None
        if "user" not in flask.session and flask.request.method == "POST":
            flask.abort(401)
        return None if "user" in flask.session else flask.redirect(flask.url_for("login"))

    def login() -> str:
        flask.session["user"] = "ann"
        return "welcome"

    app.server.before_request(kind(guard))
    app.server.add_url_rule("/login", "login", kind(login))
    client = flask_test_client(app)
    assert call(client, 1).status_code == 401
    assert client.get("/_dash-layout").headers["Location"] == "/login"
    assert client.get("/", follow_redirects=True).text == "welcome"
    assert client.get("/_dash-layout").get_json()["props"]["children"] == "page"


@both
def test_layouts_have_the_request_and_url_for(kind: Any) -> None:
    app = compat_app()
    app.server.add_url_rule("/download/<name>", "download", lambda name: name)
    # It needs a request: the first one sets the app up.
    app.layout = kind(
        lambda: html.A(flask.request.args.get("who"), href=flask.url_for("download", name=flask.session.get("a", "b")))
    )
    client = flask_test_client(app)
    props = client.get("/_dash-layout?who=ann").get_json()["props"]
    assert (props["children"], props["href"]) == ("ann", "/download/b")
    with client.session_transaction() as session:
        session["a"] = "c"
    assert client.get("/_dash-layout?who=bob").get_json()["props"]["href"] == "/download/c"


@both
def test_routes_of_hooks_answer_with_jsonify(kind: Any, own_hooks: None) -> None:
    hooks.route("status", methods=("GET",))(kind(lambda: flask.jsonify(path=flask.request.path)))
    app = compat_app()
    app.layout = html.Div()
    assert flask_test_client(app).get("/status").get_json() == {"path": "/status"}


@both
def test_without_the_switch_callbacks_fail_with_the_hint(kind: Any, caplog: Any) -> None:
    app = flash_app()
    app.layout = html.Div()
    app.callback(Output("out", "children"), Input("in", "children"))(kind(lambda value: flask.request.path))
    answer = call(flask_test_client(app), "a")
    assert (answer.status_code, "flask_compat" in answer.text) == (500, False)
    assert "flask_compat=True" in caplog.text
