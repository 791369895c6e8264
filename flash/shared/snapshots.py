"""What the log of shared changes has come to, written down for processes that start later.

A *history* of the state has a name, its epoch. It ends when the storage loses what it held; one of the processes that
still know the state then begins the next one, and the others change over. The greater version is the later history.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import orjson

from ..storage import Storage
from .places import Place
from .state import Channel, Held

if TYPE_CHECKING:
    from .shared import Shared

#: The versions go on from so far ahead when the storage has lost its data: other processes may have seen newer ones.
_AHEAD = 1_000_000
#: Seconds for which one process begins a history.
_BEGINNING_SECONDS = 10.0


@dataclass(slots=True)
class LogPlace:
    """How far a process has folded the log.

    Attributes:
        seq: The number of the last message.
        batches: The last batch of each process: one that was written twice, or is read again, counts once.
        leader: The process that leads; None when none does.
        term: Its term, or that of the last one.
        since: Its first term: it has led without another one in between.
    """

    seq: int = 0
    batches: dict[str, int] = field(default_factory=dict)
    leader: str | None = None
    term: int = 0
    since: int = 0


class Snapshots:
    """Writes and reads the state of an app in a storage.

    Args:
        shared: The room.
        storage: Where.
        name: The app's, for the keys.
        topic: The log's.
    """

    def __init__(self, shared: Shared, storage: Storage, name: str, topic: str) -> None:
        self._shared = shared
        self._storage = storage
        self._topic = topic
        self._prefix = f"shared:{name}"
        self._index = f"{self._prefix}:index"
        self._places = f"{self._prefix}:places"
        self._epoch = f"{self._prefix}:epoch"
        self._beginning = f"{self._prefix}:beginning"
        #: The version that was written last, and how many places there were.
        self._saved = -1
        self._listed = -1

    # Writing.

    async def save(self, place: LogPlace) -> bool:
        """Write down what has changed. False when nothing has, or when another history has begun.

        Args:
            place: How far the log has been folded into the state.
        """
        # Before anything is awaited: place and state belong together.
        version, places, values = self._changes(place)
        if version == self._saved or await self._storage.aget(self._epoch) != self._shared.epoch:
            return False
        await self._write(version, places, values)
        return True

    def _changes(self, place: LogPlace) -> tuple[int, int, dict[str, Any]]:
        """The version, the number of places, and what is to be written."""
        state = self._shared.state
        if state.version == self._saved:
            return state.version, self._listed, {}
        held = list(state.items())
        values: dict[str, Any] = {
            self._key(channel, place): [each.json.decode(), each.version, each.absent]
            for channel, place, each in held
            if each.version > self._saved
        }
        if len(held) != self._listed:  # None is ever taken away.
            values[self._places] = [[channel, *place] for channel, place, _ in held]
        values[self._index] = {
            "epoch": self._shared.epoch,
            "version": state.version,
            "seq": place.seq,
            "batches": dict(place.batches),
            "leader": place.leader,
            "term": place.term,
            "since": place.since,
            "begun": [[*each, each in state.open] for each in state.begun],
        }
        return state.version, len(held), values

    async def _write(self, version: int, places: int, values: dict[str, Any]) -> None:
        await self._storage.aset_many(values)
        self._saved, self._listed = version, places

    # Reading.

    async def load(self) -> LogPlace:
        """Take over what was written down, in place of what this process knows. Returns how far the log is in it."""
        while (index := await self._storage.aget(self._index)) is None:
            if await self._begins():
                try:
                    if await self._storage.aget(self._index) is None:
                        self._shared.state.replace([], 0)
                        await self._begin(LogPlace())
                finally:
                    await self._storage.arelease(self._beginning, self._shared.process)
            else:
                await asyncio.sleep(0.02)
        return await self._take(index, starting=True)

    async def _take(self, index: dict[str, Any], starting: bool = False) -> LogPlace:
        shared, state = self._shared, self._shared.state
        listed = await self._storage.aget(self._places) or []
        places = [(channel, (component, prop)) for channel, component, prop in listed]
        values = await self._storage.aget_many([self._key(*each) for each in places])
        held = [
            (*each, Held(value[0].encode(), value[1], value[2]))
            for each in places
            if (value := values.get(self._key(*each))) is not None
        ]
        if not starting:
            held += self._gone(places, index["version"])
        state.replace(held, index["version"])
        state.begun = {(name, channel) for name, channel, _ in index["begun"]}
        state.open = {(name, channel) for name, channel, is_open in index["begun"] if is_open}
        shared.epoch = index["epoch"]
        self._saved, self._listed = index["version"], len(listed)
        return LogPlace(index["seq"], index["batches"], index["leader"], index["term"], index["since"])

    def _gone(self, places: Iterable[tuple[Channel, Place]], version: int) -> Iterable[tuple[Channel, Place, Held]]:
        """What this process holds and the other history does not: tabs show again what the layouts say."""
        known = set(places)
        for channel, place, _ in self._shared.state.items():
            if (channel, place) not in known:
                json = self._shared.defaults.get(place) or b"null"
                yield channel, place, Held(json, version, absent=True)

    # Histories.

    async def recover(self, lost: LogPlace) -> LogPlace:
        """Find the way back to the log: by what another process has written, or by what this one knows.

        Args:
            lost: How far the log had been folded when it turned out that what follows is gone.

        Returns:
            From where to read on.
        """
        while True:
            index = await self._storage.aget(self._index)
            if index is not None and self._is_ahead(index, lost):
                return await self._take(index)
            # It is lost, from before the storage was started again, or of who has begun with nothing.
            if await self._begins():
                return await self._rescue(lost)
            await asyncio.sleep(0.1 + secrets.randbelow(100) / 1000)

    async def other(self, lost: LogPlace) -> LogPlace | None:
        """Look for another history, of which a message was read. None when this one is the later one.

        Args:
            lost: How far this one has been folded.
        """
        index = await self._storage.aget(self._index)
        if index is None or index["epoch"] == self._shared.epoch:
            return None
        if self._is_ahead(index, lost):
            return await self._take(index)
        return await self._rescue(lost) if await self._begins() else None

    def _is_ahead(self, index: dict[str, Any], lost: LogPlace) -> bool:
        if index["epoch"] == self._shared.epoch:
            return bool(index["seq"] > lost.seq)
        return bool(index["version"] > self._shared.state.version)

    async def _begins(self) -> bool:
        """Whether this process may begin a history; one may."""
        return await self._storage.aacquire(self._beginning, self._shared.process, _BEGINNING_SECONDS) is not None

    async def _rescue(self, lost: LogPlace) -> LogPlace:
        """Write down anew what this process knows, as the history to which the other processes change over."""
        # A message makes sure that the log itself has begun anew, if it is to, and says where.
        message = {"process": self._shared.process, "batch": 0, "epoch": self._shared.epoch, "entries": "[]"}
        place = replace(lost, seq=await self._storage.apublish(self._topic, message))
        self._shared.state.version += _AHEAD
        await self._begin(place)
        return place

    async def _begin(self, place: LogPlace) -> None:
        self._shared.epoch = secrets.token_hex(8)
        self._saved = self._listed = -1
        version, places, values = self._changes(place)
        await self._write(version, places, values | {self._epoch: self._shared.epoch})

    def _key(self, channel: Channel, place: Place) -> str:
        return f"{self._prefix}:value:{orjson.dumps([channel, *place]).decode()}"
