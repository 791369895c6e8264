"""Reviews: what customers say about the goods.

A form, a list, and a chart of the marks; also as JSON at api/reviews.
"""

from __future__ import annotations

import os
import secrets

from chart import add_chart
from flask import Flask
from models import Reviews
from pages import pages

from flash.hub.inside import instance_folder

hub = {"tags": ["customers", "form"], "order": 2}


def create_app() -> Flask:
    """The app, alone (``python apps/reviews/app.py``) and on the hub."""
    app = Flask(__name__, instance_path=str(instance_folder()))
    # Without a key of its own, who has signed a review is forgotten when the app restarts.
    app.config["SECRET_KEY"] = os.environ.get("SECRET_KEY") or secrets.token_hex()
    app.extensions["reviews"] = Reviews(instance_folder() / "reviews.sqlite")
    app.register_blueprint(pages)
    add_chart(app)
    return app


if __name__ == "__main__":
    create_app().run()
