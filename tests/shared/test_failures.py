"""A shared callback that fails: its inputs stay as every page shows them, its outputs keep their last value."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from dash.exceptions import PreventUpdate

from flash import Flash, Input, Output, no_update, set_props

from ..apps import body, run
from ..live.asgi import in_process
from .declaring import app_with, listen, slider
from .page import pages_of

TEXT = "text.children"
QUIET: dict[str, Any] = {"prevent_initial_call": True}
SECRET = "the password is 1234"


def failing_app(kind: str = "async", error: Any = None, **options: Any) -> Flash:
    """A slider whose callback fails at 9 and above; a second callback listens to its output."""
    app_options = {"on_error": options.pop("on_error_of_app")} if "on_error_of_app" in options else {}
    app = app_with(slider(), "text", "end", **app_options)

    def say(value: int) -> Any:
        if value >= 9:
            if error is None or isinstance(error, BaseException):
                raise error or RuntimeError(SECRET)
            return error
        return f"at {value}"

    async def say_async(value: int) -> Any:
        await asyncio.sleep(0)
        return say(value)

    declared = app.callback_shared(Output("text", "children"), Input("slider", "value"), **QUIET, **options)
    declared(say if kind == "plain" else say_async)
    listen(app, TEXT, "end.children", **QUIET)
    return app


@pytest.mark.parametrize("kind", ["async", "plain"])
def test_the_inputs_stay_the_outputs_too_and_the_asker_gets_an_error_id(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> str:
        app = failing_app(kind)
        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            await a.change("slider.value", 8, TEXT)
            await b.until(lambda: b.value("end.children") == "at at 8")
            (request,) = await a.change("slider.value", 9, TEXT)
            await a.settled()
            assert request.status == "error"
            await b.until(lambda: b.value("slider.value") == 9)
            async with pages_of(site, 1) as (c,):
                assert (c.value("slider.value"), c.value(TEXT)) == (9, "at 8")
            assert (a.value(TEXT), b.value(TEXT)) == ("at 8", "at 8")
            await b.change("slider.value", 7, TEXT)
            await a.until(lambda: a.value("end.children") == "at at 7")
            await b.settled()
            message: str = request.answers[0]["message"]
            return message

    message = run(scenario)
    assert SECRET not in message and "Error id" in message
    assert SECRET in caplog.text and message.split()[-1].rstrip(".") in caplog.text
    assert f"The shared callback '{TEXT}'" in caplog.text


def test_prevent_update_leaves_the_outputs_and_the_chain() -> None:
    async def scenario() -> None:
        app = failing_app(error=PreventUpdate())
        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            await a.change("slider.value", 8, TEXT)
            await b.until(lambda: b.value("end.children") == "at at 8")
            (request,) = await a.change("slider.value", 9, TEXT)
            await a.settled()
            assert request.status == "ok" and request.response == {}
            await b.until(lambda: b.value("slider.value") == 9)
            assert app.shared_state["text", "children"] == "at 8" and b.pushed("end.children") == ["at at 8"]

    run(scenario)


def test_no_update_is_the_same() -> None:
    async def scenario() -> None:
        app = failing_app(error=no_update)
        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            (request,) = await a.change("slider.value", 9, TEXT)
            await a.settled()
            assert request.status == "ok"
            await b.until(lambda: b.value("slider.value") == 9)
            assert ("text", "children") not in app.shared_state

    run(scenario)


@pytest.mark.parametrize("kind", ["async", "plain"])
@pytest.mark.parametrize("handler", ["async", "plain"])
@pytest.mark.parametrize("whose", ["callback", "app"])
def test_what_on_error_returns_is_an_output(whose: str, handler: str, kind: str) -> None:
    async def scenario() -> None:
        def recover(error: Exception) -> str:
            assert str(error) == SECRET
            return "recovered"

        async def recover_async(error: Exception) -> str:
            return recover(error)

        on_error = recover if handler == "plain" else recover_async
        app = failing_app(kind, **{"on_error" if whose == "callback" else "on_error_of_app": on_error})
        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            (request,) = await a.change("slider.value", 9, TEXT)
            for page in (a, b):
                await page.until(lambda page=page: page.value("end.children") == "at recovered")
            await a.settled()
            assert request.status == "ok" and app.shared_state["text", "children"] == "recovered"

    run(scenario)


def test_a_failing_step_of_a_chain_is_logged_and_ends_it_there(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        app = app_with(slider(), "text", "end", "last")
        listen(app, "slider.value", TEXT, **QUIET)

        @app.callback_shared(Output("end", "children"), Input("text", "children"), **QUIET)
        async def step(text: str) -> str:
            if text == "at 9":
                raise RuntimeError(SECRET)
            return text

        listen(app, "end.children", "last.children", **QUIET)
        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            (request,) = await a.change("slider.value", 9, TEXT)
            await b.until(lambda: b.value(TEXT) == "at 9")
            await a.settled()
            assert request.status == "ok", "its own callback has not failed"
            await b.change("slider.value", 8, TEXT)
            await a.until(lambda: a.value("last.children") == "at at 8")
            await b.settled()
            assert a.pushed("end.children") == ["at 8"]

    run(scenario)
    assert SECRET in caplog.text and "The shared callback 'end.children'" in caplog.text


def test_what_it_has_set_before_it_failed_stays(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        app = app_with(slider(), "text")

        @app.callback_shared(Output("text", "children"), Input("slider", "value"), **QUIET)
        async def fails(value: int) -> str:
            set_props("text", {"title": "working"})
            raise RuntimeError(SECRET)

        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            await a.change("slider.value", 9, TEXT)
            await b.until(lambda: b.value("text.title") == "working")
            await a.settled()
            assert app.shared_state["text", "title"] == "working"

    run(scenario)


def test_a_value_that_has_no_json_form_is_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        app = failing_app(error=object())
        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            (request,) = await a.change("slider.value", 9, TEXT)
            await a.settled()
            assert request.status == "error"
            await b.change("slider.value", 8, TEXT)
            await a.until(lambda: a.value(TEXT) == "at 8")
            await b.settled()

    run(scenario)
    assert "Error id" in caplog.text


def test_over_http_it_is_an_error_with_an_id(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        app = failing_app()
        async with in_process(app) as site, pages_of(site, 1) as (a,):
            sent = body(TEXT, {"slider.value": 9})
            response = await app.server.test_client().post("/_dash-update-component", json=sent)
            content = await response.get_data(as_text=True)
            assert response.status_code == 500 and SECRET not in content
            await a.until(lambda: a.value("slider.value") == 9)

    run(scenario)
    assert SECRET in caplog.text


def test_the_text_of_the_error_is_shown_in_debug_mode_only(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        app = failing_app()
        app.enable_dev_tools(debug=True, dev_tools_hot_reload=False)
        async with in_process(app) as site, pages_of(site, 1) as (a,):
            (request,) = await a.change("slider.value", 9, TEXT)
            await a.settled()
            assert SECRET in request.answers[0]["message"]

    run(scenario)


def test_a_wrong_number_of_outputs_is_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        app = app_with(slider(), "text", "other")

        @app.callback_shared(
            [Output("text", "children"), Output("other", "children")], Input("slider", "value"), **QUIET
        )
        async def three(value: int) -> Any:
            return 1, 2, 3

        async with in_process(app) as site, pages_of(site, 1) as (a,):
            (request,) = await a.change("slider.value", 9, "..text.children...other.children..")
            await a.settled()
            assert request.status == "error" and ("text", "children") not in app.shared_state

    run(scenario)
