"""Streaming callbacks in a real browser, with Dash's own renderer."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from dash.testing.wait import until

from flash import Flash, Input, Output, State, dcc, event_callback, html, stream_props

from ..apps import flash_app

WORDS = ["one", "two", "three", "four"]


class Steps:
    """Lets a stream go on item by item, from the test."""

    def __init__(self) -> None:
        self._semaphore = threading.Semaphore(0)

    def go(self) -> None:
        self._semaphore.release()

    async def wait(self) -> None:
        while not self._semaphore.acquire(blocking=False):  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def text_of(browser: Any, selector: str) -> str:
    return str(browser.find_element(selector).text)


def story(steps: Steps, asynchronous: bool) -> Flash:
    app = flash_app()
    app.layout = html.Div(
        [
            html.Button("Go", id="go"),
            html.Button("Stop", id="stop"),
            html.Div("idle", id="state"),
            dcc.Loading(html.Div("nothing", id="text"), delay_show=0),
            html.Div(id="server"),
            html.Div(id="clientside"),
            html.Div(id="order"),
        ]
    )
    options: Any = {
        "running": [(Output("state", "children"), "running", "ended")],
        "cancel": Input("stop", "n_clicks"),
        "prevent_initial_call": True,
    }

    @app.callback(Output("text", "children"), Input("go", "n_clicks"), **options)
    async def tell(_: Any) -> Any:
        for number in range(len(WORDS)):
            yield " ".join(WORDS[: number + 1])
            await steps.wait()

    @app.callback(
        Output("server", "children"),
        Input("text", "children"),
        State("server", "children"),
        prevent_initial_call=True,
        websocket=asynchronous,
    )
    def follow(text: str, before: str | None) -> str:
        return f"{before or ''}[{text}]"

    app.clientside_callback(
        "(text, before) => (before || '') + '[' + text + ']'",
        Output("clientside", "children"),
        Input("text", "children"),
        State("clientside", "children"),
        prevent_initial_call=True,
    )
    return app


@pytest.mark.parametrize("over_socket", [True, False], ids=["listener-live", "listener-http"])
def test_a_stream_is_seen_while_it_runs_and_its_listeners_run_for_each_item(flash_duo: Any, over_socket: bool) -> None:
    steps = Steps()
    flash_duo.start_server(story(steps, over_socket))
    flash_duo.wait_for_text_to_equal("#text", "nothing")
    flash_duo.find_element("#go").click()
    listeners = ""
    for number in range(len(WORDS)):
        shown = " ".join(WORDS[: number + 1])
        listeners += f"[{shown}]"
        # Seen: not hidden behind the loading indicator, though the generator has not ended.
        flash_duo.wait_for_text_to_equal("#text", shown)
        flash_duo.wait_for_text_to_equal("#state", "running")
        flash_duo.wait_for_text_to_equal("#server", listeners)
        flash_duo.wait_for_text_to_equal("#clientside", listeners)
        until(lambda: not flash_duo.driver.find_elements("css selector", ".dash-spinner"), 10)
        steps.go()
    flash_duo.wait_for_text_to_equal("#state", "ended")
    assert flash_duo.get_logs() == []


def test_a_stream_is_cancelled_from_the_page(flash_duo: Any) -> None:
    steps = Steps()
    app = story(steps, True)
    flash_duo.start_server(app)
    flash_duo.wait_for_text_to_equal("#text", "nothing")
    flash_duo.find_element("#go").click()
    flash_duo.wait_for_text_to_equal("#text", "one")
    flash_duo.find_element("#stop").click()
    flash_duo.wait_for_text_to_equal("#state", "ended")
    until(lambda: len(app.flash_live.streams) == 0, 10)
    assert text_of(flash_duo, "#text") == "one"
    flash_duo.find_element("#go").click()
    flash_duo.wait_for_text_to_equal("#state", "running")
    steps.go()
    flash_duo.wait_for_text_to_equal("#text", "one two")
    assert flash_duo.get_logs() == []


def test_a_closed_tab_ends_its_stream(flash_duo: Any) -> None:
    steps = Steps()
    app = story(steps, True)
    flash_duo.start_server(app)
    flash_duo.wait_for_text_to_equal("#text", "nothing")
    flash_duo.find_element("#go").click()
    flash_duo.wait_for_text_to_equal("#text", "one")
    assert len(app.flash_live.streams) == 1
    driver = flash_duo.driver
    tab = driver.current_window_handle
    driver.switch_to.new_window("tab")
    other = driver.current_window_handle
    driver.switch_to.window(tab)
    driver.close()
    driver.switch_to.window(other)
    until(lambda: len(app.flash_live.streams) == 0, 10)


def test_none_outputs_and_outputs_that_are_returned(flash_duo: Any) -> None:
    calls: list[str] = []
    app = flash_app(suppress_callback_exceptions=True)
    app.layout = html.Div(
        [html.Button("Insert", id="insert"), html.Button("Push", id="push"), html.Div(id="here"), html.Div(id="seen")]
    )

    @app.callback(Output("here", "children"), Input("insert", "n_clicks"), prevent_initial_call=True)
    def insert(_: Any) -> Any:
        return html.Button("Inserted", id="inserted", n_clicks=0)

    @app.callback(None, Input("push", "n_clicks"))
    def push(_: Any) -> Any:
        return Output("here", "children", html.Button("Returned", id="inserted", n_clicks=0))

    @app.callback(None, Input("inserted", "n_clicks"))
    def clicked(clicks: Any) -> Any:
        calls.append("inserted")
        return Output("seen", "children", f"{clicks} by {len(calls)}"), Output("seen", "title", True)

    @app.callback(Output("seen", "lang"), Input("seen", "children"), prevent_initial_call=True)
    def chained(text: Any) -> str:
        calls.append("chained")
        return "en"

    flash_duo.start_server(app)
    flash_duo.wait_for_text_to_equal("#insert", "Insert")
    assert calls == []
    flash_duo.find_element("#insert").click()
    flash_duo.wait_for_text_to_equal("#inserted", "Inserted")
    flash_duo.find_element("#inserted").click()
    flash_duo.wait_for_text_to_equal("#seen", "1 by 1")
    until(lambda: calls == ["inserted", "chained"], 10)
    flash_duo.find_element("#push").click()
    flash_duo.wait_for_text_to_equal("#inserted", "Returned")
    flash_duo.find_element("#inserted").click()
    flash_duo.wait_for_text_to_equal("#seen", "1 by 3")
    until(lambda: calls == ["inserted", "chained"] * 2, 10)
    assert flash_duo.get_logs() == []


def test_an_event_callback(flash_duo: Any) -> None:
    steps = Steps()

    @event_callback(
        Input("start", "n_clicks"),
        cancel=[(Input("tab", "value"), "dashboard")],
        reset_props=[("bar", {"children": "reset"})],
    )
    async def watch(_: Any) -> Any:
        yield stream_props("bar", {"children": "begun"})
        await steps.wait()
        yield stream_props([("bar", {"children": html.B("half", id="half")}), ("start", {"title": "busy"})])
        await steps.wait()

    app = flash_app()
    app.layout = html.Div(
        [html.Button("Start", id="start"), dcc.Input(id="tab", value="dashboard"), html.Div("idle", id="bar")]
    )
    flash_duo.start_server(app)
    flash_duo.wait_for_text_to_equal("#bar", "idle")
    flash_duo.find_element("#start").click()
    flash_duo.wait_for_text_to_equal("#bar", "begun")
    steps.go()
    flash_duo.wait_for_text_to_equal("#half", "half")
    flash_duo.find_element("#tab").send_keys("x")
    flash_duo.wait_for_text_to_equal("#bar", "reset")
    until(lambda: len(app.flash_live.streams) == 0, 10)
    assert flash_duo.get_logs() == []


def test_a_page_without_a_live_connection_gets_the_end_of_a_stream(flash_duo: Any) -> None:
    app = flash_app(live=False)
    app.layout = html.Div([html.Button("Go", id="go"), html.Div("nothing", id="text")])

    @app.callback(Output("text", "children"), Input("go", "n_clicks"), prevent_initial_call=True)
    async def tell(_: Any) -> Any:
        for word in WORDS:
            yield word

    flash_duo.start_server(app)
    flash_duo.wait_for_text_to_equal("#text", "nothing")
    flash_duo.find_element("#go").click()
    flash_duo.wait_for_text_to_equal("#text", WORDS[-1])
    assert flash_duo.get_logs() == []
