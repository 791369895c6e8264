"""Orders: an app with a model and a database of its own."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from flash import Flash, Input, Output, State, dcc, html, no_update
from flash.hub.inside import instance_folder

TABLE = "create table if not exists orders (customer text not null, amount real not null)"


class Orders:
    """All orders, in one file. Each call opens it: they come from several threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._run(TABLE)

    def add(self, customer: str, amount: float) -> None:
        self._run("insert into orders values (?, ?)", customer, amount)

    def by_customer(self) -> list[tuple[str, float]]:
        """What each customer has ordered for, most first."""
        return self._run("select customer, sum(amount) from orders group by customer order by 2 desc")

    def _run(self, statement: str, *values: object) -> list:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            return connection.execute(statement, values).fetchall()


def create_app() -> Flash:
    orders = Orders(instance_folder() / "orders.db")
    app = Flash(__name__, title="Orders", update_title=None)

    # Called for each page: it begins with what there is.
    def layout() -> html.Main:
        return html.Main(
            [
                html.H1("Orders"),
                dcc.Input(id="customer", placeholder="Customer", maxLength=40),
                dcc.Input(id="amount", type="number", min=1, placeholder="Amount"),
                html.Button("Add", id="add"),
                html.P(id="message", role="status"),
                html.Table(rows(orders), id="table"),
            ],
            style={"fontFamily": "system-ui", "maxWidth": "36rem", "margin": "3rem auto", "padding": "0 1rem"},
        )

    app.layout = layout

    @app.callback(
        Output("table", "children"),
        Output("message", "children"),
        Input("add", "n_clicks"),
        State("customer", "value"),
        State("amount", "value"),
        prevent_initial_call=True,
    )
    def add(clicks: int, customer: str | None, amount: float | None):
        if not (customer or "").strip() or not amount:
            return no_update, "An order needs a customer and an amount."
        orders.add(customer.strip(), amount)
        return rows(orders), "Added."

    return app


def rows(orders: Orders) -> list[html.Tr]:
    head = html.Tr([html.Th("Customer"), html.Th("Ordered for")])
    return [head, *(html.Tr([html.Td(name), html.Td(f"{total:,.2f}")]) for name, total in orders.by_customer())]


if __name__ == "__main__":
    create_app().run()
