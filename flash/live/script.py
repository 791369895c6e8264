"""The client of the live connection: the files in ``client/`` as one script."""

from __future__ import annotations

import html
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from quart import Response

from ..server.assets import Bundle, bundle_of

if TYPE_CHECKING:
    from .app import LiveApp

CLIENT = Path(__file__).parent / "client"

#: The id of the hidden store whose callback carries component trees into the page.
CARRIER = "_flash_carrier"


@cache
def script() -> Bundle:
    """All files of the client, in the order of their names, joined and compressed. Read once."""
    files = sorted(CLIENT.glob("*.js"))
    return bundle_of("\n".join(file.read_text() for file in files).encode(), "text/javascript; charset=utf-8")


def script_name() -> str:
    """The name under which the script is served, which tells its content."""
    return f"live-{script().etag[:16]}.js"


async def serve_script() -> Response:
    """The view that serves the script."""
    return await script().answer(immutable=True)


def script_element(app: LiveApp) -> str:
    """The element that loads the script, with what the client must know of the app.

    It is never inline, so that a Content-Security-Policy without ``unsafe-inline`` lets it through.
    """
    prefix: str = app.config.requests_pathname_prefix
    settings = app.flash_live.settings
    config = {
        "socket": f"{prefix}_dash-ws-callback",
        "live": f"{prefix}_flash/live",
        "callbacks": f"{prefix}_dash-update-component",
        "carrier": CARRIER,
        "indicator": settings.indicator,
        "onGap": settings.on_gap,
        "retry": app.repeatable_callbacks(),
        "shared": app.shared_callback_ids(),
    }
    source = f"{prefix}_flash/{script_name()}"
    return f'<script src="{html.escape(source)}" data-config="{html.escape(json.dumps(config))}"></script>\n'
