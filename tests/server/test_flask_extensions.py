"""Flask extensions that are given the Quart server of an app with ``flask_compat``.

Each runs where its package is installed.
"""

from __future__ import annotations

from typing import Any

import flask
import pytest
import quart

from flash.testing.flask_client import flask_test_client

from .flask_apps import both, compat_server


@both
def test_talisman(kind: Any) -> None:
    talisman = pytest.importorskip("flask_talisman")
    server = compat_server()
    server.add_url_rule("/", "view", kind(lambda: flask.render_template_string("{{ csp_nonce() }}")))
    talisman.Talisman(
        server, content_security_policy={"script-src": "'self'"}, content_security_policy_nonce_in=["script-src"]
    )
    client = flask_test_client(server)
    insecure = client.get("/")
    assert (insecure.status_code, insecure.headers["Location"]) == (302, "https://localhost/")
    secure = client.get("/", base_url="https://localhost")
    assert secure.headers["Content-Security-Policy"] == f"script-src 'self' 'nonce-{secure.text}'"
    assert secure.text and secure.headers["Strict-Transport-Security"]


@both
def test_login(kind: Any) -> None:
    login = pytest.importorskip("flask_login")
    server = compat_server()
    manager = login.LoginManager(server)
    manager.login_view = "enter"

    class User(login.UserMixin):  # type: ignore[name-defined, misc]
        id = "ann"

    manager.user_loader(lambda name: User() if name == "ann" else None)

    def enter() -> str:
        login.login_user(User(), remember=True)
        return "entered"

    server.add_url_rule("/enter", "enter", kind(enter))
    # The decorator is a plain function also around an asynchronous one.
    server.add_url_rule("/secret", "secret", login.login_required(kind(lambda: str(login.current_user.id))))

    @server.get("/page")
    async def page() -> str:
        return await quart.render_template_string("{{ current_user.id }}")

    client = flask_test_client(server)
    refused = client.get("/secret")
    assert (refused.status_code, refused.headers["Location"]) == (302, "/enter?next=%2Fsecret")
    assert client.get("/enter").text == "entered"
    assert client.get("/secret").text == client.get("/page").text == "ann"
    client.delete_cookie("session")
    assert client.get("/secret").text == "ann", "The remember cookie was not set."


@both
def test_caching(kind: Any) -> None:
    caching = pytest.importorskip("flask_caching")
    server = compat_server()
    cache = caching.Cache(server, config={"CACHE_TYPE": "SimpleCache"})
    calls: list[int] = []

    @cache.memoize()  # type: ignore[untyped-decorator]
    def heavy(number: int) -> int:
        calls.append(number)
        return number * 2

    server.add_url_rule("/", "view", kind(lambda: str(heavy(int(flask.request.args["n"])))))
    server.add_url_rule("/view", "cached", cache.cached()(kind(lambda: str(calls.append(0)))))
    client = flask_test_client(server)
    assert [client.get(f"/?n={number}").text for number in (1, 1, 2)] == ["2", "2", "4"]
    assert calls == [1, 2]
    assert [client.get("/view").status_code for _ in range(2)] == [200, 200]
    assert calls == [1, 2, 0]
    with server.app_context():
        cache.set("key", "value")
        assert cache.get("key") == "value"


@both
def test_csrf_protection(kind: Any) -> None:
    csrf = pytest.importorskip("flask_wtf.csrf")
    server = compat_server()
    protection = csrf.CSRFProtect(server)

    def unprotected() -> str:
        return "open"

    server.add_url_rule("/token", "token", kind(csrf.generate_csrf))
    server.add_url_rule("/change", "change", kind(lambda: "changed"), methods=["POST"])
    server.add_url_rule("/open", "open", protection.exempt(kind(unprotected)), methods=["POST"])
    client = flask_test_client(server)
    token = client.get("/token").text
    assert client.post("/change").status_code == 400
    assert client.post("/change", headers={"X-CSRFToken": token}).text == "changed"
    assert client.post("/change", data={"csrf_token": token}).text == "changed"
    assert client.post("/open").text == "open"


@both
def test_limits(kind: Any) -> None:
    limiter = pytest.importorskip("flask_limiter")
    server = compat_server()
    limits = limiter.Limiter(lambda: "all", app=server, storage_uri="memory://", headers_enabled=True)
    server.add_url_rule("/", "view", limits.limit("1 per hour")(kind(lambda: "fine")))
    client = flask_test_client(server)
    first, second = client.get("/"), client.get("/")
    assert (first.status_code, second.status_code) == (200, 429)
    assert first.headers["X-RateLimit-Limit"] == "1"


@both
def test_sessions_on_the_server(kind: Any) -> None:
    session = pytest.importorskip("flask_session")
    cachelib = pytest.importorskip("cachelib")
    server = compat_server(SESSION_TYPE="cachelib", SESSION_CACHELIB=cachelib.SimpleCache())
    session.Session(server)

    def count() -> str:
        flask.session["count"] = flask.session.get("count", 0) + 1
        return str(quart.session["count"])

    server.add_url_rule("/", "view", kind(count))
    client = flask_test_client(server)
    assert [client.get("/").text for _ in range(3)] == ["1", "2", "3"]


@both
def test_sqlalchemy(kind: Any) -> None:
    extension = pytest.importorskip("flask_sqlalchemy")
    sqlalchemy = pytest.importorskip("sqlalchemy")
    server = compat_server(SQLALCHEMY_DATABASE_URI="sqlite:///:memory:")
    database = extension.SQLAlchemy(server)

    class Cake(database.Model):  # type: ignore[name-defined, misc]
        id = sqlalchemy.Column(sqlalchemy.Integer, primary_key=True)

    with server.app_context():
        database.create_all()

    def bake() -> str:
        database.session.add(Cake())
        database.session.commit()
        return str(database.session.query(Cake).count())

    server.add_url_rule("/", "bake", kind(bake))
    server.add_url_rule("/<int:number>", "get", kind(lambda number: str(database.get_or_404(Cake, number).id)))
    client = flask_test_client(server)
    assert [client.get("/").text for _ in range(2)] == ["1", "2"]
    assert [client.get("/1").text, client.get("/9").status_code] == ["1", 404]
    assert database.session.registry.registry == {}, "A session outlived its request."
    with server.app_context():
        database.engine.dispose()
