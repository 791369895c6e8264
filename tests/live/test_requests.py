"""Callback requests over the live connection: run once, answered once, with all that a callback may know."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from typing import Any

import pytest
import quart
from dash.exceptions import PreventUpdate

from flash import Input, Output, ctx, hooks, set_props

from ..apps import body, html, run
from ..test_gaps import hooked
from .asgi import callback, eventually, in_process, live_app
from .tab import Tab, tab_of


def test_a_request_that_comes_again_runs_once() -> None:
    async def main() -> None:
        app, runs = live_app(), []

        @callback(app)
        async def count(value: Any) -> int:
            runs.append(value)
            return len(runs)

        async with in_process(app) as site, tab_of(site) as tab:
            request = await tab.request("out.children", {"in.value": "a"})
            for _ in range(3):
                await tab.send(request.message)
            await tab.until(lambda: request.done)
            await tab.send(request.message)
            assert await tab.call("out.children", {"in.value": "b"}) == 2
            assert runs == ["a", "b"] and len(request.answers) == 1

    run(main)


def test_a_request_is_acknowledged_before_its_function_runs() -> None:
    async def main() -> None:
        app, go_on = live_app(), asyncio.Event()

        @callback(app)
        async def wait(value: Any) -> int:
            await go_on.wait()
            return 1

        async with in_process(app) as site, tab_of(site) as tab:
            request = await tab.request("out.children", {"in.value": 1})
            await tab.until(lambda: request.acknowledged)
            assert not request.done
            go_on.set()
            await tab.until(lambda: request.done)

    run(main)


def test_a_request_whose_link_is_cut_before_its_acknowledgement_runs_once() -> None:
    async def main() -> None:
        app, runs = live_app(), []

        @callback(app)
        async def count(value: Any) -> int:
            runs.append(value)
            return len(runs)

        async with in_process(app) as site, tab_of(site) as tab:
            for number in range(10):
                request = await tab.request("out.children", {"in.value": number})
                await tab.cut()
                assert (await tab.resume())["recovered"] is True
                await tab.until(lambda request=request: request.done)
                assert len(request.answers) == 1
            assert runs == list(range(10))

    run(main)


def test_a_request_whose_link_is_cut_before_its_answer_runs_once() -> None:
    async def main() -> None:
        app, runs, go_on = live_app(), [], asyncio.Event()

        @callback(app)
        async def count(value: Any) -> int:
            runs.append(value)
            await go_on.wait()
            return value

        async with in_process(app) as site, tab_of(site) as tab:
            request = await tab.request("out.children", {"in.value": 7})
            await tab.until(lambda: request.acknowledged)
            await tab.cut()
            await tab.resume()
            await tab.send(request.message)
            await tab.cut()
            go_on.set()
            await tab.resume()
            await tab.until(lambda: request.done)
            assert runs == [7] and len(request.answers) == 1

    run(main)


def test_more_requests_than_may_run_are_answered_with_an_error() -> None:
    async def main() -> None:
        app, go_on = live_app(requests=3), asyncio.Event()

        @callback(app)
        async def wait(value: Any) -> Any:
            await go_on.wait()
            return value

        async with in_process(app) as site, tab_of(site) as tab:
            requests = [await tab.request("out.children", {"in.value": number}) for number in range(5)]
            await tab.until(lambda: all(request.done for request in requests[3:]))
            assert [request.status for request in requests] == ["open"] * 3 + ["error"] * 2
            assert "Too many callbacks" in requests[4].answers[0]["message"]
            go_on.set()
            await tab.until(lambda: all(request.done for request in requests))
            assert await tab.call("out.children", {"in.value": 9}) == 9

    run(main)


def test_what_cannot_be_answered_fails_alone() -> None:
    async def main() -> None:
        app, go_on = live_app(), asyncio.Event()
        app.callback(Output("plain", "title"), Input("in", "value"))(lambda value: value)  # Not websocket=True.

        @callback(app)
        async def wait(value: Any) -> Any:
            await go_on.wait()
            return value

        async with in_process(app) as site, tab_of(site) as tab:
            running = await tab.request("out.children", {"in.value": 1})
            wrong = [
                await tab.request("no.such", {"in.value": 1}),
                await tab.request("plain.title", {"in.value": 1}),
                await tab.request("echo.children", {}),
                await tab.request_payload({}),
                await tab.request_payload({"output": 3}),
                await tab.request_payload({"output": ["echo.children"]}),
                await tab.request_payload({**body("echo.children"), "inputs": 3}),
                await tab.request_payload({**body("echo.children"), "inputs": [3]}),
                await tab.request_payload({**body("echo.children", {"in.value": 1}), "changedPropIds": 5}),
                await tab.request_payload({**body("echo.children", {"in.value": 1}), "outputs": []}),
            ]
            for request in wrong:
                await tab.until(lambda request=request: request.done)
                assert request.status == "error" and len(request.answers) == 1, request
                assert "Traceback" not in str(request.answers) and "Error(" not in str(request.answers)
            go_on.set()
            await tab.until(lambda: running.done)
            assert running.status == "ok" and tab.connected and not tab.errors

    run(main)


@pytest.mark.parametrize("kind", ["async", "plain"])
def test_an_error_is_told_by_its_id_alone(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> str:
        app = live_app()

        def fail(value: Any) -> None:
            raise RuntimeError("postgres://admin:secret@db")

        async def fail_later(value: Any) -> None:
            fail(value)

        callback(app)(fail if kind == "plain" else fail_later)
        async with in_process(app) as site, tab_of(site) as tab:
            request = await tab.request("out.children", {"in.value": 1})
            await tab.until(lambda: request.done)
            assert request.status == "error" and "secret" not in str(request.answers)
            return request.answers[0]["message"].rsplit(" ", 1)[1]

    error_id = run(main)
    assert f"Error id: {error_id}" in caplog.text and "admin:secret" in caplog.text


def test_while_debugging_an_error_is_told() -> None:
    async def main() -> None:
        app = live_app()
        app.enable_dev_tools(debug=True, dev_tools_hot_reload=False)

        @callback(app)
        async def fail(value: Any) -> None:
            raise RuntimeError("the reason")

        async with in_process(app) as site, tab_of(site) as tab:
            request = await tab.request("out.children", {"in.value": 1})
            await tab.until(lambda: request.done)
            assert "RuntimeError: the reason" in request.answers[0]["message"]

    run(main)


def test_a_function_whose_own_task_was_cancelled_is_answered() -> None:
    async def main() -> None:
        app = live_app()

        @callback(app)
        async def fail(value: Any) -> None:
            task = asyncio.create_task(asyncio.sleep(60))
            task.cancel()
            await task

        async with in_process(app) as site, tab_of(site) as tab:
            request = await tab.request("out.children", {"in.value": 1})
            await tab.until(lambda: request.done)
            assert request.status == "error"

    run(main)


@pytest.mark.parametrize("kind", ["async", "plain"])
def test_prevent_update_is_its_own_answer(kind: str) -> None:
    async def main() -> None:
        app = live_app()

        def prevent(value: Any) -> None:
            raise PreventUpdate

        async def prevent_later(value: Any) -> None:
            raise PreventUpdate

        callback(app)(prevent if kind == "plain" else prevent_later)
        async with in_process(app) as site, tab_of(site) as tab:
            request = await tab.request("out.children", {"in.value": 1})
            await tab.until(lambda: request.done)
            assert request.answers == [{"status": "prevent_update"}]

    run(main)


@pytest.mark.parametrize("kind", ["async", "plain"])
def test_a_callback_knows_who_asks(kind: str) -> None:
    async def main() -> None:
        app = live_app({"identify": lambda request: "ann"})

        def who(value: Any) -> Any:
            return {
                "cookies": dict(ctx.cookies),
                "agent": ctx.headers.get("User-Agent"),
                "args": dict(ctx.args),
                "path": ctx.path,
                "remote": ctx.remote,
                "origin": ctx.origin,
                "client": ctx.client.id,
                "user": ctx.client.user,
                "live": ctx.client.live,
                "websocket": ctx.websocket is not None,
                "triggered": ctx.triggered_id,
                "quart": quart.websocket.cookies.get("a"),
            }

        async def who_later(value: Any) -> Any:
            return who(value)

        callback(app)(who if kind == "plain" else who_later)
        headers = {"Cookie": "a=1; b=2", "User-Agent": "Test/1"}
        async with in_process(app, headers=headers) as site, tab_of(site, path="/page?x=1&y=2") as tab:
            assert await tab.call("out.children", {"in.value": 1}) == {
                "cookies": {"a": "1", "b": "2"},
                "agent": "Test/1",
                "args": {"x": "1", "y": "2"},
                "path": "/page?x=1&y=2",
                "remote": "127.0.0.1",
                "origin": "http://localhost",
                "client": tab.client,
                "user": "ann",
                "live": True,
                "websocket": True,
                "triggered": "in",
                "quart": "1",
            }

    run(main)


async def page_token(site: Any) -> str:
    """The token of a new page, as its configuration has it."""
    index = (await site.get(""))[1].decode()
    return index.split('"end_id":')[1].split('"')[1]


async def asked_over_http(site: Any, token: str | None, renderer: str | None = None) -> Any:
    """What ``out.children`` says over HTTP."""
    path = "/_dash-update-component" + (f"?endId={token}" if token else "")
    headers = {**site.headers, **({"Flash-Renderer": renderer} if renderer else {})}
    client = site.app.server.test_client()
    response = await client.post(path, json=body("out.children", {"in.value": 1}), headers=headers)
    return (await response.get_json(force=True))["response"]["out"]["children"]


def test_over_http_the_page_is_known_by_its_token() -> None:
    async def main() -> None:
        app = live_app()

        @callback(app)
        async def who(value: Any) -> Any:
            return [ctx.client.id, ctx.client.live, ctx.client.address]

        async with in_process(app) as site:
            token = await page_token(site)
            async with tab_of(site, end_id=token) as tab:
                assert await asked_over_http(site, token) == [tab.client, True, "127.0.0.1"]
                for other in (None, "forged", await page_token(site)):
                    client_id, live, _ = await asked_over_http(site, other)
                    assert client_id != tab.client and live is False
                # A duplicated tab has the same page, and a renderer of its own.
                async with tab_of(site, end_id=token) as twin:
                    assert (await asked_over_http(site, token, tab.renderer_id))[0] == tab.client
                    assert (await asked_over_http(site, token, twin.renderer_id))[0] == twin.client
                    assert (await asked_over_http(site, token))[1] is False

    run(main)


def test_the_client_of_one_http_request_has_a_user() -> None:
    async def main() -> None:
        app = live_app({"identify": lambda request: request.headers.get("X-User")})

        @callback(app)
        async def who(value: Any) -> Any:
            return [ctx.client.user, ctx.client.live]

        async with in_process(app, headers={"X-User": "ann"}) as site:
            assert await asked_over_http(site, None) == ["ann", False]

    run(main)


def test_custom_data_hooks_can_read_the_websocket() -> None:
    async def main() -> None:
        with hooked():

            @hooks.custom_data("team")
            def team(context: Any) -> Any:
                return quart.websocket.headers["X-Team"]

            app = live_app()

            @callback(app)
            async def show(value: Any) -> Any:
                return ctx.custom_data.team

            async with in_process(app, headers={"X-Team": "blue"}) as site, tab_of(site) as tab:
                assert await tab.call("out.children", {"in.value": 1}) == "blue"

    run(main)


@pytest.mark.parametrize("kind", ["async", "plain"])
def test_set_props_arrives_while_the_callback_runs(kind: str) -> None:
    async def main() -> None:
        app, go_on = live_app(), threading.Event()

        def work(value: Any) -> str:
            set_props("plain", {"children": "half", "title": "t"})
            ctx.websocket.set_prop_sync("echo", "children", html.B("bold"))
            assert go_on.wait(20)
            return "done"

        async def work_later(value: Any) -> str:
            set_props("plain", {"children": "half", "title": "t"})
            await ctx.websocket.set_prop("echo", "children", html.B("bold"))
            await asyncio.to_thread(go_on.wait, 20)
            return "done"

        callback(app)(work if kind == "plain" else work_later)
        async with in_process(app) as site, tab_of(site) as tab:
            request = await tab.request("out.children", {"in.value": 1})
            await tab.until(lambda: tab.value("echo.children"))
            assert tab.value("plain.children") == "half" and tab.value("plain.title") == "t" and not request.done
            go_on.set()
            await tab.until(lambda: request.done)
            assert tab.value("out.children") == "done"

    run(main)


@pytest.mark.parametrize("kind", ["async", "plain"])
def test_get_prop_asks_the_page(kind: str) -> None:
    async def main() -> None:
        app = live_app()

        async def ask(value: Any) -> Any:
            return await ctx.websocket.get_prop("in", "value")

        def ask_plainly(value: Any) -> Any:
            return asyncio.run(ctx.websocket.get_prop("in", "value"))

        callback(app)(ask if kind == "async" else ask_plainly)
        async with in_process(app) as site, tab_of(site) as tab:
            tab.values["in", "value"] = {"from": "page"}
            assert await tab.call("out.children", {"in.value": 1}) == {"from": "page"}

    run(main)


def test_get_prop_ends_in_time_and_with_its_page() -> None:
    async def main() -> None:
        app, raised = live_app(), []

        @callback(app)
        async def ask(seconds: float) -> str:
            try:
                await ctx.websocket.get_prop("in", "value", timeout=seconds)
            except Exception as error:
                raised.append(type(error).__name__)
                raise PreventUpdate from error
            return "answered"

        async with in_process(app) as site, tab_of(site) as tab:

            async def ignore(message: Any) -> None:
                pass

            tab._take_get_props_request = ignore  # type: ignore[method-assign]
            request = await tab.request("out.children", {"in.value": 0.05})
            await tab.until(lambda: request.done)
            assert raised == ["TimeoutError"]

    run(main)


def test_plain_callbacks_run_in_the_apps_pool() -> None:
    async def main() -> None:
        app, together = live_app(), threading.Barrier(12)

        @callback(app)
        def meet(value: Any) -> str:
            together.wait(20)
            return threading.current_thread().name

        async with in_process(app) as site, tab_of(site) as one, tab_of(site) as other:
            requests = [await tab.request("out.children", {"in.value": 1}) for tab in (one, other) for _ in range(6)]
            for request in requests:
                await one.until(lambda request=request: request.done)
                assert request.response["out"]["children"].startswith("flash-callback")

    run(main)


TENANT: contextvars.ContextVar[str] = contextvars.ContextVar("tenant", default="nobody")


@pytest.mark.parametrize("kind", ["async", "plain"])
def test_context_variables_of_middleware_are_seen(kind: str) -> None:
    async def main() -> None:
        app = live_app()
        inner = app.server.asgi_app

        async def middleware(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "websocket":
                TENANT.set("acme")
            await inner(scope, receive, send)

        app.server.asgi_app = middleware  # type: ignore[method-assign]

        async def tenant(value: Any) -> str:
            return TENANT.get()

        callback(app)(tenant if kind == "async" else lambda value: TENANT.get())
        async with in_process(app) as site, tab_of(site) as tab:
            assert await tab.call("out.children", {"in.value": 1}) == "acme"

    run(main)


@pytest.mark.parametrize("kind", ["async", "plain"])
def test_context_variables_of_guards_are_seen(kind: str) -> None:
    """As over HTTP: a guard says whose data a callback shows."""

    async def main() -> None:
        app = live_app()

        async def guard() -> None:
            TENANT.set("acme")

        def guard_plainly() -> None:
            TENANT.set("acme")

        app.server.before_request(guard if kind == "async" else guard_plainly)

        @callback(app)
        async def tenant(value: Any) -> str:
            return TENANT.get()

        async with in_process(app) as site, tab_of(site) as tab:
            assert await tab.call("out.children", {"in.value": 1}) == "acme"
        assert TENANT.get() == "nobody"

    run(main)


def test_a_callback_is_cancelled_when_its_client_is_gone_and_not_when_it_is_away() -> None:
    async def main() -> None:
        app, events = live_app(), []

        @callback(app)
        async def wait(value: Any) -> None:
            events.append("began")
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                events.append("cleaned up")

        async with in_process(app) as site:
            tab = await Tab(site).open()
            (client,) = app.clients
            await tab.request("out.children", {"in.value": 1})
            await eventually(lambda: events)
            await tab.cut()
            await eventually(lambda: client.away)
            assert len(client._connection.requests) == 1
            await tab.resume()
            assert events == ["began"]
            await tab.leave()
            await eventually(lambda: events == ["began", "cleaned up"])
            await eventually(lambda: len(client._connection.requests) == 0)

    run(main)


def test_nothing_runs_for_a_page_that_has_said_bye() -> None:
    async def main() -> None:
        app, runs = live_app(), []
        callback(app)(lambda value: runs.append(value))
        async with in_process(app) as site:
            tab = await Tab(site).open()
            request = {"type": "callback_request", "requestId": "r", "payload": body("out.children", {"in.value": 1})}
            await tab.send({"type": "bye"}, request)
            await tab.until(lambda: not tab.connected)
            async with tab_of(site) as other:
                assert await other.call("plain.children", {"in.value": 1}) == 1
            assert runs == []

    run(main)


def test_a_persistent_callback_runs_as_long_as_its_page() -> None:
    async def main() -> None:
        app, ended = live_app(), []

        @app.callback(websocket=True, persistent=True)
        async def tick() -> None:
            try:
                for number in range(10**6):
                    set_props("out", {"children": number})
                    await asyncio.sleep(0.005)
            finally:
                ended.append(True)

        async with in_process(app) as site:
            tab = await Tab(site).open()
            (declared,) = [
                each["output"]
                for each in app.callback_list
                if each.get("persistent") and each["output"] and not each["inputs"]
            ]
            await tab.request_payload({"output": declared, "outputs": [], "inputs": [], "changedPropIds": []})
            await tab.until(lambda: (tab.value("out.children") or 0) > 3)
            await tab.cut()
            await tab.resume()
            seen = tab.value("out.children")
            await tab.until(lambda: tab.value("out.children") > seen + 3)
            assert not ended
            await tab.leave()
            await eventually(lambda: ended)

    run(main)


def test_a_callback_may_disconnect_its_own_client() -> None:
    async def main() -> None:
        app = live_app()

        @callback(app)
        async def sign_out(value: Any) -> str:
            app.disconnect(client=ctx.client)
            return "bye"

        async with in_process(app) as site:
            tab = await Tab(site).open()
            await tab.request("out.children", {"in.value": 1})
            await tab.until(lambda: not tab.connected)
            assert tab.closes == [4401] and not app.clients

    run(main)


def test_a_request_is_refused_by_one_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app) as site, tab_of(site) as tab:
            request = await tab.request("no.such\nERROR forged", {"in.value": 1})
            await tab.until(lambda: request.done)

    with caplog.at_level(logging.WARNING):
        run(main)
    assert len(caplog.records) == 1 and "\n" not in caplog.records[0].getMessage()
