"""What is shown for an address without a page."""

from __future__ import annotations

from parts import heading

from flash import dcc, html, register_page

register_page(__name__, title="Not found · Flash demo")


def layout() -> html.Div:
    return html.Div(
        [
            heading("There is no such page", "The address may be mistyped, or the page has moved."),
            dcc.Link("Back to the overview", href="/", className="button"),
        ],
        className="not-found",
    )
