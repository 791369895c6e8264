from flask import jsonify, request

from flash import Flash, html


def make_app() -> Flash:
    app = Flash(__name__, flask_compat=True)
    app.layout = html.Div()

    @app.server.route("/hello")
    def hello():
        return jsonify(name=request.args["name"])

    return app


def test_hello():
    client = make_app().server.test_client()
    assert client.get("/hello?name=ann").json == {"name": "ann"}
