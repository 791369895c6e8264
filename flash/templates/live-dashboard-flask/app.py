"""The dashboard: a Dash app on Flask. Open pages ask every two seconds whether there is something new."""

from __future__ import annotations

from contextlib import suppress
from threading import Lock
from typing import Any

from dash import Dash, Input, Output, State, dcc, html, no_update
from dash.exceptions import PreventUpdate
from flash.data import Snapshot, Source, SourceError
from flask import request

import engineering
import schedule
import signin
from page import cards, page
from setting import PROXIES, TITLE

SECONDS = 2


def create_app(users: signin.Users) -> Dash:
    """The app.

    Args:
        users: Who may come in.
    """
    app = Dash(__name__, title=TITLE, update_title=None)
    signin.protect(app.server, request, users, PROXIES)
    app.layout = page(
        html.Div([html.Span(id="machine-badge"), html.Button("Refresh", id="refresh")], className="status"),
        html.Span(id="disks-badge"),
        dcc.Interval(id="tick", interval=SECONDS * 1000),
        dcc.Store(id="shown", data={}),
    )
    drawn = Drawn()

    @app.callback(
        Output("load", "figure"),
        Output("numbers", "children"),
        Output("loading", "display"),
        Output("disks", "figure"),
        Output("machine-badge", "children"),
        Output("disks-badge", "children"),
        Output("shown", "data"),
        Input("tick", "n_intervals"),
        Input("minutes", "value"),
        State("shown", "data"),
    )
    def show(ticks, minutes, shown):
        load, disks = schedule.load.get(), schedule.disk_table.get()
        badges = [badge(schedule.machine), badge(schedule.disks)]
        now = {
            "load": [load.version, minutes],
            "disks": disks.version,
            "badges": [[each.children, each.className] for each in badges],
        }
        if now == shown:
            raise PreventUpdate
        new_load = load and now["load"] != shown.get("load")
        new_disks = disks and now["disks"] != shown.get("disks")
        return (
            *(drawn.load(load, minutes) if new_load else (no_update, no_update)),
            "auto" if load else no_update,
            drawn.disks(disks) if new_disks else no_update,
            *badges,
            now,
        )

    @app.callback(Input("refresh", "n_clicks"), prevent_initial_call=True)
    def refresh(clicks):
        # It waits for the reading: one thread is enough for all who want one.
        if not schedule.machine.status.running:
            with suppress(SourceError):  # The badge says why.
                schedule.machine.refresh()

    return app


class Drawn:
    """What was drawn of the newest versions: it is drawn once, and all pages get the same."""

    def __init__(self) -> None:
        self._load: dict[tuple[int, int], tuple[Any, Any]] = {}
        self._disks: dict[int, Any] = {}
        # When there is something new, many pages ask at the same time.
        self._drawing = Lock()

    def load(self, load: Snapshot, minutes: int) -> tuple[Any, Any]:
        """The figure and the cards of the machine."""
        key = load.version, minutes
        with self._drawing:
            if key not in self._load:
                table = engineering.latest(load.value, minutes)
                others = {other: drawn for other, drawn in self._load.items() if other[0] == load.version}
                self._load = {**others, key: (engineering.load_figure(table), cards(engineering.numbers(table)))}
            return self._load[key]

    def disks(self, disks: Snapshot) -> Any:
        """The figure of the disks."""
        with self._drawing:
            if disks.version not in self._disks:
                self._disks = {disks.version: engineering.disks_figure(disks.value)}
            return self._disks[disks.version]


def badge(source: Source) -> html.Span:
    """How fresh a source's data are: when they were read, whether they are stale, and why a reading failed."""
    snapshot = source.get()
    if not snapshot:
        read = "Not read yet"
    else:
        read = f"{'Stale: read' if snapshot.stale else 'Read'} at {snapshot.at:%Y-%m-%d %H:%M:%S} UTC"
    if snapshot.error is None:
        return html.Span(read, className="badge stale" if snapshot and snapshot.stale else "badge")
    return html.Span(f"{read}. {snapshot.error.reason} ({snapshot.error.id})", className="badge failed")
