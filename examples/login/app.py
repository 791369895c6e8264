"""Signing in without leaving the page, and who is signed in: a list that administrators see change by itself.

After example3 and example3a of dash_devices. Who is signed in is known of each tab, as long as it is open; a site whose
pages are themselves protected is in examples/quart-login.
"""

from __future__ import annotations

import secrets
import time

from flash import Flash, Input, Output, State, callback, ctx, dcc, html

PASSWORDS = {"username": "username", "admin": "admin"}
HINT = "Wrong name or password. Try username and username, or admin and admin."

app = Flash(__name__, title="Login", update_title=None, suppress_callback_exceptions=True)


def login_form() -> list:
    return [
        html.H1("Please sign in"),
        html.Label(["Name", dcc.Input(id="username", value="", autoComplete="off")]),
        html.Label(["Password", dcc.Input(id="password", value="", type="password", autoComplete="off")]),
        html.Button("Sign in", id="submit"),
        html.P(id="message", role="alert"),
    ]


def inside() -> list:
    return [
        html.H1("You've successfully logged in!"),
        html.P(["You are ", html.B(ctx.client.authentication), "."]),
        html.Button("Logout", id="logout"),
        html.Div(id="users"),
    ]


app.layout = html.Main(login_form(), id="content")


# The buttons come and go with the content. With None as its output a callback is not called when they appear.
@callback(
    None,
    Input("submit", "n_clicks"),
    Input("password", "n_submit"),
    State("username", "value"),
    State("password", "value"),
)
async def sign_in(clicks, submits, username, password):
    """Return whatever is to change, in place of declared outputs."""
    if not secrets.compare_digest(PASSWORDS.get(username, "").encode() or secrets.token_bytes(), password.encode()):
        return Output("message", "children", HINT), Output("username", "value", ""), Output("password", "value", "")
    ctx.client.authentication = username
    show_users()
    return Output("content", "children", inside())


@callback(None, Input("logout", "n_clicks"))
async def sign_out(clicks):
    ctx.client.authentication = None
    show_users()
    return Output("content", "children", login_form())


# Called whenever the list is inserted into a page.
@callback(Output("users", "children"), Input("users", "id"))
async def first_users(_):
    return users() if ctx.client.authentication == "admin" else None


@app.callback_connect
async def left(client, connect):
    if not connect and client.authentication is not None:
        show_users()


def show_users() -> None:
    """Send the list to administrators, and to nobody else."""
    for client in app.clients:
        if client.authentication == "admin":
            app.push_mods({"users": {"children": users()}}, client)


def users() -> list:
    head = html.Thead(html.Tr([html.Th("User"), html.Th("Address"), html.Th("Since")]))
    rows = [
        html.Tr([html.Td(each.authentication), html.Td(each.address), html.Td(clock(each.connect_time))])
        for each in app.clients
        if each.authentication is not None
    ]
    return [html.H2("Users currently logged in"), html.Table([head, html.Tbody(rows)])]


def clock(seconds: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(seconds))


if __name__ == "__main__":
    app.run()
