"""What the log of shared changes has come to, written down for processes that start later."""

from __future__ import annotations

import asyncio
import secrets
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

    async def save(self, seq: int) -> bool:
        """Write down what has changed. False when nothing has.

        Args:
            seq: The number of the last message of the log that is in the state.
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
            "seq": seq,
            "begun": [list(each) for each in state.begun],
            "places": [[channel, *place] for channel, place, _ in held],
        }
        await self._storage.aset_many(values)
        self._saved = version
        return True

    async def load(self) -> int:
        """Take over what was written down.

        Returns:
            The number of the last message of the log that is in it; 0 when there is nothing.
        """
        index = await self._storage.aget(self._index)
        if index is None:
            await self._agree_on_epoch()
            return 0
        await self._take(index)
        seq: int = index["seq"]
        return seq

    async def _take(self, index: dict[str, Any]) -> None:
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

    async def recover(self, topic: str) -> int:
        """Find the way back to the log: by what another process has written, or by what this one knows.

        Returns:
            The number of the message after which to read on.
        """
        rescue = f"{self._prefix}:rescue"
        while True:
            index = await self._storage.aget(self._index)
            if index is not None and index["version"] >= self._shared.state.version:
                await self._take(index)
                seq: int = index["seq"]
                return seq
            # It is lost, or older than what this process knows.
            if await self._storage.aacquire(rescue, self._shared.process, _RESCUE_SECONDS) is not None:
                head = (await self._storage.asubscribe(topic)).seq
                self._shared.state.version += _AHEAD
                self._saved = -1
                await self._storage.aset(f"{self._prefix}:epoch", self._shared.epoch)
                await self.save(head)
                return head
            await asyncio.sleep(0.1 + secrets.randbelow(100) / 1000)

    def _key(self, channel: Channel, place: Place) -> str:
        component, prop = place
        return f"{self._prefix}:value:{channel or ''}|{component}|{prop}"
