"""A Dash app on Dash's own Quart backend, with a callback over Dash's WebSocket."""

from dash import Dash, Input, Output, callback, dcc, html

app = Dash(__name__, backend="quart", title="Dash on Quart")
app.layout = html.Main(
    [html.H1("Dash on Quart"), dcc.Input(id="text", value="stressed"), html.P(id="backwards")],
    style={"fontFamily": "system-ui", "maxWidth": "36rem", "margin": "3rem auto"},
)


@callback(Output("backwards", "children"), Input("text", "value"), websocket=True)
async def turn_round(text):
    return (text or "")[::-1]


if __name__ == "__main__":
    app.run(debug=True)
