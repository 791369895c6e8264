"""Health and wealth of the countries, year by year."""

from __future__ import annotations

import data
import figures
from parts import card, field, graph, heading

from flash import (
    ClientsideFunction,
    Input,
    Output,
    State,
    callback,
    clientside_callback,
    dcc,
    get_relative_path,
    html,
    register_page,
)

register_page(
    __name__,
    path="/world",
    name="World",
    title="World · Flash demo",
    description="Life expectancy, income and population of 142 countries, 1952 to 2007.",
    order=1,
    in_menu=True,
)


def layout() -> html.Div:
    years = data.years()
    return html.Div(
        [
            heading(
                "Health and wealth", "Each bubble is a country, as large as its population. Choose one to follow it."
            ),
            card(
                html.Div([year_field(years), country_field(), continent_field()], className="controls"),
                graph(id="world-bubbles", label="Life expectancy against income of each country", height=520),
                html.Div(id="world-chosen", className="chosen", **{"aria-live": "polite"}),
            ),
            dcc.Interval(id="world-clock", interval=900, disabled=True),
        ]
    )


def year_field(years: list[int]) -> html.Div:
    slider = dcc.Slider(
        id="world-year",
        min=years[0],
        max=years[-1],
        step=5,
        value=years[-1],
        marks={year: str(year) for year in years[::3] + years[-1:]},
        allow_direct_input=False,
    )
    play = html.Button("Play", id="world-play", className="button", type="button")
    return field("Year", html.Div([play, html.Div(slider, className="grow")], className="row"), className="grow")


def continent_field() -> html.Div:
    """The continents, which are also the key to the colours."""
    options = [
        {"value": name, "label": html.Span([html.Span(className="dot", style={"background": colour}), name])}
        for name, colour in figures.CONTINENT_COLOURS.items()
    ]
    chosen = list(figures.CONTINENT_COLOURS)
    return field("Continents", dcc.Checklist(options, chosen, id="world-continents", inline=True))


def country_field() -> html.Div:
    options = [{"value": code, "label": name} for code, name in data.countries().items()]
    return field("Country", dcc.Dropdown(options, "KOR", id="world-country", placeholder="None"), className="narrow")


@callback(
    Output("world-bubbles", "figure"),
    Input("world-year", "value"),
    Input("world-continents", "value"),
    Input("world-country", "value"),
)
def draw(year: int, continents: list[str], country: str | None):
    """A plain function: Flash runs it in a thread, so others don't wait for it."""
    frame = data.world()
    rows = frame[(frame["year"] == year) & frame["continent"].isin(continents)]
    return figures.empty("Choose a continent.") if rows.empty else figures.bubbles(rows, country)


@callback(Output("world-country", "value"), Input("world-bubbles", "clickData"), prevent_initial_call=True)
async def choose(click: dict):
    return click["points"][0]["customdata"][0]


@callback(Output("world-chosen", "children"), Input("world-country", "value"), Input("world-year", "value"))
def tell(code: str | None, year: int):
    country = data.country(code) if code else None
    if country is None:
        return "No country is chosen."
    row = country.rows[country.rows["year"] == year].iloc[0]
    return [
        html.Strong(f"{country.name}, {year}"),
        html.Span(f"{row['lifeExp']:.1f} years"),
        html.Span(f"${row['gdpPercap']:,.0f} a head"),
        html.Span(f"{row['pop'] / 1e6:,.1f} m people"),
        dcc.Link("All years", href=get_relative_path(f"/country/{country.code}")),
    ]


# In the browser: the button starts and stops the clock, and each tick moves the slider on.
clientside_callback(
    ClientsideFunction("demo", "play"),
    Output("world-clock", "disabled"),
    Output("world-play", "children"),
    Input("world-play", "n_clicks"),
    State("world-clock", "disabled"),
    prevent_initial_call=True,
)
clientside_callback(
    ClientsideFunction("demo", "next_year"),
    Output("world-year", "value"),
    Input("world-clock", "n_intervals"),
    State("world-year", "value"),
    State("world-year", "min"),
    State("world-year", "max"),
    State("world-year", "step"),
    prevent_initial_call=True,
)
