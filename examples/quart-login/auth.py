"""Signing in and out, and the guard."""

from __future__ import annotations

import asyncio
import secrets

from quart import Blueprint, abort, redirect, render_template, request, session, url_for
from quart.typing import ResponseReturnValue
from werkzeug.security import check_password_hash, generate_password_hash

auth = Blueprint("auth", __name__)

GUARDED = "/dashboard/"
PASSWORDS = {"ada": generate_password_hash("analytical")}
# Checked for names that nobody has, so that the time of an answer does not tell which names exist.
NOBODY = generate_password_hash(secrets.token_hex())


@auth.get("/login")
async def login() -> str:
    return await render_template("login.html", next=request.args.get("next", ""))


@auth.post("/login")
async def sign_in() -> ResponseReturnValue:
    form = await request.form
    name, next_path = form.get("name", ""), form.get("next", "")
    # A hash is slow by design, so it is worked out in a thread.
    known = PASSWORDS.get(name, NOBODY)
    if not await asyncio.to_thread(check_password_hash, known, form.get("password", "")):
        return await render_template("login.html", next=next_path, message="Wrong name or password."), 401
    session.clear()
    session["user"] = name
    return redirect(request.root_path + (next_path if next_path.startswith(GUARDED) else GUARDED))


@auth.post("/logout")
async def logout() -> ResponseReturnValue:
    session.clear()
    return redirect(url_for("home"))


async def guard() -> ResponseReturnValue | None:
    """Send visitors who want the dashboard to the login page, and answer everything else there with 401."""
    if not request.path.startswith(GUARDED) or "user" in session:
        return None
    if request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html":
        return redirect(url_for("auth.login", next=request.path))
    abort(401)
