"""Six companies, compared over any range of weeks."""

from __future__ import annotations

import asyncio

import data
import figures
from parts import card, field, graph, heading, tile

from flash import Input, Output, callback, dcc, html, register_page

register_page(
    __name__,
    path="/stocks",
    name="Stocks",
    title="Stocks · Flash demo",
    description="Weekly prices of six technology companies in 2018 and 2019.",
    order=2,
    in_menu=True,
)


def layout() -> html.Div:
    return html.Div(
        [
            heading("Six companies, two years", "Choose a range: its first week is 100, whatever the price was."),
            card(html.Div([company_field(), weeks_field()], className="controls")),
            html.Div(id="stocks-tiles", className="tiles small"),
            html.Div(
                [
                    card(graph(id="stocks-lines", label="Prices of the companies"), title="Price, first week = 100"),
                    card(
                        graph(id="stocks-matrix", label="Correlations of the companies"),
                        title="Move together",
                        note="Correlation of the weekly changes.",
                    ),
                ],
                className="columns wide-left",
            ),
        ]
    )


def company_field() -> html.Div:
    options = [{"value": code, "label": name} for code, name in data.COMPANIES.items()]
    return field("Companies", dcc.Checklist(options, list(data.COMPANIES), id="stocks-companies", inline=True))


def weeks_field() -> html.Div:
    dates = data.prices().index
    marks = {week: f"{dates[week]:%b %Y}" for week in range(0, len(dates), 26)}
    slider = dcc.RangeSlider(
        0, len(dates) - 1, 1, value=[0, len(dates) - 1], marks=marks, id="stocks-weeks", allow_direct_input=False
    )
    return field("Weeks", slider, className="grow")


@callback(
    Output("stocks-tiles", "children"),
    Output("stocks-lines", "figure"),
    Output("stocks-matrix", "figure"),
    Input("stocks-companies", "value"),
    Input("stocks-weeks", "value"),
)
async def compare(companies: list[str], weeks: list[int]):
    """Three questions, asked at once."""
    first, last = weeks
    if not companies or last - first < 2:
        hint = figures.empty("Choose a company and at least three weeks.")
        return [], hint, hint
    question = (sorted(companies), first, last)
    prices, together, falls = await asyncio.gather(
        asyncio.to_thread(data.indexed, *question),
        asyncio.to_thread(data.correlations, *question),
        asyncio.to_thread(data.deepest_falls, *question),
    )
    changes = prices.iloc[-1] - 100
    tiles = [
        tile(data.COMPANIES[name], signed(changes[name]), f"deepest fall {signed(falls[name] * 100)}")
        for name in prices
    ]
    return tiles, figures.lines(prices, figures.COMPANY_COLOURS, dates="%b\n%Y"), figures.matrix(together)


def signed(percent: float) -> str:
    return f"{percent:+.0f} %".replace("-", "−")
