"""Declarations that cannot work are refused where they are written, with what to write instead."""

from __future__ import annotations

from typing import Any

import pytest
from quart.testing.app import LifespanError

import flash
from flash import Flash, Input, Output, Service, State, _dash
from flash.exceptions import ConfigurationError

from ..apps import flash_app, run
from ..live.asgi import in_process
from .declaring import app_with, slider
from .page import pages_of

TEXT = "text.children"


def declare(app: Flash, func: Any = None, **options: Any) -> None:
    """Declare a shared callback with options."""
    app.callback_shared(Output("text", "children"), Input("slider", "value"), **options)(func or (lambda value: value))


def test_generators_are_refused() -> None:
    def several(value: Any) -> Any:
        yield value

    async def several_async(value: Any) -> Any:
        yield value

    for func in (several, several_async):
        app = app_with()
        with pytest.raises(ConfigurationError, match="(?i)shared"):
            declare(app, func)
        declare(app)  # It left nothing behind.


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("api_endpoint", "/api/slider"),
        ("running", [(Output("text", "title"), "on", "off")]),
        ("cancel", [Input("stop", "n_clicks")]),
        ("progress", Output("text", "title")),
        ("background", True),
        ("service", Service.S2),
        ("service", Service.REGULAR),
        ("service", "shared"),
        ("channel", "hall"),
        ("websocket", False),
    ],
)
def test_options_that_belong_to_one_tab_are_refused(option: str, value: Any) -> None:
    app = app_with()
    before = list(app.callback_map)
    with pytest.raises(ConfigurationError) as refused:
        declare(app, **{option: value})
    assert len(str(refused.value)) > 40, "a sentence"
    assert list(app.callback_map) == before
    declare(app)


def test_a_regular_callback_takes_no_shared_service() -> None:
    with pytest.raises(ConfigurationError, match="callback_shared"):
        app_with().callback(Output("text", "children"), Input("slider", "value"), service=Service.SHARED)(print)


@pytest.mark.parametrize("live", [False, {"enabled": False}])
def test_an_app_without_a_live_connection_cannot_share(live: Any) -> None:
    async def scenario() -> None:
        app = flash_app(live=live)
        app.layout = slider()
        declare(app)
        with pytest.raises(LifespanError, match="live=False"):
            async with in_process(app):
                pass

    run(scenario)


def test_an_app_that_says_nothing_of_live_opens_the_connection() -> None:
    async def scenario() -> None:
        app = flash_app()
        app.layout = slider()
        declare(app)
        async with in_process(app) as site, pages_of(site, 1) as (a,):
            await a.change("slider.value", 8, TEXT)
            await a.until(lambda: a.value(TEXT) == 8)
            await a.settled()

    run(scenario)


def test_callbacks_of_no_app_become_those_of_the_app() -> None:
    async def scenario() -> None:
        seen: list[Any] = []

        @flash.callback_shared(Output("text", "children"), Input("slider", "value"))
        async def show(value: Any) -> str:
            seen.append(value)
            return f"at {value}"

        app = app_with(slider(), "text")
        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            await a.until(lambda: a.value(TEXT) == "at 5")
            await a.change("slider.value", 8, TEXT)
            await b.until(lambda: b.value(TEXT) == "at 8")
            await a.settled()
            assert seen == [5, 8]

    try:
        run(scenario)
    finally:
        _dash.global_register().entries.clear()
        _dash.global_register().specs.clear()


def test_the_decorator_gives_the_function_back() -> None:
    def show(value: int) -> int:
        return value + 1

    app = app_with()
    declared = app.callback_shared(Output("text", "children"), Input("slider", "value"))(show)
    assert declared is show and declared(1) == 2


def test_the_renderer_is_told_to_ask_live_and_not_at_first() -> None:
    app = app_with()
    declare(app)
    spec = app.callback_list[-1]
    assert spec["prevent_initial_call"] is True and spec["websocket"] is True


def test_a_refused_declaration_leaves_an_earlier_one_with_its_output_alone() -> None:
    app = app_with(slider(), "text")
    declare(app)
    entry = app.callback_map[TEXT]

    def several(value: Any) -> Any:
        yield value

    with pytest.raises(ConfigurationError):
        declare(app, several)
    assert app.callback_map[TEXT] is entry


def test_keyword_and_list_forms_of_dash_work() -> None:
    async def scenario() -> None:
        app, calls = app_with(slider("x", 1), slider("y", 2), "text"), []

        @app.callback_shared(
            output={"sum": Output("text", "children")}, inputs={"x": Input("x", "value"), "y": Input("y", "value")}
        )
        async def add(x: int, y: int) -> dict[str, int]:
            calls.append((x, y))
            return {"sum": x + y}

        async with in_process(app) as site, pages_of(site, 1) as (a,):
            await a.until(lambda: a.value(TEXT) == 3)
            app.push_mods({"y": {"value": 9}})
            await a.until(lambda: a.value(TEXT) == 10)
            assert calls == [(1, 2), (1, 9)]

    run(scenario)


def test_one_without_an_input_is_refused() -> None:
    app = app_with("text", "more")
    with pytest.raises(ConfigurationError, match="has no Input"):
        app.callback_shared(Output("text", "children"), State("more", "children"))(lambda more: more)
    assert TEXT not in app.callback_map
