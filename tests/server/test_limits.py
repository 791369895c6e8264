"""The size of bodies, and clients that go away."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

import pytest
from quart import Quart, request
from werkzeug.exceptions import RequestEntityTooLarge

from flash import Input, Output, html
from flash.server.guards import PatientBody

from ..apps import body, flash_app, run, serving

OUT, IN = Output("out", "children"), Input("in", "children")


def sized_app(**options: Any) -> Any:
    app = flash_app(**options)
    app.layout = html.Div()
    app.callback(OUT, IN)(len)
    return app


async def send(client: Any, length: int, **headers: str) -> Any:
    data = json.dumps(body("out.children", {"in.children": "x" * length})).encode()
    if headers.get("Content-Encoding") == "gzip":
        data = gzip.compress(data)
    return await client.post(
        "/_dash-update-component", data=data, headers={"Content-Type": "application/json", **headers}
    )


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_body_up_to_the_limit_is_taken_and_a_larger_one_refused(
    encoding: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = sized_app(max_content_length=100_000)

    async def main() -> Any:
        async with serving(app) as client:
            headers = {"Content-Encoding": encoding}
            taken, refused = await send(client, 99_000, **headers), await send(client, 100_000, **headers)
            return taken.status_code, refused.status_code, await refused.get_json()

    taken, refused, reason = run(main)
    assert (taken, refused) == (200, 413)
    assert "larger than the 100000 bytes" in reason["error"]
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_limit_of_the_servers_own_counts() -> None:
    server = Quart("limited")
    server.config["MAX_CONTENT_LENGTH"] = 1000
    app = sized_app(server=server)

    async def main() -> Any:
        async with serving(app) as client:
            return (await send(client, 2000)).status_code

    assert run(main) == 413
    assert flash_app(max_content_length=None).server.config["MAX_CONTENT_LENGTH"] == 16 * 1024 * 1024
    assert flash_app().server.config["MAX_CONTENT_LENGTH"] == 64 * 1024 * 1024
    # Four times the body, four times the time for it.
    assert flash_app().server.config["BODY_TIMEOUT"] == 240


def test_what_is_not_gzip_is_refused() -> None:
    app = sized_app()

    async def main() -> Any:
        async with serving(app) as client:
            headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
            return (await client.post("/_dash-update-component", data=b"not gzip", headers=headers)).status_code

    assert run(main) == 400


def test_a_large_body_is_read_to_its_end_before_it_is_refused() -> None:
    async def main() -> None:
        refused = PatientBody(expected_content_length=None, max_content_length=10)
        reading = asyncio.ensure_future(_read(refused))
        for _ in range(3):
            refused.append(b"x" * 8)
            await asyncio.sleep(0)
            assert not reading.done()
        refused.set_complete()
        with pytest.raises(RequestEntityTooLarge):
            await reading

    run(main)


def test_a_body_without_end_is_not_read_for_ever() -> None:
    async def main() -> None:
        endless = PatientBody(expected_content_length=10**12, max_content_length=10)
        reading = asyncio.ensure_future(_read(endless))
        for _ in range(11):
            endless.append(b"x" * 8)
        with pytest.raises(RequestEntityTooLarge):
            await reading
        assert not endless._chunks

    run(main)


async def _read(source: PatientBody) -> bytes:
    return await source


def test_a_body_can_be_streamed() -> None:
    server = Quart("streamed")
    flash_app(server=server, url_base_pathname="/dash/").layout = html.Div()

    @server.post("/upload")
    async def upload() -> str:
        return str([len(chunk) async for chunk in request.body])

    async def main() -> Any:
        client = server.test_client()
        return await (await client.post("/upload", data=b"x" * 5)).get_data(as_text=True)

    assert run(main) == "[5]"


def test_a_client_that_goes_away_cancels_its_async_callback() -> None:
    app = flash_app()
    app.layout = html.Div()

    async def main() -> None:
        began, cancelled, left = asyncio.Event(), asyncio.Event(), asyncio.Event()

        @app.callback(OUT, IN)
        async def wait(_: Any) -> None:
            began.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.set()
                raise

        sent = json.dumps(body("out.children", {"in.children": 1})).encode()
        messages = [{"type": "http.request", "body": sent, "more_body": False}]

        async def receive() -> Any:
            if messages:
                return messages.pop()
            await left.wait()
            return {"type": "http.disconnect"}

        async def send_nothing(_: Any) -> None: ...

        async with serving(app):
            scope = {
                "type": "http",
                "http_version": "1.1",
                "method": "POST",
                "scheme": "http",
                "path": "/_dash-update-component",
                "query_string": b"",
                "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")],
                "client": ("127.0.0.1", 1),
                "server": ("127.0.0.1", 2),
            }
            serve = asyncio.create_task(app(scope, receive, send_nothing))
            await began.wait()
            left.set()
            await cancelled.wait()
            await serve

    run(main)
