"""A dashboard whose data come by themselves: read on a schedule, once for everybody, and drawn in all open tabs.

Only the number of a new version travels to a tab. The tab then asks for its figures, and tabs that ask for the same
get what was drawn once.
"""

from __future__ import annotations

from typing import Any

from figures import COLORS, life_figure, wealth_figure
from sources import WORLD, countries, regions, surveys

from flash import Flash, Input, Output, dcc, html
from flash.data import Freshness, LiveInput, Snapshot

app = Flash(__name__, title="Live data", update_title=None)

TILES = ("year", "population", "life", "income")


def tile(label: str, value: str, change: str = "") -> list[Any]:
    """One number, with what it is above it and how it has changed below."""
    return [html.Span(label), html.Strong(value), html.Span(change)]


def chart(name: str, title: str, text: str) -> html.Section:
    """A chart, with a loading screen until it is drawn for the first time."""
    graph = dcc.Graph(id=name, config={"displayModeBar": False, "responsive": True})
    # What is drawn anew stays in sight while it is.
    loading = dcc.Loading(
        html.Div(graph, className="graph"), delay_show=500, overlay_style={"visibility": "visible", "opacity": 0.6}
    )
    return html.Section([html.H2(title), html.P(text), loading], className="card")


app.layout = html.Main(
    [
        html.Header(
            [
                html.Div([html.H1("How long, and how well"), html.P("Surveys of 142 countries, as they come in.")]),
                Freshness(surveys, id="freshness", refresh=True),
            ]
        ),
        html.Div(
            [
                html.Label(["Region", dcc.Dropdown(list(COLORS), WORLD, id="region", clearable=False)]),
                *(html.Div(id=name, className="tile") for name in TILES),
            ],
            className="numbers",
        ),
        html.Div(
            [
                chart("lives", "Life expectancy", "Of a child that is born in that year."),
                chart("wealth", "Income and life expectancy", "A bubble is a country, as large as its population."),
            ],
            className="charts",
        ),
    ]
)


@app.callback(Output("lives", "figure"), LiveInput(regions), Input("region", "value"))
def draw_lives(snapshot: Snapshot, region: str):
    """Called when the page loads, when another region is chosen, and whenever there are new data."""
    return life_figure(snapshot.value, region)


@app.callback(Output("wealth", "figure"), LiveInput(countries), Input("region", "value"))
def draw_wealth(snapshot: Snapshot, region: str):
    return wealth_figure(snapshot.value, region)


@app.callback([Output(name, "children") for name in TILES], LiveInput(regions), Input("region", "value"))
def count(snapshot: Snapshot, region: str):
    """The numbers of the last survey, and what has been gained since the one before."""
    rows = snapshot.value[snapshot.value["region"] == region].sort_values("year")
    newest = rows.iloc[-1]
    gained = rows[["population", "life", "income"]].diff().iloc[-1].fillna(0)
    return (
        tile("Last survey", str(newest["year"]), f"{len(rows)} of 12"),
        tile("Population", f"{newest['population'] / 1e6:,.0f} m", f"{gained['population'] / 1e6:+,.0f} m"),
        tile("Years at birth", f"{newest['life']:.1f}", f"{gained['life']:+.1f}"),
        tile("Income of a head", f"${newest['income']:,.0f}", f"{gained['income']:+,.0f}"),
    )


if __name__ == "__main__":
    app.run()
