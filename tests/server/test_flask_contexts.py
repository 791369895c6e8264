"""Flask's contexts beside Quart's: bodies, headers, what happens outside of requests, and what is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref
from typing import Any

import flask
import flask.globals
import pytest
import quart
from quart.testing import connections
from werkzeug.routing import BaseConverter

from ..apps import run
from .flask_apps import both, compat_server, text_of


@both
def test_a_body_that_is_too_large_stays_413(kind: Any) -> None:
    server = compat_server(MAX_CONTENT_LENGTH=10)
    server.add_url_rule("/flask", "flask", kind(lambda: str(len(flask.request.data))), methods=["POST"])

    @server.post("/quart")
    async def by_quart() -> str:
        return str(len(await quart.request.get_data()))

    @server.post("/form")
    def by_form() -> str:
        return flask.request.form["a"]

    @server.post("/unread")
    def unread() -> str:
        return "fine"

    async def chunked(path: str) -> int:
        async with server.test_client().request(path, method="POST") as connection:
            for _ in range(3):
                await connection.send(b"12345")
            await connection.send_complete()
        return int((await connection.as_response()).status_code)

    async def main() -> None:
        client = server.test_client()
        for path in ("/flask", "/quart"):
            assert (await client.post(path, data=b"1" * 11)).status_code == 413
            assert await chunked(path) == 413
            assert await text_of(await client.post(path, data=b"1" * 10)) == "10"
        assert (await client.post("/form", form={"a": "b" * 20})).status_code == 413
        # As in Flask: who does not read the body does not mind.
        assert (await client.post("/unread", data=b"1" * 11)).status_code == 200

    run(main)


@both
def test_a_body_that_does_not_arrive_is_408(kind: Any) -> None:
    server = compat_server(BODY_TIMEOUT=0.02)
    server.add_url_rule("/flask", "flask", kind(lambda: str(len(flask.request.data))), methods=["POST"])

    @server.post("/quart")
    async def by_quart() -> str:
        # Quart must not wait once more; if it did, it would be for ever.
        if quart.request.body_timeout:
            quart.request.body_timeout = None
        return str(len(await quart.request.get_data()))

    async def main() -> None:
        for path in ("/flask", "/quart"):
            async with server.test_client().request(path, method="POST") as connection:
                await connection.send(b"12345")
                await connection.receive()
                assert connection.status_code == 408
                await connection.disconnect()

    run(main)


def test_a_url_is_matched_once() -> None:
    server = compat_server()
    matched = []

    class Converter(BaseConverter):
        def to_python(self, value: str) -> str:
            matched.append(value)
            return value

    server.url_map.converters["word"] = Converter
    server.add_url_rule("/<word:name>", "view", lambda name: flask.request.view_args["name"])

    async def main() -> None:
        assert await text_of(await server.test_client().get("/cake")) == "cake"

    run(main)
    assert matched == ["cake"]


def test_an_asynchronous_function_that_an_extension_wraps_runs_on_the_servers_loop() -> None:
    server = compat_server()

    async def wrapped() -> Any:
        return asyncio.get_running_loop(), flask.request.path

    @server.get("/")
    def view() -> str:
        loop, path = flask.current_app.ensure_sync(wrapped)()
        assert loop is server.config["LOOP"]
        return str(path)

    async def main() -> None:
        server.config["LOOP"] = asyncio.get_running_loop()
        assert await text_of(await server.test_client().get("/")) == "/"

    run(main)


def test_a_header_cannot_pass_for_another() -> None:
    server = compat_server()

    @server.get("/")
    def view() -> Any:
        return [flask.request.headers.get("X-Forwarded-User"), "HTTP_REMOTE_ADDR" in flask.request.environ]

    async def main() -> None:
        client = server.test_client()
        answer = await client.get("/", headers={"X_Forwarded_User": "root", "Remote-Addr": "10.0.0.1"})
        assert await answer.get_json() == [None, False]

    run(main)


def test_the_application_context_outside_of_requests() -> None:
    server = compat_server(SERVER_NAME="example.org")
    torn_down = []

    @server.teardown_appcontext
    async def after(error: BaseException | None) -> None:
        torn_down.append(error)

    @server.before_serving
    def start() -> None:
        flask.g.started = flask.current_app.name

    server.add_url_rule("/page", "page", lambda: "page")
    with server.app_context():
        assert (flask.current_app, flask.current_app.name) == (server, "shop")
        assert flask.url_for("page") == "http://example.org/page"
    with contextlib.suppress(KeyError), server.app_context():
        raise KeyError("x")
    assert [type(error) for error in torn_down] == [type(None), KeyError]

    async def main() -> None:
        async with server.test_app(), server.app_context():
            quart.g.a = 1
            assert flask.g.a == 1
        async with server.test_request_context("/page?x=1"):
            assert flask.request.args["x"] == quart.request.args["x"] == "1"
        assert not flask.has_app_context()

    run(main)
    assert not flask.has_app_context()


def test_websockets_go_on_working() -> None:
    server = compat_server()

    @server.before_websocket
    async def guard() -> Any:
        if quart.websocket.args.get("deny"):
            return flask.Response("no", 403)
        return None

    @server.websocket("/ws")
    async def echo() -> None:
        await quart.websocket.send(f"{await quart.websocket.receive()} {flask.has_request_context()}")

    async def main() -> None:
        client = server.test_client()
        async with client.websocket("/ws") as connection:
            await connection.send("hello")
            assert await connection.receive() == "hello False"
        with pytest.raises(connections.WebsocketResponseError) as refused:
            async with client.websocket("/ws?deny=1") as connection:
                await connection.receive()
        assert refused.value.response.status_code == 403

    run(main)


def test_failing_and_cancelled_requests_leave_no_context() -> None:
    server = compat_server()
    contexts: list[weakref.ref[Any]] = []
    pushed, popped, tasks = [], [], []
    waits: asyncio.Queue[None] = asyncio.Queue()
    # pytest keeps what is logged, and with it every traceback and its frames.
    server.log_exception = lambda exception_info: None  # type: ignore[method-assign]

    @server.errorhandler(500)
    def failed(error: Exception) -> Any:
        return "failed", 500

    @server.get("/<kind>")
    async def view(kind: str) -> str:
        contexts.append(weakref.ref(flask.globals.request_ctx._get_current_object()))  # type: ignore[attr-defined]
        if kind == "wait":
            tasks.append(asyncio.current_task())
            waits.put_nowait(None)
            await asyncio.Event().wait()
        raise ValueError("x")

    async def cancelled(client: Any) -> None:
        async with client.request("/wait") as connection:
            await connection.send_complete()
            await waits.get()
            await connection.disconnect()

    async def main() -> None:
        client = server.test_client()
        for _ in range(50):
            assert (await client.get("/fail")).status_code == 500
            await cancelled(client)
        assert not flask.has_request_context() and not flask.has_app_context()
        # Quart gives the task of a request that it has cancelled no error to raise.
        assert all(task.done() for task in tasks)
        tasks.clear()

    with (
        flask.appcontext_pushed.connected_to(lambda sender, **_: pushed.append(1)),
        flask.appcontext_popped.connected_to(lambda sender, **_: popped.append(1)),
    ):
        run(main)
    assert (len(contexts), len(pushed), len(popped)) == (100, 100, 100)
    gc.collect()
    assert [context() for context in contexts if context() is not None] == []
    assert not flask.has_request_context()
