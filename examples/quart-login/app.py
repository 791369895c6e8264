"""A dashboard inside an existing Quart app: blueprints, sessions, and one guard before everything."""

from __future__ import annotations

import os
import secrets

from auth import auth, guard
from dashboard import make_dashboard
from quart import Quart, render_template

server = Quart(__name__)
server.config.update(
    # Several processes, or a restart that nobody shall notice, need the same key.
    SECRET_KEY=os.environ.get("SECRET_KEY") or secrets.token_hex(),
    SESSION_COOKIE_SAMESITE="Lax",
)
server.register_blueprint(auth)
server.before_request(guard)
app = make_dashboard(server)


@server.get("/")
async def home() -> str:
    return await render_template("home.html")


if __name__ == "__main__":
    app.run()
