"""``flask_compat``: Flask's request, session, g and helpers on a Quart server."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import dash
import flask
import pytest
import quart

from flash.exceptions import ConfigurationError
from flash.server.compat import install_flask_compat

from ..apps import run
from .flask_apps import both, compat_server, text_of


@both
def test_the_request_has_what_flask_gives_it(kind: Any) -> None:
    server = compat_server()

    def view(number: int) -> Any:
        request = flask.request
        return flask.jsonify(
            args=request.args.getlist("a"),
            method=request.method,
            path=request.path,
            url=request.url,
            header=request.headers["X-Name"],
            cookie=request.cookies["taste"],
            json=request.get_json(),
            data=len(request.data),
            address=request.remote_addr,
            endpoint=request.endpoint,
            rule=str(request.url_rule),
            view_args=request.view_args,
            same=request.path == quart.request.path,
        )

    server.add_url_rule("/items/<int:number>", "item", kind(view), methods=["PUT"])

    async def main() -> None:
        answer = await server.test_client().put(
            "/items/7?a=1&a=%C3%A4", json={"x": [1]}, headers={"X-Name": "Ann", "Cookie": "taste=sweet"}
        )
        assert await answer.get_json() == {
            "args": ["1", "ä"],
            "method": "PUT",
            "path": "/items/7",
            "url": "http://localhost/items/7?a=1&a=ä",
            "header": "Ann",
            "cookie": "sweet",
            "json": {"x": [1]},
            "data": 10,
            "address": "<local>",
            "endpoint": "item",
            "rule": "/items/<int:number>",
            "view_args": {"number": 7},
            "same": True,
        }

    run(main)


@both
def test_forms_and_files_are_read_by_flask_and_by_quart(kind: Any) -> None:
    server = compat_server()

    def read_by_flask() -> str:
        return f"{flask.request.form['name']} {flask.request.files['file'].read().decode()}"

    server.add_url_rule("/flask", "flask", kind(read_by_flask), methods=["POST"])

    @server.post("/quart")
    async def read_by_quart() -> str:
        by_flask = read_by_flask()
        form, files = await quart.request.form, await quart.request.files
        return f"{by_flask} {form['name']} {files['file'].read().decode()}"

    async def main() -> None:
        for path, expected in (("/flask", "Ann cake"), ("/quart", "Ann cake Ann cake")):
            file = quart.datastructures.FileStorage(io.BytesIO(b"cake"), filename="cake.txt")
            response = await server.test_client().post(path, form={"name": "Ann"}, files={"file": file})
            assert await text_of(response) == expected

    run(main)


@both
def test_a_session_is_one_for_flask_and_quart(kind: Any) -> None:
    server = compat_server()

    @server.before_request
    async def guard() -> None:
        quart.session["by guard"] = quart.session.get("by guard", 0) + 1

    def view() -> Any:
        flask.session["by view"] = flask.session.get("by view", 0) + 1
        return flask.jsonify(dict(quart.session))

    server.add_url_rule("/", "view", kind(view))

    @server.get("/read")
    def read() -> Any:
        return dict(flask.session)

    async def main() -> None:
        client = server.test_client()
        await client.get("/")
        second = await client.get("/")
        assert await second.get_json() == {"by guard": 2, "by view": 2}
        read = await client.get("/read")
        assert await read.get_json() == {"by guard": 3, "by view": 2}
        assert "Cookie" in read.headers["Vary"]

    run(main)


def test_a_session_without_a_secret_key_says_so() -> None:
    server = compat_server()
    server.secret_key = None
    errors = []

    @server.get("/")
    def view() -> str:
        with pytest.raises(RuntimeError, match="no secret key was set") as error:
            flask.session["a"] = 1
        errors.append(error)
        return str(flask.session.get("a"))

    async def main() -> None:
        assert await text_of(await server.test_client().get("/")) == "None"

    run(main)
    assert errors


@both
def test_guards_stop_a_request_by_flasks_means(kind: Any) -> None:
    server = compat_server()
    blueprint = quart.Blueprint("admin", __name__, url_prefix="/admin")

    def guard() -> Any:
        if flask.request.args.get("stop") == "abort":
            flask.abort(401)
        if flask.request.args.get("stop") == "redirect":
            return flask.redirect(flask.url_for("admin.page", number=2))
        return None

    def blueprint_guard() -> Any:
        if flask.request.args.get("stop") == "response":
            flask.abort(flask.make_response(flask.jsonify(blueprint=flask.request.blueprint), 403))

    def page(number: int) -> str:
        return flask.url_for(".page", number=number + 1, _external=True)

    server.before_request(kind(guard))
    blueprint.before_request(kind(blueprint_guard))
    blueprint.add_url_rule("/<int:number>", "page", kind(page))
    server.register_blueprint(blueprint)

    async def main() -> None:
        client = server.test_client()
        assert (await client.get("/admin/1?stop=abort")).status_code == 401
        redirected = await client.get("/admin/1?stop=redirect")
        assert (redirected.status_code, redirected.headers["Location"]) == (302, "/admin/2")
        forbidden = await client.get("/admin/1?stop=response")
        assert (forbidden.status_code, await forbidden.get_json()) == (403, {"blueprint": "admin"})
        assert await text_of(await client.get("/admin/1")) == "http://localhost/admin/2"
        assert (await client.get("/nowhere")).status_code == 404

    run(main)


def test_a_blueprint_of_flasks_can_be_registered() -> None:
    server = compat_server()
    blueprint = flask.Blueprint("shop", __name__, url_prefix="/shop")

    @blueprint.before_request
    def guard() -> None:
        flask.g.blueprint = flask.request.blueprint

    @blueprint.route("/item/<int:number>")
    def item(number: int) -> Any:
        return {"number": number, "blueprint": flask.g.blueprint}

    server.register_blueprint(blueprint)

    async def main() -> None:
        answer = await server.test_client().get("/shop/item/3")
        assert await answer.get_json() == {"number": 3, "blueprint": "shop"}

    run(main)


@both
def test_g_is_one_for_each_request_and_the_same_as_quarts(kind: Any) -> None:
    server = compat_server()

    @server.before_request
    def guard() -> None:
        assert "user" not in flask.g
        flask.g.user = flask.request.args["user"]

    def view() -> str:
        return f"{flask.g.user} {quart.g.user}"

    server.add_url_rule("/", "view", kind(view))

    async def main() -> None:
        client = server.test_client()
        answers = await asyncio.gather(*(client.get(f"/?user={name}") for name in "abcdef"))
        assert [await text_of(answer) for answer in answers] == [f"{name} {name}" for name in "abcdef"]

    run(main)


@both
def test_helpers_of_flasks(kind: Any) -> None:
    server = compat_server(COLOUR="blue")
    seen: list[str] = []

    @server.context_processor
    def more() -> dict[str, str]:
        return {"more": flask.request.path}

    @server.template_filter("loud")
    def loud(value: str) -> str:
        return value.upper()

    @server.teardown_request
    def after(error: BaseException | None) -> None:
        seen.append(f"request {flask.request.path}")

    @server.teardown_appcontext
    async def after_all(error: BaseException | None) -> None:
        seen.append(f"app {flask.current_app.config['COLOUR']}")

    def view() -> Any:
        flask.flash("hello")

        @flask.after_this_request
        def mark(response: Any) -> Any:
            response.headers["X-Marked"] = flask.request.path
            return response

        flask.current_app.logger.debug("A view runs.")
        return flask.render_template_string(
            "{{ request.path }} {{ more }} {{ config.COLOUR|loud }} {{ get_flashed_messages()[0] }} "
            "{{ url_for('view') }}"
        )

    server.add_url_rule("/page", "view", kind(view))

    async def main() -> None:
        answer = await server.test_client().get("/page")
        assert await text_of(answer) == "/page /page BLUE hello /page"
        assert answer.headers["X-Marked"] == "/page"
        assert seen == ["request /page", "app blue"]

    run(main)


def test_error_handlers_see_the_request() -> None:
    server = compat_server()

    @server.errorhandler(500)
    def failed(error: Exception) -> Any:
        return flask.make_response(f"{flask.request.path} failed", 500)

    @server.errorhandler(KeyError)
    async def missing(error: Exception) -> Any:
        return flask.jsonify(missing=flask.request.args["name"]), 404

    @server.get("/<kind>")
    async def view(kind: str) -> Any:
        raise KeyError("x") if kind == "key" else ValueError("x")

    async def main() -> None:
        client = server.test_client()
        assert await text_of(await client.get("/value")) == "/value failed"
        answer = await client.get("/key?name=x")
        assert (answer.status_code, await answer.get_json()) == (404, {"missing": "x"})

    run(main)


def test_only_this_server_is_changed() -> None:
    server, other = compat_server(), quart.Quart("other")
    install_flask_compat(server)
    dispatch = server.request_context
    install_flask_compat(server)
    assert server.request_context is dispatch
    assert isinstance(dash.Dash("plain").server, flask.Flask)

    @other.get("/")
    async def view() -> str:
        return str(flask.has_request_context())

    async def main() -> None:
        assert await text_of(await other.test_client().get("/")) == "False"

    run(main)
    with pytest.raises(ConfigurationError, match="not for a flask.app.Flask"):
        install_flask_compat(flask.Flask("shop"))  # type: ignore[arg-type]
