"""The page Stock, and the news beside it."""

from __future__ import annotations

import asyncio
from typing import Any

import flash
from flash import html

flash.register_page(__name__, path="/stock", title="Stock · Shop")

layout = html.Article([html.H1("Stock"), html.P("412 things on 18 shelves.")], id="stock")


async def news() -> Any:
    """News whose source is down."""
    await asyncio.sleep(0.5)
    raise ConnectionError("The news server does not answer.")


flash.register_page(f"{__name__}.news", path="/stock", container="news", layout=news)
