"""The outbox of one tab: what conflates, what keeps its place, what a resume gets."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from flash import Patch, html, patches
from flash.live.outbox import Ledger, Message, Outbox, join, update_of
from flash.live.rate import Rate


def outbox(messages: int = 1000, size: int = 1 << 20) -> Outbox:
    return Outbox(messages, size, Ledger())


def answer(name: str = "r") -> Message:
    return Message(json.dumps({"answer": name}).encode())


def appended(value: Any) -> Patch:
    patch = Patch()
    patch.append(value)
    return patch


def sent(box: Outbox, limit: int = 1 << 30) -> list[Any]:
    """What is sent next: the payloads of updates, the names of answers."""
    return [_read(message) for message in box.take(limit)]


def waiting(box: Outbox) -> list[Any]:
    return [_read(message) for message in box]


def _read(message: Message) -> Any:
    decoded = json.loads(message.frame)
    if "answer" in decoded:
        return decoded["answer"]
    payload = decoded["payload"]
    return payload["componentId"], {name: _short(value) for name, value in payload["props"].items()}


def _short(value: Any) -> Any:
    return "patch" if patches.is_patch(value) else value


def put(box: Outbox, **props: Any) -> None:
    """Let values of the component ``c`` wait."""
    box.put(update_of("c", props))


def test_a_value_replaces_the_one_that_waits_and_keeps_its_place() -> None:
    box = outbox()
    put(box, a=1)
    box.put(update_of("other", {"x": 1}))
    put(box, a=2)
    assert waiting(box) == [("c", {"a": 2}), ("other", {"x": 1})]


def test_a_value_replaces_the_patches_of_its_property() -> None:
    box = outbox()
    put(box, a=1)
    put(box, a=appended(1))
    put(box, a=appended(2))
    put(box, a=5)
    assert sent(box) == [("c", {"a": 5})]


def test_patches_are_kept_in_their_order() -> None:
    box = outbox()
    put(box, a=[])
    for number in range(5):
        put(box, a=appended(number))
    frames = [json.loads(message.frame)["payload"]["props"]["a"] for message in box.take(1 << 30)]
    value: Any = None
    for each in frames:
        value = patches.patched(value, each) if patches.is_patch(each) else each
    assert value == [0, 1, 2, 3, 4]


def test_a_patch_replaces_nothing() -> None:
    box = outbox()
    put(box, a=1)
    put(box, a=appended(1))
    assert waiting(box) == [("c", {"a": 1}), ("c", {"a": "patch"})]


def test_a_value_never_moves_ahead_of_an_answer() -> None:
    box = outbox()
    put(box, a=1)
    box.put(answer())
    put(box, a=2)
    assert waiting(box) == ["r", ("c", {"a": 2})]


def test_a_value_never_moves_ahead_of_components_it_may_be_for() -> None:
    box = outbox()
    put(box, a=1)
    box.put(update_of("place", {"children": [html.Div(id="c")]}))
    put(box, a=2)
    assert [name for name, _ in waiting(box)] == ["place", "c"]


def test_components_never_move_ahead_of_values_for_those_they_replace() -> None:
    box = outbox()
    for number in range(2):
        box.put(update_of("place", {"children": html.Div(id="c", title=str(number))}))
        put(box, title="late")
    box.put(update_of("place", {"children": html.Div(id="c", title="new")}))
    assert [name for name, _ in waiting(box)] == ["c", "place"]
    put(box, title="newest")
    assert [name for name, _ in waiting(box)] == ["place", "c"]


@pytest.mark.parametrize("again", ["tree", "value"])
def test_what_must_go_to_the_end_again_and_again_is_sent_after_all(again: str) -> None:
    box = outbox()
    for number in range(20):
        box.put(update_of(f"first {number}", {"x": number}))
    came: list[Any] = []
    for number in range(400):
        box.put(update_of("place", {"children": [html.Div(title=str(number))]}))
        put(box, a=number)
        box.put(answer())
        came += [entry for entry in sent(box, 0) if entry[0] == ("place" if again == "tree" else "c")]
        assert sum(isinstance(entry, tuple) and entry[0] in ("place", "c") for entry in waiting(box)) <= 4
    assert len(came) >= 3
    assert came == sorted(came, key=lambda entry: int(entry[1].get("a", 0)))


def test_answers_are_never_dropped_and_keep_their_order() -> None:
    box = outbox()
    for number in range(3):
        box.put(answer(str(number)))
        put(box, a=number)
    assert sent(box) == ["0", "1", "2", ("c", {"a": 2})]


def test_what_waits_of_other_properties_stays_when_one_is_replaced() -> None:
    box = outbox()
    put(box, a=1, b=1)
    put(box, a=2)
    values: dict[str, Any] = {}
    for _, props in sent(box):
        values |= props
    assert values == {"a": 2, "b": 1}


def test_a_value_that_comes_with_changing_neighbours_is_not_overtaken_for_ever() -> None:
    """A property that is set again and again, now alone and now with another, is sent though others always wait."""
    box = outbox()
    seen: list[str] = []
    for number in range(20):
        for each in range(2):  # More comes than goes.
            box.put(update_of(f"other-{number}-{each}", {"x": 1}))
        put(box, **({"a": number} if number % 2 else {"a": number, "b": number}))
        seen += [component for component, _ in sent(box, limit=1)]
    assert "c" in seen


def test_a_value_that_joins_a_waiting_update_does_not_pass_a_later_patch() -> None:
    box = outbox()
    put(box, a=1)
    put(box, b=appended(1))
    put(box, a=appended(2), c=3)
    assert waiting(box) == [("c", {"a": 1}), ("c", {"b": "patch"}), ("c", {"a": "patch", "c": 3})]


def test_values_that_came_together_are_sent_together() -> None:
    box = outbox()
    put(box, a=1)
    put(box, a=2, b=2)
    assert sent(box) == [("c", {"a": 2, "b": 2})]


def test_components_do_not_meet() -> None:
    box = outbox()
    box.put(update_of("a", {"x": 1}))
    box.put(update_of({"type": "a", "index": 1}, {"x": 2}))
    box.put(update_of({"index": 1, "type": "a"}, {"x": 3}))
    assert waiting(box) == [("a", {"x": 1}), ('{"index":1,"type":"a"}', {"x": 3})]


def test_a_frame_takes_as_much_as_its_limit_and_one_message_at_least() -> None:
    box = outbox()
    for name in "abc":
        box.put(answer(name * 100))
    assert len(box.take(10)) == 1
    assert len(box.take(1000)) == 2
    assert box.take(1000) == []


def test_a_rewind_sends_again_what_was_not_received() -> None:
    box = outbox()
    for name in "abcd":
        box.put(answer(name))
    assert sent(box) == list("abcd")
    box.put(answer("e"))
    assert box.rewind(2)
    assert sent(box) == ["c", "d", "e"]
    assert box.sent == 5
    assert box.rewind(5) and sent(box) == []


def test_a_rewind_after_an_acknowledgement_cannot_go_back() -> None:
    box = outbox()
    for name in "abc":
        box.put(answer(name))
    box.take(1 << 30)
    box.acknowledge(2)
    assert not box.rewind(1)


@pytest.mark.parametrize("received", [-1, 4, 10**30])
def test_a_count_out_of_range_is_not_believed(received: int) -> None:
    box = outbox()
    for name in "abc":
        box.put(answer(name))
    box.take(1 << 30)
    assert not box.rewind(received)


def test_an_acknowledgement_out_of_range_changes_nothing_but_what_was_sent() -> None:
    box = outbox()
    for name in "abc":
        box.put(answer(name))
    box.take(10)
    box.acknowledge(-5)
    assert box.sent_bytes > 0
    box.acknowledge(10**30)
    assert box.sent == 1 and box.sent_bytes == 0 and len(box) == 2


def test_the_window_ends_after_its_messages() -> None:
    box = outbox(messages=3)
    for name in "abcde":
        box.put(answer(name))
    box.take(1 << 30)
    assert not box.rewind(1)
    box = outbox(messages=3)
    for name in "abcde":
        box.put(answer(name))
    box.take(1 << 30)
    assert box.rewind(2) and sent(box) == ["c", "d", "e"]


def test_the_window_ends_after_its_bytes_but_keeps_one_large_message() -> None:
    box = outbox(size=100)
    box.put(answer("x" * 1000))
    box.take(1 << 30)
    assert box.rewind(0) and len(box) == 1
    box.take(1 << 30)
    box.put(answer("y"))
    box.take(1 << 30)
    assert not box.rewind(0)


def test_what_is_lost_stays_lost() -> None:
    box = outbox()
    box.put(answer())
    box.lose()
    assert not box.rewind(0) and box.size == box._ledger.bytes == 0


def test_a_message_of_several_outboxes_counts_once() -> None:
    ledger, message = Ledger(), answer("x" * 1000)
    boxes = [Outbox(1000, 1 << 20, ledger) for _ in range(3)]
    for box in boxes:
        box.put(message)
    assert ledger.bytes == len(message.frame)
    boxes[0].lose()
    boxes[1].take(0)
    boxes[1].acknowledge(1)
    assert ledger.bytes == len(message.frame)
    boxes[2].lose()
    assert ledger.bytes == 0


def test_a_frame_of_several_messages_is_a_list() -> None:
    assert json.loads(join([answer("a"), answer("b")])) == [{"answer": "a"}, {"answer": "b"}]
    assert json.loads(join([answer("a")])) == {"answer": "a"}


@pytest.mark.parametrize("seed", range(40))
def test_a_page_ends_with_the_values_of_the_server(seed: int) -> None:
    """Whatever is put, taken, cut and resumed: the last values agree, and answers come once, in their order."""
    chance = random.Random(seed)
    box = outbox()
    server: dict[str, Any] = {name: [] for name in "abc"}
    page: dict[str, Any] = {name: [] for name in "abc"}
    answers, received, under_way = [], 0, []

    def arrive(count: int) -> None:
        nonlocal received
        for message in under_way[:count]:
            received += 1
            decoded = json.loads(message.frame)
            if "answer" in decoded:
                answers.append(int(decoded["answer"]))
                continue
            for name, value in decoded["payload"]["props"].items():
                page[name] = patches.patched(page[name], value) if patches.is_patch(value) else value
        del under_way[:count]

    asked = 0
    for step in range(300):
        match chance.randrange(7):
            case 0 | 1:
                names = chance.sample("abc", chance.randint(1, 3))
                props = {name: [step] if chance.random() < 0.5 else appended(step) for name in names}
                put(box, **props)
                for name, value in props.items():
                    server[name] = [*server[name], step] if isinstance(value, Patch) else value
            case 2:
                box.put(answer(str(asked)))
                asked += 1
            case 3:
                under_way += box.take(chance.choice([0, 100, 10_000]))
            case 4:
                arrive(chance.randint(0, len(under_way)))
            case 5:
                box.acknowledge(received)
            case 6:
                under_way.clear()
                assert box.rewind(received)
        assert box.waiting_bytes == sum(len(message.frame) for message in box)
        assert box._ledger.bytes == box.size
    while messages := box.take(1000):
        under_way += messages
    arrive(len(under_way))
    assert page == server
    assert answers == list(range(asked))
    assert received == box.sent


def test_a_rate_lets_a_burst_through_and_fills_with_time() -> None:
    rate = Rate(10, 5)
    assert all(rate.take(1, 100.0) for _ in range(5))
    assert not rate.take(1, 100.0)
    assert rate.take(1, 100.3)


def test_a_rate_never_saves_more_than_its_burst() -> None:
    rate = Rate(10, 5)
    assert not rate.take(6, 1e9)
