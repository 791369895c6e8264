"""Freshness: the age of data, which grows in the browser, and the state that the server keeps up to date."""

from __future__ import annotations

import time
from typing import Any

import pytest
from dash.testing.wait import until

from flash import Input, Output, callback, dcc, html
from flash.components.freshness import Freshness, RefreshButton

from ..apps import flash_app

STORE = "_flash-status-orders"
MINUTE = 60
HOUR = 60 * MINUTE


def state(age: float | None, **more: Any) -> dict[str, Any]:
    """What the server says of a source whose data are so many seconds old."""
    at = None if age is None else round((time.time() - age) * 1000)
    nothing = {"version": 1, "staleAfter": None, "error": None, "errorId": None, "running": False, "next": None}
    return {**nothing, "at": at, **more}


def store(initial: dict[str, Any] | None) -> dcc.Store:
    return dcc.Store(id=STORE, data=initial)


def is_in_kind(duo: Any, selector: str, kind: str) -> None:
    duo.wait_for_element(f"{selector}.flash-freshness--{kind}", timeout=20)


def requests(duo: Any) -> int:
    """How many requests and WebSocket messages the page has sent so far."""
    return int(duo.driver.execute_script("return performance.getEntriesByType('resource').length + window.sent"))


COUNTING = (
    "<script>window.sent = 0; const send = WebSocket.prototype.send;"
    "WebSocket.prototype.send = function (text) {"
    "window.sent += /heartbeat|ack/.test(text) ? 0 : 1; send.call(this, text);}</script>"
)


def test_the_age_grows_and_gets_stale_without_a_request(clean_duo: Any) -> None:
    app = flash_app(live=True)
    app.index_string = app.index_string.replace("<head>", f"<head>{COUNTING}")
    app.layout = lambda: html.Div([store(state(20, staleAfter=32)), Freshness(id="age", store=STORE)])
    clean_duo.start_server(app)
    is_in_kind(clean_duo, "#age", "fresh")
    until(lambda: len(app.clients) == 1, 10)
    first = clean_duo.find_element("#age time").text
    assert "seconds ago" in first
    until(lambda: clean_duo.find_element("#age time").text != first, 5)
    asked = requests(clean_duo)  # Not before: what the page needs may load after it is shown.
    assert clean_duo.find_element("#age [role=status]").text == ""
    is_in_kind(clean_duo, "#age", "stale")
    assert clean_duo.find_element("#age [role=status]").text == "Out of date"
    assert requests(clean_duo) == asked


def test_all_of_a_source_follow_what_the_server_says(clean_duo: Any) -> None:
    app = flash_app(live=True)
    app.layout = lambda: html.Div(
        [
            store(state(None)),
            Freshness(id="one", store=STORE, className="mine", style={"color": "rgb(1, 2, 3)"}),
            Freshness(id={"type": "two", "number": 1}, store=STORE, className="two", labels={"empty": "Zatím nic"}),
            Freshness(id="none", store="elsewhere", state=state(3 * MINUTE + 5)),
        ]
    )
    clean_duo.start_server(app)
    clean_duo.wait_for_text_to_equal("#one", "No data yet")
    clean_duo.wait_for_text_to_equal(".two", "Zatím nic")
    clean_duo.wait_for_text_to_equal("#none", "Updated 3 minutes ago")
    one = clean_duo.find_element("#one")
    assert one.get_attribute("class") == "flash-freshness flash-freshness--empty mine"
    assert one.value_of_css_property("color") == "rgba(1, 2, 3, 1)"

    def push(**said: Any) -> None:
        app.push_mods({STORE: {"data": said}})

    until(lambda: len(app.clients) == 1, 10)
    push(**state(3 * MINUTE + 5))
    for selector in ("#one", ".two"):
        clean_duo.wait_for_text_to_equal(selector, "Updated 3 minutes ago")
        is_in_kind(clean_duo, selector, "fresh")
    assert one.find_element("tag name", "time").get_attribute("datetime").endswith("Z")
    push(**state(3 * MINUTE + 5, running=True))
    is_in_kind(clean_duo, "#one", "running")
    clean_duo.wait_for_text_to_equal("#one", "Updated 3 minutes ago · Updating ...")
    assert clean_duo.find_element("#one [role=status]").text == ""
    push(**state(5, error="The run took longer than 120 s.", errorId="ab12"))
    is_in_kind(clean_duo, ".two", "failed")
    status = clean_duo.find_element("#one [role=status]")
    assert status.text.startswith("The run took longer than 120 s. Showing the data of ")
    assert status.get_attribute("title") == "Error ab12"
    assert status.get_attribute("aria-live") == "polite"
    clean_duo.wait_for_text_to_equal("#none", "Updated 3 minutes ago")


def test_one_that_comes_later_shows_the_state_of_now(clean_duo: Any) -> None:
    app = flash_app(live=True)
    app.layout = lambda: html.Div([store(state(None)), html.Button("More", id="more"), html.Div(id="place")])

    @callback(Output("place", "children"), Input("more", "n_clicks"), prevent_initial_call=True)
    def add(clicks: int) -> Any:
        return Freshness(id="late", store=STORE)

    clean_duo.start_server(app)
    clean_duo.wait_for_element("#more")
    until(lambda: len(app.clients) == 1, 10)
    app.push_mods({STORE: {"data": state(3 * MINUTE + 5)}})
    clean_duo.find_element("#more").click()
    clean_duo.wait_for_text_to_equal("#late", "Updated 3 minutes ago")
    app.push_mods({STORE: {"data": state(None)}})
    clean_duo.wait_for_text_to_equal("#late", "No data yet")


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_wrong_clock_of_the_browser_does_no_harm(clean_duo: Any, hours: int) -> None:
    app = flash_app(live=True)
    wrong = f"<script>const right = Date.now; Date.now = () => right() + {hours} * 3600000</script>"
    app.index_string = app.index_string.replace("<head>", f"<head>{wrong}")
    app.layout = lambda: html.Div([store(state(3 * MINUTE + 20, staleAfter=HOUR)), Freshness(id="age", store=STORE)])
    clean_duo.start_server(app)
    clean_duo.wait_for_text_to_equal("#age", "Updated 3 minutes ago")
    is_in_kind(clean_duo, "#age", "fresh")


def test_a_short_run_is_not_shown(clean_duo: Any) -> None:
    app = flash_app(live=True)
    app.layout = lambda: html.Div([store(state(5)), Freshness(id="age", store=STORE)])
    clean_duo.start_server(app)
    is_in_kind(clean_duo, "#age", "fresh")
    until(lambda: len(app.clients) == 1, 10)
    clean_duo.driver.execute_script(
        "window.kinds = new Set();"
        "new MutationObserver(([each]) => window.kinds.add(each.target.className))"
        ".observe(document.getElementById('age'), {attributes: true, attributeFilter: ['class']})"
    )
    clean_duo.driver.execute_script(
        "const show = state => dash_clientside.set_props(arguments[0], {data: state});"
        "show(arguments[1]); setTimeout(() => {show(arguments[2]); setTimeout(() => show(arguments[3]), 600)}, 50);",
        *(STORE, state(5, running=True), state(5), state(None)),
    )
    is_in_kind(clean_duo, "#age", "empty")
    assert clean_duo.driver.execute_script("return [...window.kinds]") == ["flash-freshness flash-freshness--empty"]


@pytest.mark.parametrize("kind", [Freshness, RefreshButton])
def test_every_property_is_described(kind: type) -> None:
    for name in kind().available_properties:
        assert f"- {name} (" in (kind.__doc__ or "")
