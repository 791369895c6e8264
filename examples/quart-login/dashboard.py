"""The dashboard: a Flash app under a prefix of the site."""

from __future__ import annotations

from quart import Quart, session, url_for

from flash import Flash, Input, Output, dcc, html

NUMBERS = {"Apples": [3, 5, 4, 8], "Pears": [2, 2, 6, 5]}


def make_dashboard(server: Quart) -> Flash:
    app = Flash(server=server, url_base_pathname="/dashboard/", title="Dashboard")
    app.layout = layout

    @app.callback(Output("graph", "figure"), Output("caption", "children"), Input("fruit", "value"))
    async def draw(fruit: str):
        figure = {"data": [{"y": NUMBERS[fruit], "type": "bar"}], "layout": {"title": {"text": fruit}}}
        return figure, f"{sum(NUMBERS[fruit])} {fruit.lower()}, shown to {session['user']}"

    return app


async def layout() -> html.Main:
    """Made for each request, so it can greet who asks."""
    return html.Main(
        [
            html.H1(f"Welcome, {session['user']}", id="welcome"),
            html.Form(
                html.Button("Sign out", type="submit", id="sign-out"), action=url_for("auth.logout"), method="post"
            ),
            dcc.RadioItems(list(NUMBERS), "Apples", id="fruit", inline=True),
            dcc.Graph(id="graph"),
            html.P(id="caption"),
        ],
        style={"fontFamily": "system-ui", "maxWidth": "48rem", "margin": "3rem auto", "padding": "0 1rem"},
    )
