"""What guards a page guards the live connection: before it opens, while it lasts, and when it comes back."""

from __future__ import annotations

import asyncio
import threading
import time
from functools import wraps
from pathlib import Path
from typing import Any

import pytest
from quart import Blueprint, Quart, Response, abort, session, websocket

from flash import Flash, ctx
from flash.live.protocol import CloseCode

from ..apps import run
from ..server.test_asgi_servers import served
from .asgi import SERVERS, callback, eventually, in_process, live_app
from .sites import Network, Refused
from .tab import DashWorker, Tab, tab_of

HEADER = {"X-Token": "secret"}


async def status_of(site: Any) -> int:
    """The status with which a handshake is refused, or 101."""
    try:
        tab = await Tab(site).open()
    except Refused as refused:
        return refused.status
    await tab.leave()
    return 101


def allowed() -> bool:
    from quart import request

    return request.headers.get("X-Token") == "secret"


def by_before_request(app: Flash) -> None:
    @app.server.before_request
    async def guard() -> Any:
        return None if allowed() else ("Sign in first.", 401)


def by_a_plain_before_request(app: Flash) -> None:
    @app.server.before_request
    def guard() -> None:
        if not allowed():
            abort(401)


def by_decorated_views(app: Flash) -> None:
    """As ``login_required`` for all views, which Dash's users write so."""

    def login_required(view: Any) -> Any:
        @wraps(view)
        async def guarded(*args: Any, **kwargs: Any) -> Any:
            return await app.server.ensure_async(view)(*args, **kwargs) if allowed() else Response("no", 401)

        return guarded

    for name, view in app.server.view_functions.items():
        app.server.view_functions[name] = login_required(view)


def by_middleware(app: Flash) -> None:
    inner = app.server.asgi_app

    async def middleware(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and dict(scope["headers"]).get(b"x-token") != b"secret":
            await send({"type": "http.response.start", "status": 401, "headers": []})
            await send({"type": "http.response.body", "body": b"no"})
            return
        await inner(scope, receive, send)

    app.server.asgi_app = middleware  # type: ignore[method-assign]


GUARDS = [by_before_request, by_a_plain_before_request, by_decorated_views, by_middleware]


@pytest.mark.parametrize("guarded", GUARDS, ids=lambda guarded: guarded.__name__)
def test_what_refuses_a_page_refuses_the_connection(guarded: Any) -> None:
    async def main() -> None:
        app = live_app()
        guarded(app)
        async with in_process(app) as site:
            assert await status_of(site) == 401
            assert (await site.get("_flash/live"))[0] == 401
            site.headers |= HEADER
            assert await status_of(site) == 101

    run(main)


@pytest.mark.parametrize("server", SERVERS)
def test_real_servers_pass_the_status_on(server: str) -> None:
    async def main() -> None:
        app = live_app()

        @app.server.before_request
        async def guard() -> Any:
            from quart import request

            match request.headers.get("X-Case"):
                case "401":
                    abort(401)
                case "302":
                    return Response("", 302)
                case "200":
                    return "The sign-in page, with status 200."
                case "500":
                    raise RuntimeError("a fault in the guard")
            return None

        async with SERVERS[server](app) as site:
            for case, status in {"401": 401, "302": 302, "200": 403, "500": 500, "": 101}.items():
                assert await status_of(Network(site.address, {"X-Case": case})) == status, case

    run(main)


def test_granian_refuses_before_the_upgrade(tmp_path: Path) -> None:
    source = """
from quart import abort, request
from flash import Flash, html

app = Flash(__name__, assets_folder="no-assets", live=True)
app.layout = html.Div()

@app.server.before_request
async def guard():
    if request.headers.get("X-Token") != "secret":
        abort(401)
"""
    with served("granian", tmp_path, source) as (_, (host, port)):

        async def main() -> None:
            address = f"http://{host}:{port}/"
            assert await status_of(Network(address)) == 401
            assert await status_of(Network(address, HEADER, origin="https://evil.org")) == 403
            assert await status_of(Network(address, HEADER)) == 101

        run(main)


def test_a_guard_that_answers_200_by_itself_does_not_open_the_connection() -> None:
    async def main() -> None:
        app = live_app()
        app.server.before_request(lambda: ("", 204))
        async with in_process(app) as site:
            assert await status_of(site) == 403

    run(main)


def test_the_guards_of_a_blueprint_count() -> None:
    async def main() -> None:
        server, api = Quart("shop"), Blueprint("api", "api")

        @api.before_app_request
        async def guard() -> None:
            if not allowed():
                abort(403)

        server.register_blueprint(api)
        app = live_app({"server": server})
        async with in_process(app) as site:
            assert await status_of(site) == 403
            site.headers |= HEADER
            assert await status_of(site) == 101

    run(main)


def test_sessions_decide() -> None:
    async def main() -> None:
        app = live_app()
        app.server.secret_key = "secret"

        @app.server.route("/login/<name>")
        async def login(name: str) -> str:
            session["user"] = name
            return ""

        @app.server.before_request
        async def guard() -> None:
            from quart import request

            if request.path.startswith("/_") and "user" not in session:
                abort(401)

        @callback(app)
        async def who(value: Any) -> Any:
            return session["user"]

        async with in_process(app) as site:
            assert await status_of(site) == 401
            response = await app.server.test_client().get("/login/ann")
            site.headers["Cookie"] = response.headers["Set-Cookie"].split(";")[0]
            async with tab_of(site) as tab:
                assert await tab.call("out.children", {"in.value": 1}) == "ann"

    run(main)


@pytest.mark.parametrize(
    ("answer", "status"), [(lambda: abort(401), 401), (lambda: ("no", 402), 402), (lambda: 1 // 0, 403)]
)
def test_before_websocket_functions_decide(answer: Any, status: int) -> None:
    async def main() -> None:
        app = live_app()

        @app.server.before_websocket
        async def guard() -> Any:
            return None if websocket.headers.get("X-Token") == "secret" else answer()

        async with in_process(app) as site:
            assert await status_of(site) == status
            site.headers |= HEADER
            assert await status_of(site) == 101

    run(main)


@pytest.mark.parametrize("kind", ["async", "plain"])
def test_identify_says_who_it_is(kind: str) -> None:
    async def main() -> None:
        async def identify(request: Any) -> Any:
            return request.headers.get("X-User")

        def identify_plainly(request: Any) -> Any:
            return int(request.headers["X-User"]) if "X-User" in request.headers else None

        app = live_app({"identify": identify if kind == "async" else identify_plainly})

        @callback(app)
        async def who(value: Any) -> Any:
            return ctx.client.user

        async with in_process(app) as site:
            async with tab_of(site) as tab:
                assert await tab.call("out.children", {"in.value": 1}) is None
            site.headers["X-User"] = "7"
            async with tab_of(site) as tab:
                assert await tab.call("out.children", {"in.value": 1}) == "7"

    run(main)


def test_slow_callbacks_do_not_keep_others_from_connecting() -> None:
    async def main() -> None:
        app, go_on = live_app({"identify": lambda request: "ann", "callback_threads": 1}), threading.Event()

        @callback(app)
        def slow(value: Any) -> Any:
            return go_on.wait(20)

        async with in_process(app) as site, tab_of(site) as tab:
            try:
                request = await tab.request("out.children", {"in.value": 1})
                await tab.until(lambda: request.acknowledged)
                other = await asyncio.wait_for(Tab(site).open(), 5)
                assert await asyncio.wait_for(other.fetch_ticket(), 5)
            finally:
                go_on.set()
            await other.leave()

    run(main)


def test_an_identify_that_fails_opens_nothing() -> None:
    async def main() -> None:
        def identify(request: Any) -> Any:
            raise LookupError("the database is down")

        app = live_app({"identify": identify})
        async with in_process(app) as site:
            assert await status_of(site) == 500

    run(main)


def test_quart_auth_is_known() -> None:
    quart_auth = pytest.importorskip("quart_auth")

    async def main() -> None:
        app = live_app()
        app.server.secret_key = "secret"
        quart_auth.QuartAuth(app.server, cookie_secure=False)

        @app.server.route("/login")
        async def login() -> str:
            quart_auth.login_user(quart_auth.AuthUser("ann"))
            return ""

        for name, view in app.server.view_functions.items():
            if name != "login":
                app.server.view_functions[name] = quart_auth.login_required(view)
        async with in_process(app) as site:
            assert await status_of(site) == 401
            response = await app.server.test_client().get("/login")
            site.headers["Cookie"] = response.headers["Set-Cookie"].split(";")[0]
            async with tab_of(site):
                assert [client.user for client in app.clients] == ["ann"]

    run(main)


def test_flask_login_is_known_with_flask_compat() -> None:
    import flask
    import flask_login

    async def main() -> None:
        app = live_app({"flask_compat": True})
        app.server.secret_key = "secret"
        manager = flask_login.LoginManager(app.server)

        class User(flask_login.UserMixin):
            id = "ann"

        manager.user_loader(lambda user_id: User())

        @app.server.route("/login")
        def login() -> str:
            flask_login.login_user(User())
            return ""

        @app.server.before_request
        def guard() -> None:
            if flask.request.path.startswith("/_") and not flask_login.current_user.is_authenticated:
                flask.abort(401)

        async with in_process(app) as site:
            assert await status_of(site) == 401
            response = await app.server.test_client().get("/login")
            site.headers["Cookie"] = response.headers["Set-Cookie"].split(";")[0]
            async with tab_of(site):
                assert [client.user for client in app.clients] == ["ann"]

    run(main)


@pytest.mark.parametrize("kind", ["async", "plain"])
def test_flasks_contexts_are_there_for_live_callbacks(kind: str) -> None:
    import flask

    async def main() -> None:
        app = live_app({"flask_compat": True})
        app.server.secret_key = "secret"

        @app.server.route("/login")
        def login() -> str:
            flask.session["user"] = "ann"
            return ""

        def read(value: Any) -> Any:
            return [flask.current_app.name, flask.session.get("user"), flask.request.headers.get("X-Token")]

        async def read_later(value: Any) -> Any:
            return read(value)

        callback(app)(read if kind == "plain" else read_later)
        async with in_process(app, headers=dict(HEADER)) as site:
            response = await app.server.test_client().get("/login")
            site.headers["Cookie"] = response.headers["Set-Cookie"].split(";")[0]
            async with tab_of(site) as tab:
                for _ in range(2):
                    name, user, token = await tab.call("out.children", {"in.value": 1})
                    assert (name, user, token) == (app.server.name, "ann", "secret")

    run(main)


# While it lasts.


def test_who_brings_no_fresh_ticket_is_signed_out() -> None:
    async def main() -> None:
        app = live_app(renew=0.4)
        async with in_process(app) as site:
            tab = await Tab(site).open()
            began = time.monotonic()
            for _ in range(4):
                await tab.send({"type": "ticket", "ticket": await tab.fetch_ticket()})
                await asyncio.sleep(0.2)
            assert tab.connected and time.monotonic() - began > 0.6
            await tab.until(lambda: not tab.connected)
            assert tab.closes == [CloseCode.SIGNED_OUT] and not app.clients

    run(main)


@pytest.mark.parametrize("ticket", ["", "forged", "bnVsbA.aQ.AAAA", "é"])
def test_a_false_ticket_signs_out(ticket: str) -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app) as site:
            tab = await Tab(site).open()
            await tab.send({"type": "ticket", "ticket": ticket})
            await tab.until(lambda: not tab.connected)
            assert tab.closes == [CloseCode.SIGNED_OUT]

    run(main)


def test_a_ticket_of_another_app_with_the_same_secret_is_none() -> None:
    async def main() -> None:
        server = Quart("shop")
        server.secret_key = "secret"
        options = {"server": server, "identify": lambda request: request.args.get("name")}
        other = live_app(options | {"url_base_pathname": "/other/"})
        app = live_app({"server": server, "url_base_pathname": "/own/", "identify": lambda request: None})
        async with in_process(app) as site:
            tab = await Tab(site).open()
            (client,) = app.clients
            response = await server.test_client().get("/other/_flash/live?name=admin")
            ticket = (await response.get_json())["ticket"]
            assert other.flash_live.guard.user_of(ticket) == "admin"
            await tab.send({"type": "ticket", "ticket": ticket})
            await tab.until(lambda: not tab.connected)
            assert tab.closes == [CloseCode.SIGNED_OUT] and client.user is None

    run(main)


def test_a_ticket_after_signing_out_signs_out() -> None:
    async def main() -> None:
        app = live_app({"identify": lambda request: request.headers.get("X-User")})
        async with in_process(app, headers={"X-User": "ann"}) as site:
            tab = await Tab(site).open()
            del site.headers["X-User"]
            await tab.send({"type": "ticket", "ticket": await tab.fetch_ticket()})
            await tab.until(lambda: not tab.connected)
            assert tab.closes == [CloseCode.SIGNED_OUT]

    run(main)


def test_tickets_are_not_kept_by_caches() -> None:
    async def main() -> None:
        app = live_app()
        async with in_process(app):
            response = await app.server.test_client().get("/_flash/live")
            assert response.headers["Cache-Control"] == "no-store"

    run(main)


def test_dashs_worker_is_asked_by_the_cookies_of_its_handshake() -> None:
    async def main() -> None:
        app, signed_in = live_app(renew=0.05), [True]

        @app.server.before_request
        async def guard() -> None:
            if not signed_in:
                abort(401)

        async with in_process(app) as site:
            worker = DashWorker(site)
            await worker.connect()
            page = worker.page()
            assert await worker.call(page, "echo.children", {"in.value": 1}) == 1
            await asyncio.sleep(0.3)
            assert worker.connected
            signed_in.clear()
            await worker.until(lambda: not worker.connected)
            assert worker.closes == [CloseCode.SIGNED_OUT]

    run(main)


@pytest.mark.parametrize("from_thread", [False, True])
def test_disconnect_closes_a_users_tabs_within_a_second(from_thread: bool) -> None:
    async def main() -> None:
        app = live_app({"identify": lambda request: request.headers.get("X-User")})
        async with in_process(app) as site:
            site.headers["X-User"] = "bob"
            bob = await Tab(site).open()
            site.headers["X-User"] = "ann"
            tabs = [await Tab(site).open() for _ in range(3)]
            lost = await Tab(site).open()
            await lost.cut()
            await eventually(lambda: app.clients[4].away)
            if from_thread:
                thread = threading.Thread(target=app.disconnect, args=("ann",))
                thread.start()
            else:
                app.disconnect(user="ann")
            for tab in tabs:
                await tab.until(lambda tab=tab: not tab.connected, seconds=1)
                assert tab.closes == [CloseCode.SIGNED_OUT]
            assert [client.user for client in app.clients] == ["bob"]
            assert (await lost.resume())["recovered"] is False
            assert await bob.call("echo.children", {"in.value": 1}) == 1
            app.disconnect(client=app.clients[0])
            await bob.until(lambda: not bob.connected)
            await lost.leave()

    run(main)


@pytest.mark.parametrize("server", SERVERS)
def test_disconnect_on_real_servers(server: str) -> None:
    async def main() -> None:
        app = live_app({"identify": lambda request: "ann"})
        async with SERVERS[server](app) as site:
            tab = await Tab(site).open()
            app.disconnect(user="ann")
            await tab.until(lambda: not tab.connected, seconds=1)
            assert tab.closes == [CloseCode.SIGNED_OUT]

    run(main)


def test_disconnect_says_how_it_is_called() -> None:
    app = live_app()
    for arguments in ({}, {"user": "ann", "client": object()}):
        with pytest.raises(TypeError, match="disconnect takes a user or a client"):
            app.disconnect(**arguments)
    app.disconnect(user="nobody")


def test_the_message_hooks_of_dash_see_every_message_and_may_refuse() -> None:
    from flash import hooks

    from ..test_gaps import hooked

    async def main() -> None:
        seen = []
        with hooked():

            @hooks.websocket_connect()
            async def connect(ws: Any) -> Any:
                return (4003, "no") if ws.headers.get("X-Case") == "connect" else None

            @hooks.websocket_message()
            def message(ws: Any, message: Any) -> Any:
                seen.append(message["type"])
                return (4007, "not this") if message.get("received") == 666 else None

            app = live_app()
            async with in_process(app) as site:
                tab = await Tab(site).open()
                assert await tab.call("echo.children", {"in.value": 1}) == 1
                await tab.send([{"type": "ack", "received": 0}, {"type": "ack", "received": 666}])  # type: ignore[arg-type]
                await tab.until(lambda: not tab.connected)
                assert tab.closes == [4007] and seen == ["hello", "callback_request", "ack", "ack"]
                site.headers["X-Case"] = "connect"
                assert await status_of(site) == 403

    run(main)
