"""The app that the servers of the benchmarks serve, made by the class that ``BENCHMARK_KIND`` names.

All kinds have the same layout and the same callbacks, so the same requests can be sent to each.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from typing import Any

from dash import Dash, Input, Output, dcc, html

KINDS = ("flash", "quart", "quart-compress", "fastapi", "flask")


def make_app(kind: str, **options: Any) -> Any:
    """An app without callbacks: Flash, or Dash with the backend of that name."""
    if kind == "flash":
        from flash import Flash

        return Flash(__name__, **options)
    if kind == "flask":
        return Dash(__name__, use_async=True, **options)
    if kind == "quart-compress":
        return Dash(__name__, backend="quart", compress=True, **options)
    return Dash(__name__, backend=kind, **options)


class Together:
    """Counts how many callbacks run at the same time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0
        self.peak = 0

    def __enter__(self) -> None:
        with self._lock:
            self._running += 1
            self.peak = max(self.peak, self._running)

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._running -= 1


class Pauses:
    """Watches how long the event loop does not come round: a task that asks to be woken every 2 ms."""

    EVERY = 0.002

    def __init__(self) -> None:
        self.longest = 0.0
        self._task: asyncio.Task[None] | None = None

    def watch(self) -> None:
        """Begin to watch the running loop, unless that has been done."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            slept_at = time.perf_counter()
            await asyncio.sleep(self.EVERY)
            self.longest = max(self.longest, time.perf_counter() - slept_at - self.EVERY)


def build(kind: str, **options: Any) -> Any:
    """The app of a kind, made with these options, with every callback that the benchmarks send."""
    app = make_app(kind, **options)
    names = ("async", "plain", "sleep-async", "sleep-plain", "report")
    app.layout = html.Div([dcc.Input(id="in"), dcc.Graph(id="graph"), *(html.Div(id=name) for name in names)])
    together, pauses = Together(), Pauses()

    @app.callback(Output("async", "children"), Input("in", "value"))
    async def answer_async(value: Any) -> str:
        return f"value {value}"

    @app.callback(Output("plain", "children"), Input("in", "value"))
    def answer_plain(value: Any) -> str:
        return f"value {value}"

    @app.callback(Output("sleep-async", "children"), Input("in", "value"))
    async def sleep_async(value: Any) -> str:
        with together:
            await asyncio.sleep(0.1)
        return f"value {value}"

    @app.callback(Output("sleep-plain", "children"), Input("in", "value"))
    def sleep_plain(value: Any) -> str:
        with together:
            time.sleep(0.1)
        return f"value {value}"

    @app.callback(Output("report", "children"), Input("in", "value"))
    async def report(value: Any) -> dict[str, Any]:
        """What was seen since the last report."""
        if kind != "flask":  # Each of its asynchronous callbacks has a loop of its own.
            pauses.watch()
        seen = {"peak": together.peak, "pause": pauses.longest}
        together.peak, pauses.longest = 0, 0.0
        return seen

    return app


if os.environ.get("BENCHMARK_KIND") in KINDS:
    server = build(os.environ["BENCHMARK_KIND"]).server
