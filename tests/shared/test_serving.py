"""Services of shared callbacks: the most recent only, several at once, one call at a time for a whole device."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from flash import Flash, Input, Output, Service

from ..apps import run
from ..live.asgi import eventually, in_process
from .declaring import app_with, slider
from .page import pages_of

TEXT = "text.children"
QUIET: dict[str, Any] = {"prevent_initial_call": True}


class Device:
    """Notes who is busy with it; each call waits until it is let go.

    Attributes:
        begun: What the calls were given, in their order.
        most: How many were busy at once.
    """

    def __init__(self) -> None:
        self.begun: list[Any] = []
        self.most = 0
        self._busy = 0
        self._gate = threading.Event()

    def let_go(self) -> None:
        """Let all calls end, those that come too."""
        self._gate.set()

    def function(self, kind: str, tell: str = "at") -> Any:
        """A function that is busy with it: plain or async."""

        def begin(value: Any) -> None:
            self.begun.append(value)
            self._busy += 1
            self.most = max(self.most, self._busy)

        def plain(value: Any) -> str:
            begin(value)
            assert self._gate.wait(20)
            self._busy -= 1
            return f"{tell} {value}"

        async def waiting(value: Any) -> str:
            begin(value)
            await eventually(self._gate.is_set)
            self._busy -= 1
            return f"{tell} {value}"

        return plain if kind == "plain" else waiting


def device_app(service: Service, kind: str) -> tuple[Flash, Device]:
    """A slider whose callback is busy with a device."""
    app, device = app_with(slider(), "text", "other"), Device()
    declared = app.callback_shared(Output("text", "children"), Input("slider", "value"), service=service, **QUIET)
    declared(device.function(kind))
    return app, device


KINDS = pytest.mark.parametrize("kind", ["async", "plain"])


@KINDS
def test_most_recent_runs_the_first_and_the_last_of_a_burst(kind: str) -> None:
    async def scenario() -> None:
        app, device = device_app(Service.SHARED_MOST_RECENT, kind)
        try:
            async with in_process(app) as site, pages_of(site, 2) as (a, b):
                requests = []
                for value in range(1, 31):
                    requests += await (a if value % 2 else b).change("slider.value", value, TEXT)
                    await a.until(lambda value=value: app.shared_state.get("slider", "value") == value)
                await b.until(lambda: b.value("slider.value") == 30 and device.begun == [1])
                await a.until(lambda: sum(request.done for request in requests) == 28)
                device.let_go()
                for page in (a, b):
                    await page.until(lambda page=page: (page.value("slider.value"), page.value(TEXT)) == (30, "at 30"))
                    await page.settled()
                assert device.begun == [1, 30]
                assert all(request.status == "ok" and request.response == {} for request in requests)
        finally:
            device.let_go()

    run(scenario)


@KINDS
def test_without_serialized_the_calls_run_beside_each_other(kind: str) -> None:
    async def scenario() -> None:
        app, device = device_app(replace(Service.SHARED, serialized=None, overlap="parallel"), kind)
        try:
            async with in_process(app) as site, pages_of(site, 2) as (a, b):
                for value in (1, 2, 3):
                    await a.change("slider.value", value, TEXT)
                await a.until(lambda: sorted(device.begun) == [1, 2, 3])
                device.let_go()
                await a.settled()
                await b.until(lambda: b.value(TEXT) is not None)
                assert device.most == 3
                await b.until(lambda: b.value(TEXT) == a.value(TEXT) == app.shared_state["text", "children"])
        finally:
            device.let_go()

    run(scenario)


@KINDS
def test_shared_and_s2_callbacks_of_one_device_take_turns(kind: str) -> None:
    async def scenario() -> None:
        app, device = device_app(replace(Service.SHARED, serialized="camera"), kind)
        regular = app.callback(
            Output("other", "children"), Input("slider", "value"), service=replace(Service.S2, serialized="camera")
        )
        regular(device.function(kind, "mine"))
        try:
            async with in_process(app) as site, pages_of(site, 2) as (a, b):
                await a.change("slider.value", 1, TEXT)
                await a.until(lambda: device.begun == [1])
                asked = await b.request("other.children", {"slider.value": 2})
                await a.change("slider.value", 3, TEXT)
                await b.until(lambda: asked.acknowledged and b.value("slider.value") == 3)
                assert device.begun == [1]
                device.let_go()
                await a.settled()
                await b.until(lambda: asked.done and b.value(TEXT) == "at 3")
                assert asked.response == {"other": {"children": "mine 2"}}
                assert sorted(device.begun) == [1, 2, 3] and device.most == 1
                assert a.value("other.children") is None
        finally:
            device.let_go()

    run(scenario)


def test_a_device_that_is_busy_holds_up_no_other() -> None:
    async def scenario() -> None:
        app, device = device_app(replace(Service.SHARED, serialized="camera"), "async")

        @app.callback_shared(Output("other", "children"), Input("lamp", "value"), **QUIET)
        async def light(value: int) -> int:
            return value

        try:
            async with in_process(app) as site, pages_of(site, 2) as (a, b):
                await a.change("slider.value", 1, TEXT)
                await a.change("lamp.value", 7, "other.children")
                await b.until(lambda: b.value("other.children") == 7)
                assert b.value(TEXT) is None and device.begun == [1]
                device.let_go()
                await a.settled()
        finally:
            device.let_go()

    run(scenario)


def test_initial_call_none_has_no_first_run() -> None:
    async def scenario() -> None:
        app, calls = app_with(slider(), "text", "other"), []

        def declare(output: str, service: Service) -> None:
            @app.callback_shared(Output(output, "children"), Input("slider", "value"), service=service)
            async def show(value: int) -> int:
                calls.append(output)
                return value

        declare("text", replace(Service.SHARED, initial_call="none"))
        declare("other", Service.SHARED_MOST_RECENT)
        async with in_process(app) as site, pages_of(site, 1) as (a,):
            await a.until(lambda: a.value("other.children") == 5)
            assert calls == ["other"]

    run(scenario)


def test_every_shared_service_sends_its_outputs_to_all() -> None:
    """dash_devices had one that sent them nowhere."""

    async def scenario() -> None:
        shared = [Service.SHARED, Service.SHARED_MOST_RECENT, replace(Service.SHARED, serialized="camera")]
        for service in (*shared, replace(Service.SHARED, serialized=None, overlap="parallel")):
            app, device = device_app(service, "async")
            device.let_go()
            async with in_process(app) as site, pages_of(site, 2) as (a, b):
                await a.change("slider.value", 8, TEXT)
                for page in (a, b):
                    await page.until(lambda page=page: page.value(TEXT) == "at 8")
                await a.settled()

    run(scenario)
