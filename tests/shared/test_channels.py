"""Channels: ``channel=fn`` names the group of tabs that shares, a room or a device, each with a state of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import pytest

from flash import Flash, Input, Output, State, ctx
from flash.exceptions import ConfigurationError

from ..apps import body, run
from ..live.asgi import in_process
from ..live.sites import Site
from .declaring import app_with, listen, slider
from .page import SharedPage, pages_of

TEXT = "text.children"
QUIET: dict[str, Any] = {"prevent_initial_call": True}


def room_of(client: Any) -> Any:
    """The room in a page's path; None for a page of no room."""
    return getattr(client, "place", None) or client.path.strip("/") or None


def room_app(channel: Callable[[Any], Any] = room_of, **options: Any) -> tuple[Flash, list[Any]]:
    """A slider for each room."""
    app, seen = app_with(slider(), "text"), []
    listen(app, "slider.value", TEXT, seen, channel=channel, **{**QUIET, **options})
    return app, seen


@asynccontextmanager
async def in_rooms(site: Site, *rooms: str) -> AsyncIterator[list[SharedPage]]:
    """Pages that have arrived, each in a room."""
    async with AsyncExitStack() as stack:
        yield [(await stack.enter_async_context(pages_of(site, 1, path=f"/{room}")))[0] for room in rooms]


async def shows(page: SharedPage, value: int) -> None:
    """Wait until a page shows a value and what the callback says of it."""
    await page.until(lambda: (page.value("slider.value"), page.value(TEXT)) == (value, f"at {value}"))


def test_each_room_has_a_state_of_its_own() -> None:
    async def scenario() -> None:
        app, seen = room_app()
        async with in_process(app) as site, in_rooms(site, "hall", "hall", "kitchen") as (hall, other, kitchen):
            await hall.change("slider.value", 8, TEXT)
            await shows(other, 8)
            await kitchen.change("slider.value", 3, TEXT)
            await shows(kitchen, 3)
            await hall.settled()
            await kitchen.settled()
            assert kitchen.pushed("slider.value") == [] and kitchen.pushed(TEXT) == ["at 3"]
            assert (hall.value("slider.value"), other.value("slider.value")) == (8, 8)
            assert other.pushed("slider.value") == [8] and seen == [8, 3]
            state = app.shared_state
            assert state.get("slider", "value", channel="hall") == 8
            assert state.get("slider", "value", channel="kitchen") == 3
            assert state.get("slider", "value") is None and ("slider", "value") not in state
            assert dict(state.items("hall")) == {("slider", "value"): 8, ("text", "children"): "at 8"}
            assert dict(state.items()) == {}

    run(scenario)


def test_who_comes_later_gets_the_values_of_its_room() -> None:
    async def scenario() -> None:
        app, _ = room_app()
        async with in_process(app) as site, in_rooms(site, "hall") as (hall,):
            await hall.change("slider.value", 8, TEXT)
            await shows(hall, 8)
            await hall.settled()
            async with in_rooms(site, "hall", "kitchen") as (later, kitchen):
                await shows(later, 8)
                await kitchen.change("slider.value", 1, TEXT)
                await shows(kitchen, 1)
                assert kitchen.pushed("slider.value") == []

    run(scenario)


@pytest.mark.parametrize("way", ["live callback", "callback over HTTP"])
def test_a_page_that_moves_to_another_room_gets_its_values(way: str) -> None:
    """They are older than those that it had: it takes them all the same, and what comes later too."""

    async def scenario() -> None:
        app, _ = room_app()

        @app.callback(Output("out", "children"), Input("in", "value"), websocket=way == "live callback")
        async def move(room: str) -> str:
            ctx.client.place = room
            return room

        async with in_process(app) as site, in_rooms(site, "hall", "kitchen") as (hall, kitchen):

            async def go(room: str) -> None:
                if way == "live callback":
                    await kitchen.call("out.children", {"in.value": room})
                    return
                who = {"Flash-Client": kitchen.client, "Flash-Key": kitchen.key}
                response = await app.server.test_client().post(
                    "/_dash-update-component", json=body("out.children", {"in.value": room}), headers=who
                )
                assert response.status_code == 200

            await hall.change("slider.value", 8, TEXT)
            await kitchen.change("slider.value", 3, TEXT)
            await shows(kitchen, 3)
            await hall.settled()
            await kitchen.settled()
            await go("hall")
            await shows(kitchen, 8)
            await kitchen.change("slider.value", 9, TEXT)
            await shows(hall, 9)
            await hall.change("slider.value", 10, TEXT)
            await shows(kitchen, 10)
            assert app.shared_state.get("slider", "value", channel="kitchen") == 3
            await go("attic")
            await kitchen.until(lambda: kitchen.value("slider.value") == 5 and kitchen.value(TEXT) is None)
            await go("kitchen")
            await shows(kitchen, 3)

    run(scenario)


def test_a_connect_handler_says_which_room_a_page_belongs_to() -> None:
    async def scenario() -> None:
        app, _ = room_app()

        @app.callback_connect
        async def settle(client: Any, connect: bool) -> None:
            client.place = "hall"

        async with in_process(app) as site, in_rooms(site, "") as (one,):
            await one.until(lambda: all(getattr(client, "place", None) for client in app.clients))
            await one.change("slider.value", 8, TEXT)
            await shows(one, 8)
            async with in_rooms(site, "") as (other,):
                await shows(other, 8)
            assert app.shared_state.get("slider", "value", channel="hall") == 8

    run(scenario)


def test_the_first_run_is_each_room_s() -> None:
    async def scenario() -> None:
        app, seen = room_app(prevent_initial_call=False)
        async with in_process(app) as site, in_rooms(site, "hall", "hall", "kitchen") as pages:
            for page in pages:
                await page.until(lambda page=page: page.value(TEXT) == "at 5")
            assert set(seen) == {5} and len(seen) <= 3

    run(scenario)


def test_pages_of_no_room_share_among_themselves() -> None:
    async def scenario() -> None:
        app, _ = room_app()
        async with in_process(app) as site, in_rooms(site, "hall", "", "") as (hall, one, other):
            await hall.change("slider.value", 8, TEXT)
            await shows(hall, 8)
            await hall.settled()
            await one.change("slider.value", 2, TEXT)
            await shows(other, 2)
            await one.settled()
            assert app.shared_state["slider", "value"] == 2
            assert app.shared_state.get("slider", "value", channel="hall") == 8
            async with in_rooms(site, "hall") as (late,):
                await shows(late, 8)
            assert hall.pushed("slider.value") == [] and hall.pushed(TEXT) == ["at 8"]

    run(scenario)


def test_a_room_s_callback_sees_what_all_share() -> None:
    """Its State is an input of a callback without channel: that value is the room's too, in a chain as well."""

    async def scenario() -> None:
        app, calls = app_with(slider(), slider("mode", 1), "text", "end"), []
        listen(app, "mode.value", None)
        by_mode = list(app.callback_map)[-1]
        listen(app, "slider.value", TEXT, channel=room_of, **QUIET)

        @app.callback_shared(
            Output("end", "children"), Input("text", "children"), State("mode", "value"), channel=room_of, **QUIET
        )
        async def end(text: str, mode: int) -> str:
            calls.append((text, mode))
            return f"{text} in {mode}"

        async with in_process(app) as site, in_rooms(site, "hall", "kitchen") as (hall, kitchen):
            await kitchen.change("mode.value", 2, by_mode)
            await hall.until(lambda: hall.value("mode.value") == 2)
            await hall.change("slider.value", 8, TEXT)
            await hall.until(lambda: hall.value("end.children") == "at 8 in 2")
            assert calls == [("at 8", 2)] and kitchen.value("end.children") is None

    run(scenario)


def test_a_push_reaches_every_room_and_runs_once_for_each() -> None:
    async def scenario() -> None:
        app, seen = room_app()
        async with in_process(app) as site, in_rooms(site, "hall", "kitchen") as pages:
            await pages[0].change("slider.value", 8, TEXT)
            await shows(pages[0], 8)
            await pages[0].settled()
            app.push_mods({"slider": {"value": 4}})
            for page in pages:
                await shows(page, 4)
            assert app.shared_state.get("slider", "value", channel="hall") == 4
            # Not for tabs of no room: there are none.
            assert seen.count(4) == len({"hall", "kitchen"})

    run(scenario)


def test_a_reset_reaches_every_room() -> None:
    async def scenario() -> None:
        app, _ = room_app()
        async with in_process(app) as site, in_rooms(site, "hall", "kitchen") as pages:
            for value, page in enumerate(pages, 7):
                await page.change("slider.value", value, TEXT)
                await shows(page, value)
                await page.settled()
            app.shared_state.reset()
            for page in pages:
                await page.until(lambda page=page: page.value("slider.value") == 5 and page.value(TEXT) is None)

    run(scenario)


@pytest.mark.parametrize("wrong", [7, ["hall"], b"hall"])
def test_a_function_that_returns_no_text_says_so(wrong: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        right = [True]
        app, seen = room_app(lambda client: "hall" if right[0] else wrong)
        async with in_process(app) as site, in_rooms(site, "hall", "hall") as (one, other):
            right[0] = False
            (request,) = await one.change("slider.value", 8, TEXT)
            await one.until(lambda: request.done)
            assert request.status == "error" and "Error id" in request.answers[0]["message"]
            right[0] = True
            await other.change("slider.value", 9, TEXT)
            await shows(other, 9)
            assert seen == [9]

    run(scenario)
    assert "must return a text" in caplog.text


def test_a_page_can_arrive_though_the_function_fails(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        def fails(client: Any) -> str:
            raise LookupError("no such room")

        app, _ = room_app(fails)
        async with in_process(app) as site, in_rooms(site, "hall") as (page,):
            app.push_mods({"out": {"children": "still here"}})
            await page.until(lambda: page.value("out.children") == "still here")

    run(scenario)
    assert "no such room" in caplog.text


def test_a_property_belongs_to_one_channel() -> None:
    app, _ = room_app()
    with pytest.raises(ConfigurationError, match=r"slider\.value is shared by .* different channels"):
        listen(app, "slider.value", "other.children")
    with pytest.raises(ConfigurationError, match=r"text\.children is shared by .* different channels"):
        listen(app, TEXT, "other.children", channel=lambda client: "x")
    listen(app, "slider.value", "other.children", channel=room_of)


@pytest.mark.parametrize("channel", ["hall", 3])
def test_a_channel_must_be_a_function(channel: Any) -> None:
    with pytest.raises(ConfigurationError, match="channel must be a plain function"):
        room_app(channel)


def test_a_channel_must_be_a_plain_function() -> None:
    async def room(client: Any) -> str:
        return "hall"

    with pytest.raises(ConfigurationError, match="channel must be a plain function"):
        room_app(room)


def test_two_functions_of_one_name_are_refused() -> None:
    """Channels are known by the name of their function, in all processes."""
    app = app_with(slider(), slider("other"), "text", "more")
    app.callback_shared(Output("text", "children"), Input("slider", "value"), channel=lambda client: "a")(str)
    with pytest.raises(ConfigurationError, match="a name of its own"):
        app.callback_shared(Output("more", "children"), Input("other", "value"), channel=lambda client: "b")(str)


def test_a_function_without_a_name_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="made with def"):
        app_with("text").callback_shared(Input("text", "children"), channel=partial(str))
