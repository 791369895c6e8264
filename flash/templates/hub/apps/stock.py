"""Stock: what the warehouses hold, while goods come and go.

All open pages show each movement at once.
"""

from __future__ import annotations

import asyncio
import csv
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from flash import Flash, Input, Output, dcc, html
from flash.hub.inside import instance_folder

hub = {"tags": ["live", "warehouse"], "order": 1}

PRODUCTS = Path(__file__).parent / "stock.csv"
SECONDS = 2.0
SHOWN = 60
COLORS = {"Bergen": "#4c7dff", "Oslo": "#12a150", "Tromsø": "#d9730d"}

TABLE = """
CREATE TABLE IF NOT EXISTS movements (
    number INTEGER PRIMARY KEY,
    at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now')),
    warehouse TEXT NOT NULL,
    product TEXT NOT NULL,
    amount INTEGER NOT NULL
)
"""


class Stock:
    """All movements, in SQLite. Each call opens the file for itself, so any thread may make it.

    Args:
        path: The file. A new one begins with what ``stock.csv`` says.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._connection() as connection:
            connection.execute(TABLE)
            if connection.execute("SELECT 1 FROM movements").fetchone() is None:
                connection.executemany(
                    "INSERT INTO movements (warehouse, product, amount) VALUES (:warehouse, :product, :amount)",
                    csv.DictReader(PRODUCTS.read_text(encoding="utf-8").splitlines()),
                )

    def move(self, warehouse: str, product: str, amount: int) -> None:
        """Book a delivery, or with a negative amount a sale; nothing is sold that is not there."""
        with self._connection() as connection:
            row = connection.execute(
                "SELECT SUM(amount) FROM movements WHERE warehouse = ? AND product = ?", (warehouse, product)
            ).fetchone()
            connection.execute(
                "INSERT INTO movements (warehouse, product, amount) VALUES (?, ?, ?)",
                (warehouse, product, max(amount, -(row[0] or 0))),
            )

    def levels(self, warehouses: list[str]) -> list[tuple[str, str, int]]:
        """What each warehouse holds of each product."""
        with self._connection() as connection:
            return connection.execute(
                "SELECT warehouse, product, SUM(amount) FROM movements "
                f"WHERE warehouse IN ({', '.join('?' * len(warehouses))}) GROUP BY warehouse, product",
                warehouses,
            ).fetchall()

    def totals(self, warehouses: list[str]) -> list[tuple[str, int]]:
        """All that the warehouses held together after each of the latest movements: time and pieces."""
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT at, SUM(amount) OVER (ORDER BY number) FROM movements "
                f"WHERE warehouse IN ({', '.join('?' * len(warehouses))}) ORDER BY number DESC LIMIT ?",
                [*warehouses, SHOWN],
            ).fetchall()
        return rows[::-1]

    def goods(self) -> list[tuple[str, str]]:
        """The warehouses and what each of them has had."""
        with self._connection() as connection:
            return connection.execute("SELECT DISTINCT warehouse, product FROM movements ORDER BY 1, 2").fetchall()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            yield connection


class Trade:
    """Books goods in and out, as a till and a loading ramp would: its numbers are made up.

    Args:
        app: Its pages are told of each movement.
        stock: Where it books.
    """

    def __init__(self, app: Flash, stock: Stock) -> None:
        self._app = app
        self._stock = stock
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin, with the server."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End, with the server."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        goods = await asyncio.to_thread(self._stock.goods)
        number = 0
        while True:
            await asyncio.sleep(SECONDS)
            amount = random.choice([-4, -3, -2, -1, -1, 12])
            await asyncio.to_thread(self._stock.move, *random.choice(goods), amount)
            number += 1
            self._app.push_mods({"moved": {"data": number}})


def create_app() -> Flash:
    """The app, alone (``python apps/stock.py``) and on the hub."""
    app = Flash(__name__, title="Stock", update_title=None)
    stock = Stock(instance_folder() / "stock.sqlite")
    trade = Trade(app, stock)
    app.server.before_serving(trade.start)
    app.server.after_serving(trade.stop)
    app.layout = page

    @app.callback(
        Output("levels", "figure"),
        Output("total", "figure"),
        Output("pieces", "children"),
        Input("warehouses", "value"),
        Input("moved", "data"),
    )
    def show(warehouses, moved):
        totals = stock.totals(warehouses)
        return bars(stock.levels(warehouses)), line(totals), str(totals[-1][1]) if totals else "0"

    return app


def page() -> html.Main:
    """The page, with all warehouses chosen."""
    choice = dcc.Checklist(list(COLORS), list(COLORS), id="warehouses", inline=True, labelStyle={"marginRight": "1rem"})
    quiet = {"displayModeBar": False, "responsive": True}
    return html.Main(
        [
            html.H1("Stock"),
            choice,
            html.P([html.Strong(id="pieces"), " pieces"]),
            dcc.Graph(id="levels", config=quiet, style={"height": "20rem"}),
            dcc.Graph(id="total", config=quiet, style={"height": "14rem"}),
            dcc.Store(id="moved", data=0),
        ],
        style={"fontFamily": "system-ui", "maxWidth": "60rem", "margin": "2rem auto", "padding": "0 1rem"},
    )


def bars(levels: list[tuple[str, str, int]]) -> dict:
    """A bar for each product, in parts by warehouse."""
    traces = []
    for warehouse, color in COLORS.items():
        held = [(product, pieces) for place, product, pieces in levels if place == warehouse]
        if held:
            products, pieces = zip(*held, strict=True)
            traces.append({"type": "bar", "name": warehouse, "x": products, "y": pieces, "marker": {"color": color}})
    return {"data": traces, "layout": {"barmode": "stack", "uirevision": "levels", "margin": MARGIN}}


def line(totals: list[tuple[str, int]]) -> dict:
    """All pieces together over time."""
    times, pieces = zip(*totals, strict=True) if totals else ((), ())
    trace = {"type": "scatter", "mode": "lines", "x": times, "y": pieces, "line": {"shape": "hv"}}
    return {"data": [trace], "layout": {"uirevision": "total", "margin": MARGIN}}


MARGIN = {"l": 40, "r": 8, "t": 8, "b": 40}

if __name__ == "__main__":
    create_app().run()
