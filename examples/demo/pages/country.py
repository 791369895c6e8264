"""One country over the years. Its title and layout are worked out for each request."""

from __future__ import annotations

import asyncio

import data
import figures
from parts import card, field, graph, heading, tile

from flash import Input, Output, State, callback, dcc, get_relative_path, html, no_update, register_page


async def title(code: str = "") -> str:
    country = await asyncio.to_thread(data.country, code)
    return f"{country.name if country else 'No such country'} · Flash demo"


register_page(__name__, path_template="/country/<code>", name="Country", title=title, order=10)

MEASURES = (
    ("lifeExp", "Life expectancy", "Years at birth.", ""),
    ("gdpPercap", "Income a head", "Dollars of 2005, adjusted for prices.", "$"),
    ("pop", "People", "Against the mean of the continent.", ""),
)


async def layout(code: str = "", **_: str) -> html.Div:
    country = await asyncio.to_thread(data.country, code)
    if country is None:
        return html.Div([heading("No such country", f"No country has the code “{code}”."), chooser(None)])
    drawn = await asyncio.gather(
        *(asyncio.to_thread(draw, country, measure, prefix) for measure, _, _, prefix in MEASURES)
    )
    return html.Div(
        [
            html.Div(
                [heading(country.name, country.continent), chooser(country.code)],
                className="heading-row",
            ),
            tiles(country),
            html.Div(
                [
                    card(graph(label=f"{name} of {country.name}", height=260, figure=figure), title=name, note=note)
                    for (_, name, note, _), figure in zip(MEASURES, drawn, strict=True)
                ],
                className="columns three",
            ),
        ]
    )


def tiles(country: data.Country) -> html.Div:
    first, last = country.rows.iloc[0], country.rows.iloc[-1]
    since = f"since {first['year']}"
    return html.Div(
        [
            tile(
                "Life expectancy", f"{last['lifeExp']:.1f} years", f"{last['lifeExp'] - first['lifeExp']:+.1f} {since}"
            ),
            tile(
                "Income a head", f"${last['gdpPercap']:,.0f}", f"× {last['gdpPercap'] / first['gdpPercap']:.1f} {since}"
            ),
            tile("People", f"{last['pop'] / 1e6:,.1f} m", f"× {last['pop'] / first['pop']:.1f} {since}"),
        ],
        className="tiles",
    )


def draw(country: data.Country, measure: str, prefix: str):
    reference = data.by_continent(measure)[country.continent]
    if measure == "pop":
        frame = data.world()
        reference = reference / frame[frame["continent"] == country.continent]["iso_alpha"].nunique()
    colour = figures.CONTINENT_COLOURS[country.continent]
    rows = country.rows
    return figures.single(rows["year"], rows[measure], reference, colour, name=country.name, prefix=prefix)


def chooser(code: str | None) -> html.Div:
    options = [{"value": each, "label": name} for each, name in data.countries().items()]
    return field(
        "Country",
        html.Div(
            [
                dcc.Dropdown(options, code, id="country-code", clearable=False),
                dcc.Location(id="country-address", refresh="callback-nav"),
            ]
        ),
        className="narrow",
    )


@callback(
    Output("country-address", "pathname"),
    Input("country-code", "value"),
    State("country-address", "pathname"),
    prevent_initial_call=True,
)
async def go(code: str, here: str | None):
    there = get_relative_path(f"/country/{code}")
    return no_update if here == there else there
