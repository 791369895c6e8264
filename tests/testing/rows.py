"""An app for the tests of the client."""

from __future__ import annotations

from typing import Any

from flash import Flash, Output, ctx, dcc, html

from ..apps import flash_app


def row(index: Any) -> dict[str, Any]:
    """The id of a row, or a pattern of such ids."""
    return {"type": "row", "index": index}


def rows_app() -> Flash:
    """An app with an input, a store and three rows whose ids are dictionaries."""
    app = flash_app()
    app.layout = html.Div(
        [
            dcc.Input(id="in", value="typed"),
            dcc.Store(id="store", data=[1]),
            html.Div(id="out"),
            html.Div(id="other"),
            *[html.Div(id=row(index), title=f"title {index}") for index in range(3)],
        ]
    )
    return app


def echo(app: Flash, *args: Any, **options: Any) -> None:
    """Declare a callback that returns what it was called with, and what triggered it."""
    app.callback(Output("out", "children"), *args, **options)(lambda *values: [*values, list(ctx.triggered_prop_ids)])
