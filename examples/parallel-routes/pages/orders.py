"""The page Orders, and the news beside it."""

from __future__ import annotations

import asyncio
from typing import Any

import flash
from flash import html

flash.register_page(__name__, path="/orders", title="Orders · Shop")


async def layout(customer: str = "", **_: str) -> Any:
    """All orders, or those of one customer: ``/orders?customer=Ada``."""
    orders = {"Ada": 3, "Grace": 5, "Katherine": 2}
    shown = {name: count for name, count in orders.items() if not customer or name == customer}
    rows = [html.Li(f"{name}: {count}") for name, count in shown.items()]
    return html.Article([html.H1("Orders"), html.Ul(rows)], id="orders")


async def news() -> Any:
    """The news of this page."""
    await asyncio.sleep(0.5)
    return html.P("Two orders came in today.")


flash.register_page(f"{__name__}.news", path="/orders", container="news", layout=news)
