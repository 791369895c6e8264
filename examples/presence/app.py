"""Who is here: a list of all open tabs, which changes by itself as tabs come, lose their connection, and go."""

from __future__ import annotations

import asyncio
import random
import time

from flash import Flash, html

ADJECTIVES = "Amber Brave Calm Dapper Eager Fuzzy Gentle Happy Icy Jolly Kind Lucky Merry Nimble Proud Quiet".split()
ANIMALS = "Fox Bear Octopus Owl Turtle Hedgehog Bee Whale Giraffe Penguin Otter Heron".split()
BROWSERS = {"Edg/": "Edge", "Firefox/": "Firefox", "Chrome/": "Chrome", "Safari/": "Safari"}

app = Flash(__name__, title="Presence", update_title=None)
app.layout = html.Main(
    [
        html.H1("Who is here"),
        html.P(id="you", role="status"),
        html.Ul(id="clients"),
        html.P("Open this page in another tab, on a phone, in a private window; close one; unplug the network."),
    ]
)


class Watch:
    """Looks, while somebody is here, who has lost the connection or is back: no handler is called for that."""

    def __init__(self) -> None:
        self._task: asyncio.Task | None = None

    def start(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._watch())

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _watch(self) -> None:
        shown = None
        while True:
            now = [(client.id, client.away) for client in app.clients]
            if now != shown:
                shown = now
                show_clients()
            await asyncio.sleep(0.5)


watch = Watch()


@app.callback_connect
async def come_or_go(client, connect):
    if connect:
        # Fields of the app's own; they stay when the tab loses its connection and comes back.
        client.name = f"{random.choice(ADJECTIVES)} {random.choice(ANIMALS)}"
        client.hue = random.randrange(360)
        watch.start()
    elif not app.clients:
        watch.stop()
    show_clients()
    # What a handler returns at an arrival goes to the new tab alone.
    return {"you": {"children": ["You are the ", html.B(client.name)]}} if connect else None


def show_clients() -> None:
    app.push_mods({"clients": {"children": [row(client) for client in app.clients]}})


def row(client) -> html.Li:
    agent = client.user_agent or ""
    browser = next((name for mark, name in BROWSERS.items() if mark in agent), "Another browser")
    since = time.strftime("%H:%M:%S", time.localtime(client.connect_time))
    state = "away" if client.away else "here"
    return html.Li(
        [
            html.Span(client.name[0], className="badge", style={"--hue": client.hue}),
            html.Span([html.B(client.name), html.Small(f"{browser} at {client.address}, since {since}")]),
            html.Span(state, className="state"),
        ],
        className=state,
    )


if __name__ == "__main__":
    app.run()
