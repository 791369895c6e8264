"""What the log of shared changes has come to, written down for processes that start later."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ..storage import Storage
from .places import Place
from .state import Channel, Held

if TYPE_CHECKING:
    from .shared import Shared

#: The versions go on from so far ahead when the storage has lost its data: other processes may have seen newer ones.
_AHEAD = 1_000_000
#: Seconds for which one process writes the state anew after a loss.
_RESCUE_SECONDS = 10.0


@dataclass(slots=True)
class LogPlace:
    """How far a process has folded the log.

    Attributes:
        seq: The number of the last message.
        batches: The last batch of each process: one that was written twice, or is read again, counts once.
        leader: The process that leads; None when none does.
        term: Its term, or that of the last one.
    """

    seq: int = 0
    batches: dict[str, int] = field(default_factory=dict)
    leader: str | None = None
    term: int = 0


class Snapshots:
    """Writes and reads the state of an app in a storage.

    Args:
        shared: The room.
        storage: Where.
        name: The app's, for the keys.
    """

    def __init__(self, shared: Shared, storage: Storage, name: str) -> None:
        self._shared = shared
        self._storage = storage
        self._prefix = f"shared:{name}"
        self._index = f"{self._prefix}:index"
        #: The version that was written last.
        self._saved = -1

    async def save(self, place: LogPlace) -> bool:
        """Write down what has changed. False when nothing has.

        Args:
            place: How far the log has been folded into the state.
        """
        state = self._shared.state
        if state.version == self._saved:
            return False
        before, version = self._saved, state.version
        held = [(channel, place, each) for channel, place, each in state.items()]
        values: dict[str, Any] = {
            self._key(channel, place): [each.json.decode(), each.version, each.absent]
            for channel, place, each in held
            if each.version > before
        }
        values[self._index] = {
            "epoch": self._shared.epoch,
            "version": version,
            "seq": place.seq,
            "batches": dict(place.batches),
            "leader": place.leader,
            "term": place.term,
            "begun": [list(each) for each in state.begun],
            "places": [[channel, *place] for channel, place, _ in held],
        }
        await self._storage.aset_many(values)
        self._saved = version
        return True

    async def load(self) -> LogPlace:
        """Take over what was written down. Returns how far the log is in it."""
        index = await self._storage.aget(self._index)
        if index is None:
            await self._agree_on_epoch()
            return LogPlace()
        return await self._take(index)

    async def _take(self, index: dict[str, Any]) -> LogPlace:
        shared = self._shared
        places = [(channel, (component, prop)) for channel, component, prop in index["places"]]
        values = await self._storage.aget_many([self._key(*each) for each in places])
        for channel, place in places:
            if (value := values.get(self._key(channel, place))) is not None:
                json, version, absent = value
                shared.state.put(channel, place, Held(json.encode(), version, absent))
        shared.state.version = index["version"]
        shared.state.begun = {(name, channel) for name, channel in index["begun"]}
        shared.epoch = index["epoch"]
        return LogPlace(index["seq"], index["batches"], index["leader"], index["term"])

    async def _agree_on_epoch(self) -> None:
        """Name this history as the other processes do that start at the same time."""
        key = f"{self._prefix}:epoch"
        while await self._storage.aacquire(key, self._shared.process, _RESCUE_SECONDS) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        try:
            epoch = await self._storage.aget(key)
            if epoch is None:
                epoch = self._shared.epoch
                await self._storage.aset(key, epoch)
            self._shared.epoch = epoch
        finally:
            await self._storage.arelease(key, self._shared.process)

    async def recover(self, lost: LogPlace) -> LogPlace:
        """Find the way back to the log: by what another process has written, or by what this one knows.

        Args:
            lost: How far the log had been folded when it turned out that what follows is gone.

        Returns:
            From where to read on.
        """
        rescue = f"{self._prefix}:rescue"
        while True:
            index = await self._storage.aget(self._index)
            if index is not None and (index["seq"] > lost.seq or index["epoch"] != self._shared.epoch):
                return await self._take(index)
            # It is lost, or from before the storage was started again.
            if await self._storage.aacquire(rescue, self._shared.process, _RESCUE_SECONDS) is not None:
                return await self._rescue(lost)
            await asyncio.sleep(0.1 + secrets.randbelow(100) / 1000)

    async def _rescue(self, lost: LogPlace) -> LogPlace:
        """Write down anew what this process knows, as a history of its own, to which the other processes change over.

        All that the log still holds is read again: what was folded is told by its batches.
        """
        shared = self._shared
        shared.state.version += _AHEAD
        shared.epoch = secrets.token_hex(8)
        self._saved = -1
        place = replace(lost, seq=0)
        await self._storage.aset(f"{self._prefix}:epoch", shared.epoch)
        await self.save(place)
        return place

    def _key(self, channel: Channel, place: Place) -> str:
        component, prop = place
        return f"{self._prefix}:value:{channel or ''}|{component}|{prop}"
