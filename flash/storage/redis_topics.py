"""Reading a topic in Redis.

Each subscription waits by an XREAD of its own. A process of Flash reads few topics, and so one that is slow, closed or
cancelled does nothing to another: no wake-up of a common reader, no common buffer, and what is not read stays in Redis.
"""

from __future__ import annotations

import time
from typing import Any

from .codec import decode
from .reading import ReadingSubscription
from .redis_connections import Connections, outages_told
from .redis_scripts import PLACES

#: Messages that a reader asks for at once: they may be large.
BATCH = 100


class RedisSubscription(ReadingSubscription):
    """A place in a topic. Numbers follow each other, so that any message that is missing is noticed with the next."""

    def __init__(self, connections: Connections, keys: list[str], topic: str, seq: int) -> None:
        super().__init__(topic, seq)
        self._connections = connections
        self._keys = keys
        self._certain = False

    def _fetch(self, after: int, timeout: float) -> list[tuple[int, Any]]:
        clients = self._connections.plain()
        end = time.monotonic() + timeout
        while True:
            with outages_told():
                certain, self._certain = self._certain, False
                if not certain:
                    self._check(after, clients.script(PLACES)(keys=self._keys))
                block = self._block(end - time.monotonic())
                reply = clients.readers.xread({self._keys[1]: f"{after}-0"}, count=BATCH, block=block)
            if reply or self._closed or time.monotonic() >= end:
                return self._messages(after, reply)

    async def _read(self, after: int) -> list[tuple[int, Any]]:
        clients = self._connections.here()
        with outages_told():
            certain, self._certain = self._certain, False
            if not certain:
                self._check(after, await clients.script(PLACES)(keys=self._keys))
            stream = {self._keys[1]: f"{after}-0"}
            reply = await clients.readers.xread(stream, count=BATCH, block=self._connections.wait)
        return self._messages(after, reply)

    def _block(self, seconds: float) -> int | None:
        """What XREAD is told: how long to wait in ms, ``None`` for not at all. Never for ever, which is its 0."""
        return min(self._connections.wait, round(seconds * 1000)) or None if seconds > 0 else None

    def _check(self, after: int, places: list[int]) -> None:
        """Refuse to wait at a place that is gone. Asking has renewed the topic's lifetime."""
        head, oldest, begins = places
        if after > head:
            raise self._gap()
        if after == head:
            return
        if not oldest or (after == 0 and not begins) or (after > 0 and after + 1 < oldest):
            raise self._gap()

    def _messages(self, after: int, reply: Any) -> list[tuple[int, Any]]:
        # After a wait for nothing, and after a failure, the place is looked at again.
        self._certain = bool(reply)
        found: list[tuple[int, Any]] = []
        for entry, fields in reply[0][1] if reply else ():
            seq = int(entry.partition(b"-")[0])
            if seq != after + 1 and not (after == 0 and b"f" in fields):
                self._certain = False
                if found:
                    break
                raise self._gap()
            found.append((seq, decode(fields[b"m"])))
            after = seq
        return found
