"""The chart of the marks: a Dash app on the server of the reviews."""

from __future__ import annotations

from dash import Dash, Input, Output, dcc, html
from flask import Flask
from models import PRODUCTS, Reviews

COLORS = ["#d9434e", "#e58b3a", "#d8c13f", "#8dbb4a", "#2e9b57"]


def add_chart(server: Flask) -> Dash:
    """Add the chart to a server, below ``/chart/``."""
    app = Dash(__name__, server=server, routes_pathname_prefix="/chart/", title="Marks", update_title=None)
    reviews: Reviews = server.extensions["reviews"]
    app.layout = html.Main(
        [
            html.P(html.A("← Reviews", href="..")),
            html.H1("Marks"),
            dcc.Dropdown(list(PRODUCTS), list(PRODUCTS), id="products", multi=True),
            dcc.Graph(id="marks", config={"displayModeBar": False, "responsive": True}),
        ],
        style={"fontFamily": "system-ui", "maxWidth": "48rem", "margin": "2rem auto", "padding": "0 1rem"},
    )

    @app.callback(Output("marks", "figure"), Input("products", "value"))
    def show(products):
        counts = reviews.marks(products)
        bars = [
            {
                "type": "bar",
                "name": f"{mark} of 5",
                "x": list(counts),
                "y": [marks[mark - 1] for marks in counts.values()],
                "marker": {"color": COLORS[mark - 1]},
            }
            for mark in range(1, 6)
        ]
        return {"data": bars, "layout": {"barmode": "stack", "yaxis": {"title": "reviews"}}}

    return app
