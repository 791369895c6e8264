"""The page: what stands where. Callbacks in ``app.py`` fill it."""

from __future__ import annotations

from dash import dcc, html
from dash.development.base_component import Component

import engineering
from setting import TITLE

GRAPH = {"displayModeBar": False, "responsive": True}
MINUTES = [5, 30]


def page(machine: Component, disks: Component, *unseen: Component) -> html.Main:
    """The page.

    Args:
        machine: Says how fresh the machine's data are.
        disks: Says how fresh the disks' data are.
        unseen: Components that show nothing.
    """
    return html.Main(
        [
            html.Header([html.H1(TITLE), machine]),
            dcc.Loading(
                [
                    html.Section(id="numbers", className="numbers"),
                    html.Section(
                        [
                            dcc.RadioItems(
                                [{"label": f"{each} minutes", "value": each} for each in MINUTES],
                                MINUTES[0],
                                id="minutes",
                                inline=True,
                                className="minutes",
                            ),
                            dcc.Graph(id="load", config=GRAPH, style={"height": "26rem"}),
                        ]
                    ),
                    html.Section(
                        [
                            html.Header([html.H2("Disks"), disks]),
                            dcc.Graph(id="disks", config=GRAPH, style={"height": "12rem"}),
                        ]
                    ),
                ],
                id="loading",
                custom_spinner=html.Div([html.Div(className="spinner"), "Reading the first data"], className="screen"),
                # The screen stays until there are data. Afterwards it is shown only when something takes long.
                display="show",
                delay_show=1000,
                parent_className="content",
            ),
            *unseen,
        ]
    )


def cards(numbers: list[tuple[str, str, str, bool]]) -> list[html.Div]:
    """The numbers of ``engineering.numbers``, as cards."""
    return [
        html.Div(
            [html.Span(name), html.Strong(now), html.Small(f"highest {highest}")],
            className="card marked" if marked else "card",
            style={"borderTopColor": engineering.MARKED if marked else engineering.COLORS[name]},
        )
        for name, now, highest, marked in numbers
    ]
