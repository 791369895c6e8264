"""The page Overview, and the news beside it."""

from __future__ import annotations

import asyncio
from typing import Any

import flash
from flash import html

flash.register_page(__name__, path="/", title="Overview · Shop")

layout = html.Article([html.H1("Overview"), html.P("The shop at a glance.")], id="overview")


async def news() -> Any:
    """News that take a while, and hold nothing else up."""
    await asyncio.sleep(0.5)
    return html.Ul([html.Li("The new shelf is here."), html.Li("Open on Sunday.")])


flash.register_page(f"{__name__}.news", path="/", container="news", layout=news)
