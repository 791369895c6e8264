"""Topics: every subscriber gets each message once, in order, or is told that it cannot."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import redis

from flash.exceptions import ConfigurationError
from flash.storage import MemoryStorage, RedisStorage, SharedStorageError, SharedStorageGap, Storage, Subscription

from ..apps import run
from .servers import wait_until

Make = Callable[[], Storage]


async def received(subscription: Subscription, count: int) -> list[Any]:
    """The next messages, with their numbers."""
    found: list[Any] = []
    while len(found) < count:
        found += await subscription.apoll()
    return found


async def gap_of(subscription: Subscription) -> None:
    with pytest.raises(SharedStorageGap, match="are gone"):
        await asyncio.wait_for(subscription.apoll(), 10)


def test_messages_arrive_in_order_with_numbers_that_grow_by_one(make: Make) -> None:
    async def main() -> None:
        storage, other = make(), make()
        async with await other.asubscribe("news") as news:
            first = storage.publish("news", {"n": 1})
            numbers = [first, await storage.apublish("news", {"n": 2}), await other.apublish("news", {"n": 3})]
            assert numbers == [first, first + 1, first + 2]
            assert first > 0
            assert await received(news, 3) == [(first, {"n": 1}), (first + 1, {"n": 2}), (first + 2, {"n": 3})]
            assert news.seq == first + 2
        await close(storage, other)

    run(main)


def test_a_subscription_begins_now_and_only_with_its_topic(storage: Storage) -> None:
    async def main() -> None:
        await storage.apublish("news", "before")
        news, other = await storage.asubscribe("news"), await storage.asubscribe("other")
        await storage.apublish("news", "after")
        await storage.apublish("other", "else")
        assert [message for _, message in await received(news, 1)] == ["after"]
        assert [message for _, message in await received(other, 1)] == ["else"]
        await close(storage)

    run(main)


def test_each_reader_gets_everything_once_however_it_reads(storage: Storage) -> None:
    async def main() -> None:
        news = await storage.asubscribe("news")
        for number in range(6):
            await storage.apublish("news", number)
        found = []
        async for message in news:
            found.append(message)
            if len(found) == 2:
                break
        async for seq, message in news.aiter_with_seq():
            assert seq == news.seq
            found.append(message)
            if len(found) == 4:
                break
        found += [message for _, message in await received(news, 2)]
        assert found == list(range(6))
        await close(storage)

    run(main)


def test_plain_reading(storage: Storage) -> None:
    first = storage.publish("news", 0)
    with storage.subscribe("news", replay_from=0) as news:
        assert news.poll() == [(first, 0)]
        assert news.poll() == []
        assert news.poll(0.05) == []
        threading.Timer(0.05, storage.publish, ["news", 1]).start()
        assert news.poll(10) == [(first + 1, 1)]
        for number in range(2, 6):
            storage.publish("news", number)
        messages = iter(news)
        assert [next(messages), next(messages)] == [2, 3]
        assert next(news.iter_with_seq()) == (first + 4, 4)
        assert news.seq == first + 4
    assert news.poll() == [] and list(news) == []


def test_replay_begins_after_a_number_or_at_the_beginning(make: Make) -> None:
    async def main() -> None:
        storage, other = make(), make()
        early = await other.asubscribe("news", 0)
        first = await storage.apublish("news", 0)
        for number in range(1, 300):
            await storage.apublish("news", number)
        assert await received(early, 300) == [(first + number, number) for number in range(300)]
        again = await other.asubscribe("news", first + 200)
        assert await received(again, 99) == [(first + number, number) for number in range(201, 300)]
        whole = await other.asubscribe("news", 0)
        assert [message for _, message in await received(whole, 300)] == list(range(300))
        await close(storage, other)

    run(main)


def test_a_message_of_a_megabyte(storage: Storage) -> None:
    async def main() -> None:
        news = await storage.asubscribe("news")
        message = {"text": "é" * 500_000, "list": list(range(1000))}
        await storage.apublish("news", message)
        assert (await received(news, 1))[0][1] == message
        await close(storage)

    run(main)


def test_eight_publishers_at_once(make: Make) -> None:
    each = 40

    async def main() -> None:
        storage, other = make(), make()
        readers = [await view.asubscribe("news") for view in (storage, other)]

        async def publish_task(who: int) -> list[int]:
            return [await storage.apublish("news", [who, number]) for number in range(each)]

        def publish_thread(who: int) -> list[int]:
            return [other.publish("news", [who, number]) for number in range(each)]

        tasks = [publish_task(who) for who in range(4)]
        threads = [asyncio.to_thread(publish_thread, who) for who in range(4, 8)]
        numbers = await asyncio.gather(*tasks, *threads)
        for reader in readers:
            found = await received(reader, 8 * each)
            assert [seq for seq, _ in found] == list(range(found[0][0], found[0][0] + 8 * each))
            for who in range(8):
                assert [message for _, message in found if message[0] == who] == [[who, n] for n in range(each)]
                assert [seq for seq, message in found if message[0] == who] == numbers[who]
        await close(storage, other)

    run(main)


def test_a_message_from_a_thread_wakes_readers_on_other_loops(make: Make) -> None:
    ready, done = threading.Barrier(3), threading.Barrier(2)
    found = []

    def read() -> None:
        async def main() -> None:
            storage = make()
            news = await storage.asubscribe("news")
            waiting = asyncio.ensure_future(news.apoll())
            await asyncio.sleep(0)
            await asyncio.to_thread(ready.wait, 10)
            found.append(await waiting)
            # What is closed may be the same storage for both.
            await asyncio.to_thread(done.wait, 10)
            await storage.aclose()

        run(main)

    storage = make()
    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    ready.wait(10)
    number = storage.publish("news", "hello")
    for thread in threads:
        thread.join(10)
    assert found == [[(number, "hello")]] * 2


def test_closing_ends_whoever_waits(make: Make) -> None:
    async def main() -> None:
        storage = make()

        async def read(subscription: Subscription) -> list[Any]:
            return [message async for message in subscription]

        news = await storage.asubscribe("news")
        reading = asyncio.create_task(read(news))
        await storage.apublish("news", 1)
        await asyncio.to_thread(wait_until, lambda: news.seq > 0, "a message")
        news.close()
        assert await asyncio.wait_for(reading, 5) == [1]
        by_thread = await storage.asubscribe("news")
        waiting = asyncio.create_task(by_thread.apoll())
        await asyncio.sleep(0.05)
        await asyncio.to_thread(by_thread.close)
        assert await asyncio.wait_for(waiting, 5) == []
        plain = await asyncio.to_thread(storage.subscribe, "news")
        blocked = asyncio.create_task(asyncio.to_thread(list, plain))
        await asyncio.sleep(0.05)
        plain.close()
        assert await asyncio.wait_for(blocked, 5) == []
        with_storage = await storage.asubscribe("news")
        last = asyncio.create_task(read(with_storage))
        await asyncio.sleep(0.05)
        await storage.aclose()
        assert await asyncio.wait_for(last, 5) == []

    run(main)


def test_a_reader_that_is_cancelled_loses_nothing(storage: Storage) -> None:
    async def main() -> None:
        news = await storage.asubscribe("news", 0)
        found: list[Any] = []

        async def publish() -> None:
            for number in range(200):
                await storage.apublish("news", number)

        publishing = asyncio.create_task(publish())
        wait = 0.0
        while len(found) < 200:
            wait = (wait + 0.0007) % 0.005
            try:
                async with asyncio.timeout(wait):
                    found += await news.apoll()
            except TimeoutError:
                continue
        await publishing
        assert [message for _, message in found] == list(range(200))
        await close(storage)

    run(main)


@pytest.mark.parametrize("make", ["memory", "redis"], indirect=True)
def test_what_is_trimmed_is_a_gap_for_who_has_not_read_it(make: Make) -> None:
    async def main() -> None:
        storage, other = make(), make()
        first = await storage.apublish("news", 0)
        for number in range(1, 10):
            await storage.apublish("news", number)
        reader = await other.asubscribe("news", first)
        await other.atrim("news", first + 5)
        await gap_of(reader)
        await gap_of(reader)
        assert reader.seq == first
        await gap_of(await storage.asubscribe("news", 0))
        await gap_of(await storage.asubscribe("news", first + 3))
        rest = await storage.asubscribe("news", first + 4)
        assert [message for _, message in await received(rest, 5)] == [5, 6, 7, 8, 9]
        await storage.atrim("news", first + 1000)
        await gap_of(await storage.asubscribe("news", first + 8))
        await gap_of(await storage.asubscribe("news", 0))
        await storage.atrim("none", 5)
        assert await storage.apublish("news", 10) == first + 10
        assert await received(rest, 1) == [(first + 10, 10)]
        await close(storage, other)

    run(main)


@pytest.mark.parametrize("make", ["memory", "redis"], indirect=True)
def test_messages_that_are_trimmed_while_a_reader_waits_are_a_gap(make: Make) -> None:
    async def main() -> None:
        storage = make()
        first = await storage.apublish("news", 0)
        reader = await storage.asubscribe("news", first)
        await storage.apublish("news", 1)
        assert (await received(reader, 1))[0][1] == 1
        for number in (2, 3, 4):
            await storage.apublish("news", number)
        await storage.atrim("news", first + 4)
        await gap_of(reader)
        await close(storage)

    run(main)


def test_a_number_that_was_never_given_is_a_gap(storage: Storage) -> None:
    async def main() -> None:
        await gap_of(await storage.asubscribe("news", 10))
        number = await storage.apublish("news", 0)
        await gap_of(await storage.asubscribe("news", number + 1))
        with pytest.raises(SharedStorageGap):
            (await asyncio.to_thread(storage.subscribe, "news", number + 1)).poll()
        await close(storage)

    run(main)


def test_the_buffer_is_bounded(redis_url: str) -> None:
    async def main(storage: Storage) -> None:
        first = await storage.apublish("news", 0)
        reader = await storage.asubscribe("news", 0)
        for number in range(1, 1000):
            await storage.apublish("news", number)
        await gap_of(reader)
        last = await storage.asubscribe("news", first + 989)
        assert [message for _, message in await received(last, 10)] == list(range(990, 1000))
        await storage.aclose()

    run(lambda: main(MemoryStorage(buffer=10)))
    run(lambda: main(RedisStorage(redis_url, buffer=10)))
    with pytest.raises(ConfigurationError, match="at least one message"):
        MemoryStorage(buffer=0)


def test_a_topic_with_a_lifetime_is_kept_while_somebody_waits(redis_url: str) -> None:
    url, _, prefix = redis_url.partition("?key_prefix=")

    async def main() -> None:
        storage = RedisStorage(redis_url)
        await storage.apublish("news", 1, ttl=10)
        client = redis.Redis.from_url(url)
        keys = client.keys(f"{prefix}:*")
        assert len(keys) == 2
        for key in keys:
            client.pexpire(key, 700)
        reader = await storage.asubscribe("news")
        waiting = asyncio.create_task(reader.apoll())
        await asyncio.to_thread(wait_until, lambda: all(client.pttl(key) > 8000 for key in keys), "renewal")
        await storage.apublish("news", 2)
        assert [message for _, message in await waiting] == [2]
        assert all(client.pttl(key) == -1 for key in keys)
        client.close()
        await storage.aclose()

    run(main)


def test_a_topic_with_a_lifetime_leaves_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("flash.storage.memory.time.monotonic", lambda: now)
    monkeypatch.setattr("flash.storage.memory.time.time_ns", lambda: int(now * 1e9))
    storage = MemoryStorage()
    first = storage.publish("news", 1, ttl=10)
    storage.publish("kept", 1)
    reader = storage.subscribe("news")
    now += 100
    storage.publish("other", 1)
    assert storage.publish("news", 2, ttl=10) == first + 1
    reader.close()
    now += 11
    storage.publish("other", 1)
    assert storage.publish("news", 3) > first + 2
    assert [message for _, message in storage.subscribe("kept", 0).poll()] == [1]


def test_a_subscription_that_nobody_holds_any_more_is_forgotten(make: Make) -> None:
    storage = make()
    reference = weakref.ref(storage.subscribe("news", 0))
    wait_until(lambda: gc.collect() >= 0 and reference() is None, "collection")


def test_settings_of_redis_py_that_change_its_answers_are_left_out(redis_url: str) -> None:
    async def main() -> None:
        storage = RedisStorage(f"{redis_url}&protocol=3&decode_responses=True")
        number = await storage.apublish("news", {"n": 1})
        assert await (await storage.asubscribe("news", 0)).apoll() == [(number, {"n": 1})]
        await storage.aclose()

    run(main)


async def close(*storages: Storage) -> None:
    for storage in storages:
        await storage.aclose()


def test_a_storage_is_told_of_what_failed(redis_url: str) -> None:
    storage = RedisStorage(redis_url)
    storage.set("key", 1)
    other = RedisStorage(redis_url.partition("?")[0], prefix="wrong")
    client = redis.Redis.from_url(redis_url.partition("?")[0])
    client.set("wrong:topic:news", "no hash")
    with pytest.raises(SharedStorageError, match="WRONGTYPE"):
        other.publish("news", 1)
    client.close()
    storage.close()
    other.close()
