"""The side panel: a note pad on every page but the first, which has a panel of its own."""

from __future__ import annotations

from typing import Any

import flash
from flash import dcc, html

flash.register_page(__name__, container="panel", default=True)
flash.register_page(f"{__name__}.hints", path="/", container="panel", layout=html.P("Choose a page above."))


def layout(**_: str) -> Any:
    """A place for notes, which stay while the page beside them changes."""
    return html.Label(["Notes", dcc.Textarea(id="notes", placeholder="Kept from page to page")])
