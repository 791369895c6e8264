"""Responses of Flask's that views on a Quart server return."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Iterator
from typing import Any

import flask
import pytest
import quart

from ..apps import run
from .flask_apps import both, compat_server, text_of


@both
def test_status_headers_and_every_cookie_are_kept(kind: Any) -> None:
    server = compat_server()

    def view() -> Any:
        response = flask.make_response("cake", 201)
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")
        return response, 202, {"X-More": "yes"}

    server.add_url_rule("/", "view", kind(view))

    async def main() -> None:
        answer = await server.test_client().get("/")
        assert (answer.status_code, await text_of(answer)) == (202, "cake")
        assert answer.headers.getlist("Set-Cookie") == ["a=1; Path=/", "b=2; Path=/"]
        assert (answer.headers["X-More"], answer.headers["Content-Length"]) == ("yes", "4")

    run(main)


@both
def test_json_is_what_the_servers_provider_writes(kind: Any) -> None:
    server = compat_server()
    server.json.sort_keys = False  # type: ignore[attr-defined]
    server.add_url_rule("/", "view", kind(lambda: flask.jsonify(b=1, a=2)))

    async def main() -> None:
        answer = await server.test_client().get("/")
        assert (await text_of(answer), answer.mimetype) == ('{"b":1,"a":2}\n', "application/json")

    run(main)


def test_after_request_functions_get_quarts_response_and_may_return_flasks() -> None:
    server = compat_server()
    kinds = []

    @server.after_request
    async def look(response: Any) -> Any:
        kinds.append(type(response))
        assert await response.get_data() == b"cake"
        return flask.Response(["bread"]) if flask.request.args.get("swap") else response

    @server.get("/")
    def view() -> Any:
        flask.session["a"] = 1
        return flask.make_response("cake")

    async def main() -> None:
        client = server.test_client()
        assert await text_of(await client.get("/")) == "cake"
        async with client.request("/?swap=1") as connection:
            await connection.send_complete()
        headers = dict(connection.headers or {})
        assert await text_of(await connection.as_response()) == "bread"
        assert headers["content-length"] == "5" and "set-cookie" in headers

    run(main)
    assert kinds == [quart.Response, quart.Response]


@both
def test_what_has_no_body_gets_none(kind: Any) -> None:
    server = compat_server()
    produced = []

    def pieces() -> Iterator[str]:
        produced.append(flask.request.method)
        yield "cake"

    server.add_url_rule("/nothing", "nothing", kind(lambda: flask.make_response("cake", 204)))
    server.add_url_rule("/cake", "cake", kind(lambda: flask.make_response("cake")))
    server.add_url_rule("/stream", "stream", kind(lambda: flask.Response(pieces())))

    async def headers_of(path: str, method: str) -> dict[str, str]:
        async with server.test_client().request(path, method=method) as connection:
            await connection.send_complete()
        headers = dict(connection.headers or {})  # Before they become those of a response, which adds the length.
        assert await text_of(await connection.as_response()) == ""
        return headers

    async def main() -> None:
        assert "content-length" not in await headers_of("/nothing", "GET")
        assert (await headers_of("/cake", "HEAD"))["content-length"] == "4"
        await headers_of("/stream", "HEAD")

    run(main)
    assert produced == []


@pytest.mark.parametrize("with_context", [True, False])
@both
def test_a_generator_is_streamed_in_a_thread_with_its_context(kind: Any, with_context: bool) -> None:
    server = compat_server()
    threads = set()

    def lines() -> Iterator[str]:
        for number in range(3):
            threads.add(threading.current_thread().name)
            yield f"{flask.request.path} {number}\n"

    def made() -> Any:
        return flask.stream_with_context(lines()) if with_context else lines()

    server.add_url_rule("/bare", "bare", kind(made))
    server.add_url_rule("/tuple", "tuple", kind(lambda: (made(), 201, {"X-More": "yes"})))
    server.add_url_rule("/response", "response", kind(lambda: flask.Response(made(), mimetype="text/csv")))

    async def main() -> None:
        client = server.test_client()
        for path in ("/bare", "/tuple", "/response"):
            answer = await client.get(path)
            assert await text_of(answer) == f"{path} 0\n{path} 1\n{path} 2\n"
        assert answer.mimetype == "text/csv"
        assert (await client.get("/tuple")).headers["X-More"] == "yes"

    run(main)
    assert threading.main_thread().name not in threads


def test_a_stream_goes_out_piece_by_piece_without_a_time_limit() -> None:
    server = compat_server(RESPONSE_TIMEOUT=0.01)
    proceed = threading.Event()

    @server.get("/")
    def view() -> Any:
        def pieces() -> Iterator[str]:
            yield "first"
            assert proceed.wait(10)
            yield "second"

        return flask.Response(pieces())

    async def main() -> None:
        async with server.test_client().request("/") as connection:
            await connection.send_complete()
            assert await connection.receive() == b"first"
            await asyncio.sleep(0.05)  # Longer than the limit for Quart's own responses.
            proceed.set()
            assert await connection.receive() == b"second"

    run(main)


def test_a_stream_is_closed_when_the_client_goes_away_in_the_middle_of_a_piece() -> None:
    server = compat_server()
    proceed, reached, closed = threading.Event(), threading.Event(), threading.Event()

    @server.get("/")
    def view() -> Any:
        def pieces() -> Iterator[str]:
            try:
                yield "first"
                reached.set()
                assert proceed.wait(10)
                yield "second"
            finally:
                closed.set()

        return flask.Response(pieces())

    async def main() -> None:
        async with server.test_client().request("/") as connection:
            await connection.send_complete()
            assert await connection.receive() == b"first"
            await asyncio.to_thread(reached.wait, 10)
            await connection.disconnect()
            assert not closed.is_set()
            proceed.set()
        assert await asyncio.to_thread(closed.wait, 10)

    run(main)


@both
def test_files_are_sent_with_ranges_and_closed(kind: Any) -> None:
    server = compat_server()
    files: list[io.BytesIO] = []
    finished = []

    def view() -> Any:
        files.append(io.BytesIO(b"0123456789" * 100_000))
        response = flask.send_file(files[-1], mimetype="text/plain", conditional=True, etag="cake")
        response.call_on_close(lambda: finished.append(flask.request.path))
        return response

    server.add_url_rule("/file", "view", kind(view))

    async def main() -> None:
        client = server.test_client()
        whole = await client.get("/file")
        assert (len(await whole.get_data()), whole.headers["Content-Length"]) == (1_000_000, "1000000")
        part = await client.get("/file", headers={"Range": "bytes=5-8"})
        assert (part.status_code, await text_of(part)) == (206, "5678")
        unchanged = await client.get("/file", headers={"If-None-Match": '"cake"'})
        assert (unchanged.status_code, await text_of(unchanged)) == (304, "")

    run(main)
    assert [file.closed for file in files] == [True] * 3
    assert finished == ["/file"] * 3


def test_asynchronous_streams_of_quarts_have_flasks_request_with_quarts_stream_with_context() -> None:
    server = compat_server()

    @server.post("/kept")
    async def kept() -> Any:
        @quart.stream_with_context
        async def pieces() -> Any:
            yield f"{flask.request.path} {flask.request.form['name']} {quart.request.path} {sorted(flask.session)}"

        flask.session["a"] = (await quart.request.form)["name"]
        return pieces()

    @server.get("/outside")
    async def outside() -> Any:
        async def pieces() -> Any:
            yield str(flask.has_request_context())

        return pieces()

    async def main() -> None:
        client = server.test_client()
        file = quart.datastructures.FileStorage(io.BytesIO(b"cake"), filename="cake.txt")
        assert (
            await text_of(await client.post("/kept", form={"name": "ann"}, files={"file": file}))
            == "/kept ann /kept ['a']"
        )
        assert await text_of(await client.get("/outside")) == "False"

    run(main)
