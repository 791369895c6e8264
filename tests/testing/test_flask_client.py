"""Flask's synchronous test client for an app on Quart."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import io
import threading
from typing import Any

import flask
import pytest
import quart
from flask.testing import FlaskClient
from quart.testing import QuartClient

from flash.testing.flask_client import flask_test_client, install_flask_test_client

from ..server.flask_apps import both, compat_server


def test_a_server_without_flask_can_be_asked_too() -> None:
    server = quart.Quart("plain")

    @server.post("/items/<name>")
    async def view(name: str) -> Any:
        request = quart.request
        return {
            "name": name,
            "args": request.args.to_dict(),
            "json": await request.get_json(),
            "agent": request.headers["User-Agent"],
            "address": request.remote_addr,
            "root": request.root_path,
        }

    client = flask_test_client(server)
    answer = client.post("/items/k%C3%A4se?a=1", json={"x": [1]}, headers={"User-Agent": "test"})
    assert (answer.status_code, answer.mimetype, answer.status) == (200, "application/json", "200 OK")
    expected = {"name": "käse", "args": {"a": "1"}, "json": {"x": [1]}, "agent": "test", "address": "127.0.0.1"}
    assert answer.json == answer.get_json() == {**expected, "root": ""}
    mounted = client.post("/items/a", base_url="http://localhost/app", json=1)
    assert mounted.get_json()["root"] == "/app"
    assert client.get("/nowhere").status_code == 404


@both
def test_cookies_sessions_and_redirects(kind: Any) -> None:
    server = compat_server()

    def count() -> Any:
        flask.session["count"] = flask.session.get("count", 0) + 1
        response = flask.redirect("/show")
        response.set_cookie("taste", "sweet")
        return response

    server.add_url_rule("/count", "count", kind(count))
    show = kind(lambda: f"{flask.session.get('count')} {flask.request.cookies.get('taste')}")
    server.add_url_rule("/show", "show", show)
    client = flask_test_client(server)
    assert client.get("/count", follow_redirects=True).text == "1 sweet"
    client.set_cookie("taste", "sour")
    assert client.get("/show").text == "1 sour"
    with client.session_transaction() as session:
        assert session["count"] == 1
        session["count"] = 41
    assert client.get("/show").text == "41 sour"
    assert flask_test_client(server, use_cookies=False).get("/show").text == "None None"


def test_a_with_block_keeps_the_contexts_of_the_last_request() -> None:
    server = compat_server()

    @server.get("/<name>")
    def view(name: str) -> str:
        flask.session["name"] = flask.g.name = name
        return name

    with flask_test_client(server) as client:
        for name in ("a", "b"):
            client.get(f"/{name}?x=1")
            assert (flask.request.path, flask.request.args["x"]) == (f"/{name}", "1")
            assert (flask.session["name"], flask.g.name) == (name, name)
            assert flask.url_for("view", name="c") == "/c"
    assert not flask.has_request_context() and not flask.has_app_context()


def test_forms_files_and_other_methods() -> None:
    server = compat_server()

    @server.post("/")
    def post() -> str:
        return f"{flask.request.form['a']} {flask.request.files['file'].read().decode()}"

    @server.delete("/")
    def delete() -> tuple[str, int]:
        return "", 204

    @server.get("/")
    def get() -> str:
        return "cake"

    client = flask_test_client(server)
    assert client.post("/", data={"a": "b", "file": (io.BytesIO(b"cake"), "cake.txt")}).text == "b cake"
    assert client.delete("/").status_code == 204
    head = client.head("/")
    assert (head.data, head.headers["Content-Length"]) == (b"", "4")
    assert "GET" in client.options("/").headers["Allow"]


@both
def test_an_error_reaches_a_test_as_it_does_in_flask(kind: Any) -> None:
    server = compat_server()

    def fail() -> str:
        raise KeyError("cake")

    server.add_url_rule("/", "fail", kind(fail))
    client = flask_test_client(server)
    assert client.get("/").status_code == 500
    server.testing = True
    with pytest.raises(KeyError, match="cake"):
        client.get("/")
    server.config["PROPAGATE_EXCEPTIONS"] = False
    assert client.get("/").status_code == 500


def test_requests_of_one_client_share_a_loop_that_goes_on_between_them() -> None:
    server = quart.Quart("plain")
    loops, done = set(), threading.Event()

    async def later() -> None:
        await asyncio.sleep(0)
        done.set()

    @server.get("/")
    async def view() -> str:
        loops.add(asyncio.get_running_loop())
        server.config["TASK"] = asyncio.create_task(later())
        return "fine"

    client = flask_test_client(server)
    for _ in range(2):
        done.clear()
        client.get("/")
        assert done.wait(10)
    assert len(loops) == 1


def test_it_works_where_a_loop_is_running_and_brings_context_variables() -> None:
    server = quart.Quart("plain")
    variable = contextvars.ContextVar("variable", default="unset")

    @server.get("/")
    async def view() -> str:
        return variable.get()

    async def main() -> str:
        variable.set("set")
        text: str = flask_test_client(server).get("/").text
        return text

    assert asyncio.run(main()) == "set"


def test_the_thread_of_a_client_ends_with_it() -> None:
    server = quart.Quart("plain")
    threads = []

    @server.get("/")
    async def view() -> str:
        threads.append(threading.current_thread())
        return "fine"

    client = flask_test_client(server)
    client.get("/")
    del client
    gc.collect()
    threads[0].join(10)
    assert not threads[0].is_alive()


def test_installed_it_answers_plain_tests_and_leaves_quarts_to_asynchronous_ones() -> None:
    server, other = quart.Quart("one"), quart.Quart("two")

    async def in_a_loop(target: quart.Quart) -> Any:
        return target.test_client()

    undo = install_flask_test_client(server)
    assert isinstance(server.test_client(), FlaskClient)
    assert isinstance(asyncio.run(in_a_loop(server)), QuartClient)
    assert isinstance(other.test_client(), QuartClient)
    undo()
    assert isinstance(server.test_client(), QuartClient)

    undo = install_flask_test_client(quart.Quart)
    try:
        with other.test_client() as client:
            assert client.get("/nowhere").status_code == 404
        assert isinstance(asyncio.run(in_a_loop(other)), QuartClient)
        assert isinstance(flask.Flask("three").test_client(), FlaskClient)
    finally:
        undo()
    assert isinstance(other.test_client(), QuartClient)
