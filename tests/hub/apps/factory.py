"""An application factory: a Flask site with a page of its own and two dashboards, each in its place."""

from dash import Dash, Input, Output, html
from flask import Flask, url_for

from flash.hub.inside import instance_folder


def create_app(mode: str = "prod") -> Flask:
    server = Flask(__name__)

    @server.get("/")
    def home() -> str:
        return f"{mode} home at {url_for('home')}, keeps in {instance_folder()}"

    for name in ("sales", "stock"):
        add_dashboard(server, name)
    return server


def add_dashboard(server: Flask, name: str) -> Dash:
    app = Dash(f"{__name__}.{name}", server=server, routes_pathname_prefix=f"/{name}/")
    app.layout = html.Div([html.Button(id="in"), html.P(id="out")])

    @app.callback(Output("out", "children"), Input("in", "value"))
    def show(value: str | None) -> str:
        return f"{name}: {value}"

    return app
