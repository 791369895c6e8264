"""A script with the usual guard, whose app is made in a function and has a prefix of its own."""

from dash import Dash, Input, Output, callback, dcc, html


def main() -> None:
    dashboard = Dash(__name__, url_base_pathname="/elsewhere/")
    dashboard.layout = html.Div([dcc.Input(id="in"), html.Div(id="out")])

    @callback(Output("out", "children"), Input("in", "value"))
    def show(value: str | None) -> str:
        return f"guarded: {value}"

    dashboard.run(host="0.0.0.0")


if __name__ == "__main__":
    main()
