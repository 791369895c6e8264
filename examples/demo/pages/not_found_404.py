"""What is shown for an address without a page."""

from __future__ import annotations

from parts import heading

from flash import dcc, get_relative_path, html, register_page

register_page(__name__, title="Not found · Flash demo")


def layout() -> html.Div:
    return html.Div(
        [
            heading("There is no such page", "The address may be mistyped, or the page has moved."),
            dcc.Link("Back to the overview", href=get_relative_path("/"), className="button"),
        ],
        className="not-found",
    )
