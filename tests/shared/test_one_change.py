"""One change of a shared property: its order, and who is told what."""

from __future__ import annotations

from flash import Flash, Input, Output, dcc, html

from ..apps import run
from ..live.asgi import in_process, live_app
from .page import pages_of


def shared_app() -> tuple[Flash, list[int]]:
    """A slider whose value all pages share, and what its callback has seen."""
    app, seen = live_app(), []
    app.layout = html.Div([dcc.Slider(0, 10, value=5, id="slider"), html.Div(id="text")])

    @app.callback_shared(Output("text", "children"), Input("slider", "value"))
    async def show(value: int) -> str:
        seen.append(value)
        return f"at {value}"

    return app, seen


def test_it_runs_once_and_everybody_sees_it() -> None:
    async def scenario() -> None:
        app, seen = shared_app()
        async with in_process(app) as site, pages_of(site, 2) as (a, b):
            await a.until(lambda: seen == [5])
            await a.change("slider.value", 8, "text.children")
            await a.settled()
            await b.until(lambda: b.value("slider.value") == 8 and b.value("text.children") == "at 8")
            await a.until(lambda: a.value("text.children") == "at 8")
            assert seen == [5, 8]
            assert app.shared_state["slider", "value"] == 8
            async with pages_of(site, 1) as (c,):
                assert (c.value("slider.value"), c.value("text.children")) == (8, "at 8")
            assert seen == [5, 8]

    run(scenario)
