"""Handbook: plain pages of a Quart app, in a blueprint."""

from __future__ import annotations

import os

from quart import Blueprint, Quart, abort, render_template

CHAPTERS = {
    "orders": "An order counts from the day on which it is confirmed.",
    "prices": "Prices are those at the end of the day.",
}

pages = Blueprint("pages", __name__)


@pages.get("/")
async def contents() -> str:
    return await render_template("contents.html", chapters=CHAPTERS)


@pages.get("/<chapter>")
async def chapter(chapter: str) -> str:
    text = CHAPTERS.get(chapter) or abort(404)
    return await render_template("chapter.html", title=chapter.capitalize(), text=text)


def create_app() -> Quart:
    app = Quart(__name__)
    app.register_blueprint(pages)
    return app


if __name__ == "__main__":
    create_app().run(host=os.environ.get("HOST", "127.0.0.1"), port=int(os.environ.get("PORT", "8050")))
