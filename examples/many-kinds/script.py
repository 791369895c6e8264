"""A script as they are written every day: no name to import, a port of its own, and ``app.run`` at the end."""

import random
import sys

from dash import Dash, Input, Output, dcc, html


def main(rolls: int) -> None:
    app = Dash(title="Dice")
    app.layout = html.Main(
        [html.H1("Dice"), html.Button("Roll", id="roll"), dcc.Graph(id="counts")],
        style={"fontFamily": "system-ui", "maxWidth": "36rem", "margin": "3rem auto"},
    )

    @app.callback(Output("counts", "figure"), Input("roll", "n_clicks"))
    def roll(clicks):
        sums = [random.randint(1, 6) + random.randint(1, 6) for _ in range(rolls)]
        return {"data": [{"x": sums, "type": "histogram", "xbins": {"size": 1}}]}

    print(f"Two dice, {rolls} times.")
    app.run(host="0.0.0.0", port=8060)


main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
