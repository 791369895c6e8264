"""What job and server leave for each other in the store."""

from __future__ import annotations

import logging
import threading

import pytest

from flash import Patch, no_update
from flash.background import runs
from flash.background.runs import Updates, UpdateWriter, encode_changes, must_wait, read_updates


class MemoryStore:
    """A store in a dictionary."""

    def __init__(self) -> None:
        self.entries: dict[str, str] = {}

    def get(self, key: str) -> str | None:
        return self.entries.get(key)

    def set(self, key: str, text: str) -> None:
        self.entries[key] = text

    def keep(self, key: str, text: str, expire: float | None) -> None:
        self.set(key, text)

    def touch(self, key: str, expire: float | None) -> None:
        pass

    def delete(self, *keys: str) -> None:
        for key in keys:
            self.entries.pop(key, None)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def test_an_update_during_a_read_comes_with_the_next(store: MemoryStore) -> None:
    writer = UpdateWriter(store, "k")
    writer.write(encode_changes("a", {"x": 1, "y": 1}))
    original = store.get

    def get(key: str) -> str | None:
        text = original(key)
        if key == "k":
            store.get = original  # type: ignore[method-assign]
            # The reader has the text in hand and has noted nothing.
            writer.write(encode_changes("a", {"x": 2}))
        return text

    store.get = get  # type: ignore[method-assign]
    assert read_updates(store, "k") == {"a": {"x": 1, "y": 1}}
    assert read_updates(store, "k") == {"a": {"x": 2}}
    assert read_updates(store, "k") == {}


def test_a_reader_and_a_writer_at_once_lose_and_double_nothing(store: MemoryStore) -> None:
    count, writer = 300, UpdateWriter(store, "k")
    seen: list[int] = []

    def write() -> None:
        for number in range(count):
            patch = Patch()
            patch.append(number)
            writer.write(encode_changes("log", {"items": patch}))

    thread = threading.Thread(target=write)
    thread.start()
    while thread.is_alive() or store.get("k") and not seen[-1:] == [count - 1]:
        for operation in read_updates(store, "k").get("log", {}).get("items", {"operations": []})["operations"]:
            seen.append(operation["params"]["value"])
    thread.join()
    assert seen == list(range(count))


def test_several_threads_of_a_job_may_write(store: MemoryStore) -> None:
    writer = UpdateWriter(store, "k")
    threads = [
        threading.Thread(target=writer.write, args=(encode_changes(str(number), {"x": number}),)) for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read_updates(store, "k") == {str(number): {"x": number} for number in range(8)}


def test_a_job_that_is_started_again_goes_on(store: MemoryStore) -> None:
    first = UpdateWriter(store, "k")
    first.write(encode_changes("a", {"x": 1}))
    assert read_updates(store, "k") == {"a": {"x": 1}}
    first.write(encode_changes("a", {"y": 2}))
    UpdateWriter(store, "k").write(encode_changes("a", {"z": 3}))
    assert read_updates(store, "k") == {"a": {"y": 2, "z": 3}}


def test_what_was_read_does_not_pile_up(store: MemoryStore) -> None:
    writer = UpdateWriter(store, "k")
    for number in range(50):
        writer.write(encode_changes("a", {str(number): number}))
        read_updates(store, "k")
    assert store.entries["k"] == '[[50,"a","49",49]]'


def test_full_values_do_not_pile_up(store: MemoryStore) -> None:
    writer = UpdateWriter(store, "k")
    for number in range(50):
        writer.write(encode_changes("a", {"x": number}))
    assert store.entries["k"] == '[[50,"a","x",49]]'


def test_patches_that_nobody_fetches_are_dropped(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(runs, "WAITING_UPDATES", 3)
    updates = Updates()
    with caplog.at_level(logging.WARNING, "flash.background"):
        for number in range(5):
            patch = Patch()
            patch.append(number)
            updates.add(encode_changes("log", {"items": patch}))
    assert updates.text().count('"Append"') == 3
    assert not updates.is_complete
    assert len(caplog.records) == 1
    # What follows a gap is worth nothing, until a full value closes it.
    updates.forget_until(3)
    patch = Patch()
    patch.append(5)
    updates.add(encode_changes("log", {"items": patch}))
    assert updates.text() == "[]"
    updates.add(encode_changes("log", {"items": [1]}))
    updates.add(encode_changes("log", {"items": patch}))
    assert updates.is_complete
    assert updates.text().startswith('[[4,"log","items",[1]],[5,')


def test_no_update_changes_nothing() -> None:
    assert [change.prop for change in encode_changes("a", {"x": no_update, "y": None})] == ["y"]


def test_a_result_waits_once_for_what_is_not_read(store: MemoryStore) -> None:
    assert not must_wait(store, "k")
    writer = UpdateWriter(store, "k")
    writer.write(encode_changes("", {"0": 1}))
    assert must_wait(store, "k")
    assert not must_wait(store, "k")
    read_updates(store, "k")
    assert not must_wait(store, "k")
    writer.write(encode_changes("", {"0": 2}))
    assert must_wait(store, "k")
