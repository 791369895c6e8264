"""The storage of several processes and machines, in Redis: 6.2 or newer, not a Redis Cluster."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

from . import redis_scripts as scripts
from .base import (
    DEFAULT_BUFFER,
    Storage,
    Subscription,
    checked_buffer,
    checked_lease,
    checked_topic_ttl,
    checked_ttl,
)
from .codec import decode, encode
from .redis_connections import Connections, outages_told, without_prefix
from .redis_topics import RedisSubscription


class RedisStorage(Storage):
    """Keeps everything in Redis, for all processes that name the same one and the same prefix.

    Nothing is tried again: a command that got no answer may have been done, and its caller is told by
    :class:`SharedStorageError`.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``, as redis-py takes it; ``?key_prefix=`` is the prefix.
        prefix: What the names of all keys begin with, by default the url's, else ``flash``.
        buffer: About how many messages a topic keeps; older ones are dropped.

    Raises:
        ConfigurationError: The url or the buffer cannot work.
        ImportError: The extra ``redis`` is not installed.

    Example:
        >>> storage = RedisStorage("redis://localhost:6379/0?key_prefix=shop")
        >>> await storage.aset("greeting", {"text": "hello"}, ttl=60)
    """

    def __init__(self, url: str, prefix: str | None = None, buffer: int = DEFAULT_BUFFER) -> None:
        plain_url, in_url = without_prefix(url)
        self._prefix = prefix or in_url or "flash"
        self._buffer = checked_buffer(buffer)
        self._connections = Connections(plain_url)
        # Weak: a subscription that was dropped without being closed must not stay.
        self._subscriptions: weakref.WeakSet[RedisSubscription] = weakref.WeakSet()
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<RedisStorage prefix={self._prefix!r}>"

    def start(self) -> None:
        """Take up work again after :meth:`close`. It connects to nothing."""
        self._connections.start()

    def close(self) -> None:
        """End all subscriptions and let go of the connections. On a loop, call :meth:`aclose`."""
        self._end_subscriptions()
        self._connections.close()

    async def aclose(self) -> None:
        """As :meth:`close`, and wait until the connections of this loop are closed."""
        self._end_subscriptions()
        await self._connections.aclose()

    def _end_subscriptions(self) -> None:
        with self._lock:
            subscriptions = list(self._subscriptions)
        for subscription in subscriptions:
            subscription.close()

    # Values

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, or ``default`` when it has none."""
        with outages_told():
            data = self._connections.plain().commands.get(self._key("value", key))
        return default if data is None else decode(data)

    def set(self, key: str, value: Any, ttl: float | None = None) -> None:
        """Keep a value, for ``ttl`` seconds or for good."""
        data, milliseconds = encode(value), _milliseconds(checked_ttl(ttl)) or None
        with outages_told():
            self._connections.plain().commands.set(self._key("value", key), data, px=milliseconds)

    def delete(self, key: str) -> None:
        """Forget a key."""
        with outages_told():
            self._connections.plain().commands.delete(self._key("value", key))

    async def aget(self, key: str, default: Any = None) -> Any:
        """As :meth:`get`."""
        with outages_told():
            data = await self._connections.here().commands.get(self._key("value", key))
        return default if data is None else decode(data)

    async def aset(self, key: str, value: Any, ttl: float | None = None) -> None:
        """As :meth:`set`."""
        data, milliseconds = encode(value), _milliseconds(checked_ttl(ttl)) or None
        with outages_told():
            await self._connections.here().commands.set(self._key("value", key), data, px=milliseconds)

    async def adelete(self, key: str) -> None:
        """As :meth:`delete`."""
        with outages_told():
            await self._connections.here().commands.delete(self._key("value", key))

    async def aget_many(self, keys: Sequence[str]) -> dict[str, Any]:
        """The values of those keys that have one, in one round trip."""
        if not keys:
            return {}
        with outages_told():
            found = await self._connections.here().commands.mget([self._key("value", key) for key in keys])
        return {key: decode(data) for key, data in zip(keys, found, strict=True) if data is not None}

    async def aset_many(self, values: Mapping[str, Any], ttl: float | None = None) -> None:
        """Keep several values in one round trip and at once."""
        if values:
            keys = [self._key("value", key) for key in values]
            arguments = [_milliseconds(checked_ttl(ttl)), *map(encode, values.values())]
            await self._arun(scripts.SET_MANY, keys, arguments)

    # Topics

    def publish(self, topic: str, message: Any, ttl: float | None = None) -> int:
        """Append a message to a topic; its number."""
        return int(self._run(scripts.PUBLISH, self._topic_keys(topic), self._message(message, ttl)))

    async def apublish(self, topic: str, message: Any, ttl: float | None = None) -> int:
        """As :meth:`publish`."""
        return int(await self._arun(scripts.PUBLISH, self._topic_keys(topic), self._message(message, ttl)))

    def subscribe(self, topic: str, replay_from: int | None = None) -> Subscription:
        """Read a topic, from now on (a round trip) or after the message with a number."""
        if replay_from is None:
            replay_from = int(self._run(scripts.PLACES, self._topic_keys(topic), [])[0])
        return self._subscribed(topic, replay_from)

    async def asubscribe(self, topic: str, replay_from: int | None = None) -> Subscription:
        """As :meth:`subscribe`."""
        if replay_from is None:
            replay_from = int((await self._arun(scripts.PLACES, self._topic_keys(topic), []))[0])
        return self._subscribed(topic, replay_from)

    async def atrim(self, topic: str, before_seq: int) -> None:
        """Drop the messages with numbers below ``before_seq``."""
        with outages_told():
            stream = self._topic_keys(topic)[1]
            await self._connections.here().commands.xtrim(stream, minid=f"{before_seq}-0", approximate=False)

    def _subscribed(self, topic: str, seq: int) -> RedisSubscription:
        subscription = RedisSubscription(self._connections, self._topic_keys(topic), topic, seq)
        with self._lock:
            self._subscriptions.add(subscription)
        return subscription

    def _message(self, message: Any, ttl: float | None) -> list[Any]:
        return [encode(message), self._buffer, _milliseconds(checked_topic_ttl(ttl))]

    # Leases

    def acquire(self, name: str, owner: str, seconds: float) -> int | None:
        """Become the holder of a lease for some seconds, or stay it; the fencing token, or ``None``."""
        token = self._run(scripts.ACQUIRE, self._lease_keys(name), [owner, _milliseconds(checked_lease(seconds))])
        return None if token is None else int(token)

    def renew(self, name: str, owner: str, seconds: float) -> bool:
        """Hold a lease for some seconds from now on. False: the owner does not hold it."""
        arguments = [owner, _milliseconds(checked_lease(seconds))]
        return bool(self._run(scripts.RENEW, self._lease_keys(name)[:1], arguments))

    def release(self, name: str, owner: str) -> None:
        """Give a lease back."""
        self._run(scripts.RELEASE, self._lease_keys(name)[:1], [owner])

    async def aacquire(self, name: str, owner: str, seconds: float) -> int | None:
        """As :meth:`acquire`."""
        arguments = [owner, _milliseconds(checked_lease(seconds))]
        token = await self._arun(scripts.ACQUIRE, self._lease_keys(name), arguments)
        return None if token is None else int(token)

    async def arenew(self, name: str, owner: str, seconds: float) -> bool:
        """As :meth:`renew`."""
        arguments = [owner, _milliseconds(checked_lease(seconds))]
        return bool(await self._arun(scripts.RENEW, self._lease_keys(name)[:1], arguments))

    async def arelease(self, name: str, owner: str) -> None:
        """As :meth:`release`."""
        await self._arun(scripts.RELEASE, self._lease_keys(name)[:1], [owner])

    def _run(self, script: str, keys: list[str], arguments: list[Any]) -> Any:
        with outages_told():
            return self._connections.plain().script(script)(keys=keys, args=arguments)

    async def _arun(self, script: str, keys: list[str], arguments: list[Any]) -> Any:
        with outages_told():
            return await self._connections.here().script(script)(keys=keys, args=arguments)

    def _key(self, kind: str, name: str) -> str:
        return f"{self._prefix}:{kind}:{name}"

    def _topic_keys(self, topic: str) -> list[str]:
        return [self._key("topic", topic), self._key("stream", topic)]

    def _lease_keys(self, name: str) -> list[str]:
        return [self._key("lease", name), self._key("token", name)]


def _milliseconds(seconds: float | None) -> int:
    return 0 if seconds is None else max(1, round(seconds * 1000))
