"""What stands in the log of shared changes. The state is what the entries come to, in their order."""

from __future__ import annotations

import logging
from typing import Any

import msgspec

from .places import Place
from .state import Channel

logger = logging.getLogger("flash")


class Value(msgspec.Struct, array_like=True):
    """A new value of a place.

    Attributes:
        component: The component's id, as text.
        prop: Its property.
        json: The JSON of the value, or of a ``Patch``.
        base: The JSON of what a Patch changes when no shared value is there: the same in every process.
    """

    component: str
    prop: str
    json: bytes
    base: bytes | None = None

    @property
    def place(self) -> Place:
        """Where it belongs."""
        return self.component, self.prop


class Asker(msgspec.Struct):
    """Who waits for the outcome of a change.

    Attributes:
        process: The process that the tab is connected to.
        request: The number of its request there.
        client: The tab's id.
        numbers: The tab's own numbers of its changes, by ``id.property``.
        who: What is told of the tab in another process.
    """

    process: str
    request: int
    client: str
    numbers: dict[str, int] = {}
    who: dict[str, Any] | None = None


class Entry(msgspec.Struct, tag_field="kind"):
    """The base of the entries."""


class Change(Entry, tag="change"):
    """Inputs have changed: a tab has changed them, or code has pushed them.

    Attributes:
        channel: The group of tabs that share them.
        values: The values.
        asker: The tab; None when code has pushed.
        body: The tab's request, for the process that runs the callback; None when all that listen are to run.
        elsewhere: The callbacks that listen too and that the tab cannot ask for: their components are on other pages.
    """

    channel: Channel
    values: list[Value]
    asker: Asker | None = None
    body: dict[str, Any] | None = None
    elsewhere: list[str] = []


class Outcome(Entry, tag="outcome"):
    """What a run has given, or gives while it goes on.

    Attributes:
        run: The run.
        channel: The group of tabs that share its outputs.
        values: The values that it sets.
        done: Whether it has ended.
        asker: The tab that waits for it.
        error: What the tab is told when it has failed.
        term: That of the process that has run it.
        first: The name of the initial run that it ends, if it ends one.
    """

    run: str
    channel: Channel
    values: list[Value]
    done: bool = True
    asker: Asker | None = None
    error: str | None = None
    term: int = 0
    first: str | None = None


class Initial(Entry, tag="initial"):
    """Callbacks are to run for the first time.

    Attributes:
        channel: For which group of tabs.
        runs: The callbacks, each with what MATCH stands for.
        defaults: The values with which their components have left the server.
    """

    channel: Channel
    runs: list[tuple[str, list[tuple[str, Any]]]]
    defaults: list[Value]


class Pushed(Entry, tag="pushed"):
    """Values that are not shared, for all tabs of all processes or for one of another process.

    Attributes:
        values: The values.
        client: The tab; None for all.
        state: The version of the shared state that is laid over components in them, at least.
    """

    values: list[Value]
    client: str | None = None
    state: int | None = None


class Reset(Entry, tag="reset"):
    """All shared values are forgotten."""


class Leads(Entry, tag="leads"):
    """A process begins to run the callbacks, or ends.

    Attributes:
        process: The process; None when the last one has ended in order, so that what it left is not lost.
        term: Grows with every process that begins.
    """

    process: str | None
    term: int


class Moved(Entry, tag="moved"):
    """A tab belongs to other channels now. What it gets of them has this entry's version, as all that comes later.

    Attributes:
        process: The tab's process.
        client: The tab.
    """

    process: str
    client: str


AnyEntry = Change | Outcome | Initial | Pushed | Reset | Leads | Moved

_decoder = msgspec.json.Decoder(list[AnyEntry])
_each = msgspec.json.Decoder(list[msgspec.Raw])
_one: msgspec.json.Decoder[AnyEntry] = msgspec.json.Decoder(AnyEntry)


def entries_in(text: str) -> list[AnyEntry | None]:
    """The entries of a message of the log; None for each that this release does not know.

    Args:
        text: Their JSON.
    """
    try:
        return list(_decoder.decode(text))
    except msgspec.ValidationError:
        return [_entry_in(raw) for raw in _each.decode(text)]


def _entry_in(raw: msgspec.Raw) -> AnyEntry | None:
    try:
        return _one.decode(raw)
    except msgspec.ValidationError as error:
        logger.error("An entry of the log of shared changes is not understood: %s", error)
        return None
