"""Lazy: content that is loaded when it is seen."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from dash.testing.wait import until

from flash import Input, Output, callback, components, dcc, html
from flash.exceptions import ConfigurationError

from ..apps import flash_app

FAR = html.Div(style={"height": "3000px"})


def scroll(duo: Any, selector: str) -> None:
    duo.driver.execute_script(f"document.querySelector({selector!r}).scrollIntoView()")


def test_it_loads_once_when_it_comes_near(clean_duo: Any) -> None:
    app, calls = flash_app(), []
    app.layout = html.Div([FAR, components.Lazy(id="sales", height=300), html.Div("after", id="after"), FAR])
    go = asyncio.Event()

    @app.server.get("/go")
    async def let_go() -> str:
        go.set()
        return ""

    @components.lazy("sales")
    async def sales() -> Any:
        calls.append("sales")
        await go.wait()
        return html.P("1,200", id="number")

    clean_duo.start_server(app)
    clean_duo.wait_for_element("#sales .flash-lazy__skeleton")
    lazy = clean_duo.find_element("#sales")
    assert lazy.get_attribute("aria-busy") == "true"
    assert lazy.size["height"] == 300
    assert clean_duo.find_elements("#sales [role=status]") == []
    below = clean_duo.find_element("#after").location["y"]
    assert calls == []

    scroll(clean_duo, "#sales")
    clean_duo.wait_for_element("#sales.flash-lazy--loading")
    assert clean_duo.find_element("#sales [role=status]").get_attribute("textContent") == "Loading ..."
    clean_duo.driver.execute_script("fetch('/go')")
    clean_duo.wait_for_text_to_equal("#number", "1,200")
    assert lazy.get_attribute("aria-busy") == "false"
    assert clean_duo.find_element("#after").location["y"] == below
    clean_duo.driver.execute_script("scrollTo(0, 0)")
    scroll(clean_duo, "#sales")
    assert calls == ["sales"]


def test_other_inputs_do_not_load_it_early_and_reload_it_later(clean_duo: Any) -> None:
    app, calls = flash_app(), []
    app.layout = html.Div(
        [
            dcc.Input(id="year", value="2024"),
            html.Output(id="heard"),
            FAR,
            components.Lazy(id="sales", height="20em", placeholder=html.P("Wait", id="wait")),
        ]
    )

    @callback(Output("heard", "children"), Input("year", "value"))
    def hear(year: str) -> str:
        return f"heard {year}"

    @components.lazy("sales", Input("year", "value"))
    def sales(year: str) -> str:
        calls.append(year)
        return f"sales of {year}"

    clean_duo.start_server(app)
    clean_duo.wait_for_text_to_equal("#wait", "Wait")
    clean_duo.find_element("#year").send_keys("5")
    clean_duo.wait_for_text_to_equal("#heard", "heard 20245")
    assert calls == []
    scroll(clean_duo, "#sales")
    clean_duo.wait_for_text_to_equal("#sales", "sales of 20245")
    clean_duo.find_element("#year").send_keys("6")
    clean_duo.wait_for_text_to_equal("#sales", "sales of 202456")


def test_generators_stream_into_it(clean_duo: Any) -> None:
    app = flash_app()
    app.layout = html.Div([components.Lazy(id="words"), components.Lazy(id="plain")])
    go = asyncio.Event()

    @components.lazy("words")
    async def words() -> Any:
        yield "one"
        await go.wait()
        yield "one two"

    @components.lazy("plain")
    def plain() -> Any:
        yield "three"

    @app.server.get("/go")
    async def let_go() -> str:
        go.set()
        return ""

    clean_duo.start_server(app)
    clean_duo.wait_for_text_to_equal("#words", "one")
    clean_duo.wait_for_text_to_equal("#plain", "three")
    clean_duo.driver.execute_script("fetch('/go')")
    clean_duo.wait_for_text_to_equal("#words", "one two")


def test_one_callback_serves_many(clean_duo: Any) -> None:
    from flash import MATCH, ctx

    app = flash_app()
    app.layout = html.Div([components.Lazy(id={"type": "card", "index": n}, className="card") for n in range(3)])

    @components.lazy({"type": "card", "index": MATCH})
    async def card() -> str:
        return f"card {ctx.triggered_id['index']}"

    clean_duo.start_server(app)
    for number in range(3):
        clean_duo.wait_for_text_to_equal(f".card:nth-child({number + 1})", f"card {number}")


def test_without_an_observer_it_loads_at_once(clean_duo: Any) -> None:
    app = flash_app()
    app.layout = html.Div([FAR, components.Lazy(id="sales")])
    app.index_string = app.index_string.replace("<head>", "<head><script>delete window.IntersectionObserver</script>")

    @components.lazy("sales")
    async def sales() -> str:
        return "1,200"

    clean_duo.start_server(app)
    clean_duo.wait_for_text_to_equal("#sales", "1,200")


def test_what_fails_is_no_longer_busy_and_shows_as_usual(flash_duo: Any) -> None:
    app = flash_app()
    app.layout = html.Div([components.Lazy(id="sales", height=100)])

    @components.lazy("sales")
    async def sales() -> str:
        raise ValueError("no sales")

    flash_duo.start_server(app, debug=True, use_reloader=False, dev_tools_hot_reload=False)
    flash_duo.wait_for_element("#sales[aria-busy=false] .flash-lazy__skeleton")
    flash_duo.wait_for_text_to_equal(flash_duo.devtools_error_count_locator, "1")


def test_motion_is_reduced_where_it_is_not_wanted(clean_duo: Any) -> None:
    app = flash_app()
    app.layout = html.Div([components.Lazy(id="sales", height=100)])
    clean_duo.start_server(app)
    clean_duo.wait_for_element("#sales .flash-lazy__skeleton")
    read = "return getComputedStyle(document.querySelector('.flash-lazy__skeleton')).animationName"
    assert clean_duo.driver.execute_script(read) == "flash-lazy"
    media = {"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]}
    clean_duo.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    until(lambda: clean_duo.driver.execute_script(read) == "none", 5)


@pytest.mark.parametrize("margin", ["200", "wide", "10em"])
def test_a_wrong_margin_is_refused(margin: str) -> None:
    with pytest.raises(ConfigurationError, match="margin must be"):
        components.Lazy(margin=margin)


def test_an_unknown_property_is_refused() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument: `hight`"):
        components.Lazy(hight=3)
