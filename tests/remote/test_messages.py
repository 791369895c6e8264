"""Reading answers: JSON, lines of it, and server-sent events, in any pieces and within bounds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from flash.remote import messages
from flash.remote.backend import Progress, Result
from flash.remote.retries import Failure

LINES = "application/x-ndjson; charset=utf-8"
EVENTS = "text/event-stream"


def said(content_type: str, *chunks: bytes) -> list[Any]:
    async def body() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    async def main() -> list[Any]:
        return [each async for each in messages.messages(content_type, body())]

    return asyncio.run(main())


def pieces(text: bytes) -> list[tuple[bytes, ...]]:
    """The same bytes at once, byte by byte, and cut in two at every place."""
    return [(text,), tuple(bytes([each]) for each in text), *((text[:n], text[n:]) for n in range(1, len(text)))]


@pytest.mark.parametrize("kind", ["application/json", "", "text/plain", "application/problem+json"])
def test_an_answer_of_json(kind: str) -> None:
    assert said(kind, b'{"a":', b" [1, null]}") == [Result({"a": [1, None]})]


def test_no_answer_at_all_is_none() -> None:
    assert said("") == [Result(None)]


@pytest.mark.parametrize("kind", [LINES, "application/jsonl", "APPLICATION/JSONL"])
def test_lines_are_progress_and_a_result(kind: str) -> None:
    text = '{"progress": 1}\n\n{"progress": [2, "é"]}\r\n{"result": {"n": 3}}\n'.encode()
    for chunks in pieces(text):
        assert said(kind, *chunks) == [Progress(1), Progress([2, "é"]), Result({"n": 3})]


def test_what_stands_behind_a_result_is_not_read() -> None:
    assert said(LINES, b'{"result": 1}\n', b"not json") == [Result(1)]


def test_of_plain_lines_the_last_is_the_answer() -> None:
    assert said(LINES, b'{"n": 1}\n{"n": 2}\n{"result": 3, "progress": 4}') == [Result({"result": 3, "progress": 4})]
    assert said(LINES, b'1\n{"progress": 50}\n2\n') == [Progress(50), Result(2)]


def test_events_in_all_their_forms() -> None:
    text = (
        b'\xef\xbb\xbfdata: {"progress": 0}\r\n: a comment\r\n\r\n'
        b'event: progress\nid: 7\nretry: 10\ndata: {"percent":\ndata:  40}\n\n'
        b"event:progress\rdata:2\r\r"
        b"event: something\ndata: else\n\n"
        b"event: result\r\ndata: [1,\r\ndata: 2]\r\n\r\n"
    )
    for chunks in pieces(text):
        assert said(EVENTS, *chunks) == [Progress(0), Progress({"percent": 40}), Progress(2), Result([1, 2])]


def test_events_without_names_are_as_lines() -> None:
    assert said(EVENTS, b'data: {"progress": 1}\n\nevent: message\ndata: 2\n\n') == [Progress(1), Result(2)]


def test_an_event_that_was_cut_off_is_none() -> None:
    with pytest.raises(Failure) as raised:
        said(EVENTS, b"event: result\ndata: 1\n")
    assert raised.value.reason == "garbled"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("application/json", b"<html>"),
        ("application/json", b'{"a": 1'),
        (LINES, b'{"progress": 1}\n{"result"'),
        (LINES, b'{"progress": 1}\n'),
        (LINES, b""),
        (EVENTS, b"data: nonsense\n\n"),
        (EVENTS, b""),
    ],
)
def test_what_is_no_answer_is_garbled(kind: str, text: bytes) -> None:
    with pytest.raises(Failure) as raised:
        said(kind, text)
    assert raised.value.reason == "garbled"


@pytest.mark.parametrize(
    ("kind", "text"), [(LINES, b'{"error": %s}\n'), (EVENTS, b"event: error\ndata: %s\n\n")], ids=["lines", "events"]
)
def test_a_stream_says_that_it_has_failed(kind: str, text: bytes) -> None:
    for error, expected in {
        b'"out of memory"': ("failed", None, {}),
        b'{"status": 403}': ("refused", 403, {}),
        b'{"status": 99}': ("failed", None, {}),
        b'{"detail": [{"loc": ["body", "a"], "msg": "too small"}]}': ("invalid", None, {"a": "too small"}),
    }.items():
        with pytest.raises(Failure) as raised:
            said(kind, text % error)
        assert (raised.value.reason, raised.value.status, raised.value.fields) == expected


def test_answers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "MOST_BYTES", 100)
    monkeypatch.setattr(messages, "MOST_STREAM_BYTES", 1000)
    assert said("", b"%s" % (b" " * 90), b"1") == [Result(1)]
    for kind, chunks in [
        ("", [b" " * 60] * 2),
        (LINES, [b" " * 60] * 2),
        (LINES, [b" " * 120 + b"\n"]),
        (LINES, [b'{"progress": 1}\n' * 10] * 10),
        (EVENTS, [b"data: %s\n" % (b"1" * 40)] * 3),
        (EVENTS, [b": %s\n" % (b"x" * 60)] * 20),
    ]:
        with pytest.raises(Failure) as raised:
            said(kind, *chunks)
        assert raised.value.reason == "garbled" and "bytes" in raised.value.told


def test_a_long_line_in_many_pieces_is_not_copied_with_each() -> None:
    # Copied, it would take minutes.
    assert len(said(LINES, b'"' + b"x" * 8 * messages.MIB, *[b"x"] * 200_000, b'"')[0].value) > 8 * messages.MIB


def test_a_failure_may_be_nested_deeper_than_json_is_written() -> None:
    with pytest.raises(Failure) as raised:
        said(LINES, b'{"error": %b}' % (b"[" * 500 + b"]" * 500))
    assert raised.value.reason == "failed" and raised.value.told.startswith('\'{"error": [[[')
