from flash import ALL, Flash, Input, Output, State, dcc, exceptions, html, set_props


def make_app() -> Flash:
    app = Flash(__name__, title="Basket")
    app.layout = html.Div(
        [
            dcc.Input(id="fruit", value="apple"),
            html.Button("Add", id="add"),
            html.Ul(id="basket"),
            html.P(id="count"),
        ]
    )

    @app.callback(
        Output("basket", "children"),
        Input("add", "n_clicks"),
        State("fruit", "value"),
        State("basket", "children"),
        prevent_initial_call=True,
    )
    async def add(clicks, fruit, items):
        if not fruit:
            raise exceptions.PreventUpdate
        if fruit == "stone":
            raise ValueError("a stone is no fruit")
        set_props("fruit", {"value": ""})
        items = items or []
        return [*items, html.Li(fruit, id={"type": "item", "index": len(items)})]

    @app.callback(Output("count", "children"), Input({"type": "item", "index": ALL}, "children"))
    def count(fruits):
        return f"{len(fruits)} in the basket"

    return app
