"""What a storage does: values with expiry, ordered topics with replay, and leases.

The names are those of Dash 4.5's ``BaseSharedStorage``; docs/storage.md lists what is added and what differs.
"""

from __future__ import annotations

import abc
import math
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from ..exceptions import ConfigurationError, FlashError

#: How many messages a topic keeps for those who come later or fall behind.
DEFAULT_BUFFER = 100_000
#: The shortest lifetime of a topic, in seconds: whoever waits for messages renews it more often than that.
MIN_TOPIC_TTL = 10.0


class SharedStorageError(FlashError):
    """The storage could not do what it was asked, as when Redis does not answer.

    What was asked may have been done nevertheless: the answer may be what was lost.
    """


class SharedStorageGap(SharedStorageError):
    """Messages after a subscription's place are gone: they were trimmed, or the storage has lost its data."""


class Subscription(abc.ABC):
    """One reader's place in a topic. It gets each message once, in order, whatever process sent it.

    Iterate it, plain or asynchronously, for the messages, or take :meth:`poll` and :meth:`apoll` for what has gathered.
    All of them move the same place, so that one may be left for another. One reader uses it at a time; only
    :meth:`close` may be called from anywhere.

    Args:
        topic: The topic that is read.
        seq: The number of the last message that is *not* wanted; 0 is before the first.

    Raises:
        SharedStorageGap: The next message is gone. The place stays where it is.
        SharedStorageError: The storage does not answer. The place stays where it is: read on, or subscribe again with
            ``replay_from=subscription.seq``.

    Example:
        >>> async with await storage.asubscribe("news") as news:
        ...     async for message in news:
        ...         print(message)
    """

    def __init__(self, topic: str, seq: int) -> None:
        self.topic = topic
        self.seq = seq
        self._fetched = seq
        self._gathered: deque[tuple[int, Any]] = deque()

    @property
    @abc.abstractmethod
    def closed(self) -> bool:
        """Whether the subscription, or its storage, has been closed."""

    @abc.abstractmethod
    def close(self) -> None:
        """End the subscription, and whoever iterates it. May be called from any thread, and again."""

    @abc.abstractmethod
    def _fetch(self, after: int, timeout: float) -> list[tuple[int, Any]]:
        """Some of the messages after a number, as soon as there is one; none when time is up or on close."""

    @abc.abstractmethod
    async def _afetch(self, after: int) -> list[tuple[int, Any]]:
        """As :meth:`_fetch`, for a loop; it may give none now and then. It may be cut off at any time."""

    def poll(self, timeout: float = 0.0) -> list[tuple[int, Any]]:
        """The messages since the last one, with their numbers, oldest first; at most some hundreds at a time.

        Args:
            timeout: How many seconds to wait for the first of them.
        """
        if not self._gathered and not self.closed:
            self._gather(self._fetch(self._fetched, timeout))
        return self._take()

    async def apoll(self) -> list[tuple[int, Any]]:
        """As :meth:`poll`, for a loop: it waits, without a thread, until there is a message or the end.

        Under ``asyncio.timeout`` nothing is lost: the next call gives what came meanwhile.

        Returns:
            Messages with their numbers; none when the subscription has been closed.
        """
        while not self._gathered and not self.closed:
            self._gather(await self._afetch(self._fetched))
        return self._take()

    def iter_with_seq(self) -> Iterator[tuple[int, Any]]:
        """Number and message of each that comes, until the subscription is closed."""
        while not self.closed:
            if not self._gathered:
                self._gather(self._fetch(self._fetched, 1.0))
            while self._gathered and not self.closed:
                yield self._next()

    async def aiter_with_seq(self) -> AsyncIterator[tuple[int, Any]]:
        """As :meth:`iter_with_seq`, for a loop."""
        while not self.closed:
            if not self._gathered:
                self._gather(await self._afetch(self._fetched))
            while self._gathered and not self.closed:
                yield self._next()

    def __iter__(self) -> Iterator[Any]:
        for _, message in self.iter_with_seq():
            yield message

    async def __aiter__(self) -> AsyncIterator[Any]:
        async for _, message in self.aiter_with_seq():
            yield message

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _gather(self, messages: list[tuple[int, Any]]) -> None:
        if messages:
            self._gathered.extend(messages)
            self._fetched = messages[-1][0]

    def _take(self) -> list[tuple[int, Any]]:
        messages = [] if self.closed else list(self._gathered)
        self._gathered.clear()
        if messages:
            self.seq = messages[-1][0]
        return messages

    def _next(self) -> tuple[int, Any]:
        self.seq, message = self._gathered.popleft()
        return self.seq, message

    def _gap(self) -> SharedStorageGap:
        return SharedStorageGap(
            f"Messages of the topic {self.topic!r} after number {self._fetched} are gone: they were trimmed, or the "
            "storage has lost its data. Read the state anew and subscribe from there."
        )


class Storage(abc.ABC):
    """Values, topics and leases that all processes of an app share.

    Most methods have a plain form, which may block, and one for a loop, which does not: ``get`` and ``aget``. Values
    and messages are what JSON can hold (an ``orjson.Fragment`` may stand for what is encoded already); a tuple comes
    back as a list, and ``nan`` as ``None``.

    A storage may be made before a fork and in any thread. It opens what it needs when it is first used.
    """

    @abc.abstractmethod
    def start(self) -> None:
        """Make ready, also after :meth:`close`. Need not be called before first use; may be called again."""

    @abc.abstractmethod
    def close(self) -> None:
        """End all subscriptions and let go of connections. May be called again. On a loop, call :meth:`aclose`."""

    async def aclose(self) -> None:
        """As :meth:`close`, and wait until the connections of this loop are closed."""
        self.close()

    # Values

    @abc.abstractmethod
    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, or ``default`` when it has none."""

    @abc.abstractmethod
    def set(self, key: str, value: Any, ttl: float | None = None) -> None:
        """Keep a value, for ``ttl`` seconds or for good."""

    @abc.abstractmethod
    def delete(self, key: str) -> None:
        """Forget a key. One that is not there is no error."""

    @abc.abstractmethod
    async def aget(self, key: str, default: Any = None) -> Any:
        """As :meth:`get`."""

    @abc.abstractmethod
    async def aset(self, key: str, value: Any, ttl: float | None = None) -> None:
        """As :meth:`set`."""

    @abc.abstractmethod
    async def adelete(self, key: str) -> None:
        """As :meth:`delete`."""

    @abc.abstractmethod
    async def aget_many(self, keys: Sequence[str]) -> dict[str, Any]:
        """The values of those keys that have one, in one round trip."""

    @abc.abstractmethod
    async def aset_many(self, values: Mapping[str, Any], ttl: float | None = None) -> None:
        """Keep several values in one round trip: nobody reads some of them new and some old."""

    # Topics

    @abc.abstractmethod
    def publish(self, topic: str, message: Any, ttl: float | None = None) -> int:
        """Append a message to a topic.

        Args:
            topic: Any text.
            message: What JSON can hold.
            ttl: The topic is forgotten when nobody has written to it, or waited for its messages, for so many seconds,
                at least :data:`MIN_TOPIC_TTL`. The last message's holds. Without it the topic stays.

        Returns:
            The message's number. Numbers of a topic grow by one, whoever sends. After the storage has lost its data
            they go on from a greater one, so that a number never stands for two messages.
        """

    @abc.abstractmethod
    async def apublish(self, topic: str, message: Any, ttl: float | None = None) -> int:
        """As :meth:`publish`."""

    @abc.abstractmethod
    def subscribe(self, topic: str, replay_from: int | None = None) -> Subscription:
        """Read a topic, from now on or after the message with a number; 0 is from its first message on.

        It may block without ``replay_from``, since it asks for the newest number: on a loop, call :meth:`asubscribe`.
        """

    @abc.abstractmethod
    async def asubscribe(self, topic: str, replay_from: int | None = None) -> Subscription:
        """As :meth:`subscribe`: what is published after it has returned is received."""

    @abc.abstractmethod
    async def atrim(self, topic: str, before_seq: int) -> None:
        """Drop the messages with numbers below ``before_seq``. Who has not read them gets a gap."""

    # Leases

    @abc.abstractmethod
    def acquire(self, name: str, owner: str, seconds: float) -> int | None:
        """Become the holder of a lease for some seconds, or stay it.

        Args:
            name: What only one at a time may do.
            owner: Who asks: a text that nobody else uses, as a process's random id.
            seconds: When the lease ends by itself. Stop in time when it cannot be renewed.

        Returns:
            A fencing token, greater than that of any holder before and the same as long as the owner holds the lease;
            ``None`` while another holds it.
        """

    @abc.abstractmethod
    def renew(self, name: str, owner: str, seconds: float) -> bool:
        """Hold a lease for some seconds from now on. False: the owner does not hold it (any more)."""

    @abc.abstractmethod
    def release(self, name: str, owner: str) -> None:
        """Give a lease back. Of one that the owner does not hold, nothing happens."""

    @abc.abstractmethod
    async def aacquire(self, name: str, owner: str, seconds: float) -> int | None:
        """As :meth:`acquire`."""

    @abc.abstractmethod
    async def arenew(self, name: str, owner: str, seconds: float) -> bool:
        """As :meth:`renew`."""

    @abc.abstractmethod
    async def arelease(self, name: str, owner: str) -> None:
        """As :meth:`release`."""


def checked_ttl(ttl: float | None) -> float | None:
    """A value's lifetime in seconds, refused when it is none."""
    if ttl is not None and not (math.isfinite(ttl) and ttl > 0):
        raise ConfigurationError(f"A lifetime is a number of seconds above 0, or None for ever, not {ttl!r}.")
    return ttl


def checked_topic_ttl(ttl: float | None) -> float | None:
    """A topic's lifetime in seconds, refused when readers could not renew it in time."""
    if ttl is not None and not (math.isfinite(ttl) and ttl >= MIN_TOPIC_TTL):
        raise ConfigurationError(
            f"The lifetime of a topic is at least {MIN_TOPIC_TTL:g} seconds, or None for ever, not {ttl!r}."
        )
    return ttl


def checked_lease(seconds: float) -> float:
    """How long a lease lasts, in seconds, refused when it would never end."""
    if not (math.isfinite(seconds) and seconds > 0):
        raise ConfigurationError(f"A lease lasts a number of seconds above 0, not {seconds!r}.")
    return seconds


def checked_buffer(buffer: int) -> int:
    """How many messages a topic keeps, refused when it keeps none."""
    if buffer < 1:
        raise ConfigurationError(f"A topic keeps at least one message: write buffer={DEFAULT_BUFFER}, not {buffer!r}.")
    return buffer
