"""Redis goes away and comes back: everybody is told, and nobody waits for ever or misses anything unnoticed."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import redis

from flash.storage import RedisStorage, SharedStorageError, SharedStorageGap

from ..apps import run
from .servers import RedisServer, wait_until


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server of this test's own."""
    server = RedisServer(tmp_path)
    yield server
    server.kill()


def on(server: RedisServer, main: Callable[[RedisStorage], Awaitable[None]]) -> None:
    async def with_storage() -> None:
        storage = RedisStorage(server.url)
        try:
            await main(storage)
        finally:
            await storage.aclose()

    run(with_storage)


def test_a_reader_is_told_when_redis_dies_and_of_the_gap_when_it_is_back(server: RedisServer) -> None:
    async def main(storage: RedisStorage) -> None:
        number = await storage.apublish("news", "before")
        news = await storage.asubscribe("news", 0)
        assert await news.apoll() == [(number, "before")]
        waiting = asyncio.create_task(news.apoll())
        await asyncio.sleep(0.1)
        await asyncio.to_thread(server.kill)
        with pytest.raises(SharedStorageError, match="Redis did not do") as told:
            await asyncio.wait_for(waiting, 10)
        assert not isinstance(told.value, SharedStorageGap)
        # The first may still meet a connection whose end has not been seen.
        with pytest.raises(SharedStorageError, match="Redis did not do"):
            await storage.apublish("news", "lost")
        with pytest.raises(SharedStorageError, match="Connection refused"):
            await storage.apublish("news", "lost")
        with pytest.raises(SharedStorageError, match="Connection refused"):
            await asyncio.to_thread(storage.get, "key")
        assert not news.closed and news.seq == number

        await asyncio.to_thread(server.start)
        # What Redis has lost is noticed before anything is published, and also after as much was as before.
        with pytest.raises(SharedStorageGap):
            await (await storage.asubscribe("news", number)).apoll()
        later = await storage.apublish("news", "after")
        assert later > number + 1
        with pytest.raises(SharedStorageGap):
            await news.apoll()
        with pytest.raises(SharedStorageGap):
            await (await storage.asubscribe("news", number)).apoll()
        assert await (await storage.asubscribe("news", 0)).apoll() == [(later, "after")]

    on(server, main)


def test_plain_reading_is_told_too(server: RedisServer) -> None:
    storage = RedisStorage(server.url)
    number = storage.publish("news", 1)
    news = storage.subscribe("news")
    assert news.poll() == []
    server.kill()
    with pytest.raises(SharedStorageError):
        news.poll(5)
    server.start()
    storage.publish("news", 1)
    with pytest.raises(SharedStorageGap):
        news.poll(5)
    assert news.seq == number
    storage.close()


def test_a_reader_that_waits_while_redis_loses_its_data_is_told_of_the_gap(server: RedisServer) -> None:
    async def main(storage: RedisStorage) -> None:
        for number in range(5):
            await storage.apublish("news", number)
        news = await storage.asubscribe("news")
        waiting = asyncio.create_task(news.apoll())
        await asyncio.sleep(0.1)
        redis.Redis(port=server.port, single_connection_client=True).flushall()
        await storage.apublish("news", "after")
        with pytest.raises(SharedStorageGap):
            await asyncio.wait_for(waiting, 3)

    on(server, main)


def test_a_reader_that_waits_for_nothing_notices_the_loss_by_itself(server: RedisServer) -> None:
    async def main(storage: RedisStorage) -> None:
        await storage.apublish("news", 1)
        news = await storage.asubscribe("news")
        waiting = asyncio.create_task(news.apoll())
        await asyncio.sleep(0.1)
        redis.Redis(port=server.port, single_connection_client=True).flushall()
        with pytest.raises(SharedStorageGap):
            await asyncio.wait_for(waiting, 15)

    on(server, main)


def test_plain_reading_notices_the_loss_by_itself(server: RedisServer) -> None:
    storage = RedisStorage(server.url)
    storage.publish("news", 1)
    news = storage.subscribe("news")
    assert news.poll() == []
    redis.Redis(port=server.port, single_connection_client=True).flushall()
    with pytest.raises(SharedStorageGap):
        news.poll()
    storage.close()


def test_what_a_restored_redis_has_lost_is_a_gap(server: RedisServer) -> None:
    """An older copy comes back, and as many messages are sent as were lost: the numbers are not used twice."""

    async def main(storage: RedisStorage) -> None:
        first = await storage.apublish("news", 0)
        client = redis.Redis(port=server.port, single_connection_client=True)
        copies = {key: client.dump(key) for key in client.keys()}
        numbers = [await storage.apublish("news", number) for number in range(1, 4)]
        news = await storage.asubscribe("news", numbers[-1])
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        client.close()
        client = redis.Redis(port=server.port, single_connection_client=True)
        for key, copy in copies.items():
            client.restore(key, 0, copy)
        client.close()
        again = [await storage.apublish("news", number) for number in range(1, 10)]
        assert not {first, *numbers}.intersection(again)
        with pytest.raises(SharedStorageGap):
            await news.apoll()

    on(server, main)


def test_a_token_is_greater_though_redis_has_lost_the_last_one(server: RedisServer) -> None:
    async def main(storage: RedisStorage) -> None:
        token = await storage.aacquire("leader", "one", 30)
        await asyncio.to_thread(server.kill)
        with pytest.raises(SharedStorageError):
            await storage.arenew("leader", "one", 30)
        await asyncio.to_thread(server.start)
        assert await storage.arenew("leader", "one", 30) is False
        following = await storage.aacquire("leader", "two", 30)
        assert token is not None and following is not None and following > token

    on(server, main)


def test_connections_that_redis_has_closed_are_no_outage(server: RedisServer) -> None:
    async def main(storage: RedisStorage) -> None:
        await storage.aset("key", 1)
        await asyncio.to_thread(storage.set, "key", 1)
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        await storage.aset("key", 2)
        assert await asyncio.to_thread(storage.get, "key") == 2

    on(server, main)


def test_a_redis_that_does_not_answer_is_an_outage() -> None:
    async def main() -> None:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        listener = await asyncio.start_server(silent, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        storage = RedisStorage(f"redis://127.0.0.1:{port}/0?socket_timeout=0.3")
        news = await storage.asubscribe("news", 0)
        begin = time.monotonic()
        for call in (storage.aget("key"), news.apoll()):
            with pytest.raises(SharedStorageError, match="Redis did not do"):
                await asyncio.wait_for(call, 5)
        assert time.monotonic() < begin + 5
        await storage.aclose()
        listener.close()

    run(main)


def test_a_short_timeout_in_the_url_is_no_outage_for_who_waits(server: RedisServer) -> None:
    async def main() -> None:
        storage = RedisStorage(f"{server.url}?socket_timeout=2")
        news = await storage.asubscribe("news")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(news.apoll(), 3)
        assert await asyncio.to_thread(news.poll, 3) == []
        await storage.apublish("news", 1)
        assert [message for _, message in await news.apoll()] == [1]
        await storage.aclose()

    run(main)


@pytest.mark.parametrize("port", ["1", "0", "nonsense"])
def test_no_error_shows_the_url(port: str, caplog: pytest.LogCaptureFixture) -> None:
    texts = []
    try:
        storage = RedisStorage(f"redis://secret-user:secret-word@secret-host.invalid:{port}/0")
        texts.append(repr(storage))
        storage.get("key")
    except Exception:
        texts.append(traceback.format_exc())

    async def main() -> None:
        try:
            await storage.aget("key")
        finally:
            await storage.aclose()

    if port != "nonsense":
        try:
            run(main)
        except SharedStorageError:
            texts.append(traceback.format_exc())
        assert len(texts) == 3
    # The line of this test that wrote the url is in the traceback; what was raised must not repeat it.
    raised = [line for text in texts for line in text.splitlines() if "RedisStorage(f" not in line]
    assert not any("secret" in line for line in [*raised, caplog.text])


def test_cancelled_readers_leave_no_connection_behind(server: RedisServer) -> None:
    async def main(storage: RedisStorage) -> None:
        client = redis.Redis(port=server.port, single_connection_client=True)
        for _ in range(20):
            news = await storage.asubscribe("news")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(news.apoll(), 0.02)
            news.close()
        await asyncio.to_thread(wait_until, lambda: len(client.client_list()) < 6, "closing of connections")
        client.close()

    on(server, main)
