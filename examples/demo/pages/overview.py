"""The first page: what the data say in short, and where to go on."""

from __future__ import annotations

import asyncio

import data
import figures
from parts import card, graph, heading, tile

from flash import dcc, get_relative_path, html, register_page

register_page(
    __name__,
    path="/",
    name="Overview",
    title="Overview · Flash demo",
    description="Six decades of people, income and life expectancy, and two years of stock prices.",
    order=0,
    in_menu=True,
)


async def layout() -> html.Div:
    """Asks for everything at once; each answer is worked out in a thread."""
    people, lives, incomes, continents, gains = await asyncio.gather(
        asyncio.to_thread(data.by_year, "pop"),
        asyncio.to_thread(data.by_year, "lifeExp"),
        asyncio.to_thread(data.by_year, "gdpPercap"),
        asyncio.to_thread(data.by_continent, "lifeExp"),
        asyncio.to_thread(data.gains),
    )
    first, last = data.years()[0], data.years()[-1]
    return html.Div(
        [
            heading("The world is living longer", f"142 countries from {first} to {last}, and how far they came."),
            html.Div(
                [
                    tile(
                        "People",
                        f"{people[last] / 1e9:.2f} bn",
                        f"{people[first] / 1e9:.2f} bn in {first}",
                        figures.sparkline(people),
                    ),
                    tile(
                        "Life expectancy",
                        f"{lives[last]:.1f} years",
                        f"{lives[first]:.1f} years in {first}",
                        figures.sparkline(lives, "#2f8f5b"),
                    ),
                    tile(
                        "Income a head",
                        f"${incomes[last]:,.0f}",
                        f"${incomes[first]:,.0f} in {first}",
                        figures.sparkline(incomes, "#c99700"),
                    ),
                ],
                className="tiles",
            ),
            html.Div(
                [
                    card(
                        graph(
                            label=f"Life expectancy of each continent, {first} to {last}",
                            figure=figures.lines(continents, figures.CONTINENT_COLOURS, digits=1),
                        ),
                        title="Life expectancy by continent",
                        note="Years, mean weighted by population.",
                    ),
                    card(most_gained(gains), title="Gained most", note=f"Years of life, {first} to {last}."),
                ],
                className="columns wide-left",
            ),
            html.Nav(
                [
                    doorway("/world", "World", "Health and wealth of every country, year by year."),
                    doorway("/stocks", "Stocks", "Six companies, compared over any range of weeks."),
                    doorway("/waiting", "Waiting", "Plain and asynchronous callbacks that wait at the same time."),
                ],
                className="doorways",
                **{"aria-label": "Go on"},
            ),
        ]
    )


def most_gained(gains) -> html.Ol:
    rows = gains.head(8)
    longest = rows["gain"].max()
    return html.Ol(
        [
            html.Li(
                [
                    dcc.Link(row.country, href=get_relative_path(f"/country/{row.iso_alpha}")),
                    html.Span(f"+{row.gain:.1f}", className="amount"),
                    html.Span(
                        className="share",
                        style={
                            "width": f"{row.gain / longest:.0%}",
                            "background": figures.CONTINENT_COLOURS[row.continent],
                        },
                    ),
                ]
            )
            for row in rows.itertuples()
        ],
        className="ranking",
    )


def doorway(path: str, title: str, text: str) -> dcc.Link:
    return dcc.Link(
        [html.Strong(title), html.Span(text), html.Span("→", className="arrow")],
        href=get_relative_path(path),
        className="card",
    )
