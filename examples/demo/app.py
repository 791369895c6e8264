"""The demo: a dashboard of several pages over two data sets that ship with Plotly.

Run it with ``python app.py``, and open http://127.0.0.1:8050.
"""

from __future__ import annotations

import asyncio

import data

from flash import ClientsideFunction, Flash, Input, Output, dcc, get_relative_path, html, page_container, page_registry

app = Flash(__name__, use_pages=True, title="Flash demo", update_title=None)


async def layout() -> html.Div:
    """The frame around every page. It is awaited, so the data can be read before the first page asks for it."""
    await asyncio.gather(asyncio.to_thread(data.world), asyncio.to_thread(data.prices))
    return html.Div(
        [
            dcc.Location(id="url"),
            html.A("Skip to the content", href="#content", className="skip"),
            header(),
            html.Main(page_container, id="content", tabIndex="-1"),
            html.Footer(
                "Gapminder and stock prices, as they come with Plotly. Served by Flash, on Quart and Hypercorn."
            ),
            html.Div(id="navigation-marked", hidden=True),
        ],
        className="app",
    )


def header() -> html.Header:
    pages = sorted((page for page in page_registry.values() if page.get("in_menu")), key=lambda page: page["order"])
    links = [dcc.Link(page["name"], href=page["relative_path"], className="menu-link") for page in pages]
    brand = dcc.Link([html.Span(className="bolt"), "Flash"], href=get_relative_path("/"), className="brand")
    return html.Header(html.Div([brand, html.Nav(links, **{"aria-label": "Pages"})], className="bar"))


app.layout = layout

# In the browser: the link of the open page is marked, and a new page starts at its top.
app.clientside_callback(
    ClientsideFunction("demo", "mark_open_page"), Output("navigation-marked", "title"), Input("url", "pathname")
)

if __name__ == "__main__":
    app.run()
