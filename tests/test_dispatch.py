"""Running callbacks: arguments, context, outputs, errors, whoever calls."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
import json
import logging
import re
import sys
import threading
import weakref
from typing import Any

import dash
import flask
import numpy as np
import pytest
from quart import Quart

from flash import ALL, MATCH, Flash, Input, Output, Patch, State, callback, ctx, dcc, html, no_update, set_props
from flash.exceptions import PreventUpdate

from .apps import body, flash_app, post, run, serving, value_of

OUT, IN = Output("out", "children"), Input("in", "children")


def both(function: Any) -> Any:
    """Run a test with plain and with asynchronous callbacks."""
    return pytest.mark.parametrize("asynchronous", [False, True], ids=["plain", "async"])(function)


def declared(app: Any, func: Any, asynchronous: bool, *dependencies: Any, **options: Any) -> None:
    """Declare ``func`` as a callback, as it is or as an asynchronous function."""

    @functools.wraps(func)
    async def awaited(*args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(0)
        return func(*args, **kwargs)

    app.callback(*dependencies, **options)(awaited if asynchronous else func)


async def answer(app: Any, *args: Any, **kwargs: Any) -> Any:
    """The JSON answer, or the status when there is none."""
    app.layout = app.layout or html.Div()
    async with serving(app) as client:
        response = await post(client, *args, **kwargs)
        return await response.get_json(force=True) if response.status_code == 200 else response.status_code


@both
def test_inputs_states_and_groupings(asynchronous: bool) -> None:
    app = flash_app()
    declared(
        app,
        lambda first, second: {"a": first, "b": second},
        asynchronous,
        output={"a": Output("a", "x"), "b": Output("b", "x")},
        inputs={"first": Input("in", "x")},
        state={"second": State("state", "x")},
    )
    got = run(lambda: answer(app, "..a.x...b.x..", {"in.x": 1}, {"state.x": 2}))
    assert got == {"multi": True, "response": {"a": {"x": 1}, "b": {"x": 2}}}


@both
def test_the_context_is_whole(asynchronous: bool) -> None:
    app = flash_app()

    def show(_: Any) -> dict[str, Any]:
        return {
            "triggered": ctx.triggered_id,
            "inputs": ctx.inputs,
            "states": ctx.states,
            "outputs": ctx.outputs_list,
            "cookies": ctx.cookies,
            "header": ctx.headers["X-Test"],
            "path": ctx.path,
            "args": ctx.args.get("q"),
            "remote": ctx.remote,
            "origin": ctx.origin,
            "app": dash.get_app() is app,
        }

    declared(app, lambda value: json.dumps(show(value)), asynchronous, OUT, IN)
    app.layout = html.Div()

    async def main() -> Any:
        async with serving(app) as client:
            client.set_cookie("localhost", "who", "ann")
            response = await client.post(
                "/_dash-update-component?q=7",
                json=body("out.children", {"in.children": 3}),
                headers={"X-Test": "yes", "Origin": "http://localhost"},
            )
            return json.loads((await response.get_json(force=True))["response"]["out"]["children"])

    assert run(main) == {
        "triggered": "in",
        "inputs": {"in.children": 3},
        "states": {},
        "outputs": {"id": "out", "property": "children"},
        "cookies": {"who": "ann"},
        "header": "yes",
        "path": "/_dash-update-component?q=7",
        "args": "7",
        "remote": "<local>",
        "origin": "http://localhost",
        "app": True,
    }


@both
def test_set_props_response_headers_and_cookies(asynchronous: bool) -> None:
    app = flash_app()

    def change(_: Any) -> str:
        set_props("other", {"title": "new"})
        ctx.response.set_cookie("seen", "1")
        ctx.response.set_header("X-Flash", "yes")
        return "done"

    declared(app, change, asynchronous, OUT, IN)
    app.layout = html.Div()

    async def main() -> Any:
        async with serving(app) as client:
            response = await post(client, "out.children", {"in.children": 1})
            return await response.get_json(force=True), response.headers

    got, headers = run(main)
    assert got["sideUpdate"] == {"other": {"title": "new"}}
    assert headers["X-Flash"] == "yes" and headers["Set-Cookie"].startswith("seen=1")


@both
def test_no_update_and_prevent_update(asynchronous: bool) -> None:
    app = flash_app()
    declared(app, lambda _: [no_update, 2], asynchronous, [Output("a", "x"), Output("b", "x")], IN)

    def prevent(_: Any) -> None:
        raise PreventUpdate

    declared(app, prevent, asynchronous, OUT, IN)
    assert run(lambda: answer(app, "..a.x...b.x..", {"in.children": 1}))["response"] == {"b": {"x": 2}}
    assert run(lambda: answer(app, "out.children", {"in.children": 1})) == 204


@both
def test_components_figures_and_patches(asynchronous: bool) -> None:
    app = flash_app()

    def build(_: Any) -> Any:
        patch = Patch()
        patch["data"][0]["y"].append(3)
        return html.Div(dcc.Graph(figure={"data": [{"y": (1, 2)}]})), patch

    declared(app, build, asynchronous, [OUT, Output("graph", "figure")], IN)
    got = run(lambda: answer(app, "..out.children...graph.figure..", {"in.children": 1}))["response"]
    assert got["out"]["children"]["props"]["children"]["props"]["figure"] == {"data": [{"y": [1, 2]}]}
    assert got["graph"]["figure"]["operations"][0]["operation"] == "Append"


def test_pattern_matching_ids() -> None:
    app = flash_app()
    app.callback(Output({"kind": "out", "n": MATCH}, "x"), Input({"kind": "in", "n": ALL}, "x"))(sum)
    request = {
        "output": '{"kind":"out","n":["MATCH"]}.x',
        "outputs": {"id": {"kind": "out", "n": 1}, "property": "x"},
        "inputs": [[{"id": {"kind": "in", "n": n}, "property": "x", "value": n} for n in (1, 2)]],
        "changedPropIds": ['{"kind":"in","n":1}.x'],
    }
    app.layout = html.Div()

    async def main() -> Any:
        async with serving(app) as client:
            return await (await client.post("/_dash-update-component", json=request)).get_json(force=True)

    assert run(main)["response"] == {'{"kind":"out","n":1}': {"x": 3}}


def test_callbacks_of_dash_callback_and_of_libraries_are_served() -> None:
    app = flash_app()

    @callback(OUT, IN)
    async def show(value: Any) -> Any:
        return f"global {value}"

    assert run(lambda: answer(app, "out.children", {"in.children": 1}))["response"]["out"]["children"] == "global 1"


def test_a_plain_decorator_around_an_async_function() -> None:
    app = flash_app()

    async def slow(value: Any) -> str:
        await asyncio.sleep(0)
        return f"awaited {value}"

    app.callback(OUT, IN)(lambda value: slow(value))
    assert run(lambda: answer(app, "out.children", {"in.children": 1}))["response"]["out"]["children"] == "awaited 1"


def test_a_plain_decorator_keeps_what_async_functions_have() -> None:
    async def handle(error: Exception) -> str:
        return f"handled {error}"

    app = flash_app(callback_threads=1, on_error=handle)
    app.layout = html.Div()
    meeting = []

    async def slow(value: Any) -> str:
        meeting.append(value)
        while len(meeting) < 4:  # noqa: ASYNC110 - all four must run at once, in a pool of one thread
            await asyncio.sleep(0.001)
        await app.flash_pool.run(lambda: None)
        raise ValueError("late")

    app.callback(OUT, IN)(lambda value: slow(value))

    async def main() -> Any:
        async with serving(app) as client:
            return await asyncio.gather(*(value_of(client, "out.children", {"in.children": n}) for n in range(4)))

    assert run(main) == ["handled late"] * 4


def test_plain_callbacks_may_ask_for_the_layout() -> None:
    app = flash_app(callback_threads=1)
    app.layout = lambda: html.Div("the layout")
    app.callback(OUT, IN)(lambda _: app.get_layout().children)

    async def main() -> Any:
        async with serving(app) as client:
            return await asyncio.gather(*(value_of(client, "out.children", {"in.children": n}) for n in range(3)))

    assert run(main) == ["the layout"] * 3
    assert app.get_layout().children == "the layout"


@both
def test_sys_exit_ends_one_request(asynchronous: bool, caplog: pytest.LogCaptureFixture) -> None:
    app = flash_app()
    app.layout = html.Div()
    declared(app, lambda value: sys.exit(2) if value == "exit" else value, asynchronous, OUT, IN)

    async def main() -> Any:
        async with serving(app) as client:
            ended = await post(client, "out.children", {"in.children": "exit"})
            return ended.status_code, await value_of(client, "out.children", {"in.children": "on"})

    assert run(main) == (500, "on")
    assert "tried to end the program" in caplog.text


def test_a_handler_may_return_what_has_no_truth() -> None:
    app = flash_app(on_error=lambda error: np.array([1, 2]))

    @app.callback(OUT, IN)
    async def fail(_: Any) -> None:
        raise ValueError

    assert run(lambda: answer(app, "out.children", {"in.children": 1}))["response"]["out"]["children"] == [1, 2]


def test_an_app_in_debug_shows_no_errors_of_its_neighbour() -> None:
    server = Quart("shared")
    quiet, debugged = (flash_app(server=server, url_base_pathname=f"/{name}/") for name in ("quiet", "debugged"))
    debugged.enable_dev_tools(debug=True, dev_tools_hot_reload=False)

    async def fail(_: Any) -> None:
        raise ValueError("SECRET")

    for app in (quiet, debugged):
        app.layout = html.Div()
        app.callback(OUT, IN)(fail)

    async def main() -> Any:
        async with serving(quiet) as client:
            return [
                await (await post(client, "out.children", {"in.children": 1}, prefix=f"/{name}/")).get_data(
                    as_text=True
                )
                for name in ("quiet", "debugged")
            ]

    of_quiet, of_debugged = run(main)
    assert "SECRET" not in of_quiet and json.loads(of_quiet)["id"]
    assert "SECRET" in of_debugged


@pytest.mark.parametrize("where", ["guard", "set-up"])
def test_errors_of_guards_and_of_set_up_have_ids_too(where: str, caplog: pytest.LogCaptureFixture) -> None:
    app = flash_app()
    app.layout = html.Div([html.Div(id="twice")] * (2 if where == "set-up" else 1))

    @app.server.before_request
    def guard() -> None:
        if where == "guard":
            raise ValueError("SECRET")

    async def main() -> Any:
        response = await app.server.test_client().get("/_dash-layout")
        return response.status_code, await response.get_json()

    status, told = run(main)
    assert status == 500 and told["id"] in caplog.text


@pytest.mark.parametrize("before", [True, False])
def test_a_500_page_of_the_users_stays(before: bool) -> None:
    server = Quart("own page")

    async def own_page(error: Exception) -> tuple[str, int]:
        return "my page", 500

    if before:
        server.register_error_handler(500, own_page)
    app = flash_app(server=server)
    if not before:
        server.register_error_handler(500, own_page)
    app.layout = html.Div()
    app.callback(OUT, IN)(lambda _: 1 / 0)

    async def main() -> Any:
        async with serving(app) as client:
            return await (await post(client, "out.children", {"in.children": 1})).get_data(as_text=True)

    assert run(main) == "my page"


def test_apps_that_nobody_keeps_are_collected() -> None:
    def made() -> weakref.ref[Flash]:
        app = flash_app()
        app.callback(OUT, IN)(lambda _: app.title)
        run(lambda: answer(app, "out.children", {"in.children": 1}))
        return weakref.ref(app)

    gone = made()
    flash_app()  # Dash keeps the one that was made last, for get_app.
    gc.collect()
    assert gone() is None


def test_an_async_layout_that_returns_nothing_is_named() -> None:
    app = flash_app()

    async def layout() -> None: ...

    app.layout = layout
    with pytest.raises(Exception, match="The layout was `None`"):
        run(lambda: answer(app, "out.children"))


def test_context_variables_reach_plain_callbacks() -> None:
    tenant: contextvars.ContextVar[str] = contextvars.ContextVar("tenant", default="nobody")
    app = flash_app()

    @app.server.before_request
    async def guard() -> None:
        tenant.set("acme")

    app.callback(OUT, IN)(lambda _: tenant.get())
    assert run(lambda: answer(app, "out.children", {"in.children": 1}))["response"]["out"]["children"] == "acme"


def test_plain_callbacks_run_side_by_side_up_to_the_limit() -> None:
    app = flash_app(callback_threads=3)
    together, most, threads = threading.Barrier(3), [], set()

    def meet(_: Any) -> str:
        most.append(together.wait(5))
        threads.add(threading.get_ident())
        return "met"

    app.callback(OUT, IN)(meet)
    app.layout = html.Div()

    async def main() -> Any:
        async with serving(app) as client:
            await asyncio.gather(*(post(client, "out.children", {"in.children": 1}) for _ in range(6)))

    run(main)
    assert sorted(most) == [0, 0, 1, 1, 2, 2]
    assert len(threads) == 3


# Errors.


@both
def test_a_failing_callback_tells_the_browser_an_id_that_is_in_the_log(
    asynchronous: bool, caplog: pytest.LogCaptureFixture
) -> None:
    app = flash_app()

    def fail(_: Any) -> None:
        raise ValueError("postgres://user:secret@host")

    declared(app, fail, asynchronous, OUT, IN)
    app.layout = html.Div()

    async def main() -> Any:
        async with serving(app) as client:
            response = await post(client, "out.children", {"in.children": 1})
            return response.status_code, await response.get_data(as_text=True)

    with caplog.at_level(logging.ERROR):
        status, text = run(main)
    assert status == 500 and "secret" not in text and "ValueError" not in text and "Traceback" not in text
    assert json.loads(text)["id"] in caplog.text and "secret" in caplog.text
    assert len(caplog.records) == 1


def test_the_log_keeps_the_context_of_an_error(caplog: pytest.LogCaptureFixture) -> None:
    app = flash_app()

    @app.callback(OUT, IN)
    async def fail(_: Any) -> None:
        try:
            raise KeyError("first")
        except KeyError:
            raise ValueError("second")  # noqa: B904

    assert run(lambda: answer(app, "out.children", {"in.children": 1})) == 500
    assert "KeyError: 'first'" in caplog.text and "During handling of the above exception" in caplog.text


@both
def test_flask_without_the_switch_is_explained(asynchronous: bool, caplog: pytest.LogCaptureFixture) -> None:
    app = flash_app()
    declared(app, lambda _: flask.request.path, asynchronous, OUT, IN)
    assert run(lambda: answer(app, "out.children", {"in.children": 1})) == 500
    assert "Flash(__name__, flask_compat=True)" in caplog.text and "Working outside of request context" in caplog.text


def test_views_read_json_on_the_loop_and_in_threads() -> None:
    app = flash_app()
    app.layout = html.Div()

    async def on_loop() -> Any:
        return await dash.get_app().backend.request_adapter().get_json()

    def in_thread() -> Any:
        return dash.get_app().backend.request_adapter().get_json()

    for view in (on_loop, in_thread):
        app.backend.add_url_rule(f"/{view.__name__}", view, view.__name__, ["POST"])

    async def main() -> Any:
        async with serving(app) as client:
            return [
                await (await client.post(f"/{name}", json={"a": 1})).get_json() for name in ("on_loop", "in_thread")
            ]

    assert run(main) == [{"a": 1}, {"a": 1}]


def test_while_debugging_the_browser_sees_the_users_part_of_the_traceback() -> None:
    app = flash_app()
    app.enable_dev_tools(debug=True, dev_tools_hot_reload=False)

    @app.callback(OUT, IN)
    async def fail(_: Any) -> None:
        raise ValueError("shown while debugging")

    app.layout = html.Div()

    async def main() -> Any:
        async with serving(app) as client:
            response = await post(client, "out.children", {"in.children": 1})
            return response.status_code, await response.get_data(as_text=True)

    status, text = run(main)
    assert status == 500 and "shown while debugging" in text
    assert "test_dispatch.py" in text and "dispatch.py (line" not in text.replace("test_dispatch.py", "")


@both
@pytest.mark.parametrize("handler_is_async", [False, True])
@pytest.mark.parametrize("where", ["app", "callback"])
def test_on_error_gives_the_outputs(asynchronous: bool, handler_is_async: bool, where: str) -> None:
    def handle(error: Exception) -> str:
        set_props("log", {"children": "told"})
        return f"{error} at {ctx.triggered_id}"

    async def handle_later(error: Exception) -> str:
        return handle(error)

    handler = handle_later if handler_is_async else handle
    app = flash_app(on_error=handler if where == "app" else None)

    def fail(_: Any) -> None:
        raise ValueError("failed")

    declared(app, fail, asynchronous, OUT, IN, **({"on_error": handler} if where == "callback" else {}))
    got = run(lambda: answer(app, "out.children", {"in.children": 1}))
    assert got["response"]["out"]["children"] == "failed at in"
    assert got["sideUpdate"] == {"log": {"children": "told"}}


@both
def test_on_error_that_returns_nothing_updates_nothing(asynchronous: bool) -> None:
    app = flash_app(on_error=lambda error: None)

    def fail(*_: Any) -> None:
        raise ValueError

    declared(app, fail, asynchronous, OUT, IN)
    declared(app, fail, asynchronous, Input("in", "children"))
    assert run(lambda: answer(app, "out.children", {"in.children": 1})) == {"multi": True, "response": {}}


def test_users_error_handlers_of_the_server_still_decide() -> None:
    class Denied(Exception):
        pass

    app = flash_app()

    @app.server.errorhandler(Denied)
    async def denied(error: Denied) -> tuple[str, int]:
        return "denied", 403

    @app.callback(OUT, IN)
    async def fail(_: Any) -> None:
        raise Denied

    assert run(lambda: answer(app, "out.children", {"in.children": 1})) == 403


@pytest.mark.parametrize("value", [object(), {1, 2}, "too few"])
def test_what_is_no_output_is_named_in_the_error(value: Any, caplog: pytest.LogCaptureFixture) -> None:
    app = flash_app()
    app.callback([Output("a", "x"), Output("b", "x")], IN)(lambda _: value if value == "too few" else [value, 1])
    assert run(lambda: answer(app, "..a.x...b.x..", {"in.children": 1})) == 500
    assert re.search("InvalidCallbackReturnValue|SchemaTypeValidationError", caplog.text)


def test_who_can_get_one_answer_gets_the_last_value_of_a_generator() -> None:
    app = flash_app()
    app.layout = html.Div()

    @app.callback(OUT, IN)
    def stream(_: Any) -> Any:
        yield 1
        yield 2

    assert run(lambda: answer(app, "out.children", {"in.children": 1}))["response"] == {"out": {"children": 2}}


# Bad input.

BAD_BODIES: list[tuple[Any, int]] = [
    (b"", 400),
    (b"{", 400),
    (b"\xff\xfe", 400),
    (b"[" * 50_000, 400),
    (b'"text"', 400),
    (b"[]", 400),
    (b"null", 400),
    (b'{"output": 3}', 400),
    (b'{"output": "no.such"}', 404),
    (b'{"output": "out.children"}', 400),
    ({**body("out.children", {"in.children": 1}), "inputs": "text"}, 400),
    ({**body("out.children", {"in.children": 1}), "inputs": [1]}, 400),
    ({**body("out.children", {"in.children": 1}), "inputs": [{"id": "in"}]}, 400),
    ({**body("out.children", {"in.children": 1}), "inputs": [{"property": "children"}]}, 400),
    ({**body("out.children", {"in.children": 1}), "inputs": [{"id": 5, "property": "children"}]}, 400),
    ({**body("out.children", {"in.children": 1}), "inputs": [[[[]]]]}, 400),
    ({**body("out.children", {"in.children": 1, "more.children": 2})}, 400),
    ({**body("out.children", {"in.children": 1}), "outputs": "text"}, 400),
    ({**body("out.children", {"in.children": 1}), "outputs": []}, 400),
    ({**body("out.children", {"in.children": 1}), "outputs": {"id": "other", "property": "children"}}, 400),
    ({**body("out.children", {"in.children": 1}), "outputs": {"id": {"n": 1}, "property": "children"}}, 400),
    ({**body("out.children", {"in.children": 1}), "changedPropIds": [1]}, 400),
    ({**body("out.children", {"in.children": 1}), "changedPropIds": "text"}, 400),
    ({**body("out.children", {"in.children": 1}), "state": {"a": 1}}, 400),
    ({**body("client.children", {"in.children": 1})}, 404),
]


@pytest.mark.parametrize(("sent", "status"), BAD_BODIES)
def test_bad_input_is_refused_with_a_reason_and_one_line_in_the_log(
    sent: Any, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    app = flash_app()
    app.layout = html.Div()
    app.callback(OUT, IN)(lambda value: value)
    app.clientside_callback("(x) => x", Output("client", "children"), IN)
    data = sent if isinstance(sent, bytes) else json.dumps(sent).encode()

    async def main() -> Any:
        async with serving(app) as client:
            response = await client.post(
                "/_dash-update-component", data=data, headers={"Content-Type": "application/json"}
            )
            return response.status_code, await response.get_json()

    got, reason = run(main)
    assert got == status and 10 < len(reason["error"]) < 120
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_other_content_types_are_refused() -> None:
    app = flash_app()
    app.layout = html.Div()

    async def main() -> Any:
        async with serving(app) as client:
            return (await client.post("/_dash-update-component", data="a=b")).status_code

    assert run(main) == 415


def test_lone_surrogates_which_browsers_send_are_accepted() -> None:
    app = flash_app()
    app.layout = html.Div()
    app.callback(OUT, IN)(len)

    async def main() -> Any:
        async with serving(app) as client:
            data = json.dumps(body("out.children", {"in.children": "\ud800"}))
            response = await client.post(
                "/_dash-update-component", data=data, headers={"Content-Type": "application/json"}
            )
            return (await response.get_json(force=True))["response"]["out"]["children"]

    assert run(main) == 1


# Other callers.


@both
def test_api_endpoints_have_the_context_and_the_error_handlers(asynchronous: bool) -> None:
    app = flash_app(url_base_pathname="/base/")
    app.layout = html.Div()

    def show(number: int) -> Any:
        if number < 0:
            raise ValueError("negative")
        return {"number": number, "header": ctx.headers["X-Test"]}

    declared(
        app, show, asynchronous, OUT, Input("in", "n"), api_endpoint="/show", on_error=lambda error: f"sorry, {error}"
    )
    app.setup_apis()

    async def main() -> Any:
        async with serving(app) as client:
            return [
                await response.get_json()
                for response in [
                    await client.post("/base/show", json={"number": 4}, headers={"X-Test": "yes"}),
                    await client.post("/base/show", json={"number": -1}, headers={"X-Test": "yes"}),
                    await client.post("/base/show", json={"wrong": 1}),
                    await client.post("/base/show", json=[1]),
                ]
            ]

    good, handled, wrong, shapeless = run(main)
    assert good == {"number": 4, "header": "yes"}
    assert handled == "sorry, negative"
    assert "parameters" in wrong["error"] and "object" in shapeless["error"]


def test_dashs_mcp_server_runs_callbacks_through_the_same_dispatch() -> None:
    app = flash_app(enable_mcp=True)
    app.layout = html.Div([dcc.Input(id="in", value=1), html.Div(id="out")])

    @app.callback(OUT, Input("in", "value"))
    async def double(value: int) -> str:
        """Double a number."""
        await asyncio.sleep(0)
        return f"twice {value}"

    async def rpc(client: Any, method: str, **params: Any) -> Any:
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        response = await client.post("/_mcp", json=request)
        assert response.status_code == 200, await response.get_data()
        return json.loads(await response.get_data())["result"]

    async def main() -> Any:
        async with serving(app) as client:
            await rpc(client, "initialize", protocolVersion="2025-03-26", capabilities={}, clientInfo={})
            tools = (await rpc(client, "tools/list"))["tools"]
            tool = next(each for each in tools if "double" in json.dumps(each).lower())
            name = next(iter(tool["inputSchema"]["properties"]))
            return json.dumps(await rpc(client, "tools/call", name=tool["name"], arguments={name: 21}))

    assert "twice 21" in run(main)


def test_dashs_websocket_runs_callbacks_before_any_http_request() -> None:
    app = flash_app(websocket_callbacks=True)
    app.layout = html.Div()
    app.callback(OUT, IN)(lambda value: f"plain {value}")

    @app.callback(Output("later", "children"), IN)
    async def later(value: Any) -> str:
        return f"async {value}"

    async def ask(socket: Any, output: str) -> Any:
        payload = body(output, {"in.children": 1})
        await socket.send_json({"type": "callback_request", "requestId": output, "rendererId": "r", "payload": payload})
        return (await asyncio.wait_for(socket.receive_json(), 5))["payload"]["data"]["response"]

    async def main() -> Any:
        client = app.server.test_client()  # Not started: the handshake sets the app up.
        async with client.websocket("/_dash-ws-callback", headers={"Origin": "http://localhost"}) as socket:
            return [await ask(socket, "out.children"), await ask(socket, "later.children")]

    assert run(main) == [{"out": {"children": "plain 1"}}, {"later": {"children": "async 1"}}]


def test_with_several_apps_a_warning_names_the_one_that_has_the_global_callbacks(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = Quart("shared")
    first, second = Flash("first_app", server), Flash("second_app", server, url_base_pathname="/second/")
    for app in (first, second):
        app.layout = html.Div()
    callback(OUT, IN)(lambda value: value)

    async def main() -> Any:
        async with serving(first) as client:
            mine = await value_of(client, "out.children", {"in.children": 1})
            return mine, (await post(client, "out.children", {"in.children": 1}, prefix="/second/")).status_code

    assert run(main) == (1, 404)
    assert re.search("those of 'first_app' at /.*'second_app' at /second/ does not serve them", caplog.text)
