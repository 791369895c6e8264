"""Signing in without leaving the page: callbacks that return what is to change, in place of declared outputs.

After example3 of dash_devices. The sign-in hides a part of one page; a site whose pages are themselves protected is in
examples/quart-login.
"""

from __future__ import annotations

from flash import Flash, Input, Output, State, dcc, html

HINT = "Wrong name or password. Try username and password."

FORM = [
    html.H1("Please sign in"),
    html.Label(["Name", dcc.Input(id="username", value="", autoComplete="off")]),
    html.Label(["Password", dcc.Input(id="password", value="", type="password", autoComplete="off")]),
    html.Button("Sign in", id="submit"),
    html.P(id="message", role="alert"),
]
INSIDE = [
    html.H1("You've successfully logged in!"),
    html.P("Other tabs have noticed nothing of it."),
    html.Button("Logout", id="logout"),
]

# Each button comes with its part of the page, and goes with it.
app = Flash(__name__, title="Login", update_title=None, suppress_callback_exceptions=True)
app.layout = html.Main(FORM, id="content", className="narrow")


@app.callback(None, Input("submit", "n_clicks"), State("username", "value"), State("password", "value"))
def sign_in(clicks, username, password):
    if (username, password) == ("username", "password"):
        return Output("content", "children", INSIDE)
    return Output("message", "children", HINT), Output("username", "value", ""), Output("password", "value", "")


@app.callback(None, Input("logout", "n_clicks"))
def sign_out(clicks):
    return Output("content", "children", FORM)


if __name__ == "__main__":
    app.run()
