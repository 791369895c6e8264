"""The dashboard: a Flash app. A new version of the data reaches open pages by itself."""

from __future__ import annotations

from typing import Any

from flash import Flash, Input, Output
from flash.data import Freshness, LiveInput
from quart import request

import engineering
import schedule
import signin
from page import cards, page
from setting import PROXIES, TITLE


def create_app(users: signin.Users) -> Flash:
    """The app.

    Args:
        users: Who may come in.
    """
    app = Flash(__name__, title=TITLE, update_title=None, identify=name_of)
    signin.protect(app.server, request, users, PROXIES)
    app.layout = page(
        Freshness(schedule.machine, refresh=is_signed_in), Freshness(schedule.disks, refresh=is_signed_in)
    )

    @app.callback(
        Output("load", "figure"),
        Output("numbers", "children"),
        Output("loading", "display"),
        LiveInput(schedule.load),
        Input("minutes", "value"),
    )
    def show_load(load, minutes):
        table = engineering.latest(load.value, minutes)
        return engineering.load_figure(table), cards(engineering.numbers(table)), "auto"

    @app.callback(Output("disks", "figure"), LiveInput(schedule.disk_table))
    def show_disks(disks):
        return engineering.disks_figure(disks.value)

    return app


def name_of(request: Any) -> str | None:
    """Who asks: the name that was typed to sign in."""
    return request.authorization.username if request.authorization else None


def is_signed_in(client: Any) -> bool:
    """Who may have the data read at once: everybody who has signed in. Name those who may, if it is not all."""
    return client.user is not None
