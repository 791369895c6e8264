"""The pages of the reviews, and what other programs may ask."""

from __future__ import annotations

from dataclasses import asdict

from flask import Blueprint, current_app, jsonify, redirect, render_template, request, session, url_for
from models import PRODUCTS, Reviews

from flash.hub.inside import visitor

pages = Blueprint("pages", __name__)


def reviews() -> Reviews:
    """The reviews of the app that serves the request."""
    return current_app.extensions["reviews"]


@pages.get("/")
def index():
    """The form, and the newest reviews."""
    return show()


@pages.post("/")
def add():
    """Keep a review; who has written it is remembered for the next one."""
    form = request.form
    # On a hub with a sign-in it is known who writes, and nobody writes for another.
    author = visitor().name or form.get("author", "")
    try:
        reviews().add(form.get("product", ""), int(form.get("mark") or 0), author, form.get("text", ""))
    except ValueError as error:
        return show(str(error)), 422
    session["author"] = author
    return redirect(url_for(".index"))


@pages.get("/api/reviews")
def as_json():
    """The newest reviews, for programs."""
    return jsonify([asdict(review) for review in reviews().latest()])


def show(mistake: str = "") -> str:
    """The page, with what was written when there is a mistake in it."""
    return render_template(
        "reviews.html",
        products=PRODUCTS,
        reviews=reviews().latest(),
        user=visitor().name,
        author=session.get("author", ""),
        mistake=mistake,
        form=request.form,
    )
