"""The storage of one process: dictionaries, behind a lock that is only ever held for moments."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from .base import (
    DEFAULT_BUFFER,
    SharedStorageError,
    Storage,
    Subscription,
    checked_buffer,
    checked_lease,
    checked_topic_ttl,
    checked_ttl,
)
from .codec import decode, encode

#: How often topics that nobody uses any more are looked for, in seconds.
SWEEP = 1.0


class MemoryStorage(Storage):
    """Keeps everything in this process, for its threads and loops. It ends with the process.

    Args:
        buffer: How many messages a topic keeps; older ones are dropped.

    Example:
        >>> storage = MemoryStorage()
        >>> storage.set("greeting", {"text": "hello"}, ttl=60)
        >>> storage.get("greeting")
        {'text': 'hello'}
    """

    def __init__(self, buffer: int = DEFAULT_BUFFER) -> None:
        self._buffer = checked_buffer(buffer)
        # Also taken on loops: no thread holds it while it encodes, waits or calls anything that might.
        self._lock = threading.Lock()
        self._values: dict[str, _Value] = {}
        self._ends: list[tuple[float, str]] = []
        self._topics: dict[str, _Topic] = {}
        self._swept = time.monotonic()
        self._leases: dict[str, _Lease] = {}
        self._last_token = 0
        self._closed = False

    def start(self) -> None:
        """Take up work again after :meth:`close`, with what was kept before."""
        self._closed = False

    def close(self) -> None:
        """End all subscriptions. What is kept stays, for :meth:`start`."""
        with self._lock:
            self._closed = True
            readers = [reader for topic in self._topics.values() for reader in topic.readers]
        for reader in readers:
            reader.close()

    # Values

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, or ``default`` when it has none."""
        with self._opened():
            value = self._values.get(key)
        return default if value is None or value.end <= time.monotonic() else decode(value.data)

    def set(self, key: str, value: Any, ttl: float | None = None) -> None:
        """Keep a value, for ``ttl`` seconds or for good."""
        self._keep({key: encode(value)}, checked_ttl(ttl))

    def delete(self, key: str) -> None:
        """Forget a key."""
        with self._opened():
            self._values.pop(key, None)

    async def aget(self, key: str, default: Any = None) -> Any:
        """As :meth:`get`."""
        return self.get(key, default)

    async def aset(self, key: str, value: Any, ttl: float | None = None) -> None:
        """As :meth:`set`."""
        self.set(key, value, ttl)

    async def adelete(self, key: str) -> None:
        """As :meth:`delete`."""
        self.delete(key)

    async def aget_many(self, keys: Sequence[str]) -> dict[str, Any]:
        """The values of those keys that have one."""
        with self._opened():
            found = {key: self._values[key] for key in keys if key in self._values}
        now = time.monotonic()
        return {key: decode(value.data) for key, value in found.items() if value.end > now}

    async def aset_many(self, values: Mapping[str, Any], ttl: float | None = None) -> None:
        """Keep several values at once."""
        self._keep({key: encode(value) for key, value in values.items()}, checked_ttl(ttl))

    def _keep(self, values: Mapping[str, bytes], ttl: float | None) -> None:
        now = time.monotonic()
        end = float("inf") if ttl is None else now + ttl
        with self._opened():
            self._forget_expired(now)
            for key, data in values.items():
                self._values[key] = _Value(data, end)
                if ttl is not None:
                    heapq.heappush(self._ends, (end, key))

    def _forget_expired(self, now: float) -> None:
        while self._ends and self._ends[0][0] <= now:
            _, key = heapq.heappop(self._ends)
            value = self._values.get(key)
            # It may have been set anew, to live longer.
            if value is not None and value.end <= now:
                del self._values[key]

    # Topics

    def publish(self, topic: str, message: Any, ttl: float | None = None) -> int:
        """Append a message to a topic and wake its readers, on whatever loop or thread they wait."""
        data = encode(message)
        checked_topic_ttl(ttl)
        with self._opened():
            self._sweep(time.monotonic())
            place = self._topic(topic)
            place.append(data, ttl)
            head, wakes = place.head, place.wakes_of_readers()
        for wake in wakes:
            wake()
        return head

    async def apublish(self, topic: str, message: Any, ttl: float | None = None) -> int:
        """As :meth:`publish`."""
        return self.publish(topic, message, ttl)

    def subscribe(self, topic: str, replay_from: int | None = None) -> Subscription:
        """Read a topic, from now on or after the message with a number. It never blocks."""
        with self._opened():
            place = self._topic(topic)
            reader = MemorySubscription(self._lock, topic, place, place.head if replay_from is None else replay_from)
            place.readers.add(reader)
        return reader

    async def asubscribe(self, topic: str, replay_from: int | None = None) -> Subscription:
        """As :meth:`subscribe`."""
        return self.subscribe(topic, replay_from)

    async def atrim(self, topic: str, before_seq: int) -> None:
        """Drop the messages with numbers below ``before_seq``."""
        with self._opened():
            if topic in self._topics:
                self._topics[topic].trim(before_seq)

    def _topic(self, name: str) -> _Topic:
        if name not in self._topics:
            self._topics[name] = _Topic(self._buffer)
        return self._topics[name]

    def _sweep(self, now: float) -> None:
        if now < self._swept + SWEEP:
            return
        self._swept = now
        for name in [name for name, topic in self._topics.items() if topic.is_over(now)]:
            del self._topics[name]

    # Leases

    def acquire(self, name: str, owner: str, seconds: float) -> int | None:
        """Become the holder of a lease for some seconds, or stay it; the fencing token, or ``None``."""
        end = time.monotonic() + checked_lease(seconds)
        with self._opened():
            lease = self._held(name)
            if lease is None:
                self._last_token = max(self._last_token + 1, _now())
                lease = _Lease(owner, self._last_token, end)
            if lease.owner != owner:
                return None
            self._leases[name] = lease._replace(end=end)
            return lease.token

    def renew(self, name: str, owner: str, seconds: float) -> bool:
        """Hold a lease for some seconds from now on. False: the owner does not hold it."""
        end = time.monotonic() + checked_lease(seconds)
        with self._opened():
            lease = self._held(name)
            if lease is None or lease.owner != owner:
                return False
            self._leases[name] = lease._replace(end=end)
            return True

    def release(self, name: str, owner: str) -> None:
        """Give a lease back."""
        with self._opened():
            lease = self._leases.get(name)
            if lease is not None and lease.owner == owner:
                del self._leases[name]

    async def aacquire(self, name: str, owner: str, seconds: float) -> int | None:
        """As :meth:`acquire`."""
        return self.acquire(name, owner, seconds)

    async def arenew(self, name: str, owner: str, seconds: float) -> bool:
        """As :meth:`renew`."""
        return self.renew(name, owner, seconds)

    async def arelease(self, name: str, owner: str) -> None:
        """As :meth:`release`."""
        self.release(name, owner)

    def _held(self, name: str) -> _Lease | None:
        lease = self._leases.get(name)
        return None if lease is None or lease.end <= time.monotonic() else lease

    @contextlib.contextmanager
    def _opened(self) -> Any:
        with self._lock:
            if self._closed:
                raise SharedStorageError("This MemoryStorage has been closed. Call start() to use it again.")
            yield


class MemorySubscription(Subscription):
    """A place in a topic of this process. It waits on a future or an event, which the next message sets."""

    def __init__(self, lock: threading.Lock, name: str, topic: _Topic, seq: int) -> None:
        super().__init__(name, seq)
        self._lock = lock
        self._place = topic
        self._wake: Callable[[], None] | None = None
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether the subscription, or its storage, has been closed."""
        return self._closed

    def close(self) -> None:
        """End the subscription, and whoever iterates it."""
        with self._lock:
            self._closed = True
            self._place.leave(self)
            wake, self._wake = self._wake, None
        if wake is not None:
            wake()

    def take_wake(self) -> Callable[[], None] | None:
        """What wakes this reader if it waits; it is woken once. The lock is held."""
        wake, self._wake = self._wake, None
        return wake

    def _fetch(self, after: int, timeout: float) -> list[tuple[int, Any]]:
        arrived = threading.Event()
        found = self._look(after, arrived.set)
        if not found and timeout > 0:
            arrived.wait(timeout)
            found = self._look(after, None)
        return [(seq, decode(data)) for seq, data in found]

    async def _afetch(self, after: int) -> list[tuple[int, Any]]:
        loop = asyncio.get_running_loop()
        arrived = loop.create_future()
        found = self._look(after, lambda: _set_from_anywhere(loop, arrived))
        if not found and not self._closed:
            await arrived
            found = self._look(after, None)
        return [(seq, decode(data)) for seq, data in found]

    def _look(self, after: int, wake: Callable[[], None] | None) -> list[tuple[int, bytes]]:
        """What is there; if nothing is, ``wake`` is called when there is."""
        with self._lock:
            found = None if self._closed else self._place.after(after)
            if found is None and not self._closed:
                raise self._gap()
            self._wake = None if found or self._closed else wake
        return found or []


class _Topic:
    """The messages of a topic. All its methods are called with the storage's lock held."""

    def __init__(self, buffer: int) -> None:
        self.head = 0
        # Weak: a reader that was dropped without being closed keeps no topic alive.
        self.readers: weakref.WeakSet[MemorySubscription] = weakref.WeakSet()
        self._buffer = buffer
        self._first = 0
        self._messages: dict[int, bytes] = {}
        self._ttl: float | None = None
        self._used = time.monotonic()

    def append(self, data: bytes, ttl: float | None) -> None:
        # The first number is the time: a number from before a loss of data is never met again.
        self.head = self.head + 1 if self.head else _now()
        self._first = self._first or self.head
        self._messages[self.head] = data
        self.trim(self.head - self._buffer + 1)
        self._ttl = ttl
        self._used = time.monotonic()

    def after(self, seq: int) -> list[tuple[int, bytes]] | None:
        """The messages after a number, at most 1000 of them, or ``None`` when they are gone."""
        last = seq or self._first - 1
        if not self.head - len(self._messages) <= last <= self.head:
            return None if self.head or seq else []
        return [(each, self._messages[each]) for each in range(last + 1, min(self.head, last + 1000) + 1)]

    def trim(self, before_seq: int) -> None:
        for seq in range(self.head - len(self._messages) + 1, min(before_seq, self.head + 1)):
            del self._messages[seq]

    def leave(self, reader: MemorySubscription) -> None:
        self.readers.discard(reader)
        self._used = time.monotonic()

    def wakes_of_readers(self) -> list[Callable[[], None]]:
        return [wake for reader in self.readers if (wake := reader.take_wake()) is not None]

    def is_over(self, now: float) -> bool:
        """Whether the topic may be forgotten: nobody reads it, and its lifetime is up or it never had a message."""
        if self.readers:
            return False
        return not self.head or (self._ttl is not None and self._used + self._ttl <= now)


class _Value(NamedTuple):
    data: bytes
    end: float


class _Lease(NamedTuple):
    owner: str
    token: int
    end: float


def _now() -> int:
    return time.time_ns() // 1000


def _set_from_anywhere(loop: asyncio.AbstractEventLoop, future: asyncio.Future[None]) -> None:
    # The reader's loop may have been closed.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(_set, future)


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
