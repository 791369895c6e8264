"""Setting an app up: when, how often, and what a failure leaves behind."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dash
import pytest
from quart import Quart, request
from quart.testing.app import LifespanError

from flash import Flash, Input, Output, html, page_container, register_page
from flash._dash import page_registry, running_setup

from .apps import flash_app, post, run, serving, value_of

OUT, IN = Output("out", "children"), Input("in", "children")


def test_a_layout_that_fails_at_the_start_is_tried_again_by_the_next_request(caplog: pytest.LogCaptureFixture) -> None:
    app, up = flash_app(), []
    app.callback(OUT, IN)(lambda value: value)

    async def layout() -> Any:
        if not up:
            raise ConnectionError("postgres://user:secret@host is down")
        return html.Div("up")

    app.layout = layout

    async def main() -> None:
        async with serving(app) as client:
            assert len(caplog.records) == 1 and "secret" in caplog.text
            response = await client.get("/_dash-layout")
            refused = await response.get_json()
            assert response.status_code == 503 and "secret" not in str(refused)
            assert refused["id"] in caplog.text and response.headers["Retry-After"]
            up.append(True)
            assert (await (await client.get("/_dash-layout")).get_json())["props"]["children"] == "up"
            assert await value_of(client, "out.children", {"in.children": 1}) == 1

    run(main)


def test_a_plain_layout_may_fail_when_it_is_assigned(caplog: pytest.LogCaptureFixture) -> None:
    app, up = flash_app(), []

    def layout() -> Any:
        if not up:
            raise ConnectionError("down")
        return html.Div("up")

    app.layout = layout
    assert "called again at the start" in caplog.text
    up.append(True)

    async def main() -> None:
        async with serving(app) as client:
            assert (await client.get("/_dash-layout")).status_code == 200
            assert "up" in json.dumps(app.validation_layout.to_plotly_json(), default=str)

    run(main)


def test_a_page_that_fails_leaves_the_others_alone(caplog: pytest.LogCaptureFixture) -> None:
    up: list[bool] = []

    async def layout() -> Any:
        if not up:
            raise ConnectionError("down")
        return html.Div("page")

    async def open_page(client: Any, path: str) -> Any:
        inputs = {"_pages_location.pathname": path, "_pages_location.search": ""}
        return await post(client, ".._pages_content.children..._pages_store.data..", inputs)

    with pages({"/": html.Div("home"), "/data": layout}) as app:

        async def main() -> None:
            async with serving(app) as client:
                assert "called again when its page is opened" in caplog.text
                assert (await client.get("/")).status_code == 200
                assert (await open_page(client, "/")).status_code == 200
                assert (await open_page(client, "/data")).status_code == 500
                up.append(True)
                assert (await open_page(client, "/data")).status_code == 200

        run(main)


@contextmanager
def pages(layouts: dict[str, Any]) -> Iterator[Flash]:
    """An app with these pages only."""
    known = dict(page_registry)
    page_registry.clear()
    try:
        for number, (path, layout) in enumerate(layouts.items()):
            register_page(f"tests.page_{number}", path=path.rstrip("!") or "/", layout=layout)
        app = flash_app(use_pages=True)
        app.layout = html.Div(page_container)
        yield app
    finally:
        page_registry.clear()
        page_registry.update(known)


def test_a_layout_that_reads_the_request_waits_for_the_first_one(caplog: pytest.LogCaptureFixture) -> None:
    app = flash_app()

    async def layout() -> Any:
        return html.Div(f"for {request.args.get('user', 'nobody')}")

    app.layout = layout

    async def main() -> Any:
        with caplog.at_level(logging.INFO, "flash"):
            async with serving(app) as client:
                assert [record.levelname for record in caplog.records] == ["INFO"]
                response = await client.get("/_dash-layout?user=ann")
                return (await response.get_json())["props"]["children"]

    assert run(main) == "for ann"


def test_two_pages_on_one_path_end_the_start() -> None:
    with pages({"/": html.Div(), "/!": html.Div()}) as app:

        async def main() -> None:
            with pytest.raises(LifespanError, match="modules .* have duplicate paths"):
                async with serving(app):
                    pass
            assert "duplicate paths" in str(app.backend.startup_error)

        run(main)


def test_a_duplicate_output_ends_the_start_and_leaves_nothing_half_done() -> None:
    app = flash_app()
    app.layout = html.Div()
    app.callback(OUT, IN)(lambda value: value)
    dash.callback(OUT, IN)(lambda value: value)
    try:
        for _ in range(2):
            with pytest.raises(LifespanError, match="already assigned"):
                run(lambda: _started(app))
    finally:
        dash._callback.GLOBAL_CALLBACK_MAP.clear()
        dash._callback.GLOBAL_CALLBACK_LIST.clear()
    assert len(app.callback_map) == 1
    run(lambda: _started(app))


async def _started(app: Any) -> None:
    async with serving(app):
        pass


def test_set_up_comes_after_the_servers_own_start() -> None:
    app = flash_app()

    async def layout() -> Any:
        return html.Div(app.database)

    app.layout = layout

    @app.server.before_serving
    async def connect() -> None:
        app.database = "connected"

    @app.server.while_serving
    async def pool() -> Any:
        app.database += " and pooled"
        yield

    async def main() -> Any:
        async with serving(app) as client:
            return (await (await client.get("/_dash-layout")).get_json())["props"]["children"]

    assert run(main) == "connected and pooled"


def test_what_the_servers_own_start_raises_is_the_startup_error() -> None:
    app = flash_app()
    app.layout = html.Div()

    @app.server.before_serving
    async def connect() -> None:
        raise ConnectionError("no database")

    with pytest.raises(LifespanError, match="no database"):
        run(lambda: _started(app))
    assert isinstance(app.backend.startup_error, ConnectionError)


def test_a_client_that_goes_away_does_not_stop_the_set_up() -> None:
    app = flash_app()
    of_setup: list[bool] = []

    async def main() -> None:
        begun, arrived = asyncio.Event(), asyncio.Event()

        async def layout() -> Any:
            of_setup.append(running_setup.get())
            begun.set()
            await arrived.wait()
            return html.Div("there")

        app.layout = layout
        client = app.server.test_client()
        first = asyncio.create_task(client.get("/_dash-layout"))
        await begun.wait()
        second = asyncio.create_task(client.get("/_dash-layout"))
        await asyncio.sleep(0)
        first.cancel()
        arrived.set()
        assert (await second).status_code == 200
        assert sum(of_setup) == 1

    run(main)


def test_an_app_can_be_served_again() -> None:
    app = flash_app()
    app.layout = html.Div()
    app.callback(OUT, IN)(lambda value: value)

    async def main() -> Any:
        async with serving(app) as client:
            return await value_of(client, "out.children", {"in.children": 1})

    assert [run(main), run(main)] == [1, 1]


def test_an_app_can_be_attached_to_a_server_later() -> None:
    server = Quart("later")
    app = Flash("attached", server=False)
    app.layout = html.Div()
    app.callback(OUT, IN)(lambda value: value)
    app.init_app(server)

    async def main() -> Any:
        async with server.test_app() as started:
            return (await post(started.test_client(), "out.children", {"in.children": 1})).status_code

    assert run(main) == 200 and app.server is server
    with pytest.raises(Exception, match=r"init_app takes a quart\.Quart"):
        Flash("attached", server=False).init_app(object())  # type: ignore[arg-type]


def test_the_app_is_an_asgi_application_without_a_lifespan() -> None:
    app = flash_app()
    app.layout = html.Div()
    sent: list[Any] = []

    messages = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Any:
        return messages.pop() if messages else await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/_dash-layout",
        "raw_path": b"/_dash-layout",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
        "extensions": {},
    }
    run(lambda: app(scope, receive, send))
    assert sent[0]["status"] == 200
    assert asyncio.iscoroutinefunction(type(app).__call__)


def test_a_setting_may_be_changed_after_the_app_got_its_server() -> None:
    """As Dash allows it: ``init_app`` is called again for its arguments."""
    app = Flash("changed")
    app.layout = html.Div("hello")
    app.init_app(requests_pathname_prefix="/below/")

    async def main() -> str:
        async with app.server.test_app() as started:
            answer = await started.test_client().get("/")
            return str(await answer.get_data(as_text=True)).replace("\\u002f", "/")

    assert '"requests_pathname_prefix":"/below/"' in run(main)
