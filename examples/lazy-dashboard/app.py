"""Charts that load when they are seen, the state of the connection, and a socket of the app's own."""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime
from typing import Any

import plotly.graph_objects as go
from quart import websocket

from flash import MATCH, Flash, Input, Output, clientside_callback, components, ctx, dcc, html

REGIONS = ("North", "East", "South", "West", "Centre", "Islands")
YEARS = (2022, 2023, 2024)
SECONDS_OF_A_QUERY = 0.4

app = Flash(__name__, title="Lazy dashboard")


def chart(region: str) -> Any:
    """A section whose chart is loaded when it comes near the seen part of the page."""
    return html.Section(
        [
            html.H2(region),
            components.Lazy(
                id={"type": "chart", "region": region}, height=280, margin="0px", label=f"Loading {region} ..."
            ),
        ]
    )


app.layout = html.Main(
    [
        html.Header(
            [
                html.H1("Sales by region"),
                html.Time(id="time"),
                components.LiveStatus(id="status"),
            ]
        ),
        html.Label(["Year", dcc.Dropdown(YEARS, YEARS[-1], id="year", clearable=False)]),
        *map(chart, REGIONS),
        components.WebSocket(id="clock", url="clock"),
    ]
)


@components.lazy({"type": "chart", "region": MATCH}, Input("year", "value"))
async def load(year: int) -> dcc.Graph:
    """The chart of one region. Called when it is first seen, and then whenever the year changes."""
    region = ctx.outputs_grouping["id"]["region"]
    figure = figure_of(await sales_of(region, year))
    return dcc.Graph(figure=figure, config={"displayModeBar": False}, style={"height": 280})


async def sales_of(region: str, year: int) -> list[float]:
    """The sales of twelve months; stands for a slow query."""
    await asyncio.sleep(SECONDS_OF_A_QUERY)
    start = REGIONS.index(region) + year
    return [100 + 40 * math.sin(start + month / 2) + 3 * month for month in range(12)]


def figure_of(sales: list[float]) -> go.Figure:
    """A figure of twelve months."""
    figure = go.Figure(go.Bar(x=list(range(1, 13)), y=sales, marker_color="#2f6f9f"))
    figure.update_layout(margin={"l": 40, "r": 10, "t": 10, "b": 30}, template="plotly_white", xaxis_dtick=1)
    return figure


@app.server.websocket("/clock")
async def clock() -> None:
    """Tell the time every second, for as long as somebody listens."""
    while True:
        await websocket.send(datetime.now(UTC).strftime("%H:%M:%S UTC"))
        await asyncio.sleep(1)


clientside_callback(
    "message => message.data", Output("time", "children"), Input("clock", "message"), prevent_initial_call=True
)

if __name__ == "__main__":
    app.run()
