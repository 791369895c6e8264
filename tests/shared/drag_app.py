"""The app whose slider many pages drag at once, served in a process of its own: ``python -m tests.shared.drag_app``.

Its callback notes which values it has seen and when. ``/report`` tells, and what the app takes for the shared values.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from typing import Any

from flash import Flash, Input, Output, Service, dcc, html

from ..apps import SEPARATE

SLIDER, TEXT = "slider.value", "text.children"

#: Kinds of the callback that listens to the slider.
KINDS = ("async", "plain", "most-recent")

#: Seconds that the callback of the kind "most-recent" takes.
BUSY = 0.005


def text_of(value: Any) -> str:
    """What the callback makes of the slider's value."""
    return f"at {value}"


def build(kind: str) -> tuple[Flash, list[tuple[Any, float]]]:
    """The app, and the list of what its callback has seen: values, with the monotonic time of each call.

    Args:
        kind: One of ``KINDS``.
    """
    app = Flash("drag", **SEPARATE)
    app.layout = html.Div([dcc.Slider(0, 10_000_000, value=0, id="slider"), html.Div(id="text")])
    seen: list[tuple[Any, float]] = []
    service = Service.SHARED_MOST_RECENT if kind == "most-recent" else Service.SHARED
    declare = app.callback_shared(Output("text", "children"), Input("slider", "value"), service=service)

    def show(value: Any) -> str:
        seen.append((value, time.monotonic()))
        return text_of(value)

    async def show_async(value: Any) -> str:
        return show(value)

    async def show_slowly(value: Any) -> str:
        await asyncio.sleep(BUSY)
        return show(value)

    declare({"async": show_async, "plain": show, "most-recent": show_slowly}[kind])

    @app.server.route("/report")
    async def report() -> dict[str, Any]:
        state = app.shared_state
        shared = {name: state.get(*name.split(".")) for name in (SLIDER, TEXT)}
        return {"seen": seen, "shared": shared, "version": state.version}

    return app, seen


def main() -> None:
    """Serve it until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("port", type=int)
    options = parser.parse_args()
    app, _ = build(options.kind)
    app.run(port=options.port)


if __name__ == "__main__":
    main()
