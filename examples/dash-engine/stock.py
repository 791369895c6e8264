"""Stock today: prices over any range of days. The prices are made up."""

from __future__ import annotations

import random
from functools import cache
from itertools import accumulate

from quart import Response

from flash import Flash, Input, Output, dcc, html

COMPANIES = ("Alder", "Birch", "Cedar")
DAYS = 250


def create_app() -> Flash:
    app = Flash(__name__, title="Stock today", update_title=None)
    app.layout = html.Main(
        [
            html.H1("Stock today"),
            dcc.Dropdown(list(COMPANIES), list(COMPANIES[:2]), id="companies", multi=True),
            dcc.RangeSlider(1, DAYS, 1, value=[1, DAYS], id="days", marks=None, allow_direct_input=False),
            dcc.Graph(id="prices", config={"displayModeBar": False}),
            html.P(id="summary", role="status"),
            html.A("All prices as a file", href=app.get_relative_path("/prices.csv"), id="file"),
        ],
        style={"fontFamily": "system-ui", "maxWidth": "48rem", "margin": "3rem auto", "padding": "0 1rem"},
    )

    @app.callback(
        Output("prices", "figure"),
        Output("summary", "children"),
        Input("companies", "value"),
        Input("days", "value"),
    )
    async def draw(companies: list[str], days: list[int]):
        first, last = days
        lines = [
            {"name": name, "x": list(range(first, last + 1)), "y": prices_of(name)[first - 1 : last], "mode": "lines"}
            for name in companies
        ]
        changes = [f"{line['name']} {line['y'][-1] / line['y'][0] - 1:+.1%}" for line in lines]
        return {"data": lines, "layout": {"margin": {"t": 16, "r": 8}}}, ", ".join(changes)

    @app.server.get("/prices.csv")
    async def file() -> Response:
        rows = zip(range(1, DAYS + 1), *map(prices_of, COMPANIES), strict=True)
        text = "\n".join(",".join(map(str, row)) for row in [("day", *COMPANIES), *rows])
        return Response(text, content_type="text/csv")

    return app


@cache
def prices_of(company: str) -> list[float]:
    """A price for each day: a walk that is the same at every start."""
    dice = random.Random(company)
    return [round(price, 2) for price in accumulate((dice.gauss(0.05, 1) for _ in range(DAYS - 1)), initial=100)]


if __name__ == "__main__":
    create_app().run()
