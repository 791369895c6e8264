"""How the data are drawn. Nothing here knows of Flash."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go

COLORS = {
    "World": "#5c667d",
    "Africa": "#c4661f",
    "Americas": "#1f8a70",
    "Asia": "#7a4fc9",
    "Europe": "#2b59d9",
    "Oceania": "#b5487f",
}
CLEAR = "rgba(0, 0, 0, 0)"
GRID = {"gridcolor": "rgba(136, 145, 165, 0.25)", "zeroline": False, "linecolor": "rgb(136 145 165 / 45%)"}
YEARS = (1950, 2009)
LIFE = (20, 90)
#: Of the axis of incomes, in dollars.
INCOMES = (200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000)


def life_figure(regions: pd.DataFrame, chosen: str) -> go.Figure:
    """Life expectancy over the years: the chosen region in front of the others."""
    figure = go.Figure()
    for region, rows in sorted(regions.groupby("region"), key=lambda each: each[0] == chosen):
        front = region == chosen
        figure.add_scatter(
            x=rows["year"],
            y=rows["life"].round(1),
            name=region,
            mode="lines+markers",
            line={"color": COLORS[region], "width": 4 if front else 1.5, "shape": "spline"},
            marker={"size": 8 if front else 4},
            opacity=1 if front else 0.45,
            hovertemplate="%{y} years in %{x}",
        )
    figure.update_layout(
        _layout(),
        legend={"orientation": "h", "y": -0.15, "traceorder": "normal"},
        xaxis={**GRID, "range": YEARS, "showgrid": False},
        yaxis={**GRID, "range": LIFE, "ticksuffix": " y", "title": {"text": "Years at birth"}},
    )
    return figure


def wealth_figure(countries: pd.DataFrame, chosen: str) -> go.Figure:
    """Each country's income and life expectancy in the last survey; its bubble is as large as its population."""
    year = countries["year"].max()
    rows = countries[countries["year"] == year].sort_values("population", ascending=False)
    inside = (rows["region"] == chosen) | (chosen == "World")
    figure = go.Figure(
        go.Scatter(
            x=rows["income"].round(),
            y=rows["life"].round(1),
            text=rows["country"],
            mode="markers",
            marker={
                "size": rows["population"],
                "sizemode": "area",
                "sizeref": 2 * 1.4e9 / 56**2,
                "sizemin": 3,
                "color": rows["region"].map(COLORS),
                "opacity": inside.map({True: 0.75, False: 0.12}),
                "line": {"width": 0.5, "color": "white"},
            },
            hovertemplate="<b>%{text}</b><br>%{y} years, %{x:$,} a head<extra></extra>",
        )
    )
    axis = {**GRID, "type": "log", "range": (2.3, 4.9), "tickvals": INCOMES, "tickformat": "$~s"}
    figure.update_layout(
        _layout(),
        xaxis={**axis, "title": {"text": "Income of a head and year"}},
        yaxis={**GRID, "range": LIFE, "ticksuffix": " y", "title": {"text": "Years at birth"}},
        annotations=[
            {
                "text": str(year),
                "xref": "paper",
                "yref": "paper",
                "x": 0.98,
                "y": 0.02,
                "showarrow": False,
                "font": {"size": 56, "color": "rgba(136, 145, 165, 0.30)"},
            }
        ],
    )
    return figure


def _layout() -> dict[str, Any]:
    return {
        "template": "plotly_white",
        "margin": {"l": 56, "r": 8, "t": 8, "b": 48},
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "font": {"color": "#6c7690", "family": "system-ui, sans-serif"},
        # What the user has zoomed stays when new data come.
        "uirevision": "kept",
    }
