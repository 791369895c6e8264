"""Connections to one Redis: a pool for threads, and one for each loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from ..exceptions import ConfigurationError
from .base import SharedStorageError

#: Commands of a process that run at once; more wait for a connection.
CONNECTIONS = 32
#: How long a command, or a reader's connection, may be without an answer, in seconds; ``socket_timeout`` in the url.
TIMEOUT = 10.0
#: Settings of a url that are not redis-py's, or that would change what it answers.
OWN = ("key_prefix", "protocol", "decode_responses")
SCHEMES = ("redis", "rediss", "unix")


class Connections:
    """Opens what is needed when it is needed.

    A reader holds a connection while it waits for messages; so readers have a pool of their own, and commands never
    wait for them.

    Args:
        url: A url as redis-py takes it. It is shown nowhere: it may hold a password.

    Raises:
        ConfigurationError: The url cannot be read.
        ImportError: The extra ``redis`` is not installed.
    """

    def __init__(self, url: str) -> None:
        self._redis = _require_redis()
        self._url = url
        self._lock = threading.Lock()
        self._plain: _Clients | None = None
        self._loops: dict[asyncio.AbstractEventLoop, _Clients] = {}
        self._closed = False
        try:
            options = self._redis.ConnectionPool.from_url(url).connection_kwargs
        except (ValueError, TypeError, AttributeError):
            raise refused_url("it cannot be read") from None
        timeout = options.get("socket_timeout") or TIMEOUT
        #: How long a reader may ask Redis to wait, in ms: its connection must not take the wait for an outage.
        self.wait = max(1, min(4000, int(timeout * 500)))

    def plain(self) -> _Clients:
        """The clients for threads."""
        with self._opened():
            if self._plain is None:
                self._plain = self._made(self._redis, self._redis.retry, self._redis.backoff)
            return self._plain

    def here(self) -> _Clients:
        """The clients for the running loop: its connections belong to it."""
        loop = asyncio.get_running_loop()
        with self._opened():
            if loop not in self._loops:
                for over in [each for each in self._loops if each.is_closed()]:
                    del self._loops[over]
                from redis import asyncio as redis_asyncio

                self._loops[loop] = self._made(redis_asyncio, redis_asyncio.retry, self._redis.backoff)
            return self._loops[loop]

    def start(self) -> None:
        """Open again after :meth:`close`."""
        self._closed = False

    def close(self) -> None:
        """Let go of all connections; those of loops that run are closed there, a moment later."""
        for loop, clients in self._let_go():
            with contextlib.suppress(RuntimeError):
                asyncio.run_coroutine_threadsafe(clients.aclose(), loop)

    async def aclose(self) -> None:
        """As :meth:`close`, and wait for the connections of this loop."""
        here = asyncio.get_running_loop()
        for loop, clients in self._let_go():
            if loop is here:
                await clients.aclose()
            else:
                with contextlib.suppress(RuntimeError):
                    asyncio.run_coroutine_threadsafe(clients.aclose(), loop)

    def _let_go(self) -> list[tuple[asyncio.AbstractEventLoop, _Clients]]:
        with self._lock:
            self._closed = True
            plain, self._plain = self._plain, None
            loops, self._loops = self._loops, {}
        if plain is not None:
            plain.close()
        # A loop that does not run can close nothing.
        return [(loop, clients) for loop, clients in loops.items() if loop.is_running()]

    def _made(self, kind: Any, retry: Any, backoff: Any) -> _Clients:
        options = {
            "socket_timeout": TIMEOUT,
            "socket_connect_timeout": TIMEOUT,
            "socket_keepalive": True,
            # A command that is sent again may be done twice.
            "retry": retry.Retry(backoff.NoBackoff(), 0),
            "protocol": 2,
        }
        if urlsplit(self._url).scheme == "unix":
            options.pop("socket_connect_timeout")
            options.pop("socket_keepalive")
        pools = kind.BlockingConnectionPool, kind.ConnectionPool
        if kind is not self._redis:
            pools = _without_closed(pools[0]), _without_closed(pools[1])
        commands = pools[0].from_url(self._url, max_connections=CONNECTIONS, timeout=TIMEOUT, **options)
        readers = pools[1].from_url(self._url, **options)
        return _Clients(kind.Redis(connection_pool=commands), kind.Redis(connection_pool=readers))

    @contextlib.contextmanager
    def _opened(self) -> Iterator[None]:
        with self._lock:
            if self._closed:
                raise SharedStorageError("This RedisStorage has been closed. Call start() to use it again.")
            yield


class _Clients:
    """One client for commands, one for readers that wait; and the scripts, which a client sends by their digest."""

    def __init__(self, commands: Any, readers: Any) -> None:
        self.commands = commands
        self.readers = readers
        self._scripts: dict[str, Any] = {}

    def script(self, source: str) -> Any:
        if source not in self._scripts:
            self._scripts[source] = self.commands.register_script(source)
        return self._scripts[source]

    def close(self) -> None:
        for client in (self.commands, self.readers):
            client.connection_pool.disconnect()

    async def aclose(self) -> None:
        for client in (self.commands, self.readers):
            # The connections that wait for messages are those in use.
            await client.connection_pool.disconnect(inuse_connections=True)


def _without_closed(pool: Any) -> Any:
    """A pool for loops that gives out no connection that Redis has closed, after a restart or since it was idle.

    The pool for threads sees by itself that there is an end to be read; that for loops takes it for nothing to be read.
    """

    class OpenConnections(pool):  # type: ignore[misc]
        async def get_connection(self, *args: Any, **options: Any) -> Any:
            connection = await super().get_connection(*args, **options)
            reader = getattr(connection, "_reader", None)
            if reader is not None and reader.at_eof():
                try:
                    await connection.disconnect()
                    await connection.connect()
                except BaseException:
                    await self.release(connection)
                    raise
            return connection

    return OpenConnections


def without_prefix(url: str) -> tuple[str, str | None]:
    """A url as redis-py is given it, and its ``key_prefix``."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise refused_url("it cannot be read") from None
    if parts.scheme not in SCHEMES:
        raise refused_url("it begins with none of redis://, rediss:// and unix://")
    if parts.fragment:
        raise refused_url("it has a #, which is written %23 in a password")
    query = parse_qsl(parts.query, keep_blank_values=True)
    prefixes = [value for name, value in query if name == "key_prefix"]
    if prefixes and not prefixes[-1]:
        raise refused_url("its key_prefix is empty")
    rest = urlencode([(name, value) for name, value in query if name not in OWN])
    address = url.partition("://")[2].partition("?")[0]
    return f"{parts.scheme}://{address}" + (f"?{rest}" if rest else ""), prefixes[-1] if prefixes else None


def refused_url(reason: str) -> ConfigurationError:
    """What is said of a url. It is not shown itself, since it may hold a password."""
    return ConfigurationError(
        f"The url of Redis is refused: {reason}. Write redis://host:6379/0, with user:password@ before the host if "
        "there is one (special characters as %XX), and rediss:// for TLS."
    )


@contextlib.contextmanager
def outages_told() -> Iterator[None]:
    """Turn what redis-py raises into :class:`SharedStorageError`. Neither address nor password is in its text."""
    redis = _require_redis()
    try:
        yield
    except (redis.RedisError, OSError) as error:
        raise SharedStorageError(f"Redis did not do what it was asked: {_reason(error, redis)}.") from None


def _reason(error: BaseException, redis: Any) -> str:
    if isinstance(error, redis.ResponseError):
        return str(error).rstrip(".")
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno and not isinstance(cause, redis.RedisError):
            return os.strerror(cause.errno) if cause.errno > 0 else "its name is unknown"
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__


def _require_redis() -> Any:
    try:
        import redis
        import redis.backoff
        import redis.retry
    except ImportError as error:
        raise ImportError('flash.storage.RedisStorage needs an extra: pip install "dash-flash[redis]"') from error
    return redis
