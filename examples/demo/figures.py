"""The figures, all in one style."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

import pandas as pd
import plotly.graph_objects as go

INK, MUTED, LINE, ACCENT = "#16213a", "#5c667d", "#e4e8f0", "#2b59d9"
CONTINENT_COLOURS = {
    "Africa": "#d9622b",
    "Americas": "#2b59d9",
    "Asia": "#c99700",
    "Europe": "#2f8f5b",
    "Oceania": "#8a4fc4",
}
COMPANY_COLOURS = {
    "AAPL": "#5c667d",
    "AMZN": "#c99700",
    "FB": "#2b59d9",
    "GOOG": "#2f8f5b",
    "MSFT": "#0c8ca8",
    "NFLX": "#c8323c",
}

_AXIS = {
    "gridcolor": LINE,
    "linecolor": LINE,
    "zeroline": False,
    "ticks": "",
    "automargin": True,
    "title": {"font": {"color": MUTED, "size": 13}, "standoff": 10},
}
_TIME = {"showgrid": False, "ticklabelstandoff": 6, "tickangle": 0}
TEMPLATE = go.layout.Template(
    layout={
        "font": {"family": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif", "color": INK, "size": 13},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "xaxis": _AXIS,
        "yaxis": _AXIS,
        "hoverlabel": {"bgcolor": "#ffffff", "bordercolor": LINE, "font": {"color": INK, "size": 13}},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "title": {"text": ""}},
        "dragmode": False,
    }
)
GRAPH_CONFIG = {"displayModeBar": False, "responsive": True}


def empty(message: str = "") -> go.Figure:
    """A figure without data, which may say why."""
    figure = go.Figure(layout={"template": TEMPLATE, "xaxis": {"visible": False}, "yaxis": {"visible": False}})
    return figure.add_annotation(text=message, showarrow=False, font={"color": MUTED, "size": 15})


def lines(frame: pd.DataFrame, colours: Mapping[str, str], *, digits: int = 0, dates: str | None = None) -> go.Figure:
    """One line for each column, its name at the end of it."""
    figure = go.Figure(layout={"template": TEMPLATE, "hovermode": "x unified", "showlegend": False})
    for name, at in zip(frame.columns, _label_heights(frame), strict=True):
        colour = colours[name]
        figure.add_scatter(
            x=frame.index,
            y=frame[name],
            name=name,
            mode="lines",
            line={"color": colour, "width": 2.5},
            hovertemplate=f"%{{y:,.{digits}f}}",
        )
        figure.add_annotation(
            x=1, xref="paper", xanchor="left", y=at, text=name, showarrow=False, font={"color": colour}, xshift=6
        )
    return figure.update_layout(margin={"r": 82}, xaxis={**_TIME, "tickformat": dates})


def _label_heights(frame: pd.DataFrame) -> list[float]:
    """Where the labels of the lines stand: at the ends, moved up where two would overlap."""
    gap = (frame.max().max() - frame.min().min()) / 16
    heights: dict[str, float] = {}
    lowest = float("-inf")
    for name, end in frame.iloc[-1].sort_values().items():
        lowest = heights[name] = max(end, lowest + gap)
    return [heights[name] for name in frame.columns]


def bubbles(frame: pd.DataFrame, selected: str | None) -> go.Figure:
    """Income across, life expectancy up, population as area: one bubble for each country of a year."""
    figure = go.Figure(layout={"template": TEMPLATE, "clickmode": "event"})
    for continent, colour in CONTINENT_COLOURS.items():
        # The largest first, so that none lies under a larger one.
        rows = frame[frame["continent"] == continent].sort_values("pop", ascending=False)
        if rows.empty:
            continue
        chosen = rows["iso_alpha"] == selected
        figure.add_scatter(
            x=rows["gdpPercap"],
            y=rows["lifeExp"],
            ids=rows["iso_alpha"],
            customdata=rows[["iso_alpha", "country", "pop"]],
            name=continent,
            mode="markers",
            marker={
                "size": rows["pop"],
                "sizemode": "area",
                "sizeref": 1.3e9 / 56**2,
                "sizemin": 4,
                "color": colour,
                "opacity": 0.72,
                "line": {
                    "color": [INK if one else "#ffffff" for one in chosen],
                    "width": [3 if one else 1 for one in chosen],
                },
            },
            hovertemplate="<b>%{customdata[1]}</b><br>%{y:.1f} years<br>$%{x:,.0f} a head<br>"
            "%{customdata[2]:.3s} people<extra></extra>",
        )
    return figure.update_layout(
        xaxis={
            "type": "log",
            "range": [2.3, 5.1],
            "title": {"text": "Income a head, dollars of 2005"},
            "tickvals": [300, 1000, 3000, 10000, 30000, 100000],
            "tickformat": "$~s",
            "tickangle": 0,
        },
        yaxis={"range": [22, 88], "title": {"text": "Life expectancy, years"}},
        showlegend=False,
        transition={"duration": 450, "easing": "cubic-in-out"},
        uirevision="bubbles",
    )


def single(x: pd.Series, y: pd.Series, reference: pd.Series, colour: str, *, name: str, prefix: str = "") -> go.Figure:
    """One country's line over its continent's."""
    figure = go.Figure(layout={"template": TEMPLATE, "hovermode": "x unified"})
    figure.add_scatter(
        x=reference.index,
        y=reference,
        name=str(reference.name),
        mode="lines",
        line={"color": "#aab2c3", "width": 2, "dash": "dot"},
        hovertemplate=prefix + "%{y:,.4s}",
    )
    figure.add_scatter(
        x=x, y=y, name=name, mode="lines", line={"color": colour, "width": 3}, hovertemplate=prefix + "%{y:,.4s}"
    )
    return figure.update_layout(xaxis=_TIME, yaxis={"tickprefix": prefix, "rangemode": "tozero"})


def matrix(frame: pd.DataFrame) -> go.Figure:
    """A square of correlations with the numbers in it."""
    heatmap = go.Heatmap(
        z=frame.to_numpy(),
        x=list(frame.columns),
        y=list(frame.index),
        zmin=-1,
        zmax=1,
        showscale=False,
        colorscale=[[0, "#c8323c"], [0.5, "#ffffff"], [1, "#6d90ee"]],
        texttemplate="%{z:.2f}",
        xgap=3,
        ygap=3,
        hovertemplate="%{x} and %{y}: %{z:.2f}<extra></extra>",
    )
    figure = go.Figure(heatmap, layout={"template": TEMPLATE})
    return figure.update_layout(xaxis={"showgrid": False}, yaxis={"showgrid": False, "autorange": "reversed"})


def timeline(spans: list[tuple[str, float, float]], *, longest: float, colour: str = ACCENT) -> go.Figure:
    """When each of several pieces of work ran: its name, start and end, in seconds."""
    bars = go.Bar(
        y=[name for name, _, _ in spans],
        base=[start for _, start, _ in spans],
        x=[end - start for _, start, end in spans],
        orientation="h",
        marker={"color": colour, "cornerradius": 4},
        width=0.62,
        hovertemplate="%{y}: from %{base:.2f} s, for %{x:.2f} s<extra></extra>",
    )
    figure = go.Figure(bars, layout={"template": TEMPLATE})
    return figure.update_layout(
        xaxis={"range": [0, longest], "dtick": 0.5, "title": {"text": "Seconds"}, "ticklabelstandoff": 6},
        yaxis={"autorange": "reversed", "showgrid": False},
    )


def sparkline(values: pd.Series, colour: str = ACCENT) -> str:
    """A small line without axes, as an image's address."""
    low, high = values.min(), values.max()
    steps = len(values) - 1
    points = " ".join(
        f"{2 + 116 * index / steps:.1f},{34 - 30 * (value - low) / (high - low):.1f}"
        for index, value in enumerate(values)
    )
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 38"><polyline fill="none" '
        f'stroke="{colour}" stroke-width="3" stroke-linecap="round" stroke-linejoin="round" points="{points}"/></svg>'
    )
    return "data:image/svg+xml," + quote(svg)
