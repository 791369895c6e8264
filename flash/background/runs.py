"""What a background job and the page that waits for it leave for each other in a store.

A *run* is one start of a background callback; all its entries begin with the run's own key. Each entry is written by
one side only, the job or the server, so nothing needs a lock, and every store that can get, set and delete serves.

    key                    the result, written by the job when it ends
    key-state              started, cancelled or collected; written by the server
    key-set_props          updates that wait for the page; the job rewrites them without those that were read
    key-set_props-read     how far the server has read
    key-progress           the same for the callback's ``progress``
    key-progress-read
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

import orjson
from dash import Patch, no_update

from ..encoding import dumps
from ..patches import is_patch, joined

logger = logging.getLogger("flash.background")

#: What no page ever fetches is forgotten after this many seconds.
RETENTION = 24 * 60 * 60

#: The most updates that wait for a page. Only ``Patch`` objects can become so many: full values replace each other.
WAITING_UPDATES = 10_000

#: Dash knows an error by this key.
FAILURE = "background_callback_error"

STATE, UPDATES, PROGRESS, READ = "-state", "-set_props", "-progress", "-read"


class Store(Protocol):
    """The text entries of runs, in Diskcache or in Celery's result backend."""

    def get(self, key: str) -> str | bytes | None:
        """The entry, or None."""

    def set(self, key: str, text: str) -> None:
        """Write an entry of a run. It is forgotten some time after the run (:data:`RETENTION`)."""

    def keep(self, key: str, text: str, expire: float | None) -> None:
        """Write an entry of the cache. It is forgotten ``expire`` seconds after the last use."""

    def touch(self, key: str, expire: float | None) -> None:
        """Note that an entry of the cache is used."""

    def delete(self, *keys: str) -> None:
        """Forget entries; those that there are not are no error."""


class State(StrEnum):
    """Where a run is. A run without a state was never started, or is forgotten."""

    STARTED = "started"
    CANCELLED = "cancelled"
    COLLECTED = "collected"


class Record(NamedTuple):
    """The state of a run, and what its manager needs to find the job."""

    state: State
    job: dict[str, Any]


def read_record(store: Store, key: str) -> Record | None:
    """The state of a run."""
    text = store.get(key + STATE)
    if text is None:
        return None
    fields = orjson.loads(text)
    return Record(State(fields["state"]), fields["job"])


def write_record(store: Store, key: str, state: State, job: dict[str, Any]) -> None:
    """Note the state of a run."""
    store.set(key + STATE, orjson.dumps({"state": state, "job": job}).decode())


def failure(message: str, traceback: str = "") -> str:
    """The result that Dash understands as an error inside a background callback."""
    return dumps({FAILURE: {"msg": message, "tb": traceback}}).decode()


def is_failure(result: Any) -> bool:
    """Whether a result is an error."""
    return isinstance(result, dict) and FAILURE in result


# Updates -------------------------------------------------------------------------------------------------------------


class Change(NamedTuple):
    """One property that is to be set, encoded."""

    component_id: str
    prop: str
    text: str
    is_patch: bool


def encode_changes(component_id: str, props: Mapping[str, Any]) -> list[Change]:
    """Encode what ``set_props`` was called with. ``no_update`` leaves a property as it is.

    Raises:
        TypeError: A value has no JSON form.
    """
    return [
        Change(component_id, prop, dumps(value).decode(), isinstance(value, Patch) or is_patch(value))
        for prop, value in props.items()
        if not isinstance(value, type(no_update))
    ]


class Updates:
    """Updates in their order, numbered. A full value takes the place of what waits for the same property.

    Args:
        text: The updates as :meth:`text` wrote them.
    """

    def __init__(self, text: str | bytes | None = None) -> None:
        self._items: list[tuple[int, str, str, str]] = [
            (number, component_id, prop, orjson.dumps(value).decode())
            for number, component_id, prop, value in (orjson.loads(text) if text else [])
        ]
        self._number = self._items[-1][0] if self._items else 0
        self._incomplete: set[tuple[str, str]] = set()

    @property
    def is_complete(self) -> bool:
        """Whether no ``Patch`` had to be dropped."""
        return not self._incomplete

    def add(self, changes: list[Change]) -> None:
        """Add updates as the newest.

        When :data:`WAITING_UPDATES` wait, no page is there to read them; then a ``Patch`` is dropped, and with it
        those that follow it for the same property until a full value comes.
        """
        for change in changes:
            target = (change.component_id, change.prop)
            if not change.is_patch:
                self._items = [item for item in self._items if item[1:3] != target]
                self._incomplete.discard(target)
            elif target in self._incomplete or len(self._items) >= WAITING_UPDATES:
                self._drop(target)
                continue
            self._number += 1
            self._items.append((self._number, *target, change.text))

    def forget_until(self, number: int) -> None:
        """Forget the updates that were read."""
        self._items = [item for item in self._items if item[0] > number]

    def text(self) -> str:
        """The updates as JSON: a list of number, id, property and value."""
        return f"[{','.join(_item_text(item) for item in self._items)}]"

    def _drop(self, target: tuple[str, str]) -> None:
        if target not in self._incomplete:
            self._incomplete.add(target)
            logger.warning(
                "%d updates of a background job wait and no page fetches them: further patches of %s.%s are dropped.",
                WAITING_UPDATES,
                *target,
            )


def _item_text(item: tuple[int, str, str, str]) -> str:
    number, component_id, prop, text = item
    return f"[{number},{orjson.dumps(component_id).decode()},{orjson.dumps(prop).decode()},{text}]"


class UpdateWriter:
    """The job's side of an entry of updates. May be used from several threads of the job.

    Args:
        store: Where the entry lies.
        key: The entry's key. A job that a queue starts a second time goes on with what waits there.
    """

    def __init__(self, store: Store, key: str) -> None:
        self._store = store
        self._key = key
        self._waiting = Updates(store.get(key))
        self._lock = threading.Lock()

    def write(self, changes: list[Change]) -> None:
        """Add updates; they are in the store when this returns."""
        with self._lock:
            self._waiting.forget_until(_last_read(self._store, self._key).number)
            self._waiting.add(changes)
            self._store.set(self._key, self._waiting.text())


class _Reading(NamedTuple):
    """How far an entry of updates was read, and whether the result has waited for the rest once."""

    number: int
    has_waited: bool

    def text(self) -> str:
        return orjson.dumps(list(self)).decode()


def _last_read(store: Store, key: str) -> _Reading:
    text = store.get(key + READ)
    return _Reading(*orjson.loads(text)) if text else _Reading(0, False)


def _unread(store: Store, key: str) -> list[Any]:
    text = store.get(key)
    if text is None:
        return []
    last = _last_read(store, key).number
    return [item for item in orjson.loads(text) if item[0] > last]


def read_updates(store: Store, key: str) -> dict[str, dict[str, Any]]:
    """Take the updates that were not read yet: properties by component id, each once."""
    items = _unread(store, key)
    if items:
        store.set(key + READ, _Reading(items[-1][0], False).text())
    updates: dict[str, dict[str, Any]] = {}
    for _, component_id, prop, value in items:
        props = updates.setdefault(component_id, {})
        props[prop] = joined(props[prop], value) if prop in props else value
    return updates


def must_wait(store: Store, key: str) -> bool:
    """Whether there are updates that were not read yet. Says so once for each of them, so nobody waits for ever."""
    items = _unread(store, key)
    last = _last_read(store, key)
    if not items or last.has_waited:
        return False
    store.set(key + READ, _Reading(last.number, True).text())
    return True
