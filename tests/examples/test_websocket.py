"""examples/websocket: what the server sends is drawn, on whatever port it is served."""

from __future__ import annotations

from dash.testing.browser import Browser

from .running import Open, until

HEIGHTS = "return (document.querySelector('#graph .js-plotly-plot')?.data || []).flatMap((trace) => trace.y)"


def test_numbers_are_drawn_as_they_come(open_example: Open, browser: Browser) -> None:
    open_example("websocket")
    first = until(browser, lambda driver: driver.execute_script(HEIGHTS))
    assert len(first) == 6
    assert all(200 <= height <= 1000 for height in first)

    until(browser, lambda driver: driver.execute_script(HEIGHTS) != first)
