"""The app of the browser's property test: it pushes at random, and knows what its page must show for it.

Served in a process of its own; what the test wants comes as requests to ``/do``, as in ``browser_app.py``.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from quart import request

from flash import MATCH, Flash, Input, Output, Patch, State, dcc, html, patches, set_props
from flash.encoding import dumps

#: No limit on the page's speed, and nothing may be lost, whatever happens to the links.
SETTINGS: dict[str, Any] = {
    "heartbeat": 1.0,
    "answer": 0.5,
    "rate": 1e9,
    "burst": 1_000_000,
    "resume_messages": 100_000,
    "resume_bytes": 1 << 30,
    "waiting_bytes": 1 << 30,
}

#: The components of the page that are pushed to, with what they show at first.
PLAIN: dict[str, dict[str, Any]] = {
    "text-0": {"children": "", "title": ""},
    "text-1": {"children": "", "title": ""},
    '{"index":1,"type":"dict"}': {"children": "", "title": ""},
    "count": {"children": 0},
    "list": {"children": []},
    "rows": {"children": []},
}
STORES: dict[str, Any] = {"feed": [], "figure": {"data": [{"y": []}], "layout": {"title": ""}}}

#: Components that are not there at first. They come with the answer of a callback, or in a tree that is pushed.
ANSWERED = ["late-0", "late-2"]
PUSHED = ["late-1", "late-3"]

app = Flash(__name__, live=SETTINGS, suppress_callback_exceptions=True, websocket_callbacks=True)


def late(name: str, title: str = "") -> html.Div:
    return html.Div([], id=name, title=title)


def row(number: int) -> html.Div:
    """A tree with a callback of its own, which runs when it comes to the page."""
    return html.Div(
        [
            html.Button("Row", id={"type": "row", "index": number}, n_clicks=0),
            html.Span(id={"type": "said", "index": number}),
        ]
    )


def serve_layout() -> Any:
    places = {name: json.loads(name) if name.startswith("{") else name for name in PLAIN}
    return html.Div(
        [
            *[html.Div(id=places[name], **props) for name, props in PLAIN.items()],
            *[dcc.Store(id=name, data=data) for name, data in STORES.items()],
            *[html.Div(id=f"hall-{name}") for name in [*ANSWERED, *PUSHED]],
            *[html.Button("Mount", id=f"mount-{name}", n_clicks=0) for name in ANSWERED],
            dcc.Input(id="typed", value=""),
            html.Div(id="heard"),
            html.Button("Ask", id="ask", n_clicks=0),
            html.Div(id="answered"),
            html.Button("Barrier", id="barrier", n_clicks=0),
            html.Div(id="passed"),
            html.Div(id="greeted"),
        ]
    )


app.layout = serve_layout


class World:
    """What the server has told its page, and what its callbacks have done.

    Attributes:
        shown: What the page must show, by id and property, as JSON.
        runs: How often a callback ran, by what has asked for it.
    """

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Begin anew, for a page that is loaded now."""
        self.shown: dict[tuple[str, str], Any] = {
            **{(name, prop): value for name, props in PLAIN.items() for prop, value in props.items()},
            **{(name, "data"): data for name, data in STORES.items()},
            **{(name, prop): value for name in [*ANSWERED, *PUSHED] for prop, value in late_props().items()},
            ("typed", "value"): "",
        }
        self.runs: Counter[str] = Counter()
        self.arrivals: list[tuple[str, bool]] = []
        self.pushed: set[str] = set()
        self.number = 0

    def report(self) -> dict[str, Any]:
        """All of it, as JSON."""
        return {"shown": [[*place, value] for place, value in self.shown.items()], "runs": self.runs}

    async def push(self, seed: int, count: int) -> None:
        """Push so many things, made by a seed, to the page alone or to all."""
        chance = random.Random(seed)
        for _ in range(count):
            mods = chance.choice(PUSHES)(self, chance)
            self.note(mods)
            match chance.randrange(4):
                case 0:
                    app.push_mods(mods)
                case 1:
                    app.push_mods(mods, client=app.clients[0])
                case 2:
                    for name, props in mods.items():
                        app.clients[0].set_props(name, props)
                case 3:
                    thread = threading.Thread(target=app.push_mods, args=(mods,))
                    thread.start()
                    await asyncio.to_thread(thread.join)

    def push_missing(self) -> None:
        """Push the components that have not come to the page yet."""
        for name in PUSHED:
            if name not in self.pushed:
                app.push_mods(arriving(self, name))

    def note(self, mods: dict[str, dict[str, Any]]) -> None:
        """Learn what the page shows after a push."""
        for name, prop, value in ((name, prop, value) for name, props in mods.items() for prop, value in props.items()):
            if (name, prop) in self.shown:
                encoded = json.loads(dumps(value))
                if patches.is_patch(encoded):
                    encoded = patches.patched(self.shown[name, prop], encoded)
                self.shown[name, prop] = encoded

    def next(self) -> int:
        """A number that has not been before in this run."""
        self.number += 1
        return self.number


def late_props() -> dict[str, Any]:
    return {"children": [], "title": ""}


# What is pushed.


def texts(world: World, chance: random.Random) -> dict[str, dict[str, Any]]:
    names = chance.sample(["text-0", "text-1", '{"index":1,"type":"dict"}', *ANSWERED, *PUSHED], 2)
    padding = "x" * chance.choice([0, 0, 0, 3000])
    props = {name: ["title"] if name.startswith("late") else ["children", "title"] for name in names}
    return {name: {chance.choice(props[name]): f"{world.next()}{padding}"} for name in names}


def listed(world: World, chance: random.Random, value: Callable[[int], Any], full: bool = False) -> Any:
    """A Patch of a list, or the whole of it."""
    patch, number = Patch(), world.next()
    match chance.randrange(8):
        case 0:
            patch.prepend(value(number))
        case 1:
            patch.extend([value(number), value(world.next())])
        case 2:
            patch.insert(0, value(number))
        case 3 if full:
            return [value(number)]
        case _:
            patch.append(value(number))
    return patch


def feed(world: World, chance: random.Random) -> dict[str, dict[str, Any]]:
    return {"feed": {"data": listed(world, chance, lambda number: number, full=True)}}


def figure(world: World, chance: random.Random) -> dict[str, dict[str, Any]]:
    patch = Patch()
    if chance.random() < 0.7:
        patch["data"][0]["y"].append(world.next())
    if chance.random() < 0.5:
        patch["layout"]["title"] = f"title {world.next()}"
    if chance.random() < 0.2:
        patch["data"][0]["y"].reverse()
    return {"figure": {"data": patch}}


def late_lists(world: World, chance: random.Random) -> dict[str, dict[str, Any]]:
    name = chance.choice([*ANSWERED, *PUSHED])
    return {name: {"children": listed(world, chance, lambda number: f"{number} ", full=True)}}


def count(world: World, chance: random.Random) -> dict[str, dict[str, Any]]:
    patch = Patch()
    patch += chance.randint(1, 9)
    return {"count": {"children": patch}}


def items(world: World, chance: random.Random) -> dict[str, dict[str, Any]]:
    return {"list": {"children": listed(world, chance, lambda number: html.Span(f"{number} "), full=True)}}


def rows(world: World, chance: random.Random) -> dict[str, dict[str, Any]]:
    if chance.random() < 0.4:
        return {"rows": {"children": [row(world.next()) for _ in range(chance.randrange(3))]}}
    return {"rows": {"children": listed(world, chance, row)}}


def trees(world: World, chance: random.Random) -> dict[str, dict[str, Any]]:
    return arriving(world, chance.choice(PUSHED))


def arriving(world: World, name: str) -> dict[str, dict[str, Any]]:
    """A component that comes to the page, or comes anew: what was set on it before is over."""
    title = str(world.next())
    world.pushed.add(name)
    world.note({name: {"children": [], "title": title}})
    return {f"hall-{name}": {"children": late(name, title)}}


def typed(world: World, chance: random.Random) -> dict[str, dict[str, Any]]:
    return {"typed": {"value": f"typed {world.next()}"}}


PUSHES = [texts, texts, feed, feed, figure, figure, late_lists, late_lists, count, count, items, rows, trees, typed]


# What the page asks for.


async def work(token: str) -> None:
    """Count a run. Some take their time."""
    world.runs[token] += 1
    await asyncio.sleep(random.choice([0, 0, 0.01, 0.05]))


@app.callback(Output("answered", "children"), Input("ask", "n_clicks"), prevent_initial_call=True)
async def ask(clicks: int) -> str:
    await work(f"ask {clicks}")
    mods = count(world, random.Random(clicks))
    world.note(mods)
    set_props("count", mods["count"])
    return f"answer {clicks}"


@app.callback(Output("passed", "children"), Input("barrier", "n_clicks"), prevent_initial_call=True)
async def barrier(clicks: int) -> str:
    await work(f"barrier {clicks}")
    return f"passed {clicks}"


@app.callback(Output("heard", "children"), Input("typed", "value"), prevent_initial_call=True)
async def hear(value: str) -> str:
    await work(f"typed {value}")
    return f"heard {value}"


@app.callback(
    Output({"type": "said", "index": MATCH}, "children"),
    Input({"type": "row", "index": MATCH}, "n_clicks"),
    State({"type": "row", "index": MATCH}, "id"),
)
async def say(clicks: int, row_id: dict[str, Any]) -> str:
    await work(f"row{row_id['index']} {clicks}")
    return f"said {clicks}"


def mounting(name: str) -> None:
    @app.callback(Output(f"hall-{name}", "children"), Input(f"mount-{name}", "n_clicks"), prevent_initial_call=True)
    async def mount(clicks: int) -> Any:
        await work(f"mount-{name} {clicks}")
        return late(name)


for each in ANSWERED:
    mounting(each)


@app.callback_connect
async def greet(client: Any, connect: bool) -> Any:
    world.arrivals.append((client.id, connect))
    return {"greeted": {"children": client.id}} if connect else None


world = World()


@app.server.post("/do")
async def do() -> Any:
    """Run an expression with the app at hand. For tests only, as this whole file."""
    value = eval(await request.get_data(as_text=True), {"app": app, "world": world, "clients": app.clients})
    return json.dumps(await value if asyncio.iscoroutine(value) else value)


if __name__ == "__main__":
    app.run(port=int(os.environ["PORT"]), graceful_timeout=3)
