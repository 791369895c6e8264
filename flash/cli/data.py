"""``flash data``: the sources of an app, from outside of its servers."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import reprlib
import sys
import textwrap
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click
from dash import Dash

from ..app import Flash
from ..exceptions import ConfigurationError, FlashError
from ..storage import storage_of
from ..targets import USUAL_NAMES, Target, attribute_of, failed, import_target, made_by

if TYPE_CHECKING:
    from ..data.by_hand import Done, Fact, Outside

T = TypeVar("T")

_COLORS = {"fresh": "green", "running": "cyan", "stale": "yellow", "failed": "red"}
_UNITS = ((86_400, "day"), (3600, "h"), (60, "min"), (1, "s"))

_UNKNOWN = (
    "Versions and states are in the memory of the server: it alone knows them. With FLASH_REDIS_URL, or with "
    'use_store("sqlite:///data.db"), they are seen here.'
)

#: How many rows, entries or lines of a value are shown.
MOST_SHOWN = 5


@click.group("data")
def command() -> None:
    """The sources of an app: see them, run one, follow them.

    They are found where the app is: package.module:app, path/to/app.py:app, or a module that declares sources.
    """


_target = click.argument("target", metavar="MODULE:APP")


@command.command("list")
@_target
@click.option("--json", "as_json", is_flag=True, help="Write what is known of each source as JSON.")
def list_sources(target: str, as_json: bool) -> None:
    """Show when sources run and how they fare."""
    with _as_sentences():
        facts = _use(target, lambda outside: outside.facts())
    if as_json:
        click.echo(json.dumps([_as_json(fact) for fact in facts], indent=2))
        return
    click.echo(_table(facts))
    if any(fact.state is None for fact in facts):
        click.echo(f"\n{_UNKNOWN}")


@command.command()
@_target
@click.argument("source")
@click.option("--dry", is_flag=True, help="Show what it gives, and keep nothing.")
def run(target: str, source: str, dry: bool) -> None:
    """Run a source once, here and now, and show what it gives.

    It is given the newest values of the sources that it follows; where there are none, these run first. The new
    snapshot is kept, and shown by the servers that run, unless --dry is said.
    """
    with _as_sentences():
        from ..data.by_hand import ReaderFailed
        from ..data.failures import RunFailed

        try:
            done = _use(target, lambda outside: outside.run(outside.named(source), keep=not dry))
        except ReaderFailed as error:
            raise failed(str(error), error.cause) from error
        except RunFailed as error:
            # What was wrong with a value, the log of a server says: here is none.
            raise click.ClickException(f"{error} {error.__cause__ or ''}".strip()) from error
        for each in done:
            _show(each)


@command.command()
@_target
def watch(target: str) -> None:
    """Follow the sources as they run, until Ctrl+C."""
    with _as_sentences():
        try:
            _use(target, _follow)
        except KeyboardInterrupt:
            click.echo()


# Finding.


@contextmanager
def _as_sentences() -> Iterator[None]:
    """Show errors of Flash, and of what it lacks, as sentences."""
    try:
        yield
    except (FlashError, ImportError) as error:
        raise click.ClickException(str(error)) from error


def _use(target: str, work: Callable[[Outside], Awaitable[T]]) -> T:
    """Do something with the sources of a target."""
    outside = _outside(Target.parse(target))

    async def use() -> T:
        async with outside:
            return await work(outside)

    return asyncio.run(use())


def _outside(target: Target) -> Outside:
    from ..data import alone, by_hand
    from ..data.declare import chosen_store, declared_sources
    from ..data.stores import store_of

    alone.looked_at = True
    app = _app(target)
    sources = declared_sources()
    if not sources:
        raise ConfigurationError(f"{target.written!r} declares no sources: write @source(every='5m') above a function.")
    storage = storage_of() if app is None else app.flash_storage
    name = alone.usual_name(sources) if app is None else app.name_in_storage
    return by_hand.Outside(sources, storage, store_of(chosen_store(), storage), name)


def _app(target: Target) -> Flash | None:
    """The Flash app of a target, for its storage; None of a module without one, as for Dash on Flask."""
    names = vars(import_target(target))
    if target.attribute is None and not any(name in names for name in USUAL_NAMES):
        return None
    name, found = attribute_of(target, names, "Name the app, or the module alone.")
    if callable(found) and not isinstance(found, Dash | type):
        found = made_by(found, f"{target.written}:{name}()")
    return found if isinstance(found, Flash) else None


# Showing.


async def _follow(outside: Outside) -> None:
    """Show the table, and again whenever there are news; each second on a terminal, where ages grow."""
    live = sys.stdout.isatty()
    async for known in outside.follow(every=1.0 if live else None):
        text = _table(known) if known is not None else "The shared storage does not answer; it is asked again."
        # In place: the cursor goes to the corner, and what is left of the older text is wiped away.
        click.echo(f"\x1b[H\x1b[J{text}" if live else f"{text}\n")


def _table(facts: Sequence[Fact]) -> str:
    rows = [("SOURCE", "RUNS", "NEXT", "VERSION", "AGE", "STATE"), *map(_row, facts)]
    widths = [max(map(len, column)) for column in list(zip(*rows, strict=True))[:-1]]
    lines = [
        "  ".join([*(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)), row[-1]]) for row in rows
    ]
    for number, fact in enumerate(facts, 1):
        if color := _COLORS.get(fact.fares):
            state = rows[number][-1]
            lines[number] = lines[number].removesuffix(state) + click.style(state, fg=color)
    return "\n".join(lines)


def _row(fact: Fact) -> tuple[str, str, str, str, str, str]:
    source, state = fact.source, fact.state
    if state is None:
        known = ("?", "?", "only the server knows")
    else:
        known = (str(state.version or "-"), "-" if fact.age is None else _duration(fact.age), _state(fact))
    return (source.name, source.settings.describe(source.after), _times(fact.next), *known)


def _state(fact: Fact) -> str:
    error = fact.state.error if fact.state is not None else None
    if fact.fares == "failed" and error is not None:
        return f"failed: {error.reason} (error id {error.id})"
    return "never read" if fact.fares == "empty" else fact.fares


def _times(times: Sequence[datetime]) -> str:
    """Times of one zone, with the day where it is not today."""
    if not times:
        return "-"
    today = datetime.now(times[0].tzinfo).date()
    clock = "%H:%M:%S" if any(each.second for each in times) else "%H:%M"
    texts = [each.strftime(clock if each.date() == today else f"%a %d %b {clock}") for each in times]
    return f"{', '.join(texts)} {times[0].tzname()}"


def _duration(seconds: float) -> str:
    """A length of time in the largest unit that fits: ``"3 min"``."""
    size, unit = next((each for each in _UNITS if seconds >= each[0]), _UNITS[-1])
    count = int(seconds // size)
    return f"{count} {unit}{'s' if unit == 'day' and count > 1 else ''}"


def _as_json(fact: Fact) -> dict[str, Any]:
    source, state = fact.source, fact.state
    error = state.error if state is not None else None
    return {
        "name": source.name,
        "runs": source.settings.describe(source.after),
        "after": [each.name for each in source.after],
        "next": [each.isoformat() for each in fact.next],
        "version": None if state is None else state.version,
        "at": state.at.isoformat() if state is not None and state.at is not None else None,
        "age": fact.age,
        "state": fact.fares,
        "error": error and {"reason": error.reason, "id": error.id, "at": error.at.isoformat()},
    }


def _show(done: Done) -> None:
    """What one run gave, and what was done with it."""
    size = done.size
    bytes_ = f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB" if size >= 1000 else f"{size} bytes"
    click.echo(f"{click.style(done.source.name, bold=True)}: {_shape(done.value)}, {bytes_}, in {done.seconds:.2f} s\n")
    click.echo(textwrap.indent(_head(done.value), "  ") + "\n")
    click.echo(_outcome(done))


def _outcome(done: Done) -> str:
    """What was done with what a run gave."""
    if done.version is None:
        return "Nothing was kept."
    if not done.is_new:
        return f"It is the same as version {done.version}, which is confirmed."
    if done.told:
        return f"Kept as version {done.version}. The servers that run show it."
    return (
        f"Kept as version {done.version}. No server was told. One that runs now may write over it: set FLASH_REDIS_URL "
        "(redis://host:6379/0) for both, and name the app that it serves, as in server:app."
    )


def _shape(value: Any) -> str:
    """What a value is, and how much of it there is."""
    kind = type(value).__name__
    if hasattr(value, "num_rows"):  # Of pyarrow.
        return f"{kind} of {value.num_rows:,} rows and {value.num_columns:,} columns"
    if hasattr(value, "shape"):
        shape = tuple(value.shape)
        if hasattr(value, "head"):
            columns = f" and {shape[1]:,} columns" if len(shape) > 1 else ""
            return f"{kind} of {shape[0]:,} rows{columns}"
        return f"{kind} of {' x '.join(map(str, shape)) or 'no dimension'}, {value.dtype}"
    return f"{kind} of length {len(value):,}" if hasattr(value, "__len__") else kind


def _head(value: Any) -> str:
    """The beginning of a value."""
    if hasattr(value, "num_rows"):
        return "\n".join(map(reprlib.repr, value.slice(0, MOST_SHOWN).to_pylist()))
    if hasattr(value, "head"):
        # Without the size that pandas adds: it is that of the beginning.
        return re.sub(r"\s+\[\d+ rows x \d+ columns\]\Z", "", str(value.head(MOST_SHOWN)))
    if isinstance(value, dict):
        whole = hasattr(next(iter(value.values()), None), "shape")
        first = itertools.islice(value.items(), MOST_SHOWN)
        return "\n".join(f"{name}: {_shape(each) if whole else reprlib.repr(each)}" for name, each in first)
    if isinstance(value, list | tuple):
        return "\n".join(map(reprlib.repr, value[:MOST_SHOWN]))
    return str(value) if hasattr(value, "shape") else reprlib.repr(value)
