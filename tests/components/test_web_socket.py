"""WebSocket: a socket of the app's own."""

from __future__ import annotations

import json
from typing import Any

from dash.testing.wait import until
from quart import websocket

from flash import Input, Output, callback, clientside_callback, components, html
from flash._dash import Component

from ..apps import flash_app

#: Keeps each message that a callback sees.
RECORD = "function (message) { (window.seen = window.seen || []).push(message.data); return message.n; }"


class Site:
    """An app with a socket at ``/echo``, whose other end the test holds."""

    def __init__(self, **properties: Any) -> None:
        self.app = flash_app()
        self.received: list[str] = []
        self.opened = 0
        self.closed: list[str] = []
        self.greeting: list[str] = []
        self.drop = False
        self.app.layout = html.Div(
            [
                html.Div(components.WebSocket(id="socket", **{"url": "/echo", **properties}), id="place"),
                html.Button("Send", id="send"),
                *(html.Output(id=name) for name in ("count", "state", "error")),
            ]
        )
        self.app.server.websocket("/echo")(self.echo)
        self.app.server.websocket("/other")(self.echo)
        clientside_callback(RECORD, Output("count", "children"), Input("socket", "message"), prevent_initial_call=True)

        @callback(Output("state", "children"), Input("socket", "state"), prevent_initial_call=True)
        def show_state(state: dict[str, Any]) -> str:
            return str(state["readyState"])

        @callback(Output("error", "children"), Input("socket", "error"), prevent_initial_call=True)
        def show_error(error: dict[str, Any]) -> str:
            return str(error["message"])

    async def echo(self) -> None:
        await websocket.accept()
        self.opened += 1
        try:
            for text in self.greeting:
                await websocket.send(text)
            while not self.drop:
                text = await websocket.receive()
                self.received.append(text)
                await websocket.send(text)
        finally:
            self.closed.append(websocket.path)

    def seen(self, duo: Any) -> list[str]:
        return duo.driver.execute_script("return window.seen || []")  # type: ignore[no-any-return]


def test_messages_go_both_ways(clean_duo: Any) -> None:
    site = Site()

    @callback(Output("socket", "send"), Input("send", "n_clicks"), prevent_initial_call=True)
    def send(clicks: int) -> Any:
        return "text" if clicks == 1 else {"clicks": 2}

    clean_duo.start_server(site.app)
    clean_duo.wait_for_text_to_equal("#state", "1")
    clean_duo.find_element("#send").click()
    until(lambda: site.seen(clean_duo) == ["text"], 10)
    clean_duo.find_element("#send").click()
    until(lambda: len(site.received) == 2, 10)
    assert [site.received[0], json.loads(site.received[1])] == ["text", {"clicks": 2}]
    until(lambda: len(site.seen(clean_duo)) == 2, 10)
    # What is sent stands, however often the component is drawn again.
    assert len(site.received) == 2


def test_a_burst_comes_message_by_message(clean_duo: Any) -> None:
    site = Site()
    # As many as may wait: of more, a page that is slower than the burst tells its callbacks of the last ones only.
    site.greeting = [str(number) for number in range(100)]
    clean_duo.start_server(site.app)
    until(lambda: len(site.seen(clean_duo)) >= 100, 20)
    assert site.seen(clean_duo) == site.greeting


def test_a_callback_of_the_server_is_called_for_each_message_of_a_burst(clean_duo: Any) -> None:
    site = Site()
    site.greeting = [str(number) for number in range(40)]
    calls: list[str] = []
    site.app.layout.children.append(html.Output(id="last"))

    @callback(Output("last", "children"), Input("socket", "message"), prevent_initial_call=True)
    async def hear(message: dict[str, Any]) -> str:
        calls.append(message["data"])
        return str(message["data"])

    clean_duo.start_server(site.app)
    clean_duo.wait_for_text_to_equal("#last", "39")
    assert sorted(calls, key=int) == site.greeting


def test_what_is_sent_early_waits(clean_duo: Any) -> None:
    site = Site(send={"first": True})
    clean_duo.start_server(site.app)
    until(lambda: site.received == ['{"first":true}'], 10)


def test_it_is_opened_again_when_it_is_lost(clean_duo: Any) -> None:
    site = Site()
    site.drop = True
    clean_duo.start_server(site.app)
    until(lambda: site.opened >= 3, 20)
    site.drop = False
    clean_duo.wait_for_text_to_equal("#state", "1")


def test_without_reconnect_it_stays_closed(clean_duo: Any) -> None:
    site = Site(reconnect=False)
    site.drop = True
    clean_duo.start_server(site.app)
    clean_duo.wait_for_text_to_equal("#state", "3")
    # Coming back to a page makes a socket that waits connect at once.
    clean_duo.driver.execute_script("dispatchEvent(new Event('online'))")
    clean_duo.find_element("#send").click()
    assert site.opened == 1


def test_it_closes_with_its_page_and_for_another_address(clean_duo: Any) -> None:
    site = Site()

    @callback(Output("socket", "url"), Input("send", "n_clicks"), prevent_initial_call=True)
    def move(clicks: int) -> str:
        return "/other"

    @callback(Output("place", "children"), Input("state", "n_clicks"), prevent_initial_call=True)
    def remove(clicks: int) -> str:
        return "gone"

    clean_duo.start_server(site.app)
    clean_duo.wait_for_text_to_equal("#state", "1")
    clean_duo.find_element("#send").click()
    until(lambda: site.closed == ["/echo"] and site.opened == 2, 10)
    clean_duo.wait_for_text_to_equal("#state", "1")
    clean_duo.find_element("#state").click()
    clean_duo.wait_for_text_to_equal("#place", "gone")
    until(lambda: site.closed == ["/echo", "/other"], 10)


def test_a_wrong_address_is_an_error_that_callbacks_can_show(clean_duo: Any) -> None:
    site = Site(url="mailto:nobody")
    clean_duo.start_server(site.app)
    clean_duo.wait_for_contains_text("#error", "mailto")
    clean_duo.wait_for_text_to_equal("#state", "3")
    assert site.opened == 0


def test_its_properties_are_declared() -> None:
    assert issubclass(components.WebSocket, Component)
    level = components.WebSocket(id="a", url="/b").to_plotly_json()
    assert level == {"props": {"id": "a", "url": "/b"}, "type": "WebSocket", "namespace": "flash_components"}
