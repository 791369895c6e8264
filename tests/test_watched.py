"""Callbacks that equal arguments share: whatever tells who asks, each that asks gets an answer of his own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import flask
import pytest
import quart
from dash import hooks

from flash import ctx

from .apps import serving
from .test_once import INPUTS, Numbers, Version, app_on, asked, post, run


def who() -> str:
    return quart.request.cookies.get("who", "nobody")


async def answers_of(app: Any) -> list[str]:
    """What Ann and Bob get, and Ann once more, when all ask for the same."""
    ann, bob = app.server.test_client(), app.server.test_client()
    ann.set_cookie("localhost", "who", "Ann")
    bob.set_cookie("localhost", "who", "Bob")
    return [(await post(client, asked()))["out"]["children"] for client in (ann, bob, ann)]


def set_in_g(app: Any) -> None:
    @app.server.before_request
    async def guard() -> None:
        quart.g.user = who()


def swallowing() -> str:
    try:
        return quart.request.cookies["who"]
    except Exception:
        return "nobody"


def swallowing_all() -> str:
    try:
        return quart.request.cookies["who"]
    except:  # noqa: E722
        return "nobody"


@pytest.mark.parametrize(
    "read",
    [
        lambda: quart.g.user,
        lambda: quart.g.get("user", "nobody"),
        lambda: quart.g.user if "user" in quart.g else "nobody",
        lambda: quart.g.pop("user", "nobody"),
        lambda: quart.g.setdefault("user", "nobody"),
        lambda: "".join(vars(quart.g)[name] for name in quart.g),
        lambda: who() if quart.has_request_context() else "nobody",
        lambda: who() if quart.request else "nobody",
        swallowing,
        swallowing_all,
    ],
    ids=["attribute", "get", "in", "pop", "setdefault", "all", "has_request", "truth", "swallowed", "all swallowed"],
)
@pytest.mark.parametrize("plain", [True, False])
def test_what_belongs_to_a_request_is_each_ones_own(read: Callable[[], str], plain: bool) -> None:
    async def scenario() -> None:
        app = app_on(Numbers())
        set_in_g(app)

        def draw(data: Version, region: str) -> str:
            return read()

        async def draw_soon(data: Version, region: str) -> str:
            await asyncio.sleep(0)
            return read()

        app.callback(*INPUTS)(draw if plain else draw_soon)
        async with serving(app):
            assert await answers_of(app) == ["Ann", "Bob", "Ann"]

    run(scenario())


def test_the_current_user_of_quart_auth_is_each_ones_own() -> None:
    quart_auth = pytest.importorskip("quart_auth")

    async def scenario() -> None:
        app = app_on(Numbers())
        app.server.secret_key = "a secret of at least thirty-two characters"
        quart_auth.QuartAuth(app.server, cookie_secure=False)

        @app.server.before_request
        async def guard() -> None:
            quart_auth.login_user(quart_auth.AuthUser(who()))

        @app.callback(*INPUTS)
        async def draw(data: Version, region: str) -> str:
            return str(quart_auth.current_user.auth_id)

        async with serving(app):
            assert await answers_of(app) == ["Ann", "Bob", "Ann"]

    run(scenario())


def test_whether_flask_has_a_request_is_each_ones_own() -> None:
    async def scenario() -> None:
        app = app_on(Numbers(), flask_compat=True)

        @app.callback(*INPUTS)
        def draw(data: Version, region: str) -> str:
            return flask.request.cookies["who"] if flask.has_request_context() else "nobody"

        async with serving(app):
            assert await answers_of(app) == ["Ann", "Bob", "Ann"]

    run(scenario())


def test_an_error_handler_that_reads_the_request_has_each_ones_own() -> None:
    async def scenario() -> None:
        app = app_on(Numbers(), on_error=lambda error: who())

        @app.callback(*INPUTS)
        def draw(data: Version, region: str) -> str:
            raise ValueError

        async with serving(app):
            assert await answers_of(app) == ["Ann", "Bob", "Ann"]

    run(scenario())


def test_a_hook_for_custom_data_that_reads_the_request_has_each_ones_own() -> None:
    async def scenario() -> None:
        app = app_on(Numbers())
        hooks.custom_data("visitor")(lambda context: who())

        @app.callback(*INPUTS)
        def draw(data: Version, region: str) -> str:
            return str(ctx.custom_data["visitor"])

        async with serving(app):
            assert await answers_of(app) == ["Ann", "Bob", "Ann"]

    try:
        run(scenario())
    finally:
        hooks._ns["custom_data"].clear()


def test_an_async_function_behind_a_plain_decorator_has_each_ones_request() -> None:
    async def scenario() -> None:
        app = app_on(Numbers(), on_error=lambda error: "failed")

        async def draw(data: Version, region: str) -> str:
            return who()

        app.callback(*INPUTS)(lambda data, region: draw(data, region))
        async with serving(app):
            assert await answers_of(app) == ["Ann", "Bob", "Ann"]

    run(scenario())


def test_an_app_that_is_made_in_a_request_gives_nobody_that_one() -> None:
    async def scenario() -> None:
        made: list[Any] = []
        maker = quart.Quart("maker")

        @maker.get("/")
        async def make() -> str:
            made.append(app_on(Numbers()))
            return ""

        visitor = maker.test_client()
        visitor.set_cookie("localhost", "who", "the maker")
        await visitor.get("/")
        (app,) = made
        app.callback(*INPUTS)(lambda data, region: who())
        assert await answers_of(app) == ["Ann", "Bob", "Ann"]

    run(scenario())


def test_what_a_function_keeps_in_g_itself_is_its_own_and_teardown_sees_it() -> None:
    async def scenario() -> None:
        app, runs, closed = app_on(Numbers()), [], []

        @app.server.teardown_appcontext
        async def close(error: Any) -> None:
            closed.append((quart.g.pop("database", None), quart.has_request_context()))

        @app.callback(*INPUTS)
        async def draw(data: Version, region: str) -> str:
            runs.append(region)
            quart.g.database = "open"
            return str(quart.g.get("database"))

        async with serving(app):
            assert await answers_of(app) == ["open"] * 3
        assert runs == ["north"]
        assert ("open", False) in closed

    run(scenario())


def test_a_function_that_runs_again_for_the_first_gets_a_value_of_its_own() -> None:
    async def scenario() -> None:
        app = app_on(Numbers())

        @app.callback(*INPUTS)
        def draw(data: Version, region: str) -> int:
            data.version += 10
            assert quart.request.path
            return data.version

        async with serving(app):
            assert await answers_of(app) == [11, 11, 11]

    run(scenario())


def test_an_app_knows_its_place_in_shared_runs_too() -> None:
    """The context of the server that starts: an inline app of a hub has its scope there."""
    place: ContextVar[str] = ContextVar("place")

    async def scenario() -> None:
        app = app_on(Numbers())
        app.callback(*INPUTS)(lambda data, region: place.get("nowhere"))
        place.set("here")
        async with serving(app):
            assert await answers_of(app) == ["here"] * 3

    run(scenario())
