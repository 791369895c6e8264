"""LiveStatus: the state of the live connection, shown and listened to."""

from __future__ import annotations

from typing import Any

import pytest
from dash.testing.wait import until

from flash import Input, Output, callback, components, html

from ..apps import flash_app, run, serving


def test_it_makes_the_apps_of_its_process_live() -> None:
    app = flash_app()
    app.layout = html.Div()
    assert not components.uses_live()
    assert not app.opens_connection()
    components.LiveStatus(id="status")
    assert components.uses_live()
    assert app.opens_connection()
    assert not flash_app(live=False).opens_connection()


def test_it_shows_the_connection_and_callbacks_listen(clean_duo: Any) -> None:
    app = flash_app()
    app.layout = html.Div(
        [
            components.LiveStatus(id="status", labels={"connected": "Up"}, className="mine"),
            *(html.Output(id=name) for name in ("heard", "repaired")),
        ]
    )
    losses = []

    @callback(Output("heard", "children"), Input("status", "status"), Input("status", "client"))
    def hear(status: str | None, client: str | None) -> str:
        return f"{status} {client in {each.id for each in app.clients}}"

    @callback(
        Output("repaired", "children"),
        Output("status", "recovered"),
        Input("status", "recovered"),
        prevent_initial_call=True,
    )
    def repair(recovered: bool) -> Any:
        losses.append(recovered)
        return "repaired", True

    clean_duo.start_server(app)
    clean_duo.wait_for_text_to_equal("#heard", "connected True")
    badge = clean_duo.find_element("#status")
    assert badge.text == "Up"
    assert badge.get_attribute("role") == "status"
    classes = "flash-live-status flash-live-status--connected mine"
    assert badge.get_attribute("class") == classes

    clean_duo.driver.execute_script("FlashLive.connection.change({recovered: false})")
    clean_duo.wait_for_text_to_equal("#repaired", "repaired")
    until(lambda: clean_duo.driver.execute_script("return FlashLive.connection.state.recovered"), 10)
    until(lambda: False in losses, 10)


def test_it_says_that_the_server_is_away(flash_duo: Any) -> None:
    app = flash_app()
    app.layout = html.Div(components.LiveStatus(id="status"))
    flash_duo.start_server(app)
    flash_duo.wait_for_text_to_equal("#status", "Live")
    flash_duo.server.stop()
    flash_duo.wait_for_element(".flash-live-status--reconnecting, .flash-live-status--offline")


def test_without_a_connection_it_says_none(clean_duo: Any) -> None:
    app = flash_app(live=False)
    app.layout = html.Div([components.LiveStatus(id="status", show=False), html.Output(id="heard")])

    @callback(Output("heard", "children"), Input("status", "status"))
    def hear(status: str | None) -> str | None:
        return status

    clean_duo.start_server(app)
    clean_duo.wait_for_text_to_equal("#heard", "none")
    assert clean_duo.find_elements("#status") == []


def test_the_files_are_served_with_fingerprints() -> None:
    async def main() -> None:
        app = flash_app()
        app.layout = html.Div(components.Lazy(id="a"))
        async with serving(app) as client:
            index = (await (await client.get("/")).get_data()).decode()
            links = [part.split('"')[0] for part in index.split('"/_dash-component-suites/flash/')[1:]]
            assert {link.split(".")[0].rsplit("/", 1)[1] for link in links} == {
                *("age", "components", "freshness", "lazy", "live_status", "socket", "web_socket")
            }
            for link in links:
                answer = await client.get(f"/_dash-component-suites/flash/{link}")
                assert answer.status_code == 200
                assert "immutable" in answer.headers["Cache-Control"]

    run(main)


def test_a_strict_content_security_policy_lets_them_through(clean_duo: Any) -> None:
    app = flash_app(live=False)
    app.layout = html.Div(
        [components.LiveStatus(id="status"), components.Lazy(id="lazy", height=50), components.WebSocket(id="socket")]
    )
    # Dash's own components bring their styles inline.
    policy = f"default-src 'self'; script-src 'self' {' '.join(app.csp_hashes())}; style-src 'self' 'unsafe-inline'"

    @app.server.after_request
    async def guard(response: Any) -> Any:
        response.headers["Content-Security-Policy"] = policy
        return response

    clean_duo.start_server(app)
    clean_duo.wait_for_element("#lazy .flash-lazy__skeleton")
    clean_duo.wait_for_text_to_equal("#status", "Not live")


@pytest.mark.parametrize("kind", [components.Lazy, components.LiveStatus, components.WebSocket])
def test_every_property_is_described(kind: type) -> None:
    for name in kind().available_properties:
        assert f"- {name} (" in (kind.__doc__ or "")
