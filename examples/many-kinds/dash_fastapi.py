"""A Dash app on FastAPI, with a route of FastAPI's beside its pages."""

from dash import Dash, Input, Output, callback, dcc, get_relative_path, html

app = Dash(__name__, backend="fastapi", title="Dash on FastAPI")


@app.server.get("/square/{number}")
async def square(number: int) -> dict[str, int]:
    return {"number": number, "square": number**2}


app.layout = html.Main(
    [html.H1("Dash on FastAPI"), dcc.Slider(0, 10, 1, value=4, id="number"), html.A(id="link")],
    style={"fontFamily": "system-ui", "maxWidth": "36rem", "margin": "3rem auto"},
)


@callback(Output("link", "children"), Output("link", "href"), Input("number", "value"))
def link_to_square(number):
    return f"The square of {number}", get_relative_path(f"/square/{number}")


if __name__ == "__main__":
    app.run(debug=True)
