"""A storage of Dash 4.5's, used as one of Flash's."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
import time
import weakref
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

import dash

from ..exceptions import FlashError
from .base import (
    SharedStorageError,
    SharedStorageGap,
    Storage,
    Subscription,
    checked_lease,
    checked_topic_ttl,
    checked_ttl,
)
from .codec import decode, encode
from .dash_leases import DashLeases
from .reading import ReadingSubscription

#: What the names of Flash's keys and topics begin with, beside those that the app uses itself.
PREFIX = "flash:"
#: How long a message may take until it can be read back, in seconds.
READ_BACK = 10.0


def is_dash_storage(kind: type) -> bool:
    """Whether a class is a storage of Dash's, which 4.4 does not know yet."""
    base = getattr(dash, "BaseSharedStorage", None)
    return base is not None and issubclass(kind, base)


class DashStorage(Storage):
    """Adds to a ``dash.BaseSharedStorage`` what Flash needs beyond it.

    - Several values are written one by one: others may see some of them new and some old.
    - The number of a message, which Dash does not tell, is read back from the topic: publishing takes three round
      trips, and one waits for the other within a process.
    - Dash's buffers keep 32 messages by default, and cannot be trimmed: give them more (``buffer_size=``).
    - Numbers begin at 1. After a loss of data they do so again, and a place is known to be gone only while the new
      numbers are below it.
    - Leases are claims in topics, which Dash orders (:class:`~.dash_leases.DashLeases`). They hold one at a time where
      the clocks of the processes agree: on one machine, always.
    - What is plain in Dash's interface runs in a thread.

    Its owner starts and closes the object; :meth:`close` ends what Flash reads from it.

    Args:
        storage: An object of ``dash.BaseSharedStorage``.
    """

    def __init__(self, storage: Any) -> None:
        self._dash = storage
        self._lock = threading.Lock()
        self._publishing = threading.Lock()
        self._started = False
        self._leases = DashLeases(storage)
        self._subscriptions: weakref.WeakSet[DashSubscription] = weakref.WeakSet()

    def start(self) -> None:
        """Start Dash's object, which that allows more than once."""
        with self._lock, errors_told(self._dash):
            if not self._started:
                self._dash.start()
            self._started = True

    def close(self) -> None:
        """End all subscriptions that were made here."""
        with self._lock:
            subscriptions = list(self._subscriptions)
            self._started = False
        for subscription in subscriptions:
            subscription.close()

    # Values

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, or ``default`` when it has none."""
        with self._ready():
            data = self._dash.get(PREFIX + key)
        return default if data is None else decode(data)

    def set(self, key: str, value: Any, ttl: float | None = None) -> None:
        """Keep a value, for ``ttl`` seconds or for good."""
        data = encode(value).decode()
        with self._ready():
            self._dash.set(PREFIX + key, data, checked_ttl(ttl))

    def delete(self, key: str) -> None:
        """Forget a key."""
        with self._ready():
            self._dash.delete(PREFIX + key)

    async def aget(self, key: str, default: Any = None) -> Any:
        """As :meth:`get`."""
        async with self._aready():
            data = await self._dash.aget(PREFIX + key)
        return default if data is None else decode(data)

    async def aset(self, key: str, value: Any, ttl: float | None = None) -> None:
        """As :meth:`set`."""
        data = encode(value).decode()
        async with self._aready():
            await self._dash.aset(PREFIX + key, data, checked_ttl(ttl))

    async def adelete(self, key: str) -> None:
        """As :meth:`delete`."""
        async with self._aready():
            await self._dash.adelete(PREFIX + key)

    async def aget_many(self, keys: Sequence[str]) -> dict[str, Any]:
        """The values of those keys that have one, read one by one."""
        missing = object()
        found = {key: await self.aget(key, missing) for key in keys}
        return {key: value for key, value in found.items() if value is not missing}

    async def aset_many(self, values: Mapping[str, Any], ttl: float | None = None) -> None:
        """Keep several values, written one by one."""
        for key, value in values.items():
            await self.aset(key, value, ttl)

    # Topics

    def publish(self, topic: str, message: Any, ttl: float | None = None) -> int:
        """Append a message to a topic; its number, which is read back."""
        mark, data, name = secrets.token_hex(8), encode(message).decode(), PREFIX + topic
        checked_topic_ttl(ttl)
        with self._ready(), self._publishing, contextlib.closing(self._dash.subscribe(name)) as reader:
            self._dash.publish(name, [mark, data], ttl)
            end = time.monotonic() + READ_BACK
            while time.monotonic() < end:
                for seq, (found, _) in reader.poll(1.0):
                    if found == mark:
                        return int(seq)
        raise SharedStorageError(f"The message for the topic {topic!r} was published, but it cannot be read back.")

    async def apublish(self, topic: str, message: Any, ttl: float | None = None) -> int:
        """As :meth:`publish`."""
        return await asyncio.to_thread(self.publish, topic, message, ttl)

    def subscribe(self, topic: str, replay_from: int | None = None) -> Subscription:
        """Read a topic, from now on or after the message with a number."""
        with self._ready():
            inner = self._dash.subscribe(PREFIX + topic, replay_from)
        subscription = DashSubscription(self._dash, inner, topic, replay_from)
        with self._lock:
            self._subscriptions.add(subscription)
        return subscription

    async def asubscribe(self, topic: str, replay_from: int | None = None) -> Subscription:
        """As :meth:`subscribe`."""
        return await asyncio.to_thread(self.subscribe, topic, replay_from)

    async def atrim(self, topic: str, before_seq: int) -> None:
        """Nothing: Dash's buffers drop what is oldest by themselves."""

    # Leases

    def acquire(self, name: str, owner: str, seconds: float) -> int | None:
        """Become the holder of a lease for some seconds, or stay it; the fencing token, or ``None``."""
        with self._ready():
            return self._leases.acquire(name, owner, checked_lease(seconds))

    def renew(self, name: str, owner: str, seconds: float) -> bool:
        """Hold a lease for some seconds from now on. False: the owner does not hold it."""
        with self._ready():
            return self._leases.renew(name, owner, checked_lease(seconds))

    def release(self, name: str, owner: str) -> None:
        """Give a lease back."""
        with self._ready():
            self._leases.release(name, owner)

    async def aacquire(self, name: str, owner: str, seconds: float) -> int | None:
        """As :meth:`acquire`."""
        return await asyncio.to_thread(self.acquire, name, owner, seconds)

    async def arenew(self, name: str, owner: str, seconds: float) -> bool:
        """As :meth:`renew`."""
        return await asyncio.to_thread(self.renew, name, owner, seconds)

    async def arelease(self, name: str, owner: str) -> None:
        """As :meth:`release`."""
        await asyncio.to_thread(self.release, name, owner)

    @contextlib.contextmanager
    def _ready(self) -> Iterator[None]:
        if not self._started:
            self.start()
        with errors_told(self._dash):
            yield

    @contextlib.asynccontextmanager
    async def _aready(self) -> AsyncIterator[None]:
        if not self._started:
            await asyncio.to_thread(self.start)
        with errors_told(self._dash):
            yield


class DashSubscription(ReadingSubscription):
    """A place in a topic of Dash's. Read it either plainly or on one loop.

    Args:
        storage: Dash's storage.
        inner: Dash's subscription.
        topic: Flash's name of the topic.
        seq: Where it begins; ``None``: with what comes now, which Dash does not tell by number.
    """

    def __init__(self, storage: Any, inner: Any, topic: str, seq: int | None) -> None:
        super().__init__(topic, seq or 0)
        self._place_known = seq is not None
        self._dash = storage
        self._inner: Any = inner
        self._messages: AsyncIterator[Any] | None = None
        # What waits for the next message: it outlives a wait that is cut off, since Dash's iterators do not.
        self._awaited: tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]] | None = None
        self._last: int | None = None

    def close(self) -> None:
        """End the subscription, and whoever iterates it."""
        super().close()
        if self._inner is not None:
            self._inner.close()
        if self._awaited is not None:
            loop, task = self._awaited
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(task.cancel)

    def _fetch(self, after: int, timeout: float) -> list[tuple[int, Any]]:
        self._subscribe_again(after)
        with self._given_up_on_errors():
            return self._decoded(self._inner.poll(timeout))

    async def _read(self, after: int) -> list[tuple[int, Any]]:
        if self._inner is None:
            await asyncio.to_thread(self._subscribe_again, after)
        if self._messages is None:
            self._messages = self._inner.aiter_with_seq()
        loop = asyncio.get_running_loop()
        # A message that was read, but whose reader was cut off before it had it, is given again.
        if self._awaited is None or (self._last is not None and self._last <= after):
            self._awaited = loop, loop.create_task(_following(self._messages))
            self._last = None
        task = self._awaited[1]
        await asyncio.wait({task})
        with self._given_up_on_errors():
            found = task.result()
        self._last = found[0] if found else after
        return self._decoded([found] if found else [])

    def _subscribe_again(self, after: int) -> None:
        if self._inner is None:
            if not self._place_known:
                raise self._gap()
            with errors_told(self._dash):
                self._inner = self._dash.subscribe(PREFIX + self.topic, after)

    def _decoded(self, pairs: list[tuple[int, Any]]) -> list[tuple[int, Any]]:
        self._place_known = self._place_known or bool(pairs)
        return [(int(seq), decode(data)) for seq, (_, data) in pairs]

    @contextlib.contextmanager
    def _given_up_on_errors(self) -> Iterator[None]:
        try:
            with errors_told(self._dash):
                yield
        except SharedStorageError:
            self._inner.close()
            self._inner = self._messages = self._awaited = None
            raise


async def _following(messages: AsyncIterator[Any]) -> Any:
    return await anext(messages, None)


@contextlib.contextmanager
def errors_told(storage: Any) -> Iterator[None]:
    """Turn what a storage of Dash's raises into Flash's errors. Texts are left out: they may hold an address."""
    try:
        yield
    except FlashError:
        raise
    except Exception as error:
        # Dash 4.4 has no such error, and no such storage.
        if isinstance(error, getattr(dash, "SharedStorageGap", ())):
            raise SharedStorageGap(
                "Messages are gone: Dash's buffer was too small, or its storage has lost its data. Read the state anew."
            ) from None
        raise SharedStorageError(
            f"{type(storage).__name__} did not do what it was asked: {type(error).__name__}."
        ) from None
