"""A script as authors write it: it ends in ``app.run(...)``, and says goodbye when that returns."""

import atexit

from dash import Dash, Input, Output, callback, dcc, html

app = Dash(__name__)
app.layout = html.Div([dcc.Input(id="in"), html.Div(id="out")])


@callback(Output("out", "children"), Input("in", "value"))
def show(value: str | None) -> str:
    return f"script in {__name__}: {value}"


atexit.register(print, "script: exit", flush=True)

app.run(debug=True, port=8051)
print("script: goodbye", flush=True)
