"""Who is signed in, in which tab: a list that administrators see change by itself, and nobody else sees.

After example3a of dash_devices.
"""

from __future__ import annotations

import time

from flash import Flash, Input, Output, State, ctx, dcc, html

PASSWORDS = {"username": "username", "admin": "admin"}
HINT = "Wrong name or password. Try username and username, or admin and admin to see who is here."

FORM = [
    html.H1("Please sign in"),
    html.Label(["Name", dcc.Input(id="username", value="", autoComplete="off")]),
    html.Label(["Password", dcc.Input(id="password", value="", type="password", autoComplete="off")]),
    html.Button("Sign in", id="submit"),
    html.P(id="message", role="alert"),
]
INSIDE = [
    html.H1("You've successfully logged in!"),
    html.Button("Logout", id="logout"),
    html.Div(id="users"),
]

app = Flash(__name__, title="Who is signed in", update_title=None, suppress_callback_exceptions=True)
app.layout = html.Main(FORM, id="content", className="narrow")


@app.callback(None, Input("submit", "n_clicks"), State("username", "value"), State("password", "value"))
async def sign_in(clicks, username, password):
    if PASSWORDS.get(username) != password:
        return Output("message", "children", HINT), Output("username", "value", ""), Output("password", "value", "")
    # It is known of the tab as long as the tab is open.
    ctx.client.authentication = username
    show_users()
    return Output("content", "children", INSIDE)


@app.callback(None, Input("logout", "n_clicks"))
async def sign_out(clicks):
    ctx.client.authentication = None
    show_users()
    return Output("content", "children", FORM)


@app.callback(Output("users", "children"), Input("users", "id"))
async def users_at_first(users_id):
    """Called when the list has been inserted."""
    return users() if ctx.client.authentication == "admin" else None


@app.callback_connect
async def left(client, connect):
    if not connect and client.authentication is not None:
        show_users()


def show_users() -> None:
    """Send the list to the tabs of administrators."""
    for client in app.clients:
        if client.authentication == "admin":
            app.push_mods({"users": {"children": users()}}, client)


def users() -> list:
    """Who is signed in, the first who came first."""
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
