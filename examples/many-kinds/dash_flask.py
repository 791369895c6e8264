"""A Dash app as it comes: on Flask."""

from dash import Dash, Input, Output, callback, dcc, html

app = Dash(__name__, title="Dash on Flask")
app.layout = html.Main(
    [html.H1("Dash on Flask"), dcc.Slider(0, 10, 1, value=4, id="number"), html.P(id="square")],
    style={"fontFamily": "system-ui", "maxWidth": "36rem", "margin": "3rem auto"},
)


@callback(Output("square", "children"), Input("number", "value"))
def square(number):
    return f"{number} squared is {number**2}."


if __name__ == "__main__":
    app.run(debug=True)
