"""The app of the random runs: shared callbacks of all kinds, and what must be true of their outputs in the end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

from dash import Patch

from flash import ALL, MATCH, Input, Output, Service, State, dcc, html

from ..apps import flash_app

Place = tuple[Any, str]

#: Values of pages that may change nothing are above this.
FORBIDDEN = 1_000_000

INDEXES = (1, 2, 3)

#: The properties that users change, by plain id or dict id.
INPUTS: list[Place] = [
    ("slider", "value"),
    ("field", "value"),
    ("a", "value"),
    ("room", "value"),
    ("say", "value"),
    ("risky", "value"),
    ("fast", "value"),
    *[({"type": "many", "index": index}, "value") for index in INDEXES],
    *[({"type": "pair", "index": index}, "value") for index in INDEXES],
]


def room_of(client: Any) -> str | None:
    """The room that a page is in, as its address says."""
    rooms = parse_qs(urlsplit(client.path).query).get("room")
    return rooms[0] if rooms else None


class SharingApp:
    """An app with shared callbacks of all kinds.

    Args:
        live: Its settings of the live connection.
        asks: Whether who asks for permission is asynchronous.

    Attributes:
        seen: The arguments of all calls of each function, by its name; of some by their instance.
        saved: What the function that fails now and then has returned last.
    """

    def __init__(self, live: dict[str, Any], *, asks: bool) -> None:
        self.app = flash_app(live=live)
        self.seen: dict[str, list[Any]] = {}
        self.saved: str | None = None
        self.app.layout = layout
        self._declare_simple()
        self._declare_chain()
        self._declare_patterns()
        self._declare_special()
        self._declare_permission(asks)

    def _note(self, name: str, *args: Any) -> None:
        self.seen.setdefault(name, []).append(args)
        # A function that has seen what was refused has seen too much.
        assert not any(isinstance(each, int) and each >= FORBIDDEN for each in args), (name, args)

    def _declare_simple(self) -> None:
        app = self.app

        @app.callback_shared(Output("text", "children"), Input("slider", "value"))
        async def text(slider: int) -> str:
            self._note("text", slider)
            await _while(slider)
            return f"at {slider}"

        @app.callback_shared(Output("both", "children"), Input("slider", "value"), Input("field", "value"))
        def both(slider: int, field: int) -> str:
            self._note("both", slider, field)
            _block(field)
            return f"{slider} and {field}"

        @app.callback_shared(None, Input("field", "value"), State("slider", "value"))
        async def nothing(field: int, slider: int) -> None:
            self._note("nothing", field)
            await _while(field)

    def _declare_chain(self) -> None:
        app = self.app

        @app.callback_shared(Output("b", "children"), Input("a", "value"))
        async def first(a: int) -> str:
            self._note("first", a)
            await _while(a)
            return f"b{a}"

        @app.callback_shared(Output("c", "children"), Input("b", "children"))
        def second(b: str) -> str:
            self._note("second", b)
            return f"c{b}"

        @app.callback_shared(Output("d", "children"), Input("a", "value"), Input("c", "children"))
        async def third(a: int, c: str) -> str:
            self._note("third", a, c)
            await _while(a)
            return f"{a} {c}"

    def _declare_patterns(self) -> None:
        app = self.app

        @app.callback_shared(Output("sum", "children"), Input({"type": "many", "index": ALL}, "value"))
        def total(values: list[int]) -> int:
            self._note("total", *values)
            return sum(values)

        @app.callback_shared(
            Output({"type": "pair-text", "index": MATCH}, "children"), Input({"type": "pair", "index": MATCH}, "value")
        )
        async def pair(value: int) -> str:
            self._note("pair", value)
            await _while(value)
            return f"pair {value}"

    def _declare_special(self) -> None:
        app = self.app

        @app.callback_shared(Output("room-text", "children"), Input("room", "value"), channel=room_of)
        async def room(value: int) -> str:
            self._note("room", value)
            await _while(value)
            return f"in it {value}"

        @app.callback_shared(Output("feed", "data"), Input("say", "value"))
        def say(value: int) -> Any:
            self._note("say", value)
            _block(value)
            patch = Patch()
            patch.append(value)
            return patch

        @app.callback_shared(Output("safe", "children"), Input("risky", "value"))
        async def risky(value: int) -> str:
            self._note("risky", value)
            await _while(value)
            if value % 4 == 3:
                raise ValueError("It fails, as it should.")
            self.saved = f"safe {value}"
            return self.saved

        @app.callback_shared(Output("slow", "children"), Input("fast", "value"), service=Service.SHARED_MOST_RECENT)
        async def slow(value: int) -> str:
            self._note("slow", value)
            await asyncio.sleep(0.002)
            return f"slow {value}"

    def _declare_permission(self, asks: bool) -> None:
        def may(client: Any, output_id: str | None) -> bool:
            return "guest" not in client.path

        async def may_soon(client: Any, output_id: str | None) -> bool:
            await asyncio.sleep(0)
            return may(client, output_id)

        self.app.callback_authorize_output(may_soon if asks else may)

    # What must be true in the end.

    def shared(self, place: Place, room: str | None) -> Any:
        """The value of a place that a page in a room must show."""
        component, prop = place
        default: Any = 0 if prop == "value" else [] if prop == "data" else None
        # Rooms are groups apart, and so are the pages that are in none.
        return self.app.shared_state.get(component, prop, default, room if "room" in component else None)

    def expected(self, room: str | None) -> Iterator[tuple[Place, Any]]:
        """What the functions make of the values of the inputs, for a page in a room."""

        def value(component: Any) -> Any:
            return self.shared((component, "value"), room)

        slider, field, a = value("slider"), value("field"), value("a")
        yield ("text", "children"), f"at {slider}"
        yield ("both", "children"), f"{slider} and {field}"
        yield ("b", "children"), f"b{a}"
        yield ("c", "children"), f"cb{a}"
        yield ("d", "children"), f"{a} cb{a}"
        yield ("sum", "children"), sum(value({"type": "many", "index": index}) for index in INDEXES)
        for index in INDEXES:
            yield (
                ({"type": "pair-text", "index": index}, "children"),
                f"pair {value({'type': 'pair', 'index': index})}",
            )
        yield ("room-text", "children"), f"in it {value('room')}"
        yield ("slow", "children"), f"slow {value('fast')}"
        yield ("safe", "children"), self.saved

    def last_seen(self) -> Iterator[tuple[str, tuple[Any, ...], tuple[Any, ...]]]:
        """Of each function its name, the arguments of its last call, and those that these must be."""

        def value(component: Any) -> Any:
            return self.shared((component, "value"), None)

        wanted = {
            "text": (value("slider"),),
            "both": (value("slider"), value("field")),
            "first": (value("a"),),
            "second": (f"b{value('a')}",),
            "third": (value("a"), f"cb{value('a')}"),
            "total": tuple(value({"type": "many", "index": index}) for index in INDEXES),
            "say": (value("say"),),
            "risky": (value("risky"),),
            "slow": (value("fast"),),
        }
        for name, args in wanted.items():
            yield name, self.seen[name][-1], args


def layout() -> Any:
    """The page."""
    names = [component for component, _ in INPUTS if isinstance(component, str)]
    texts = ["text", "both", "b", "c", "d", "sum", "room-text", "safe", "slow"]
    return html.Div(
        [
            *[dcc.Input(id=name, value=0) for name in names],
            *[dcc.Input(id={"type": kind, "index": index}, value=0) for kind in ("many", "pair") for index in INDEXES],
            *[html.Div(id={"type": "pair-text", "index": index}) for index in INDEXES],
            *[html.Div(id=name) for name in texts],
            dcc.Store(id="feed", data=[]),
        ]
    )


async def _while(value: int) -> None:
    """Take as long as a value says."""
    for _ in range(value % 3):
        await asyncio.sleep(0)
    if value % 7 == 0:
        await asyncio.sleep(0.001)


def _block(value: int) -> None:
    if value % 5 == 0:
        time.sleep(0.001)
