"""The page of dash_devices' ``timer.py``, a slider whose value is shown as text, on each server that is measured.

``BENCHMARK_KIND`` names the kind. Each way of declaring the callback (plain, asynchronous, shared) has a slider and a
text of its own, so that a change fires one callback. Beside it stands a device: a callback that takes 5 to 50 ms to
set it, and is told of every value of a drag. Shared callbacks are declared when ``SEED_SHARED`` is set.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from typing import Any

from apps import make_app
from dash import Dash, Input, Output, dcc, html

KINDS = ("dash-flask", "dash-flask-async", "dash-quart", "dash-quart-ws", "dash-quart-ws-0", "flash-http", "flash-live")
SHARED = "SEED_SHARED"

#: One client sends as fast as it is answered here, which no user does.
LIVE = {"enabled": True, "rate": 1e9, "burst": 1_000_000}

#: Seconds that it takes to set the device.
QUICKEST, SLOWEST = 0.005, 0.050


class Device:
    """What a drag is about.

    Attributes:
        called: The values that the callback was called with, in the order of the calls.
        set: The values that the device was set to, in that order, each with its time.
    """

    def __init__(self) -> None:
        self.called: list[int] = []
        self.set: list[tuple[int, float]] = []

    def call(self, value: int) -> float:
        """The function is called with a value. Returns the seconds that it must take: the same on every server."""
        self.called.append(value)
        return random.Random(value).uniform(QUICKEST, SLOWEST)

    def take(self, value: int) -> None:
        """The device is set. The time is that of a clock that all processes share."""
        self.set.append((value, time.monotonic()))

    def report(self) -> dict[str, Any]:
        """What has happened since the last report."""
        seen = {"called": self.called, "set": self.set}
        self.called, self.set = [], []
        return seen


def bare(kind: str) -> Any:
    """An app of a kind, without layout and callbacks."""
    if kind == "dash-flask":
        # Without ``dash[async]``: with it Flask makes an event loop for each request, of a plain callback too.
        return Dash(__name__, use_async=False)
    if kind == "dash-flask-async":
        return make_app("flask")
    if kind == "dash-quart":
        return make_app("quart")
    if kind == "dash-quart-ws":
        return make_app("quart", websocket_callbacks=True)
    if kind == "dash-quart-ws-0":
        return make_app("quart", websocket_callbacks=True, websocket_batch_delay=0)
    if kind == "flash-http":
        return make_app("flash")
    return make_app("flash", live=LIVE, websocket_callbacks=True)


def build(kind: str, *, shared: bool = False) -> Dash:
    """The app of a kind.

    Args:
        kind: One of ``KINDS``.
        shared: Whether to declare the shared callbacks too.
    """
    app: Any = bare(kind)
    names = ["plain", *(["async"] if kind != "dash-flask" else []), *(["shared", "newest"] if shared else [])]
    devices = {name: Device() for name in names}
    app.layout = html.Div(
        [*(part for name in names for part in parts(name)), html.Div(id="ask"), html.Div(id="report")]
    )
    declare_plain(app, devices)
    if "async" in names:
        declare_async(app, devices)
    if shared:
        declare_shared(app, devices)

    @app.callback(Output("report", "children"), Input("ask", "children"), prevent_initial_call=True)
    def report(name: str) -> dict[str, Any]:
        return devices[name].report()

    return app  # type: ignore[no-any-return]


def parts(name: str) -> list[Any]:
    """The slider of one callback and its text, and the same for a device."""
    slider = dcc.Slider(id=f"slider-{name}", value=5, min=0, max=100, step=1)
    drag = dcc.Slider(id=f"drag-{name}", value=0, min=0, max=1000, step=1)
    return [slider, html.Div(id=f"text-{name}"), drag, html.Div(id=f"device-{name}")]


def echo(name: str) -> tuple[Output, Input]:
    """The places of a callback that echoes a slider."""
    return Output(f"text-{name}", "children"), Input(f"slider-{name}", "value")


def drive(name: str) -> tuple[Output, Input]:
    """The places of a callback that sets a device."""
    return Output(f"device-{name}", "children"), Input(f"drag-{name}", "value")


def declare_plain(app: Any, devices: dict[str, Device]) -> None:
    """The echo and the device, as plain functions."""

    @app.callback(*echo("plain"))
    def echo_plain(value: int) -> int:
        return value

    @app.callback(*drive("plain"), prevent_initial_call=True)
    def drive_plain(value: int) -> int:
        time.sleep(devices["plain"].call(value))
        devices["plain"].take(value)
        return value


def declare_async(app: Any, devices: dict[str, Device]) -> None:
    """The same as asynchronous functions."""

    @app.callback(*echo("async"))
    async def echo_async(value: int) -> int:
        return value

    @app.callback(*drive("async"), prevent_initial_call=True)
    async def drive_async(value: int) -> int:
        await asyncio.sleep(devices["async"].call(value))
        devices["async"].take(value)
        return value


def declare_shared(app: Any, devices: dict[str, Device]) -> None:
    """The same as shared callbacks; a device with every value, and one with the newest when it is ready for another."""
    from flash import Service

    @app.callback_shared(*echo("shared"))
    async def echo_shared(value: int) -> int:
        return value

    @app.callback_shared(*drive("shared"))
    async def drive_shared(value: int) -> int:
        await asyncio.sleep(devices["shared"].call(value))
        devices["shared"].take(value)
        return value

    @app.callback_shared(*drive("newest"), service=Service.SHARED_MOST_RECENT)
    async def drive_newest(value: int) -> int:
        await asyncio.sleep(devices["newest"].call(value))
        devices["newest"].take(value)
        return value


if os.environ.get("BENCHMARK_KIND") in KINDS:
    kind = os.environ["BENCHMARK_KIND"]
    server = build(kind, shared=kind == "flash-live" and bool(os.environ.get(SHARED))).server
