from quart import abort, request, session

from flash import Flash, html


def make_app() -> Flash:
    app = Flash(__name__)
    app.layout = html.Div("secret", id="secret")
    app.server.secret_key = "only for tests"

    @app.server.before_request
    async def guard():
        if request.path != "/login" and "user" not in session:
            abort(401)

    @app.server.post("/login")
    async def login():
        session["user"] = (await request.form)["user"]
        return "welcome"

    return app


def test_sign_in(flash_client):
    client = flash_client(make_app())
    assert client.open("/", check=False).status == 401
    assert client.request("/login", "POST", form={"user": "ann"}).text == "welcome"
    assert client.open("/")["secret"]["children"] == "secret"
